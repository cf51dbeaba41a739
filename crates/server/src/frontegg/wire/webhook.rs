//! Webhooks.

use serde::{Deserialize, Serialize};
use tidings_app::webhooks::{SecretChange, WebhookChange, WebhookDraft};
use tidings_app::{Problem, WebhookWithHealth};
use tidings_model::{EnvironmentId, TenantId, Timestamp, Webhook, WebhookId};
use utoipa::ToSchema;

/// A webhook as every client of Frontegg reads it: the union of what they read.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Webhook)]
pub(crate) struct WebhookRow {
    /// Its id.
    #[serde(rename = "_id")]
    #[schema(value_type = String, example = "wh_1hf8wz3m60000")]
    id: WebhookId,
    /// What people call it.
    display_name: String,
    /// What people say of it.
    description: String,
    /// Where deliveries go.
    url: String,
    /// The secret, for a vendor who may change it.
    secret: Option<String>,
    /// Keys, `Category.*` or `*`.
    event_keys: Vec<String>,
    /// Whether it gets deliveries.
    is_active: bool,
    /// Always CUSTOM.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The environment.
    #[schema(value_type = String)]
    vendor_id: EnvironmentId,
    /// The tenant whose events it sees; null sees those of all tenants.
    #[schema(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// The environment.
    #[schema(value_type = String)]
    environment_id: EnvironmentId,
    /// Attempts made.
    invocations: u64,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl WebhookRow {
    /// A webhook, with its secret where the caller may see it.
    pub(crate) fn new(found: WebhookWithHealth, secret: Option<String>) -> Self {
        let WebhookWithHealth { webhook, health } = found;
        Self {
            id: webhook.id,
            event_keys: webhook.subscription.texts(),
            is_active: webhook.state.is_active(),
            display_name: webhook.name,
            description: webhook.description,
            url: webhook.url,
            secret,
            kind: "CUSTOM",
            vendor_id: webhook.environment,
            tenant_id: webhook.tenant,
            environment_id: webhook.environment,
            invocations: health.attempts,
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
        }
    }
}

/// A webhook as clients write it. They send whole rows back, with members of their own: what is not named here is passed over. A null is as good as an
/// absent member.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct WebhookInput {
    /// What people call it.
    display_name: Option<String>,
    /// What people say of it.
    description: Option<String>,
    /// Where deliveries go. A new webhook has to have one.
    #[schema(example = "https://receiver.invalid/hook")]
    url: Option<String>,
    /// What deliveries are signed with.
    secret: Option<String>,
    /// Keys, `Category.*` or `*`. A new webhook has to have them.
    #[schema(example = json!(["frontegg.user.created"]))]
    event_keys: Option<Vec<String>>,
    /// Whether it gets deliveries.
    is_active: Option<bool>,
}

impl WebhookInput {
    /// A new webhook. An empty secret is none.
    pub(crate) fn into_draft(self) -> Result<WebhookDraft, Problem> {
        let event_keys = self.event_keys.ok_or_else(|| Problem::field("eventKeys", "has to be given"))?;
        Ok(WebhookDraft {
            name: self.display_name.unwrap_or_default(),
            description: self.description.unwrap_or_default(),
            url: self.url.unwrap_or_default(),
            secret: self
                .secret
                .filter(|secret| !secret.is_empty())
                .map_or(SecretChange::Keep, SecretChange::Set),
            event_keys,
            active: self.is_active.unwrap_or(true),
            tenant_id: None,
            headers: Vec::new(),
        })
    }

    /// What differs from a webhook and its secret. The rest is not a change: a row that is sent back to switch a webhook off must not fail because its
    /// host has gone or one of its event types was deleted, nor end a rotation of its secret. An empty secret keeps the one that is there.
    pub(crate) fn into_change(self, webhook: &Webhook, secret: Option<&str>) -> WebhookChange {
        let new_secret = self.secret.filter(|given| !given.is_empty() && Some(given.as_str()) != secret);
        WebhookChange {
            name: self.display_name.filter(|name| *name != webhook.name),
            description: self.description.filter(|text| *text != webhook.description),
            url: self.url.filter(|url| *url != webhook.url),
            secret: new_secret.map_or(SecretChange::Keep, SecretChange::Set),
            event_keys: self.event_keys.filter(|keys| *keys != webhook.subscription.texts()),
            active: self.is_active,
            headers: None,
            unchanged_since: None,
        }
    }
}
