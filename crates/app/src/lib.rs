//! What a [`Caller`] may ask for: each request is authorised here, once, validated, and becomes one verb of the store or the engine.
//!
//! Owns: authentication and scopes, validation of everything that people and programs send, [`Problem`] (an error as they see it), and the order of
//! things where a request has more than one step.
//!
//! Never knows: HTTP, SQL, sockets.

mod app;
mod audit;
pub mod bootstrap;
pub mod caller;
pub mod credentials;
pub mod environments;
pub mod event_types;
mod header_names;
pub mod jobs;
pub mod keys;
mod known;
pub mod links;
pub mod log;
pub mod log_entries;
pub mod look;
pub mod nodes;
pub mod overview;
pub mod passwords;
pub mod people;
pub mod problem;
pub mod publish;
mod schema;
pub mod sessions;
pub mod testing;
mod throttle;
pub mod tokens;
mod validate;
mod verified;
mod visit;
pub mod waiting;
pub mod webhooks;

pub use app::{App, AppParts};
pub use caller::{Caller, Identity};
pub use problem::{Code, FieldProblem, Problem};
pub use sessions::{Browser, SessionView, SignIn, SignedIn, Whose};
pub use visit::Visit;

/// What the log keeps of a header whose value is a secret.
pub use tidings_engine::deliver::MASKED;
/// What the verbs take and give that the store defines: whoever calls them needs no store.
pub use tidings_store::{
    ActivityCounts, AuditEntry, AuditFilter, AuditRecord, CopyReport, DeliveryDetail, DeliveryFilter, EnvironmentHolds, EventFilter, Page,
    PersonRole, WebhookFilter, WebhookWithHealth,
};
