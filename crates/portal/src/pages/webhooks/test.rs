//! Testing a webhook: one signed request with the example of an event, changed at will, and what came of it.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use serde::Deserialize;
use tidings_app::Problem;
use tidings_app::testing::TestReport;
use tidings_model::limits::FAILING_DAYS_MAX;

use super::AtWebhook;
use super::one::{self, Head, Tab};
use super::verdict::Outcome;
use crate::fault::{PageFault, show};
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::pages::editor::{self, Group, WrongLine};
use crate::query::Query;
use crate::shell::{Around, Shell};
use crate::state::Portal;
use crate::timings;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/webhooks/{webhook}/test", get(ask).post(send))
}

/// What an address or a form of this page says.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    /// `1` while a new webhook is added: the page is its third step.
    step: String,
    event_key: String,
    payload: Option<String>,
}

#[derive(Template)]
#[template(path = "webhooks/test.html")]
struct TestPage {
    shell: Shell,
    head: Head,
    /// The page is a step of adding the webhook.
    adding: bool,
    groups: Vec<Group>,
    event_key: String,
    payload: String,
    faults: Faults,
    wrong_line: Option<WrongLine>,
    outcome: Option<Outcome>,
}

async fn ask(State(portal): State<Portal>, here: AtWebhook, Query(asked): Query<Asked>, around: Around) -> Result<Response, PageFault> {
    let asked = Asked { payload: None, ..asked };
    page(&portal, &here, around, asked, Faults::NONE, None).await
}

async fn send(State(portal): State<Portal>, here: AtWebhook, around: Around, form: Form) -> Result<Response, PageFault> {
    let mut asked: Asked = form.of(&here.visit)?;
    asked.payload = asked.payload.map(|text| text.replace("\r\n", "\n"));
    match test(&portal, &here, &asked).await {
        Ok(report) => page(&portal, &here, around, asked, Faults::NONE, Some(report)).await,
        Err(problem) => page(&portal, &here, around, asked, Faults::of(problem)?, None).await,
    }
}

async fn test(portal: &Portal, here: &AtWebhook, asked: &Asked) -> Result<TestReport, Problem> {
    let payload = asked.payload.clone().map(Bytes::from);
    let event_key = (!asked.event_key.is_empty()).then(|| asked.event_key.clone());
    portal.app.test_webhook(&here.caller, here.id(), event_key, payload).await
}

async fn page(
    portal: &Portal,
    here: &AtWebhook,
    around: Around,
    asked: Asked,
    faults: Faults,
    report: Option<TestReport>,
) -> Result<Response, PageFault> {
    let event_types = portal.app.event_types(&here.caller)?;
    let subscription = &here.found.webhook.subscription;
    let wanted = || event_types.iter().filter(|of| subscription.wants(&of.key, &of.category));
    let chosen = wanted().find(|of| of.key.as_str() == asked.event_key).or_else(|| wanted().next());
    let payload = asked.payload.unwrap_or_else(|| editor::example(chosen.map(AsRef::as_ref)));
    let page = TestPage {
        shell: one::shell(portal, here, around, Tab::Test).await?,
        head: Head::of(here, Tab::Test),
        adding: asked.step == "1",
        groups: editor::grouped(wanted().map(AsRef::as_ref)),
        event_key: chosen.map(|of| of.key.to_string()).unwrap_or_default(),
        wrong_line: faults.at("payload").and_then(|words| editor::wrong_line(words, &payload)),
        payload,
        outcome: report.map(Outcome::of),
        faults,
    };
    let status = page.faults.status();
    show(&page, status)
}
