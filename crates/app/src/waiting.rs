//! What waits for a webhook, and when it goes on.

use tidings_model::delivery::StatusFilter;
use tidings_model::{Timestamp, WebhookId};
use tidings_store::DeliveryFilter;

use crate::app::App;
use crate::caller::Caller;
use crate::log::COUNT_MAX;
use crate::problem::Problem;

/// What waits for a webhook.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Deliveries that are not finished, counted up to [`COUNT_MAX`].
    pub count: usize,
    /// When the next of them is tried; in the past when it is due. `None` when nothing waits or the webhook is disabled.
    pub next_at: Option<Timestamp>,
}

impl App {
    /// What waits for one webhook of the caller's.
    pub async fn waiting(&self, caller: &Caller, webhook: WebhookId) -> Result<Waiting, Problem> {
        let filter = DeliveryFilter {
            webhook: Some(webhook),
            status: Some(StatusFilter::Pending),
            ..DeliveryFilter::of(caller.environment)
        };
        let count = self.count_deliveries(caller, filter).await?.min(COUNT_MAX);
        if count == 0 {
            return Ok(Waiting::default());
        }
        let due = self.store.due_webhooks().await?;
        let own = due.into_iter().find(|due| due.webhook == webhook && due.cancelled.is_none());
        Ok(Waiting {
            count,
            next_at: own.map(|due| due.next_due),
        })
    }
}
