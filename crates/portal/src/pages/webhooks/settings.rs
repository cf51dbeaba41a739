//! What a webhook is: every field, its events, its secret.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use tidings_app::Code;
use tidings_app::webhooks::Unsealed;
use tidings_model::limits::FAILING_DAYS_MAX;
use tidings_model::{Timestamp, Webhook};

use super::AtWebhook;
use super::fields::Fields;
use super::one::{self, Head, Tab};
use super::picker::{self, Picker};
use super::reach::{self, Part};
use crate::fault::{PageFault, show};
use crate::flash;
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::shell::{Around, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/webhooks/{webhook}/settings", get(look).post(save))
}

/// The settings, to be changed.
#[derive(Template)]
#[template(path = "webhooks/settings.html")]
struct SettingsPage {
    shell: Shell,
    head: Head,
    fields: Fields,
    faults: Faults,
    picker: Picker,
    /// What is chosen, in a line.
    chosen: String,
    http_allowed: bool,
    secret: Option<String>,
    /// Until when the secret before this one signs too.
    rotating_until: Option<Timestamp>,
    /// What is different from what the form says, because somebody else was faster.
    differs: Vec<(&'static str, String)>,
}

/// The settings, to be read.
#[derive(Template)]
#[template(path = "webhooks/facts.html")]
struct FactsPage {
    shell: Shell,
    head: Head,
    everything: bool,
    parts: Vec<Part>,
    header_names: Vec<String>,
}

async fn look(State(portal): State<Portal>, here: AtWebhook, around: Around) -> Result<Response, PageFault> {
    if !here.visit.may_write() {
        return facts(&portal, &here, around).await;
    }
    again(&portal, &here, around, Faults::NONE).await
}

/// The settings as they are stored, and what was wrong with what was asked of them.
pub(super) async fn again(portal: &Portal, here: &AtWebhook, around: Around, faults: Faults) -> Result<Response, PageFault> {
    let unsealed = portal.app.unseal(&here.caller, &here.found.webhook)?;
    let fields = Fields::of(&here.found.webhook, unsealed.clone());
    page(portal, here, around, fields, unsealed, faults, Vec::new()).await
}

async fn facts(portal: &Portal, here: &AtWebhook, around: Around) -> Result<Response, PageFault> {
    let webhook = &here.found.webhook;
    let event_types = portal.app.event_types(&here.caller)?;
    let page = FactsPage {
        shell: one::shell(portal, here, around, Tab::Settings).await?,
        head: Head::of(here, Tab::Settings),
        everything: reach::is_everything(&webhook.subscription),
        parts: reach::of(&webhook.subscription, &event_types),
        header_names: portal.app.header_names(&here.caller, webhook)?,
    };
    show(&page, 200)
}

async fn page(
    portal: &Portal,
    here: &AtWebhook,
    around: Around,
    fields: Fields,
    unsealed: Unsealed,
    faults: Faults,
    differs: Vec<(&'static str, String)>,
) -> Result<Response, PageFault> {
    let environment = portal.app.environment(&here.caller, here.caller.environment()).await?;
    let rotating_out = &here.found.webhook.secrets.rotating_out;
    let shell = one::shell(portal, here, around, Tab::Settings).await?;
    let event_types = portal.app.event_types(&here.caller)?;
    let status = faults.status();
    let page = SettingsPage {
        rotating_until: rotating_out.as_ref().map(|(_, until)| *until).filter(|until| *until > shell.now),
        shell,
        head: Head::of(here, Tab::Settings),
        chosen: reach::in_a_line(&fields.event_keys, &event_types),
        picker: picker::of(event_types, &fields.event_keys),
        http_allowed: environment.settings.http_allowed,
        secret: unsealed.secret,
        fields,
        faults,
        differs,
    };
    show(&page, status)
}

async fn save(State(portal): State<Portal>, mut here: AtWebhook, around: Around, form: Form) -> Result<Response, PageFault> {
    let mut fields: Fields = form.of(&here.visit)?;
    let unsealed = portal.app.unseal(&here.caller, &here.found.webhook)?;
    fields.event_keys = picker::tidied(&fields.event_keys, &portal.app.event_types(&here.caller)?);
    let change = fields.change(&here.found.webhook, &unsealed);
    let Err(problem) = portal.app.change_webhook(&here.caller, here.id(), change).await else {
        return Ok(flash::to(&format!("{}/settings", here.path()), "The changes are saved."));
    };
    if problem.code != Code::Conflict {
        return page(&portal, &here, around, fields, unsealed, Faults::of(problem)?, Vec::new()).await;
    }
    // Whoever has seen what is different now may save over it.
    here.found = portal.app.webhook(&here.caller, here.id()).await?;
    let unsealed = portal.app.unseal(&here.caller, &here.found.webhook)?;
    fields.read_at = here.found.webhook.updated_at.as_millis();
    let differs = differences(&fields, &here.found.webhook, &unsealed);
    page(&portal, &here, around, fields, unsealed, Faults::of(problem)?, differs).await
}

/// What a webhook holds now where a form says something else.
fn differences(fields: &Fields, webhook: &Webhook, unsealed: &Unsealed) -> Vec<(&'static str, String)> {
    let change = fields.change(webhook, unsealed);
    let headers: Vec<_> = unsealed.headers.iter().map(|(name, _)| name.as_str()).collect();
    let now = [
        ("Name", change.name.is_some(), webhook.name.clone()),
        ("Description", change.description.is_some(), webhook.description.clone()),
        ("URL", change.url.is_some(), webhook.url.clone()),
        ("Events", change.event_keys.is_some(), webhook.subscription.texts().join(", ")),
        ("Custom headers", change.headers.is_some(), headers.join(", ")),
    ];
    now.into_iter()
        .filter_map(|(name, differs, is)| differs.then_some((name, is)))
        .collect()
}
