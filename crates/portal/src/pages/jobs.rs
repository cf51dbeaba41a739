//! Long work: how far it is, and stopping it. It goes on whoever looks.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use tidings_app::Problem;
use tidings_app::jobs::{Job, JobState};

use crate::fault::{PageFault, show};
use crate::flash;
use crate::form::Form;
use crate::icon::Icon;
use crate::markup::Markup;
use crate::session::{InEnvironment, Within};
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words::{self, Tone, badge};

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/environments/{environment}/jobs", get(list))
        .route("/environments/{environment}/jobs/{id}", get(one))
        .route("/environments/{environment}/jobs/{id}/cancel", post(cancel))
}

/// A job as pages show it.
struct JobView {
    job: Job,
    runs: bool,
    badge: Markup,
    /// What came of it, in a sentence; empty while it runs.
    summary: String,
}

impl JobView {
    fn of(job: Job) -> Self {
        let (badge, summary) = match &job.state {
            JobState::Running => (badge(Tone::Waiting, "running"), String::new()),
            JobState::Done(summary) => (badge(Tone::Good, "done"), summary.clone()),
            JobState::Cancelled(summary) => (badge(Tone::Off, "cancelled"), summary.clone()),
            JobState::Failed(problem) => (badge(Tone::Bad, "failed"), problem.detail.clone()),
        };
        Self {
            runs: job.state == JobState::Running,
            badge,
            summary,
            job,
        }
    }
}

#[derive(Template)]
#[template(path = "jobs/list.html")]
struct ListPage {
    shell: Shell,
    jobs: Vec<JobView>,
    any_runs: bool,
}

#[derive(Template)]
#[template(path = "jobs/one.html")]
struct OnePage {
    shell: Shell,
    view: JobView,
}

async fn list(State(portal): State<Portal>, here: InEnvironment, around: Around) -> Result<Response, PageFault> {
    let jobs = portal.app.jobs(&here.caller)?;
    let shell = around.within(&portal, &here.visit, &here.caller, Section::Jobs, "Jobs").await?;
    let own = format!("{}/jobs", shell.base);
    let page = ListPage {
        shell: shell.crumb("Jobs", own),
        any_runs: jobs.iter().any(|job| job.state == JobState::Running),
        jobs: jobs.into_iter().map(JobView::of).collect(),
    };
    show(&page, 200)
}

async fn one(
    State(portal): State<Portal>,
    here: InEnvironment,
    around: Around,
    Path((_, id)): Within<String>,
) -> Result<Response, PageFault> {
    let job = portal.app.job(&here.visit, &id)?;
    if job.environment != here.caller.environment() {
        return Err(Problem::not_found("job", &id).into());
    }
    let shell = around.within(&portal, &here.visit, &here.caller, Section::Jobs, &job.title).await?;
    let (jobs, own) = (format!("{}/jobs", shell.base), shell.path.clone());
    let page = OnePage {
        shell: shell.crumb("Jobs", jobs).crumb(job.title.clone(), own),
        view: JobView::of(job),
    };
    show(&page, 200)
}

async fn cancel(
    State(portal): State<Portal>,
    here: InEnvironment,
    Path((_, id)): Within<String>,
    form: Form,
) -> Result<Response, PageFault> {
    let _: serde::de::IgnoredAny = form.of(&here.visit)?;
    portal.app.cancel_job(&here.caller, &id)?;
    Ok(flash::to(
        &format!("/environments/{}/jobs/{id}", here.caller.environment()),
        "It stops after the step in hand.",
    ))
}
