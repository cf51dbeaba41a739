//! Work that keeps a processor busy for long, beside the threads that everything else runs on.

use std::sync::Arc;

use tokio::sync::Semaphore;

/// A door for such work: so many pieces at a time, so many waiting, the rest is sent away. Clones are the same door.
#[derive(Clone, Debug)]
pub struct Blocking {
    running: Arc<Semaphore>,
    inside: Arc<Semaphore>,
}

/// As much work is running and waiting as the door takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("too much work is waiting for a processor")]
pub struct Crowded;

impl Blocking {
    /// A door that lets `running` pieces run at a time, at least one, while `waiting` more wait.
    pub fn new(running: usize, waiting: usize) -> Self {
        let running = running.max(1);
        Self {
            running: Arc::new(Semaphore::new(running)),
            inside: Arc::new(Semaphore::new(running + waiting)),
        }
    }

    /// Runs the work on a thread of its own, in its turn. Work that has begun goes on, and keeps its place, also when nobody waits for it any more. A
    /// panic inside it goes on outside.
    pub async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Crowded> {
        let inside = Arc::clone(&self.inside).try_acquire_owned().map_err(|_| Crowded)?;
        let turn = Arc::clone(&self.running)
            .acquire_owned()
            .await
            .expect("nobody closes this semaphore");
        let done = tokio::task::spawn_blocking(move || {
            let _places = (inside, turn);
            work()
        })
        .await;
        Ok(done.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn work_beyond_those_that_run_and_wait_is_sent_away_and_the_rest_is_done() {
        let door = Blocking::new(1, 1);
        let (finish, wait) = mpsc::channel::<()>();
        let mut tasks = tokio::task::JoinSet::new();
        let (started, has_started) = tokio::sync::oneshot::channel();
        let first = door.clone();
        tasks.spawn(async move {
            let work = move || {
                started.send(()).unwrap();
                wait.recv().unwrap();
            };
            first.run(work).await
        });
        has_started.await.unwrap();
        let second = door.clone();
        tasks.spawn(async move { second.run(|| ()).await });
        while door.inside.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(door.run(|| ()).await, Err(Crowded));
        finish.send(()).unwrap();
        assert_eq!(tasks.join_all().await, [Ok(()), Ok(())]);
    }
}
