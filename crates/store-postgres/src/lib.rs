//! The cluster store: any number of nodes beside one PostgreSQL (14 or newer).
//!
//! Owns: the connections and what happens when there are none, the schema and its migrations, and the statements: one verb is one function with its SQL
//! beside it, in the file of its group. How nodes share the numbers of events and the routing is written in `docs/adr/0014-the-cluster-store.md`.
//!
//! Never knows: the engine, HTTP, or what time it is: verbs are told, and the clock that it is given only measures and dates migrations. Nothing that is
//! decided is decided by the time of the database.

mod append;
mod attempts;
mod changes;
mod config;
mod credentials;
mod deliveries;
mod environments;
mod event_types;
mod events;
mod fault;
mod fitness;
mod group;
mod history;
mod keys;
mod lease;
mod locks;
mod migrations;
mod nodes;
mod people;
mod pool;
mod record;
mod search;
mod session;
mod settle;
mod store;
mod tls;
mod transfer;
mod upkeep;
mod verbs;
mod verify;
mod webhooks;
mod writing;

pub use config::{CONNECTIONS_MIN, PostgresConfig, without_password};
pub use migrations::{Older, Schema};
pub use store::{CommitFigures, OpenError, PostgresOptions, PostgresStore};
