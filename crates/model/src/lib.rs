//! The nouns of Tidings and the pure decisions about them.
//!
//! Owns: ids, limits, the event catalogue, environments, webhooks and their subscriptions, events, deliveries, attempts, and the two
//! decisions of the road: which webhooks an event matches ([`subscription`]) and what follows an attempt ([`verdict`]).
//!
//! Never knows: an async runtime, SQL, HTTP, a clock or a source of chance. Time and chance come in as values.

pub mod attempt;
pub mod catalog;
pub mod delivery;
pub mod endpoint;
pub mod environment;
pub mod event;
pub mod event_key;
pub mod id;
pub mod limits;
pub mod payload;
pub mod subscription;
pub mod tenant;
pub mod timestamp;
pub mod transport;
pub mod verdict;
pub mod webhook;

pub use attempt::{Attempt, Exchange, Failure, FailureKind, Reply, Timings};
pub use catalog::{Catalog, EventType, Origin};
pub use delivery::{CancelReason, Delivery, DeliveryState, DeliveryStatus, Trigger};
pub use endpoint::{EndpointUrl, HostError, UrlError};
pub use environment::{Credential, Environment, Scopes, Settings};
pub use event::{BODY_ALTERED, Event, EventBody};
pub use event_key::{EventKey, EventKeyError};
pub use id::{CredentialId, DeliveryId, EnvironmentId, EventId, IdError, WebhookId};
pub use subscription::{EventPattern, Subscription};
pub use tenant::{TenantId, TenantIdError};
pub use timestamp::Timestamp;
pub use transport::{OutboundRequest, Transport};
pub use verdict::{Jitter, RetryPolicy, RetrySchedule, Verdict, decide};
pub use webhook::{DisableReason, SealedSecret, SealedSecretSet, Webhook, WebhookHealth, WebhookState};
