//! What Tidings asks of a database: coarse verbs, each one transaction.
//!
//! Owns: the [`Store`] trait and its types, [`StoreError`], the in-memory reference model and the conformance suite that keeps every store equal to it.
//!
//! Never knows: a driver, SQL, or what time it is: every verb is told.

mod config;
#[cfg(feature = "conformance")]
pub mod conformance;
mod delivery;
mod error;
mod event_id;
mod log;
mod memory;
mod verbs;

pub use config::{
    CopyReport, CreateEventTypeError, CustomEventType, DeleteEnvironmentError, EnvironmentChange, EnvironmentHolds, MasterKeyId, NameTaken,
    Person, PersonRole, ReplaceWebhookError, Routing, WebhookFilter, WebhookWithHealth,
};
pub use delivery::{
    AppendRefusal, Appended, DueBatch, DueWebhook, Idempotency, LeaseGrant, LeaseToken, LeasedDelivery, NewEvent, ResendError, Settled,
    Settlement, Start, Target,
};
pub use error::StoreError;
pub use event_id::EventIdSequence;
pub use log::{DeliveryDetail, DeliveryFilter, EventFilter, Page, Pruned, StoreStats};
pub use memory::MemStore;
pub use verbs::Store;
