//! Step 2 of a new webhook: its details, checked as they are typed and again when they are sent, by the same rules and in the same words.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};

use super::events::{self, Chosen};
use super::fields::Fields;
use super::{picker, reach};
use crate::fault::{PageFault, show};
use crate::flash;
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::query::Query;
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/environments/{environment}/webhooks/new/details", get(ask).post(create))
        .route("/environments/{environment}/webhooks/check", post(check))
}

/// The fields that have a place of their own for what is wrong with them.
pub(super) const SHOWN: [&str; 6] = ["name", "description", "url", "secret", "tenantId", "headers"];

#[derive(Template)]
#[template(path = "webhooks/details.html")]
struct DetailsPage {
    shell: Shell,
    fields: Fields,
    faults: Faults,
    /// What was chosen, in a line: `User Management 2, Tenant all 4`.
    chosen: String,
    /// The query that names it.
    query: String,
    /// http URLs are taken too.
    http_allowed: bool,
}

async fn ask(
    State(portal): State<Portal>,
    here: InEnvironment,
    Query(Chosen { event_keys }): Query<Chosen>,
    around: Around,
) -> Result<Response, PageFault> {
    events::may_add(&here.visit)?;
    let event_types = portal.app.event_types(&here.caller)?;
    let event_keys = picker::tidied(&event_keys, &event_types);
    if event_keys.is_empty() {
        return events::page(&portal, &here, around, &[], true).await;
    }
    let fields = Fields {
        event_keys,
        ..Fields::default()
    };
    page(&portal, &here, around, fields, Faults::NONE).await
}

async fn page(portal: &Portal, here: &InEnvironment, around: Around, fields: Fields, faults: Faults) -> Result<Response, PageFault> {
    let environment = portal.app.environment(&here.caller, here.caller.environment()).await?;
    let shell = around
        .within(portal, &here.visit, &here.caller, Section::Webhooks, "Set up the details")
        .await?;
    let list = super::list_path(&here.caller);
    let query = Chosen::query(&fields.event_keys);
    let shell = shell
        .crumb("Webhooks", &list)
        .crumb("Add new hook", format!("{list}/new?{query}"))
        .crumb("Details", "");
    let status = faults.status();
    let page = DetailsPage {
        chosen: reach::in_a_line(&fields.event_keys, &portal.app.event_types(&here.caller)?),
        http_allowed: environment.settings.http_allowed,
        shell,
        fields,
        faults,
        query,
    };
    show(&page, status)
}

async fn create(State(portal): State<Portal>, here: InEnvironment, around: Around, form: Form) -> Result<Response, PageFault> {
    let fields: Fields = form.of(&here.visit)?;
    match portal.app.create_webhook(&here.caller, fields.draft()).await {
        Ok(made) => {
            let webhook = made.saved.webhook;
            let path = super::path_of(&here.caller, webhook.id);
            Ok(flash::to(
                &format!("{path}/test?step=1"),
                &format!("{} is there. See whether your receiver takes what it will get.", webhook.name),
            ))
        }
        Err(problem) => page(&portal, &here, around, fields, Faults::of(problem)?).await,
    }
}

/// What is wrong with each field; the page that asks picks the one that it wants.
#[derive(Template)]
#[template(path = "webhooks/check.html")]
struct CheckPage {
    faults: Faults,
}

async fn check(State(portal): State<Portal>, here: InEnvironment, form: Form) -> Result<Response, PageFault> {
    let fields: Fields = form.of(&here.visit)?;
    let faults = match portal.app.check_webhook(&here.caller, fields.draft()).await {
        Ok(()) => Faults::NONE,
        Err(problem) => Faults::of(problem)?,
    };
    show(&CheckPage { faults }, 200)
}
