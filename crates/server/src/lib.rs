//! HTTP in: the native API, the Frontegg dialect, the addresses for operators, and the document that describes them.
//!
//! Owns: connections and their limits ([`serve`]), reading and authenticating requests, the wire types of each interface, and answers. A handler is a
//! paragraph: arguments, one verb of the application, a reply.
//!
//! Never knows: SQL, egress, or a rule about what may be asked: the application authorises and validates.

mod auth;
mod body;
mod fault;
mod frontegg;
mod json;
mod limits;
mod metrics;
mod ops;
mod problem;
mod query;
mod router;
mod security;
mod serve;
mod state;
mod v1;

pub use metrics::{MetricsPage, Refresh};
pub use router::{dialect_openapi, openapi, router};
pub use serve::{ServeLimits, serve};
pub use state::{Readiness, ServerState};
