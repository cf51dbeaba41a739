//! The environments: the list with what each holds, and a new one.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tidings_app::environments::SettingsChange;
use tidings_app::{EnvironmentHolds, Visit};
use tidings_model::Environment;

use crate::fault::{PageFault, show};
use crate::flash;
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::session::SignedIn;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments", get(list).post(create))
}

/// An environment and what it holds.
struct Row {
    environment: Environment,
    holds: EnvironmentHolds,
}

#[derive(Template)]
#[template(path = "environments.html")]
struct ListPage {
    shell: Shell,
    rows: Vec<Row>,
    name: String,
    faults: Faults,
}

async fn list(State(portal): State<Portal>, SignedIn(visit): SignedIn, around: Around) -> Result<Response, PageFault> {
    page(&portal, &visit, around, String::new(), Faults::NONE).await
}

async fn page(portal: &Portal, visit: &Visit, around: Around, name: String, faults: Faults) -> Result<Response, PageFault> {
    let above = portal.app.caller_above(visit);
    let mut rows = Vec::new();
    for environment in portal.app.environments(&above).await? {
        let caller = portal.app.caller_of(visit, environment.id)?;
        let holds = portal.app.environment_holds(&caller, environment.id).await?;
        rows.push(Row { environment, holds });
    }
    let shell = around.global(portal, visit, Section::Environments, "Environments").await?;
    let shell = shell.crumb("Environments", "/environments");
    let status = faults.status();
    show(&ListPage { shell, rows, name, faults }, status)
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn create(State(portal): State<Portal>, SignedIn(visit): SignedIn, around: Around, form: Form) -> Result<Response, PageFault> {
    let Named { name } = form.of(&visit)?;
    let above = portal.app.caller_above(&visit);
    match portal.app.create_environment(&above, &name, SettingsChange::default()).await {
        Ok(made) => Ok(flash::to(
            &format!("/environments/{}/hooks", made.id),
            &format!("{} is there: subscribe a URL to its events.", made.name),
        )),
        Err(problem) => page(&portal, &visit, around, name, Faults::of(problem)?).await,
    }
}
