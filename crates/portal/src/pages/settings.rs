//! The settings of an environment: its name, how deliveries are tried, how long they are kept; and its end.

mod edit;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use tidings_app::{Code, EnvironmentHolds, Problem};
use tidings_model::Environment;

use self::edit::{Draft, Edit};
use crate::fault::{PageFault, show};
use crate::flash;
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::query::Query;
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

/// The fields as the application names them.
const SCHEDULE: &str = "settings.retrySchedule";
const TIMEOUT: &str = "settings.timeoutMs";
const RETENTION: &str = "settings.retentionDays";
/// Those that the form shows faults at.
const FIELDS: [&str; 5] = ["name", "confirm", SCHEDULE, TIMEOUT, RETENTION];
/// Said to whoever wants a setting to be something else than somebody who was faster.
const CHANGED_SINCE: &str =
    "somebody changed these settings after you opened them; nothing was saved. Look at how they stand now, and make your change again";

#[derive(Template)]
#[template(path = "settings/settings.html")]
struct SettingsPage {
    shell: Shell,
    environment: Environment,
    draft: Draft,
    /// What the form was made of, packed.
    seen: String,
    /// What is different from what the form says, because somebody else was faster.
    differs: Vec<(&'static str, String)>,
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
    let mut edit = Edit::none(&environment);
    edit.said.retry_schedule = retry_schedule.unwrap_or(edit.said.retry_schedule);
    page(&portal, &here, around, edit, Faults::NONE, Vec::new()).await
}

async fn page(
    portal: &Portal,
    here: &InEnvironment,
    around: Around,
    edit: Edit,
    faults: Faults,
    differs: Vec<(&'static str, String)>,
) -> Result<Response, PageFault> {
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
        steps: schedule::steps(&edit.said.retry_schedule).map(|steps| schedule::told(&steps)),
        seen: edit.seen.packed(),
        draft: edit.said,
        holds_words: told(&holds),
        holds,
        faults,
        differs,
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
    let said = form.of(&here.visit)?;
    here.can_write()?;
    let edit = Edit::of(said, &form)?;
    let id = here.caller.environment();
    let environment = portal.app.environment(&here.caller, id).await?;
    let now = Draft::of(&environment);
    let contested = edit.contested(&now);
    if !contested.is_empty() {
        // Whoever has seen what is different now may save over it.
        let over = Edit {
            said: edit.over(&now),
            seen: now,
        };
        let faults = Faults::of(Problem::new(Code::Conflict, CHANGED_SINCE))?;
        return page(&portal, &here, around, over, faults, contested).await;
    }
    let changed = match edit.change() {
        Ok((name, settings)) => portal.app.change_environment(&here.caller, id, name, settings).await,
        Err(problem) => Err(problem),
    };
    match changed {
        Ok(_) => Ok(flash::to(&format!("/environments/{id}/settings"), "The settings are saved.")),
        Err(problem) => page(&portal, &here, around, edit, Faults::of(problem)?, Vec::new()).await,
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
        Err(problem) => page(&portal, &here, around, Edit::none(&environment), Faults::of(problem)?, Vec::new()).await,
    }
}
