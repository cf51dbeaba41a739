//! Webhooks.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize, Serializer};

use crate::client::Query;
use crate::{Answer, Client, Error, Page, PageRequest, Secret};

/// A webhook: a URL and the events it is subscribed to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// `wh_…`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What people say of it.
    #[serde(default)]
    pub description: Option<String>,
    /// Where deliveries go.
    pub url: String,
    /// Whether deliveries are signed with a secret.
    pub has_secret: bool,
    /// Keys, `Category.*` or `*`.
    pub event_keys: Vec<String>,
    /// Whether it gets deliveries.
    pub active: bool,
    /// When and why it does not.
    #[serde(default)]
    pub disabled: Option<Disabled>,
    /// The one tenant whose events it sees.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// The names of its custom headers.
    #[serde(default)]
    pub header_names: Vec<String>,
    /// How its deliveries went.
    #[serde(default)]
    pub health: WebhookHealth,
    /// When it was made (RFC 3339).
    pub created_at: String,
    /// When it was last changed (RFC 3339).
    pub updated_at: String,
    /// The secret, only in the answer to the request that had it generated.
    #[serde(default)]
    pub secret: Option<Secret>,
}

/// When and why a webhook was switched off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Disabled {
    /// When (RFC 3339).
    pub at: String,
    /// Why.
    pub reason: String,
}

/// How the deliveries of a webhook went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct WebhookHealth {
    /// Attempts made.
    pub attempts: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// The last attempt (RFC 3339).
    pub last_attempt_at: Option<String>,
    /// Since when nothing has succeeded (RFC 3339).
    pub failing_since: Option<String>,
}

/// The secret and the custom headers of a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct WebhookSecrets {
    /// The secret, when it has one.
    pub secret: Option<Secret>,
    /// Custom headers with their values.
    #[serde(default)]
    pub headers: BTreeMap<String, Secret>,
}

/// A webhook to be made.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewWebhook {
    /// What people call it; the server names it after its host otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where deliveries go.
    pub url: String,
    /// Its secret, at least eight characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Have the server make a secret; the answer holds it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub generate_secret: bool,
    /// Keys, `Category.*` or `*`.
    pub event_keys: Vec<String>,
    /// Whether it gets deliveries at once; the server's default is yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// What people say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The one tenant whose events it sees; all without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Headers that are sent with every delivery.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
}

/// What to do with a field that can be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Change<T> {
    /// Leave it.
    #[default]
    Keep,
    /// Empty it.
    Clear,
    /// This from now on.
    Set(T),
}

impl<T> Change<T> {
    const fn is_keep(&self) -> bool {
        matches!(self, Self::Keep)
    }
}

impl<T: Serialize> Serialize for Change<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Keep | Self::Clear => serializer.serialize_none(),
            Self::Set(value) => value.serialize(serializer),
        }
    }
}

/// What is changed of a webhook; what is not given stays.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WebhookChange {
    /// What people call it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What people say of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Where deliveries go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its secret.
    #[serde(skip_serializing_if = "Change::is_keep")]
    pub secret: Change<Secret>,
    /// Keys, `Category.*` or `*`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_keys: Option<Vec<String>>,
    /// Whether it gets deliveries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// All its custom headers: those that are not in here go.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<BTreeMap<String, Secret>>,
}

/// A change of secrets during which both sign.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretRotation {
    /// The new secret; the server makes one otherwise, and the answer holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// How long the old one goes on signing beside it, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub overlap_seconds: Option<u64>,
}

/// Which webhooks.
#[derive(Clone, Debug, Default)]
pub struct WebhookFilter {
    /// A part of the name or the URL.
    pub search: Option<String>,
    /// Those of that tenant.
    pub tenant_id: Option<String>,
    /// Those that are on, or off.
    pub active: Option<bool>,
}

impl Client {
    /// Webhooks, newest first.
    pub async fn webhooks(&self, filter: &WebhookFilter, page: &PageRequest) -> Result<Answer<Page<Webhook>>, Error> {
        let mut query = Query::default();
        query.put("search", filter.search.as_ref());
        query.put("tenantId", filter.tenant_id.as_ref());
        query.put("active", filter.active);
        page.put(&mut query);
        self.get(&["v1", "webhooks"], query).await
    }

    /// One webhook.
    pub async fn webhook(&self, id: &str) -> Result<Answer<Webhook>, Error> {
        self.get(&["v1", "webhooks", id], Query::default()).await
    }

    /// Makes a webhook.
    pub async fn create_webhook(&self, new: &NewWebhook) -> Result<Answer<Webhook>, Error> {
        self.post(&["v1", "webhooks"], new).await
    }

    /// Changes a webhook.
    pub async fn change_webhook(&self, id: &str, change: &WebhookChange) -> Result<Answer<Webhook>, Error> {
        self.patch(&["v1", "webhooks", id], change).await
    }

    /// Deletes a webhook; what is on its way to it is cancelled.
    pub async fn delete_webhook(&self, id: &str) -> Result<(), Error> {
        self.delete(&["v1", "webhooks", id], Query::default()).await
    }

    /// Switches a webhook on.
    pub async fn enable_webhook(&self, id: &str) -> Result<Answer<Webhook>, Error> {
        self.post(&["v1", "webhooks", id, "enable"], &serde_json::Map::new()).await
    }

    /// Switches a webhook off.
    pub async fn disable_webhook(&self, id: &str) -> Result<Answer<Webhook>, Error> {
        self.post(&["v1", "webhooks", id, "disable"], &serde_json::Map::new()).await
    }

    /// The secret and the custom headers of a webhook; needs the scope `write`.
    pub async fn webhook_secrets(&self, id: &str) -> Result<Answer<WebhookSecrets>, Error> {
        self.get(&["v1", "webhooks", id, "secret"], Query::default()).await
    }

    /// Gives a webhook a new secret.
    pub async fn rotate_webhook_secret(&self, id: &str, rotation: &SecretRotation) -> Result<Answer<Webhook>, Error> {
        self.post(&["v1", "webhooks", id, "rotate-secret"], rotation).await
    }
}
