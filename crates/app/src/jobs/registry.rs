//! The jobs of this process.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_model::{EnvironmentId, Timestamp};
use tidings_runtime::Clock;

use crate::jobs::{Job, JobState};
use crate::problem::{Code, Problem};

/// Jobs at most, running and ended.
const JOBS_MAX: usize = 100;
/// A job that ended can be looked at for that long.
const KEPT: Duration = Duration::from_secs(3_600);

/// One kind of job runs once at a time in an environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Resend,
}

/// What a new job is.
pub(crate) struct NewJob {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) environment: EnvironmentId,
    pub(crate) title: String,
    pub(crate) total: Option<u64>,
    pub(crate) by: String,
}

#[derive(Debug)]
struct Entry {
    kind: Kind,
    job: Job,
    cancelled: bool,
}

impl Entry {
    fn is_running(&self) -> bool {
        self.job.state == JobState::Running
    }
}

type Entries = Arc<Mutex<Vec<Entry>>>;

/// See the module. Oldest first.
#[derive(Debug, Default)]
pub(crate) struct Jobs(Entries);

impl Jobs {
    /// Adds a job that runs until its handle is dropped.
    ///
    /// # Errors
    /// [`Code::Conflict`] while one of that kind runs in that environment, [`Code::Overloaded`] while too many run anywhere.
    pub(crate) fn start(&self, new: NewJob, clock: Arc<dyn Clock>) -> Result<Running, Problem> {
        let now = clock.now();
        let mut entries = self.0.lock();
        forget(&mut entries, now);
        let same = |entry: &&Entry| entry.is_running() && entry.kind == new.kind && entry.job.environment == new.environment;
        if let Some(entry) = entries.iter().find(same) {
            let detail = format!("'{}' is still running; wait for its end, or stop it", entry.job.title);
            return Err(Problem::new(Code::Conflict, detail));
        }
        if entries.len() >= JOBS_MAX {
            let Some(oldest) = entries.iter().position(|entry| !entry.is_running()) else {
                return Err(Problem::new(Code::Overloaded, "too many jobs are running at the moment; try again"));
            };
            entries.remove(oldest);
        }
        let job = Job {
            id: new.id,
            environment: new.environment,
            title: new.title,
            done: 0,
            total: new.total,
            state: JobState::Running,
            started_at: now,
            ended_at: None,
            by: new.by,
        };
        let running = Running {
            entries: Arc::clone(&self.0),
            job: job.clone(),
            clock,
        };
        entries.push(Entry {
            kind: new.kind,
            job,
            cancelled: false,
        });
        Ok(running)
    }

    pub(crate) fn of(&self, environment: EnvironmentId, now: Timestamp) -> Vec<Job> {
        let mut entries = self.0.lock();
        forget(&mut entries, now);
        let own = entries.iter().rev().filter(|entry| entry.job.environment == environment);
        own.map(|entry| entry.job.clone()).collect()
    }

    pub(crate) fn find(&self, id: &str, now: Timestamp) -> Option<Job> {
        let mut entries = self.0.lock();
        forget(&mut entries, now);
        entries.iter().find(|entry| entry.job.id == id).map(|entry| entry.job.clone())
    }

    /// False: there is no such job in that environment.
    pub(crate) fn cancel(&self, environment: EnvironmentId, id: &str) -> bool {
        let mut entries = self.0.lock();
        let found = entries
            .iter_mut()
            .find(|entry| entry.job.environment == environment && entry.job.id == id);
        found.map(|entry| entry.cancelled = true).is_some()
    }
}

fn forget(entries: &mut Vec<Entry>, now: Timestamp) {
    entries.retain(|entry| entry.job.ended_at.is_none_or(|ended_at| now.since(ended_at) < KEPT));
}

/// What a running job holds. Dropped before [`Running::end`], by a panic or the end of the process, the job has failed.
pub(crate) struct Running {
    entries: Entries,
    /// The job as it began.
    job: Job,
    clock: Arc<dyn Clock>,
}

impl Running {
    /// The job as it began.
    pub(crate) const fn job(&self) -> &Job {
        &self.job
    }

    /// Notes how much is done.
    pub(crate) fn note(&self, done: u64) {
        self.with(|entry| entry.job.done = done);
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        let mut cancelled = false;
        self.with(|entry| cancelled = entry.cancelled);
        cancelled
    }

    pub(crate) fn end(self, state: JobState) {
        self.put(state);
    }

    fn put(&self, state: JobState) {
        let now = self.clock.now();
        self.with(|entry| {
            if entry.is_running() {
                entry.job.state = state;
                entry.job.ended_at = Some(now);
            }
        });
    }

    fn with(&self, change: impl FnOnce(&mut Entry)) {
        let mut entries = self.entries.lock();
        entries.iter_mut().find(|entry| entry.job.id == self.job.id).map(change);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.put(JobState::Failed(Problem::new(
            Code::Internal,
            "the job broke off; the log of the server says why",
        )));
    }
}
