//! A typed client of the native API, for the command line, for tests and for programs in Rust.
//!
//! Owns: the wire types of `/v1` as a client sees them, one method per operation on [`Client`], and [`Error`], which tells a refusal of the server from
//! a server that could not be reached. Every reply is an [`Answer`]: the typed value, and the JSON exactly as it came.
//!
//! Never knows: the server's own crates, a data folder, configuration, or time: a caller that will not wait forever drops the future.

mod answer;
mod client;
mod connector;
mod credentials;
mod deliveries;
mod environments;
mod error;
mod event_types;
mod events;
mod exchange;
mod keys;
mod nodes;
mod page;
mod secret;
mod trials;
mod webhooks;

pub use answer::Answer;
pub use client::{Auth, Client, ENVIRONMENT_HEADER};
pub use credentials::{Credential, IssuedCredential, NewCredential, NewTenantToken, TenantToken};
pub use deliveries::{Attempt, Delivery, DeliveryFilter};
pub use environments::{
    Copied, CopyReport, Environment, EnvironmentChange, EnvironmentSettings, Kept, NewEnvironment, NotCopied, SettingsChange,
};
pub use error::{Error, FieldError, Problem};
pub use event_types::{EventType, NewEventType};
pub use events::{AcceptedEvent, BatchReport, BatchResult, Event, EventFilter, NewEvent, RefusedEvent};
pub use exchange::{Exchange, Failure, Reply, Timings};
pub use keys::{KeyRotation, Keys, MasterKey, MasterKeyRotation, TokenKey};
pub use nodes::{Node, Nodes};
pub use page::{Listing, Page, PageRequest};
pub use secret::Secret;
pub use trials::{SavedTest, TestReport, TestRequest, TestedRequest};
pub use webhooks::{Change, Disabled, NewWebhook, SecretRotation, Webhook, WebhookChange, WebhookFilter, WebhookHealth, WebhookSecrets};
