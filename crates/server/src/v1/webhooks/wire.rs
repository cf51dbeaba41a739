//! A webhook on the wire.

use serde::Serialize;
use tidings_app::webhooks::{SavedWebhook, SecretChange};
use tidings_app::{App, Caller, Problem, WebhookWithHealth};
use tidings_model::{DisableReason, TenantId, Timestamp, WebhookHealth, WebhookId, WebhookState};
use utoipa::ToSchema;

use crate::json::Member;

/// Where events go.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Webhook)]
pub(super) struct WebhookView {
    /// Its id.
    #[schema(value_type = String, example = "wh_1hf8wz3m60000")]
    pub(super) id: WebhookId,
    /// What people call it.
    name: String,
    /// What people say of it.
    description: String,
    /// Where deliveries go.
    url: String,
    /// Whether deliveries are signed.
    has_secret: bool,
    /// Keys, `Category.*` or `*`.
    event_keys: Vec<String>,
    /// Whether it gets deliveries.
    active: bool,
    /// Since when and why it gets none.
    disabled: Option<DisabledView>,
    /// The tenant whose events it sees; null sees those of all tenants.
    #[schema(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// The names of the headers that are sent with every delivery.
    header_names: Vec<String>,
    /// How it has been doing.
    health: HealthView,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
    /// The secret, only where it has just been generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    secret: Option<String>,
}

/// Since when and why a webhook gets no deliveries.
#[derive(Serialize, ToSchema)]
#[schema(as = Disabled)]
struct DisabledView {
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    at: Timestamp,
    /// operator: somebody switched it off. gone: it answered 410. failing: it failed for days without one success.
    #[schema(value_type = String, example = "operator")]
    reason: DisableReason,
}

/// How a webhook has been doing.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookHealth)]
struct HealthView {
    /// Attempts made.
    attempts: u64,
    /// Attempts that failed.
    failures: u64,
    /// When the last attempt ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    last_attempt_at: Option<Timestamp>,
    /// The first failure since the last success; null while it is well.
    #[schema(value_type = Option<String>, format = DateTime)]
    failing_since: Option<Timestamp>,
}

impl From<WebhookHealth> for HealthView {
    fn from(health: WebhookHealth) -> Self {
        Self {
            attempts: health.attempts,
            failures: health.failures,
            last_attempt_at: health.last_attempt_at,
            failing_since: health.failing_since,
        }
    }
}

impl WebhookView {
    pub(super) fn new(app: &App, caller: &Caller, found: WebhookWithHealth) -> Result<Self, Problem> {
        let WebhookWithHealth { webhook, health } = found;
        let header_names = app.header_names(caller, &webhook)?;
        let disabled = match webhook.state {
            WebhookState::Active => None,
            WebhookState::Disabled { at, why } => Some(DisabledView { at, reason: why }),
        };
        Ok(Self {
            id: webhook.id,
            name: webhook.name,
            description: webhook.description,
            url: webhook.url,
            has_secret: webhook.secrets.current.is_some(),
            event_keys: webhook.subscription.texts(),
            active: disabled.is_none(),
            disabled,
            tenant_id: webhook.tenant,
            header_names,
            health: health.into(),
            created_at: webhook.created_at,
            updated_at: webhook.updated_at,
            secret: None,
        })
    }

    /// With the secret, if it was generated just now.
    pub(super) fn saved(app: &App, caller: &Caller, saved: SavedWebhook) -> Result<Self, Problem> {
        Ok(Self {
            secret: saved.generated,
            ..Self::new(app, caller, saved.saved)?
        })
    }
}

/// What a request asks of a webhook's secret: a text, null, nothing, or one that Tidings makes.
pub(super) fn secret_change(secret: Member<String>, generate: bool) -> Result<SecretChange, Problem> {
    Ok(match (secret, generate) {
        (Member::Value(_), true) => return Err(Problem::field("secret", "cannot be given where generateSecret asks for a new one")),
        (Member::Absent | Member::Null, true) => SecretChange::Generate,
        (Member::Value(secret), false) => SecretChange::Set(secret),
        (Member::Null, false) => SecretChange::Remove,
        (Member::Absent, false) => SecretChange::Keep,
    })
}
