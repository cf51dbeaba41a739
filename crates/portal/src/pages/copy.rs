//! Copying an environment: what is copied and what is not, before; the report, after.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tidings_app::environments::SettingsChange;
use tidings_app::{CopyReport, EnvironmentHolds, Problem};
use tidings_model::{Environment, EnvironmentId, Origin, Settings};

use crate::fault::{PageFault, show};
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::query::Query;
use crate::schedule;
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/copy", get(ask).post(copy))
}

/// Where to: an environment by its id, or a new one by its name.
#[derive(Default, Deserialize)]
struct Target {
    #[serde(default)]
    to: String,
    #[serde(default)]
    name: String,
}

/// A setting here and there.
struct SettingRow {
    name: &'static str,
    here: String,
    /// What the target has, when it has something else.
    there: Option<String>,
}

/// A custom event type here.
struct TypeRow {
    key: String,
    /// The target has one of that key, which stays as it is.
    stays: bool,
}

#[derive(Template)]
#[template(path = "settings/copy.html")]
struct CopyPage {
    shell: Shell,
    source: Environment,
    others: Vec<Environment>,
    /// The environment that is copied to, unless it is a new one.
    target: Option<Environment>,
    name: String,
    settings: Vec<SettingRow>,
    types: Vec<TypeRow>,
    holds: EnvironmentHolds,
    faults: Faults,
}

#[derive(Template)]
#[template(path = "settings/copied.html")]
struct CopiedPage {
    shell: Shell,
    source: Environment,
    target: Environment,
    report: CopyReport,
}

async fn ask(
    State(portal): State<Portal>,
    here: InEnvironment,
    around: Around,
    Query(target): Query<Target>,
) -> Result<Response, PageFault> {
    here.can_write()?;
    page(&portal, &here, around, target, Faults::NONE).await
}

async fn page(portal: &Portal, here: &InEnvironment, around: Around, target: Target, faults: Faults) -> Result<Response, PageFault> {
    let id = here.caller.environment();
    let mut others = portal.app.environments(&here.caller).await?;
    let source = portal.app.environment(&here.caller, id).await?;
    others.retain(|other| other.id != id);
    let chosen = others.iter().find(|other| other.id.to_string() == target.to).cloned();
    let shell = around
        .within(portal, &here.visit, &here.caller, Section::Settings, "Copy environment")
        .await?;
    let status = faults.status();
    let page = CopyPage {
        shell: crumbs(shell),
        settings: setting_rows(&source.settings, chosen.as_ref().map(|chosen| &chosen.settings)),
        types: type_rows(portal, here, chosen.as_ref())?,
        holds: portal.app.environment_holds(&here.caller, id).await?,
        source,
        others,
        target: chosen,
        name: target.name,
        faults,
    };
    show(&page, status)
}

fn crumbs(shell: Shell) -> Shell {
    let (settings, own) = (format!("{}/settings", shell.base), format!("{}/copy", shell.base));
    shell.crumb("Settings", settings).crumb("Copy", own)
}

fn setting_rows(here: &Settings, there: Option<&Settings>) -> Vec<SettingRow> {
    let row = |name, say: fn(&Settings) -> String| {
        let now = say(here);
        SettingRow {
            name,
            there: there.map(say).filter(|there| *there != now),
            here: now,
        }
    };
    vec![
        row("http URLs", |settings| {
            if settings.http_allowed { "taken" } else { "refused" }.to_owned()
        }),
        row("Waits before retries", |settings| {
            match schedule::line(settings.retry_schedule.steps()) {
                none if none.is_empty() => "no retries".to_owned(),
                line => line,
            }
        }),
        row("Deadline of one attempt", |settings| {
            format!("{} s", settings.timeout_ms as f64 / 1_000.0)
        }),
        row("Log kept", |settings| words::counted(u64::from(settings.retention_days), "day")),
    ]
}

fn type_rows(portal: &Portal, here: &InEnvironment, target: Option<&Environment>) -> Result<Vec<TypeRow>, Problem> {
    let there = match target {
        Some(target) => custom_keys(portal, here, target.id)?,
        None => Vec::new(),
    };
    let keys = custom_keys(portal, here, here.caller.environment())?;
    let rows = keys.into_iter().map(|key| TypeRow {
        stays: there.contains(&key),
        key,
    });
    Ok(rows.collect())
}

fn custom_keys(portal: &Portal, here: &InEnvironment, environment: EnvironmentId) -> Result<Vec<String>, Problem> {
    let caller = portal.app.caller_of(&here.visit, environment)?;
    let event_types = portal.app.event_types(&caller)?;
    let custom = event_types
        .iter()
        .filter(|event_type| matches!(event_type.origin, Origin::Custom { .. }));
    Ok(custom.map(|event_type| event_type.key.as_str().to_owned()).collect())
}

async fn copy(State(portal): State<Portal>, here: InEnvironment, around: Around, form: Form) -> Result<Response, PageFault> {
    let target: Target = form.of(&here.visit)?;
    match copied(&portal, &here, &target).await {
        Ok((made, report)) => {
            let shell = around
                .within(&portal, &here.visit, &here.caller, Section::Settings, "Copied")
                .await?;
            let page = CopiedPage {
                shell: crumbs(shell),
                source: portal.app.environment(&here.caller, here.caller.environment()).await?,
                target: made,
                report,
            };
            show(&page, 200)
        }
        Err(problem) => page(&portal, &here, around, target, Faults::of(problem)?).await,
    }
}

async fn copied(portal: &Portal, here: &InEnvironment, target: &Target) -> Result<(Environment, CopyReport), Problem> {
    let to = if target.to.is_empty() {
        portal
            .app
            .create_environment(&here.caller, &target.name, SettingsChange::default())
            .await?
            .id
    } else {
        let unknown = || Problem::field("to", "is not an environment that is there; choose another");
        target.to.parse().map_err(|_| unknown())?
    };
    let report = portal.app.copy_environment(&here.caller, here.caller.environment(), to).await?;
    Ok((portal.app.environment(&here.caller, to).await?, report))
}
