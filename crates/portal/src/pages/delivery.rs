//! One delivery: what comes next, its attempts as a timeline, the body that is sent, and sending it again.

mod attempt;
mod curl;
mod rule;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use tidings_app::{Caller, Code, DeliveryDetail, Problem, WebhookWithHealth};
use tidings_model::delivery::DeliveryStatus;
use tidings_model::{CancelReason, DeliveryId, DeliveryState, Event, RetrySchedule, Trigger};

use self::attempt::AttemptView;
use super::deliveries::Row;
use crate::fault::{PageFault, show};
use crate::flash;
use crate::form::Form;
use crate::icon::Icon;
use crate::json;
use crate::markup::Markup;
use crate::query::Query;
use crate::session::{InEnvironment, Within};
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::timings;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/environments/{environment}/deliveries/{delivery}", get(one))
        .route("/environments/{environment}/deliveries/{delivery}/resend", post(resend))
}

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// `1`: the page shows itself anew when something happens.
    live: String,
    /// How the delivery stood when the page was shown; while it still does, there is nothing to show.
    seen: String,
}

#[derive(Template)]
#[template(path = "deliveries/one.html")]
struct OnePage {
    shell: Shell,
    live: bool,
    row: Row,
    event: Event,
    /// The body that every attempt sends, unless it was altered.
    body: Option<Markup>,
    /// Newest first.
    attempts: Vec<AttemptView>,
    url: Option<String>,
    schedule: RetrySchedule,
}

impl OnePage {
    const fn is_pending(&self) -> bool {
        matches!(self.row.delivery.state, DeliveryState::Pending { .. })
    }

    /// How the delivery stands, for [`Asked::seen`].
    fn seen(&self) -> String {
        seen(&self.row)
    }

    /// The class of the note that says what comes next.
    fn tone(&self) -> &'static str {
        match self.row.delivery.status() {
            DeliveryStatus::Delivered => "good",
            DeliveryStatus::Exhausted => "bad",
            DeliveryStatus::Retrying | DeliveryStatus::Cancelled => "warning",
            DeliveryStatus::Scheduled | DeliveryStatus::InFlight => "",
        }
    }

    /// What comes next, and what one can do.
    fn next(&self) -> Markup {
        let delivery = &self.row.delivery;
        let number = usize::from(delivery.attempts) + 1;
        let of = self.schedule.attempts().max(number);
        let now = self.shell.now;
        match delivery.state {
            DeliveryState::Pending { .. } if delivery.leased => Markup::of("Attempt ").text(number).html(" is being sent now."),
            DeliveryState::Pending { next_attempt_at } if next_attempt_at <= now => {
                Markup::of("Attempt ").text(number).html(" of ").text(of).html(" is due now.")
            }
            DeliveryState::Pending { next_attempt_at } => Markup::of("Attempt ")
                .text(number)
                .html(" of ")
                .text(of)
                .html(" begins ")
                .with(&words::ago(next_attempt_at, now))
                .html("."),
            DeliveryState::Delivered { at } => Markup::of("It arrived ").with(&words::ago(at, now)).html("; nothing comes next."),
            DeliveryState::Exhausted { at } => Markup::of("It was given up ")
                .with(&words::ago(at, now))
                .html(", after the last attempt of the schedule. Mend the receiver, then resend it."),
            DeliveryState::Cancelled { at, why } => Markup::of("It was cancelled ")
                .with(&words::ago(at, now))
                .html(": ")
                .text(why)
                .html(match why {
                    CancelReason::Gone | CancelReason::WebhookDisabled => ". Enable the webhook, then resend it.",
                    CancelReason::WebhookDeleted => ". Nothing can be sent to it any more.",
                    CancelReason::BodyAltered => ". Look the event up in a backup, or publish it again.",
                }),
        }
    }
}

async fn one(
    State(portal): State<Portal>,
    here: InEnvironment,
    Path((_, id)): Within<String>,
    Query(asked): Query<Asked>,
    around: Around,
) -> Result<Response, PageFault> {
    let caller = &here.caller;
    let DeliveryDetail { delivery, event, attempts } = portal.app.delivery(caller, parsed(&id)?).await?;
    let webhook = webhook(&portal, caller, &delivery).await?;
    let row = Row {
        webhook: webhook.as_ref().map(|found| found.webhook.name.clone()),
        delivery,
    };
    if asked.seen == seen(&row) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let schedule = portal.app.environment(caller, caller.environment()).await?.settings.retry_schedule;
    let title = format!("{} to {}", event.key, row.webhook.as_deref().unwrap_or("a deleted webhook"));
    let shell = around.within(&portal, &here.visit, caller, Section::Deliveries, &title).await?;
    let (list, own) = (format!("{}/deliveries", shell.base), shell.path.clone());
    let view = |attempt| AttemptView::of(attempt, &event, row.delivery.trigger, &schedule);
    let page = OnePage {
        shell: shell.crumb("Deliveries", list).crumb(id, own),
        live: asked.live == "1",
        body: event.body.whole().map(|body| json::highlighted(body)),
        attempts: attempts.into_iter().rev().map(view).collect(),
        url: webhook.map(|found| found.webhook.url),
        schedule,
        event,
        row,
    };
    show(&page, 200)
}

fn parsed(id: &str) -> Result<DeliveryId, Problem> {
    id.parse().map_err(|_| Problem::not_found("delivery", &id))
}

/// `None`: it was deleted.
async fn webhook(portal: &Portal, caller: &Caller, delivery: &tidings_model::Delivery) -> Result<Option<WebhookWithHealth>, Problem> {
    match portal.app.webhook(caller, delivery.webhook).await {
        Ok(found) => Ok(Some(found)),
        Err(problem) if problem.code == Code::NotFound => Ok(None),
        Err(problem) => Err(problem),
    }
}

fn seen(row: &Row) -> String {
    format!("{}-{}", row.delivery.status(), row.delivery.attempts)
}

async fn resend(
    State(portal): State<Portal>,
    here: InEnvironment,
    Path((_, id)): Within<String>,
    form: Form,
) -> Result<Response, PageFault> {
    let _: serde::de::IgnoredAny = form.of(&here.visit)?;
    let again = portal.app.resend(&here.caller, parsed(&id)?).await?;
    let path = format!("/environments/{}/deliveries/{}?live=1", here.caller.environment(), again.id);
    Ok(flash::to(&path, "Resent: this is the new delivery."))
}
