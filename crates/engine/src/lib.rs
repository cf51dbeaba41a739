//! The engine: from an event that is to be accepted to an attempt that is in the log.
//!
//! Owns: the routing snapshot ([`directory`]), accepting ([`intake`]), lanes and leases ([`lanes`]), one attempt ([`deliver`]), the count of what
//! happens ([`activity`]), this node among others (`roll`), and the upkeep that runs beside them ([`upkeep`]).
//!
//! Never knows: HTTP servers, SQL, sockets, or what time the operating system thinks it is.

pub mod activity;
pub mod deliver;
pub mod directory;
mod engine;
pub mod intake;
mod lane;
pub mod lanes;
pub mod metrics;
mod record;
mod roll;
pub mod sealing;
mod turns;
pub mod upkeep;

pub use activity::Activity;
pub use directory::{Destination, Directory, Owner, Routes};
pub use engine::{Engine, EngineParts};
pub use intake::{AcceptError, Accepted, Draft};
pub use metrics::Metrics;
pub use roll::NodeParts;
pub use sealing::StartError;
