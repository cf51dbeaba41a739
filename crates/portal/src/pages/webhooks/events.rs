//! Step 1 of a new webhook: the events that trigger it.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tidings_app::{Code, Problem, Visit};

use super::picker::{self, Picker};
use crate::fault::{PageFault, show};
use crate::icon::Icon;
use crate::query::Query;
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/webhooks/new", get(choose))
}

/// The events that an address names.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Chosen {
    pub(super) event_keys: Vec<String>,
}

impl Chosen {
    /// The query that names them.
    pub(super) fn query(event_keys: &[String]) -> String {
        let pairs: Vec<_> = event_keys.iter().map(|key| ("eventKeys", key)).collect();
        serde_html_form::to_string(pairs).unwrap_or_default()
    }
}

#[derive(Template)]
#[template(path = "webhooks/events.html")]
struct EventsPage {
    shell: Shell,
    picker: Picker,
    /// Somebody went on without choosing.
    none_chosen: bool,
}

async fn choose(
    State(portal): State<Portal>,
    here: InEnvironment,
    Query(Chosen { event_keys }): Query<Chosen>,
    around: Around,
) -> Result<Response, PageFault> {
    page(&portal, &here, around, &event_keys, false).await
}

/// Whether somebody can get to the end of the steps: whoever cannot is not led along them.
pub(super) fn may_add(visit: &Visit) -> Result<(), Problem> {
    if visit.may_write() {
        return Ok(());
    }
    Err(Problem::new(Code::Forbidden, "only owners and admins add webhooks"))
}

/// The step, with those events chosen.
pub(super) async fn page(
    portal: &Portal,
    here: &InEnvironment,
    around: Around,
    chosen: &[String],
    none_chosen: bool,
) -> Result<Response, PageFault> {
    may_add(&here.visit)?;
    let picker = picker::of(portal.app.event_types(&here.caller)?, chosen);
    let shell = around
        .within(portal, &here.visit, &here.caller, Section::Webhooks, "Select the triggering events")
        .await?;
    let list = super::list_path(&here.caller);
    let shell = shell.crumb("Webhooks", &list).crumb("Add new hook", format!("{list}/new"));
    let page = EventsPage {
        shell,
        picker,
        none_chosen,
    };
    show(&page, if none_chosen { 422 } else { 200 })
}
