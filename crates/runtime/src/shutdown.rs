//! Tasks that belong to somebody, and ending them in order.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The two ways to end: softly, finishing what is in hand, and hard, which is a crash by another name.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Shutdown {
    /// Nobody has asked yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everybody to finish what is in hand and take nothing new.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// Asks everybody to stop where they are.
    pub fn force(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// True once somebody asked.
    pub fn has_begun(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Waits until somebody asks.
    pub async fn begun(&self) {
        self.soft.cancelled().await;
    }

    /// Waits until somebody forces.
    pub async fn forced(&self) {
        self.hard.cancelled().await;
    }
}

/// What the end of a task that failed means for the process.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnError {
    /// Nothing works without it: the process shuts down and exits with an error.
    StopProcess,
    /// The next tick will try again.
    Log,
}

/// The tasks of the process, each with a name.
#[derive(Clone, Debug)]
pub struct TaskSet {
    tracker: TaskTracker,
    shutdown: Shutdown,
    failed: Arc<AtomicBool>,
}

impl TaskSet {
    /// No task yet.
    pub fn new(shutdown: Shutdown) -> Self {
        Self {
            tracker: TaskTracker::new(),
            shutdown,
            failed: Arc::default(),
        }
    }

    /// Runs a task until it ends by itself or the process is forced to end.
    pub fn spawn<E>(&self, name: &'static str, on_error: OnError, task: impl Future<Output = Result<(), E>> + Send + 'static)
    where
        E: std::fmt::Display + Send + 'static,
    {
        let (shutdown, failed) = (self.shutdown.clone(), Arc::clone(&self.failed));
        let ward = Ward {
            name,
            on_error,
            shutdown: self.shutdown.clone(),
            failed: Arc::clone(&self.failed),
            ended: false,
        };
        self.tracker.spawn(async move {
            let mut ward = ward;
            tokio::select! {
                biased;
                () = shutdown.forced() => {}
                result = task => {
                    if let Err(error) = result {
                        tracing::error!(task = name, %error, "a background task failed");
                        if on_error == OnError::StopProcess {
                            failed.store(true, Ordering::SeqCst);
                            shutdown.begin();
                        }
                    }
                }
            }
            ward.ended = true;
        });
    }

    /// The shutdown that ends these tasks.
    pub const fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// True when a task without which nothing works has failed.
    pub fn has_failed(&self) -> bool {
        self.failed.load(Ordering::SeqCst)
    }

    /// Waits until every task has ended. Call it once, after [`Shutdown::begin`].
    pub async fn ended(&self) {
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// Notices a task that panicked: its future is dropped without having ended.
struct Ward {
    name: &'static str,
    on_error: OnError,
    shutdown: Shutdown,
    failed: Arc<AtomicBool>,
    ended: bool,
}

impl Drop for Ward {
    fn drop(&mut self) {
        if !self.ended && std::thread::panicking() {
            tracing::error!(task = self.name, "a background task panicked");
            if self.on_error == OnError::StopProcess {
                self.failed.store(true, Ordering::SeqCst);
                self.shutdown.begin();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_vital_task_that_fails_begins_the_shutdown() {
        let tasks = TaskSet::new(Shutdown::new());
        tasks.spawn("vital", OnError::StopProcess, async { Err("gone") });
        tasks.shutdown().begun().await;
        tasks.ended().await;
        assert!(tasks.has_failed());
    }

    #[tokio::test]
    async fn a_task_that_only_logs_its_failure_stops_nobody() {
        let tasks = TaskSet::new(Shutdown::new());
        tasks.spawn("minor", OnError::Log, async { Err("again") });
        tasks.ended().await;
        assert!(!tasks.has_failed() && !tasks.shutdown().has_begun());
    }

    #[tokio::test]
    async fn force_ends_a_task_that_never_would() {
        let tasks = TaskSet::new(Shutdown::new());
        tasks.spawn("endless", OnError::Log, std::future::pending::<Result<(), String>>());
        tasks.shutdown().force();
        tasks.ended().await;
    }
}
