//! A caller who does everything right, all the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;
use tidings_runtime::{Stopwatch, SystemClock, within};
use tidings_testkit::TestServer;
use tidings_testkit::server::TestClient;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::EVENT;

/// Longest that an honest event may take beside an attack: a bound for a machine that is slow, not a promise.
const PATIENCE: Duration = Duration::from_secs(15);

/// Publishes one event after the other until it is stopped. Panics when one is not accepted.
pub(super) struct Producer {
    tasks: JoinSet<Published>,
    stopping: Arc<AtomicBool>,
}

/// What a producer did.
#[derive(Clone, Copy, Default)]
pub(super) struct Published {
    /// Events that were accepted.
    pub(super) count: usize,
    /// The longest that one took.
    pub(super) slowest_ms: u64,
}

impl Producer {
    /// Begins, and waits for the first to be accepted.
    pub(super) async fn start(server: &TestServer) -> Self {
        let (stopping, first) = (Arc::new(AtomicBool::new(false)), Arc::new(Notify::new()));
        let mut tasks = JoinSet::new();
        tasks.spawn(publish(server.client(), Arc::clone(&stopping), Arc::clone(&first)));
        first.notified().await;
        Self { tasks, stopping }
    }

    /// Ends after the event that is under way.
    pub(super) async fn stop(mut self) -> Published {
        self.stopping.store(true, Ordering::SeqCst);
        self.tasks.join_next().await.unwrap().unwrap()
    }
}

async fn publish(client: TestClient, stopping: Arc<AtomicBool>, first: Arc<Notify>) -> Published {
    let clock = SystemClock::new();
    let mut published = Published::default();
    while !stopping.load(Ordering::SeqCst) {
        let stopwatch = Stopwatch::start(&clock);
        let answer = within(&clock, PATIENCE, client.ask(Method::POST, "/v1/events", EVENT)).await;
        let answer = answer
            .expect("an honest event is answered in time")
            .expect("an honest event is answered");
        assert_eq!(answer.status, 202, "{}", answer.json);
        published.count += 1;
        published.slowest_ms = published.slowest_ms.max(stopwatch.elapsed_us(&clock) / 1_000);
        first.notify_one();
    }
    published
}
