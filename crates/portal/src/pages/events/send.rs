//! Sending an event by hand, from the examples of the catalogue.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tidings_app::Problem;
use tidings_app::publish::{Accepted, EventInput};

use crate::fault::{PageFault, show};
use crate::flash;
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::pages::editor::{self, Group, WrongLine};
use crate::query::Query;
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/events/send", get(ask).post(send))
}

/// What an address or a form of this page says.
#[derive(Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    event_key: String,
    payload: Option<String>,
    tenant_id: String,
    user_id: String,
    application_id: String,
}

#[derive(Template)]
#[template(path = "events/send.html")]
struct SendPage {
    shell: Shell,
    groups: Vec<Group>,
    asked: Asked,
    /// What the chosen event means.
    meaning: String,
    payload: String,
    faults: Faults,
    wrong_line: Option<WrongLine>,
}

/// A field that says whom the event is about.
struct About<'a> {
    name: &'static str,
    label: &'static str,
    value: &'a str,
    hint: &'static str,
}

impl SendPage {
    fn about(&self) -> [About<'_>; 3] {
        let about = |name, label, value, hint| About { name, label, value, hint };
        let seen_by = "Webhooks of that tenant get it, and those that see all tenants.";
        [
            about("tenantId", "Tenant", &self.asked.tenant_id, seen_by),
            about("userId", "User", &self.asked.user_id, ""),
            about("applicationId", "Application", &self.asked.application_id, ""),
        ]
    }
}

async fn ask(State(portal): State<Portal>, here: InEnvironment, Query(asked): Query<Asked>, around: Around) -> Result<Response, PageFault> {
    let asked = Asked { payload: None, ..asked };
    page(&portal, &here, around, asked, Faults::NONE).await
}

async fn send(State(portal): State<Portal>, here: InEnvironment, around: Around, form: Form) -> Result<Response, PageFault> {
    let mut asked: Asked = form.of(&here.visit)?;
    asked.payload = asked.payload.map(|text| text.replace("\r\n", "\n"));
    match publish(&portal, &here, &asked).await {
        Ok(accepted) => {
            let path = format!("/environments/{}/events/{}?live=1", here.caller.environment(), accepted.event);
            Ok(flash::to(&path, "Accepted."))
        }
        Err(problem) => page(&portal, &here, around, asked, Faults::of(problem)?).await,
    }
}

async fn publish(portal: &Portal, here: &InEnvironment, asked: &Asked) -> Result<Accepted, Problem> {
    let event = EventInput {
        event_key: asked.event_key.trim(),
        payload: asked.payload.as_deref().unwrap_or_default().as_bytes(),
        tenant_id: given(&asked.tenant_id),
        user_id: given(&asked.user_id),
        application_id: given(&asked.application_id),
        for_webhooks: true,
        payload_name: "payload",
    };
    portal.app.publish(&here.caller, event, None).await
}

fn given(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|text| !text.is_empty())
}

async fn page(portal: &Portal, here: &InEnvironment, around: Around, asked: Asked, faults: Faults) -> Result<Response, PageFault> {
    let event_types = portal.app.event_types(&here.caller)?;
    let chosen = event_types
        .iter()
        .find(|of| of.key.as_str() == asked.event_key)
        .or(event_types.first());
    let payload = asked.payload.clone().unwrap_or_else(|| editor::example(chosen.map(AsRef::as_ref)));
    let shell = around
        .within(portal, &here.visit, &here.caller, Section::Events, "Send an event")
        .await?;
    let (list, own) = (format!("{}/events", shell.base), shell.path.clone());
    let page = SendPage {
        shell: shell.crumb("Events", list).crumb("Send an event", own),
        groups: editor::grouped(event_types.iter().map(AsRef::as_ref)),
        asked: Asked {
            event_key: chosen.map(|of| of.key.to_string()).unwrap_or_default(),
            ..asked
        },
        meaning: chosen.map(|of| of.description.clone()).unwrap_or_default(),
        wrong_line: faults.at("payload").and_then(|words| editor::wrong_line(words, &payload)),
        payload,
        faults,
    };
    let status = page.faults.status();
    show(&page, status)
}
