//! The settings of an environment: its name, how deliveries are tried, how long they are kept; and its end.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use tidings_app::environments::SettingsChange;
use tidings_app::{EnvironmentHolds, Problem};
use tidings_model::Environment;

use crate::fault::{PageFault, show};
use crate::flash;
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::schedule::{self, Step};
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/environments/{environment}/settings", get(ask).post(change))
        .route("/environments/{environment}/delete", post(delete))
}

/// The settings as their form has them.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Draft {
    name: String,
    #[serde(default)]
    http_allowed: bool,
    retry_schedule: String,
    timeout_seconds: String,
    retention_days: String,
}

impl Draft {
    fn of(environment: &Environment) -> Self {
        let settings = &environment.settings;
        Self {
            name: environment.name.clone(),
            http_allowed: settings.http_allowed,
            retry_schedule: schedule::line(settings.retry_schedule.steps()),
            timeout_seconds: (settings.timeout_ms as f64 / 1_000.0).to_string(),
            retention_days: settings.retention_days.to_string(),
        }
    }

    fn change(&self) -> Result<SettingsChange, Problem> {
        let schedule = schedule::steps(&self.retry_schedule).map_err(|words| Problem::field(SCHEDULE, words))?;
        let seconds: Option<f64> = self.timeout_seconds.trim().parse().ok().filter(|seconds| *seconds >= 0.0);
        let days = self.retention_days.trim().parse();
        Ok(SettingsChange {
            http_allowed: Some(self.http_allowed),
            retry_schedule: Some(schedule),
            timeout_ms: Some((seconds.ok_or_else(|| Problem::field(TIMEOUT, "is not a number of seconds"))? * 1_000.0).round() as u64),
            retention_days: Some(days.map_err(|_| Problem::field(RETENTION, "is not a number of days"))?),
        })
    }
}

/// The fields as the application names them.
const SCHEDULE: &str = "settings.retrySchedule";
const TIMEOUT: &str = "settings.timeoutMs";
const RETENTION: &str = "settings.retentionDays";
/// Those that the form shows faults at.
const FIELDS: [&str; 5] = ["name", "confirm", SCHEDULE, TIMEOUT, RETENTION];

#[derive(Template)]
#[template(path = "settings/settings.html")]
struct SettingsPage {
    shell: Shell,
    environment: Environment,
    draft: Draft,
    /// When each attempt of the schedule in the form happens, or why that cannot be said.
    steps: Result<Vec<Step>, String>,
    holds: EnvironmentHolds,
    holds_words: String,
    faults: Faults,
}

/// A schedule that is being written.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Preview {
    retry_schedule: Option<String>,
}

async fn ask(
    State(portal): State<Portal>,
    here: InEnvironment,
    around: Around,
    Query(Preview { retry_schedule }): Query<Preview>,
) -> Result<Response, PageFault> {
    let environment = portal.app.environment(&here.caller, here.caller.environment()).await?;
    let mut draft = Draft::of(&environment);
    draft.retry_schedule = retry_schedule.unwrap_or(draft.retry_schedule);
    page(&portal, &here, around, draft, Faults::NONE).await
}

async fn page(portal: &Portal, here: &InEnvironment, around: Around, draft: Draft, faults: Faults) -> Result<Response, PageFault> {
    let id = here.caller.environment();
    let shell = around
        .within(portal, &here.visit, &here.caller, Section::Settings, "Settings")
        .await?;
    let own = format!("{}/settings", shell.base);
    let status = faults.status();
    let holds = portal.app.environment_holds(&here.caller, id).await?;
    let page = SettingsPage {
        shell: shell.crumb("Settings", own),
        environment: portal.app.environment(&here.caller, id).await?,
        steps: schedule::steps(&draft.retry_schedule).map(|steps| schedule::told(&steps)),
        draft,
        holds_words: told(&holds),
        holds,
        faults,
    };
    show(&page, status)
}

/// What an environment holds: `2 webhooks and 1 event with its deliveries`.
fn told(holds: &EnvironmentHolds) -> String {
    let counted = [
        (holds.webhooks, "webhook"),
        (holds.event_types, "custom event type"),
        (holds.credentials, "credential"),
    ];
    let events = match holds.events {
        0 => None,
        1_000.. => Some("1,000 events or more with their deliveries".to_owned()),
        some => Some(format!("{} with what was delivered", words::counted(some, "event"))),
    };
    let there = counted.into_iter().filter(|(count, _)| *count > 0);
    let mut parts: Vec<_> = there.map(|(count, word)| words::counted(count, word)).chain(events).collect();
    let last = parts.pop().unwrap_or_default();
    if parts.is_empty() {
        last
    } else {
        format!("{} and {last}", parts.join(", "))
    }
}

async fn change(State(portal): State<Portal>, here: InEnvironment, around: Around, form: Form) -> Result<Response, PageFault> {
    let draft: Draft = form.of(&here.visit)?;
    let id = here.caller.environment();
    let changed = match draft.change() {
        Ok(settings) => portal.app.change_environment(&here.caller, id, Some(&draft.name), settings).await,
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(_) => Ok(flash::to(&format!("/environments/{id}/settings"), "The settings are saved.")),
        Err(problem) => page(&portal, &here, around, draft, Faults::of(problem)?).await,
    }
}

#[derive(Deserialize)]
struct Deleting {
    /// The environment's name, typed by whoever means it.
    confirm: String,
}

async fn delete(State(portal): State<Portal>, here: InEnvironment, around: Around, form: Form) -> Result<Response, PageFault> {
    let Deleting { confirm } = form.of(&here.visit)?;
    let id = here.caller.environment();
    let environment = portal.app.environment(&here.caller, id).await?;
    let deleted = if confirm.trim() == environment.name {
        portal.app.delete_environment(&here.caller, id, true).await
    } else {
        let words = format!("is not the environment's name: type {} to delete it", environment.name);
        Err(Problem::field("confirm", words))
    };
    match deleted {
        Ok(()) => Ok(flash::to(
            "/environments",
            &format!("{} is deleted, with everything in it.", environment.name),
        )),
        Err(problem) => page(&portal, &here, around, Draft::of(&environment), Faults::of(problem)?).await,
    }
}
