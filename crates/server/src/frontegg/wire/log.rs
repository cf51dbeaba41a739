//! The log of deliveries.

use serde::{Deserialize, Serialize};
use tidings_app::log_entries::LogEntry;
use tidings_model::limits::PAGE_ROWS_MAX;
use tidings_model::{BODY_ALTERED, Delivery, DeliveryId, DeliveryState, EnvironmentId, EventBody, TenantId, Timestamp, Trigger, WebhookId};
use utoipa::{IntoParams, ToSchema};

/// Rows of a page unless asked otherwise, as Frontegg's client has it.
const ROWS_DEFAULT: usize = 10;

/// Which part of a log.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct LogQuery {
    /// The webhook; without it, all that the caller sees.
    pub(crate) id: Option<String>,
    /// Rows to leave out first.
    #[serde(default)]
    #[param(value_type = Option<u32>, maximum = 10_000)]
    pub(crate) offset: usize,
    /// Rows of the page: 10 unless asked otherwise, 200 at most.
    #[param(format = Int64, maximum = 4_294_967_295_u32)]
    limit: Option<u32>,
}

impl LogQuery {
    /// Rows to give, at most [`PAGE_ROWS_MAX`].
    pub(crate) fn rows(&self) -> usize {
        self.limit.map_or(ROWS_DEFAULT, |limit| limit as usize).min(PAGE_ROWS_MAX)
    }
}

/// A part of a log.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LogPage {
    /// All rows, as far as they are counted.
    pub(crate) count: usize,
    /// The rows, newest first.
    pub(crate) rows: Vec<LogRow>,
}

/// Why a delivery was made, in Frontegg's words.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum TriggerType {
    Event,
    Retry,
}

impl From<Trigger> for TriggerType {
    fn from(trigger: Trigger) -> Self {
        match trigger {
            Trigger::Resend => Self::Retry,
            Trigger::Event | Trigger::Test => Self::Event,
        }
    }
}

/// A delivery.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LogRow {
    /// The delivery's id.
    #[schema(value_type = String)]
    id: DeliveryId,
    /// The webhook it went to.
    #[schema(value_type = String)]
    webhook_id: WebhookId,
    /// The tenant of its event.
    #[schema(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// The environment.
    #[schema(value_type = String)]
    vendor_id: EnvironmentId,
    /// A text, as clients expect it.
    status_code: String,
    /// The request body, JSON in a text: clients parse it. Where the disk altered it, an object whose `bodyAltered` is true.
    body: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Why it was made.
    trigger_type: TriggerType,
}

impl From<LogEntry> for LogRow {
    fn from(LogEntry { delivery, event }: LogEntry) -> Self {
        Self {
            id: delivery.id,
            webhook_id: delivery.webhook,
            vendor_id: delivery.environment,
            status_code: status_code(&delivery).to_string(),
            body: body(&event.body),
            created_at: delivery.created_at,
            trigger_type: delivery.trigger.into(),
            tenant_id: delivery.tenant,
        }
    }
}

/// The text that clients parse, also where there is nothing to show.
fn body(body: &EventBody) -> String {
    match body {
        EventBody::Whole(bytes) => String::from_utf8_lossy(bytes).into_owned(), // accepted only as UTF-8
        EventBody::Altered => serde_json::json!({ "bodyAltered": true, "message": BODY_ALTERED }).to_string(),
    }
}

/// The status that came back, 0 when none did. Clients show 200 to 399 as a success, so a 2xx whose reply broke off counts as none.
fn status_code(delivery: &Delivery) -> u16 {
    let delivered = matches!(delivery.state, DeliveryState::Delivered { .. });
    match delivery.last_status {
        Some(200..=299) if !delivered => 0,
        Some(status) => status,
        None => 0,
    }
}

/// The answer to a retry: the clients look at the number.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Retried {
    /// 202.
    status_code: u16,
    /// The new delivery's id.
    #[schema(value_type = String)]
    id: DeliveryId,
    /// The webhook it goes to.
    #[schema(value_type = String)]
    webhook_id: WebhookId,
    /// The tenant of its event.
    #[schema(value_type = Option<String>)]
    tenant_id: Option<TenantId>,
    /// The environment.
    #[schema(value_type = String)]
    vendor_id: EnvironmentId,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// Why it was made.
    trigger_type: TriggerType,
}

impl From<Delivery> for Retried {
    fn from(delivery: Delivery) -> Self {
        Self {
            status_code: 202,
            id: delivery.id,
            webhook_id: delivery.webhook,
            vendor_id: delivery.environment,
            created_at: delivery.created_at,
            trigger_type: delivery.trigger.into(),
            tenant_id: delivery.tenant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delivery(state: DeliveryState, last_status: Option<u16>) -> Delivery {
        Delivery {
            id: "dlv_00000000000010000000".parse().unwrap(),
            environment: EnvironmentId::from_chance([7; 16]),
            webhook: "wh_0000000000001".parse().unwrap(),
            trigger: Trigger::Event,
            event_key: "order.placed".parse().unwrap(),
            tenant: None,
            state,
            attempts: 1,
            last_status,
            leased: false,
            created_at: Timestamp::from_millis(0),
        }
    }

    #[test]
    fn only_what_was_delivered_is_shown_as_a_success() {
        let at = Timestamp::from_millis(1);
        let retrying = DeliveryState::Pending { next_attempt_at: at };
        let cases = [
            (DeliveryState::Delivered { at }, Some(204), 204),
            (retrying, Some(503), 503),
            (retrying, None, 0),
            (DeliveryState::Exhausted { at }, Some(200), 0),
            (DeliveryState::Exhausted { at }, Some(302), 302),
        ];
        for (state, last_status, shown) in cases {
            assert_eq!(status_code(&delivery(state, last_status)), shown);
        }
    }
}
