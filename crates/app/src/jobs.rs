//! Long work that shows how far it is, and that one may leave and come back to.
//!
//! Jobs live in memory: a restart ends and forgets them. What a job does is done in small steps, each of which stands for itself, so one that ended
//! early has done what it counted.

mod registry;
mod resend;

use tidings_model::{EnvironmentId, Timestamp};

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::visit::Visit;

pub(crate) use registry::Jobs;
pub use resend::RESEND_MAX;

/// A job as it is at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Names it: 32 hex digits.
    pub id: String,
    /// The environment that it works in.
    pub environment: EnvironmentId,
    /// What it does, for people.
    pub title: String,
    /// Things it is done with.
    pub done: u64,
    /// Things there are to do, when that is known.
    pub total: Option<u64>,
    /// Whether it goes on.
    pub state: JobState,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Who began it, in the words of the audit log.
    pub by: String,
}

/// Whether a job goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobState {
    /// It does.
    Running,
    /// It did everything; what that was, in a sentence.
    Done(String),
    /// Somebody stopped it; what it had done, in a sentence.
    Cancelled(String),
    /// It could not go on.
    Failed(Problem),
}

impl App {
    /// The jobs of the caller's environment that run, or ended within an hour; newest first.
    pub fn jobs(&self, caller: &Caller) -> Result<Vec<Job>, Problem> {
        caller.can_read_environment()?;
        Ok(self.jobs.of(caller.environment, self.clock.now()))
    }

    /// One job, of whichever environment.
    pub fn job(&self, _: &Visit, id: &str) -> Result<Job, Problem> {
        self.jobs.find(id, self.clock.now()).ok_or_else(|| Problem::not_found("job", &id))
    }

    /// Asks a job of the caller's environment to stop; it does so after the step in hand. One that has ended stays as it is.
    pub fn cancel_job(&self, caller: &Caller, id: &str) -> Result<(), Problem> {
        caller.can_write_environment()?;
        if self.jobs.cancel(caller.environment, id) {
            return Ok(());
        }
        Err(Problem::not_found("job", &id))
    }
}
