//! The webhooks that need somebody: what their last attempt came to, and what to do about it.

use futures::future::try_join_all;
use tidings_app::{Caller, DeliveryFilter, Page, Problem, WebhookWithHealth};
use tidings_model::{Attempt, DeliveryId, WebhookState};

use crate::advice;
use crate::state::Portal;

/// Webhooks that are named.
const ROWS: usize = 5;

/// A webhook in trouble.
pub(super) struct Trouble {
    pub(super) found: WebhookWithHealth,
    /// Why, in a sentence.
    pub(super) why: String,
    /// What to do.
    pub(super) advice: Option<&'static str>,
    /// The newest delivery that was tried.
    pub(super) delivery: Option<DeliveryId>,
}

/// The webhooks that have been in trouble for longest.
pub(super) async fn of(portal: &Portal, caller: &Caller) -> Result<Vec<Trouble>, Problem> {
    let found = portal.app.webhooks_in_trouble(caller, ROWS).await?;
    try_join_all(found.into_iter().map(|found| explained(portal, caller, found))).await
}

async fn explained(portal: &Portal, caller: &Caller, found: WebhookWithHealth) -> Result<Trouble, Problem> {
    let attempt = last_attempt(portal, caller, &found).await?;
    let summary = attempt.as_ref().map(|attempt| attempt.exchange.summary());
    Ok(Trouble {
        why: match (found.webhook.state, summary) {
            (WebhookState::Disabled { why, .. }, _) => format!("Disabled: {why}."),
            (WebhookState::Active, Some(summary)) => format!("Last attempt: {summary}."),
            (WebhookState::Active, None) => "Its last attempts are no longer in the log.".to_owned(),
        },
        advice: attempt.as_ref().and_then(|attempt| advice::on(&attempt.exchange)),
        delivery: attempt.map(|attempt| attempt.delivery),
        found,
    })
}

/// The last attempt of the newest delivery that was tried.
async fn last_attempt(portal: &Portal, caller: &Caller, found: &WebhookWithHealth) -> Result<Option<Attempt>, Problem> {
    let tried = DeliveryFilter {
        webhook: Some(found.webhook.id),
        attempted: true,
        ..DeliveryFilter::of(caller.environment())
    };
    let newest = portal.app.deliveries(caller, tried, Page::first(1)).await?;
    match newest.first() {
        Some(delivery) => Ok(portal.app.delivery(caller, delivery.id).await?.attempts.pop()),
        None => Ok(None),
    }
}
