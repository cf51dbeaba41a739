//! What Tidings asks of a database: coarse verbs, each one transaction.
//!
//! Owns: the [`Store`] trait and its types, [`StoreError`], the in-memory reference model and the conformance suite that keeps every store equal to it, moving a whole store into
//! another, and watching who lives of the nodes on a roll.
//!
//! Never knows: a driver, SQL, or what time it is: every verb is told.

mod activity;
pub mod codes;
mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod delivery;
pub mod detail;
mod error;
mod event_id;
mod keys;
mod log;
mod memory;
mod nodes;
mod people;
pub mod transfer;
mod verbs;
mod verify;
mod watch;

pub use activity::{Activity, ActivityCounts};
pub use config::{
    CopyReport, CreateEventTypeError, CreateWebhookError, CustomEventType, DeleteEnvironmentError, EnvironmentChange, EnvironmentHolds,
    MasterKeyId, NameTaken, ReplaceWebhookError, Routing, RoutingChanges, WebhookFilter, WebhookWithHealth,
};
pub use delivery::{
    AppendRefusal, Appended, DueBatch, DueWebhook, Idempotency, LeaseGrant, LeaseToken, LeasedDelivery, NewEvent, ResendError, Settled,
    Settlement, Start, Target,
};
pub use error::StoreError;
pub use event_id::EventIdSequence;
pub use keys::{MasterKeyState, MasterKeyUse, NewServerKey, Reseal, SealedPlace, SealedWebhook, ServerKey, ServerKeyPurpose};
pub use log::{DeliveryDetail, DeliveryFilter, EventFilter, Page, Pruned, StoreStats};
pub use memory::MemStore;
pub use nodes::{BEAT_EVERY, MISSED_BEATS_MAX, NewNode, Node, NodeNumber, Pulse, Roll};
pub use people::{AuditEntry, AuditFilter, AuditRecord, ChangePersonError, Person, PersonChange, PersonRole, Session, SessionId};
pub use verbs::Store;
pub use verify::{AsOf, Check, Finding, LEASE_MAX, MadeAttempt, Missing, OVERDUE_AFTER, Place, Thing, ToldDelivery, Verified, judge};
pub use watch::watch_roll;
