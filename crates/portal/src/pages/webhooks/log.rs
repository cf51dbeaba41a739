//! The first page of a webhook: how it is doing, what waits and when it goes on, its last deliveries.

use std::time::Duration;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::{Deserialize, Serialize};
use tidings_app::waiting::Waiting;
use tidings_app::{DeliveryFilter, Page, Problem};
use tidings_model::limits::{FAILING_DAYS_MAX, RETRY_JITTER_PERCENT};
use tidings_model::{Delivery, DeliveryId, RetrySchedule};

use super::AtWebhook;
use super::one::{self, Head, Tab};
use super::traffic::{self, Traffic};
use crate::fault::{PageFault, show};
use crate::filter::{self, Wishes};
use crate::form::Faults;
use crate::icon::Icon;
use crate::pages::deliveries;
use crate::paging::{Listed, Paging, Place};
use crate::query::Query;
use crate::shell::{Around, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/webhooks/{webhook}", get(log))
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
    #[serde(skip_serializing)]
    before: String,
}

impl Asked {
    /// What to look for, and which page of it.
    fn wishes(&self, here: &AtWebhook) -> Result<(DeliveryFilter, Page<DeliveryId>), Problem> {
        let mut wishes = Wishes::default();
        let filter = DeliveryFilter {
            webhook: Some(here.id()),
            status: wishes.read("status", &self.status),
            event_key: wishes.read("eventKey", &self.event_key),
            ..DeliveryFilter::of(here.caller.environment())
        };
        let page = Paging::wanted(wishes.before(&self.before));
        wishes.end()?;
        Ok((filter, page))
    }

    const fn is_narrowed(&self) -> bool {
        !self.status.is_empty() || !self.event_key.is_empty()
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
    faults: Faults,
    /// Keys that the list can be narrowed to.
    keys: Vec<String>,
    rows: Vec<Delivery>,
    paging: Paging,
}

async fn log(State(portal): State<Portal>, here: AtWebhook, Query(asked): Query<Asked>, around: Around) -> Result<Response, PageFault> {
    let path = here.path();
    let found = found(&portal, &here, &asked, &Place::of(&path, &asked, &asked.before)).await;
    let Listed { rows, paging, faults } = Listed::of(found)?;
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
        faults,
        rows,
    };
    let status = page.faults.status();
    show(&page, status)
}

async fn found(portal: &Portal, here: &AtWebhook, asked: &Asked, place: &Place<'_>) -> Result<(Vec<Delivery>, Paging), Problem> {
    let (filter, page) = asked.wishes(here)?;
    deliveries::look(portal, &here.caller, filter, page, place).await
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
