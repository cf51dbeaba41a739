//! The cards behind an environment's name: webhooks, the catalogue, events.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use tidings_app::EnvironmentHolds;

use crate::fault::{PageFault, show};
use crate::icon::Icon;
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/hooks", get(cards))
}

#[derive(Template)]
#[template(path = "webhooks/hooks.html")]
struct HooksPage {
    shell: Shell,
    holds: EnvironmentHolds,
    /// Event types that can be subscribed, the environment's own included.
    event_types: usize,
    in_trouble: usize,
}

/// Most webhooks in trouble that are counted for the card.
const TROUBLE_MAX: usize = 100;

async fn cards(State(portal): State<Portal>, here: InEnvironment, around: Around) -> Result<Response, PageFault> {
    let holds = portal.app.environment_holds(&here.caller, here.caller.environment()).await?;
    let event_types = portal.app.event_types(&here.caller)?.len();
    let in_trouble = portal.app.webhooks_in_trouble(&here.caller, TROUBLE_MAX).await?.len();
    let shell = around
        .within(&portal, &here.visit, &here.caller, Section::Webhooks, "Hooks")
        .await?;
    let path = format!("{}/hooks", shell.base);
    let page = HooksPage {
        shell: shell.crumb("Hooks", path),
        holds,
        event_types,
        in_trouble,
    };
    show(&page, 200)
}
