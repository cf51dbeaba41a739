//! Types of the verbs about what people configure.

use tidings_model::{EnvironmentId, EventKey, Settings, Timestamp, Webhook, WebhookHealth, WebhookId};

/// The id of the master key that a store's secrets are sealed with: derived from the key, and telling nothing about it.
pub type MasterKeyId = [u8; 4];

/// Another environment, event type or person already has that name.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
#[error("the name is taken")]
pub struct NameTaken;

/// What is changed of an environment; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct EnvironmentChange {
    /// Its new name.
    pub name: Option<String>,
    /// Its new settings.
    pub settings: Option<Settings>,
}

/// What keeps an environment from being deleted without force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EnvironmentHolds {
    /// Its webhooks.
    pub webhooks: u64,
    /// Its custom event types.
    pub event_types: u64,
    /// Its credentials.
    pub credentials: u64,
    /// Its events; counted up to 1,000.
    pub events: u64,
}

impl EnvironmentHolds {
    /// True when it holds nothing.
    pub const fn is_empty(&self) -> bool {
        self.webhooks == 0 && self.event_types == 0 && self.credentials == 0 && self.events == 0
    }
}

/// Why an environment was not deleted.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone)]
pub enum DeleteEnvironmentError {
    /// There is none of that id.
    #[error("there is no such environment")]
    NotFound,
    /// It holds something, and force was not asked for.
    #[error("the environment is not empty")]
    Holds(EnvironmentHolds),
}

/// An event type that an environment added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomEventType {
    /// Unique in the environment, and not a built-in key.
    pub key: EventKey,
    /// The category it is listed under: a built-in one or a name of its own.
    pub category: String,
    /// A short name.
    pub display_name: String,
    /// What it means.
    pub description: String,
    /// An example payload, JSON.
    pub example: Option<String>,
    /// A JSON Schema for its payloads, JSON.
    pub schema: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Why a webhook was not created.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum CreateWebhookError {
    /// There is no such environment.
    #[error("there is no such environment")]
    NoEnvironment,
    /// A webhook of that id is there, or was.
    #[error("the id is taken")]
    IdTaken,
}

/// Why an event type was not created.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum CreateEventTypeError {
    /// The environment has one of that key.
    #[error("the key is taken")]
    KeyTaken,
    /// There is no such environment.
    #[error("there is no such environment")]
    NoEnvironment,
}

/// What copying an environment's configuration did. Webhooks, secrets, credentials and history are never copied.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyReport {
    /// Keys of the event types that were copied, ascending.
    pub event_types_copied: Vec<EventKey>,
    /// Keys that the target had already, left as they were, ascending.
    pub event_types_kept: Vec<EventKey>,
    /// Webhooks of the source, none of which was copied.
    pub webhooks_left: u64,
    /// Credentials of the source, none of which was copied.
    pub credentials_left: u64,
}

/// Why a webhook was not replaced.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum ReplaceWebhookError {
    /// There is none of that id in that environment.
    #[error("there is no such webhook")]
    NotFound,
    /// Somebody changed it since it was read.
    #[error("the webhook was changed by somebody else")]
    Changed,
}

/// Which webhooks to list.
#[derive(Clone, Debug, Default)]
pub struct WebhookFilter {
    /// Only those of this tenant.
    pub tenant: Option<tidings_model::TenantId>,
    /// Only those whose name or URL contains this text, no character of which is special, without regard to ASCII case.
    pub search: Option<String>,
    /// Only the active, or only the disabled.
    pub active: Option<bool>,
    /// Only those that need somebody: failing since some time, or disabled by the engine.
    pub in_trouble: bool,
}

/// A webhook and how it has been doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebhookWithHealth {
    /// The webhook.
    pub webhook: Webhook,
    /// How it has been doing.
    pub health: WebhookHealth,
}

/// Everything that accepting and delivering an environment's events needs to know, as of one version.
#[derive(Clone, Debug)]
pub struct Routing {
    /// The environment.
    pub environment: EnvironmentId,
    /// Rises with every change of the environment's name, settings, event types or webhooks, and of nothing else; an append names the version that it matched against.
    pub version: u64,
    /// The environment's settings.
    pub settings: Settings,
    /// Its own event types, by key.
    pub event_types: Vec<CustomEventType>,
    /// Its webhooks, the disabled ones too, the deleted ones not, by id.
    pub webhooks: Vec<Webhook>,
}

/// What has changed of an environment's routing since a version.
#[derive(Clone, Debug)]
pub struct RoutingChanges {
    /// The routing as of now, of whose webhooks are here only those that were added or changed since then.
    pub routing: Routing,
    /// Webhooks that were deleted since then, by id; also those that were added since then.
    pub deleted: Vec<WebhookId>,
}
