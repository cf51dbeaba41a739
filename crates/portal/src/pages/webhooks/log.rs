//! The first page of a webhook: how it is doing, what waits and when it goes on, its last deliveries.

use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tidings_app::DeliveryFilter;
use tidings_app::waiting::Waiting;
use tidings_model::limits::{FAILING_DAYS_MAX, RETRY_JITTER_PERCENT};
use tidings_model::{Delivery, DeliveryId, RetrySchedule};

use super::AtWebhook;
use super::one::{self, Head, Tab};
use super::traffic::{self, Traffic};
use crate::fault::{PageFault, show};
use crate::icon::Icon;
use crate::paging::Paging;
use crate::query::Query;
use crate::shell::{Around, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/webhooks/{webhook}", get(deliveries))
}

/// What the address asks for.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    /// Only of that status.
    #[serde(skip_serializing_if = "String::is_empty")]
    status: String,
    /// Only of that event key.
    #[serde(skip_serializing_if = "String::is_empty")]
    event_key: String,
    /// The page begins after that delivery.
    #[serde(skip_serializing_if = "String::is_empty")]
    before: String,
}

impl Asked {
    fn query(&self, before: &str) -> String {
        let there = Self {
            before: before.to_owned(),
            ..self.clone()
        };
        serde_html_form::to_string(there).unwrap_or_default()
    }
}

#[derive(Template)]
#[template(path = "webhooks/one.html")]
struct LogPage {
    shell: Shell,
    head: Head,
    traffic: Option<Traffic>,
    waiting: Waiting,
    /// The retry schedule in words.
    schedule: String,
    asked: Asked,
    /// Keys that the list can be narrowed to.
    keys: Vec<String>,
    rows: Vec<Delivery>,
    paging: Paging,
}

async fn deliveries(
    State(portal): State<Portal>,
    here: AtWebhook,
    Query(asked): Query<Asked>,
    around: Around,
) -> Result<Response, PageFault> {
    let filter = DeliveryFilter {
        webhook: Some(here.id()),
        status: asked.status.parse().ok(),
        event_key: asked.event_key.parse().ok(),
        ..DeliveryFilter::of(here.caller.environment())
    };
    let found = portal
        .app
        .look_for_deliveries(&here.caller, filter, Paging::wanted(&asked.before))
        .await?;
    let mut rows = found.rows;
    let path = here.path();
    let address = |before: &str| format!("{path}?{}", asked.query(before));
    let paging = Paging::of(&mut rows, &asked.before, |row| row.id, address);
    let paging = paging.going_on(found.stopped, |event| address(&DeliveryId { event, ordinal: 0 }.to_string()));
    let environment = portal.app.environment(&here.caller, here.caller.environment()).await?;
    let event_types = portal.app.event_types(&here.caller)?;
    let subscription = &here.found.webhook.subscription;
    let wanted = event_types.iter().filter(|of| subscription.wants(&of.key, &of.category));
    let page = LogPage {
        shell: one::shell(&portal, &here, around, Tab::Deliveries).await?,
        head: Head::of(&here, Tab::Deliveries),
        traffic: traffic::of(&portal, &here.caller, &[here.id()]).await?.pop(),
        waiting: portal.app.waiting(&here.caller, here.id()).await?,
        schedule: in_words(&environment.settings.retry_schedule),
        keys: wanted.map(|of| of.key.to_string()).collect(),
        paging,
        asked,
        rows,
    };
    show(&page, 200)
}

/// `At once, then 5 s, 5 min and 2 h after the failure before (±20 %): 4 attempts over 2 h 5 min.`
fn in_words(schedule: &RetrySchedule) -> String {
    let steps: Vec<_> = schedule.steps().iter().skip(1).map(|step| Duration::from_secs(*step)).collect();
    let Some((last, others)) = steps.split_last() else {
        return "One attempt, at once.".to_owned();
    };
    let others: Vec<_> = others.iter().copied().map(words::span).collect();
    let before = if others.is_empty() {
        String::new()
    } else {
        format!("{} and ", others.join(", "))
    };
    format!(
        "At once, then {before}{} after the failure before (±{RETRY_JITTER_PERCENT}\u{a0}%): {} attempts over {}.",
        words::span(*last),
        schedule.attempts(),
        words::span(steps.iter().sum())
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_said_step_by_step() {
        let said = |steps: &[u64]| in_words(&RetrySchedule::new(steps.to_vec()).unwrap());
        assert_eq!(said(&[0]), "One attempt, at once.");
        assert_eq!(
            said(&[0, 5]),
            "At once, then 5 s after the failure before (±20\u{a0}%): 2 attempts over 5 s."
        );
        assert_eq!(
            said(&[0, 5, 300, 7_200]),
            "At once, then 5 s, 5 min and 2 h after the failure before (±20\u{a0}%): 4 attempts over 2 h 5 min."
        );
    }
}
