//! A delivery on the wire.

use serde::Serialize;
use tidings_model::{
    CancelReason, Delivery, DeliveryId, DeliveryState, DeliveryStatus, EventId, EventKey, TenantId, Timestamp, Trigger, WebhookId,
};
use utoipa::ToSchema;

/// One event on its way to one webhook.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Delivery)]
pub(in crate::v1) struct DeliveryView {
    /// Its id.
    #[schema(value_type = String, example = "dlv_1hf8wz3m600000000000")]
    pub(super) id: DeliveryId,
    /// The event that is delivered.
    #[schema(value_type = String, example = "evt_1hf8wz3m60000")]
    event_id: EventId,
    /// The webhook it goes to.
    #[schema(value_type = String, example = "wh_1hf8wz3m60000")]
    webhook_id: WebhookId,
    /// The key of its event.
    #[schema(value_type = String)]
    event_key: EventKey,
    /// The tenant of its event.
    #[schema(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// Why it exists: event, resend or test.
    #[schema(value_type = String, example = "event")]
    trigger: Trigger,
    /// scheduled, inFlight, retrying, delivered, exhausted or cancelled.
    #[schema(value_type = String, example = "delivered")]
    status: DeliveryStatus,
    /// Attempts made so far.
    attempts: u16,
    /// HTTP status of the last attempt, when one came back.
    last_status_code: Option<u16>,
    /// When the next attempt may begin, while it is not finished.
    #[schema(value_type = Option<String>, format = DateTime)]
    next_attempt_at: Option<Timestamp>,
    /// When it was finished.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// Why it was cancelled: gone, webhookDisabled, webhookDeleted, or bodyAltered: the disk altered the body of its event.
    #[schema(value_type = Option<String>)]
    cancel_reason: Option<CancelReason>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let (next_attempt_at, finished_at, cancel_reason) = match delivery.state {
            DeliveryState::Pending { next_attempt_at } => (Some(next_attempt_at), None, None),
            DeliveryState::Delivered { at } | DeliveryState::Exhausted { at } => (None, Some(at), None),
            DeliveryState::Cancelled { at, why } => (None, Some(at), Some(why)),
        };
        Self {
            id: delivery.id,
            event_id: delivery.event(),
            webhook_id: delivery.webhook,
            trigger: delivery.trigger,
            status: delivery.status(),
            attempts: delivery.attempts,
            last_status_code: delivery.last_status,
            next_attempt_at,
            finished_at,
            cancel_reason,
            created_at: delivery.created_at,
            event_key: delivery.event_key,
            tenant_id: delivery.tenant,
        }
    }
}
