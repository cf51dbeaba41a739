//! Deliveries as rows of a table: `templates/deliveries/rows.html` shows them on every page that has some.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use tidings_app::{Caller, Code, DeliveryFilter, Page, Problem};
use tidings_model::{Delivery, DeliveryId, DeliveryState, Timestamp, Trigger, WebhookId};

use crate::markup::Markup;
use crate::state::Portal;
use crate::words;

/// A delivery and the name of its webhook.
pub(crate) struct Row {
    pub(crate) delivery: Delivery,
    /// `None` when the webhook was deleted.
    pub(crate) webhook: Option<String>,
}

impl Row {
    /// What comes next, or how it ended.
    pub(crate) fn next(&self, now: impl Borrow<Timestamp>) -> Markup {
        let now = *now.borrow();
        match self.delivery.state {
            DeliveryState::Pending { .. } if self.delivery.leased => Markup::of("being sent"),
            DeliveryState::Pending { .. } => words::next(&self.delivery.state, now),
            DeliveryState::Delivered { at } => Markup::of("arrived ").with(&words::ago(at, now)),
            DeliveryState::Exhausted { at } => Markup::of("given up ").with(&words::ago(at, now)),
            DeliveryState::Cancelled { why, .. } => Markup::default().text(why),
        }
    }

    /// Why it exists, when that is not the event itself.
    pub(crate) const fn trigger(&self) -> Option<&'static str> {
        match self.delivery.trigger {
            Trigger::Event => None,
            Trigger::Resend => Some("resent"),
            Trigger::Test => Some("test"),
        }
    }
}

/// Deliveries of a page, newest first, with the names of their webhooks.
pub(crate) async fn rows(portal: &Portal, caller: &Caller, filter: DeliveryFilter, page: Page<DeliveryId>) -> Result<Vec<Row>, Problem> {
    named(portal, caller, portal.app.deliveries(caller, filter, page).await?).await
}

/// Those deliveries, with the names of their webhooks.
pub(super) async fn named(portal: &Portal, caller: &Caller, deliveries: Vec<Delivery>) -> Result<Vec<Row>, Problem> {
    let names = names(portal, caller, deliveries.iter().map(|delivery| delivery.webhook)).await?;
    let row = |delivery: Delivery| Row {
        webhook: names.get(&delivery.webhook).cloned(),
        delivery,
    };
    Ok(deliveries.into_iter().map(row).collect())
}

/// The names of those of the webhooks that are still there.
pub(super) async fn names(
    portal: &Portal,
    caller: &Caller,
    webhooks: impl IntoIterator<Item = WebhookId>,
) -> Result<BTreeMap<WebhookId, String>, Problem> {
    let distinct: BTreeSet<_> = webhooks.into_iter().collect();
    let name = async |id| match portal.app.webhook(caller, id).await {
        Ok(found) => Ok(Some((id, found.webhook.name))),
        Err(problem) if problem.code == Code::NotFound => Ok(None),
        Err(problem) => Err(problem),
    };
    let found = try_join_all(distinct.into_iter().map(name)).await?;
    Ok(found.into_iter().flatten().collect())
}
