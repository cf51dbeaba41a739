//! The process's figures: the registry, the store's commits, and the gauges that are read when somebody asks.

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tidings_runtime::Clock;
use tidings_server::{MetricsPage, Refresh};
use tidings_store::Store;
use tokio::runtime::Handle;
use tokio::sync::Mutex;

/// See the module.
pub(crate) struct Telemetry {
    registry: Registry,
}

impl Telemetry {
    /// No figure yet.
    pub(crate) fn new() -> Self {
        Self {
            registry: Registry::default(),
        }
    }

    /// Where rooms register theirs.
    pub(crate) fn registry(&mut self) -> &mut Registry {
        &mut self.registry
    }

    /// Counts the store's commits: is told of each how many verbs shared it, and how many microseconds it took.
    pub(crate) fn commit_observer(&mut self) -> impl Fn(usize, u64) + Send + Sync + 'static {
        let seconds = Histogram::new(exponential_buckets(0.0001, 2.0, 16));
        let verbs = Counter::<u64>::default();
        self.registry.register_with_unit(
            "tidings_store_commit",
            "Duration of commits, the fsync included",
            Unit::Seconds,
            seconds.clone(),
        );
        self.registry.register(
            "tidings_store_verbs",
            "Verbs that were committed; many share one commit",
            verbs.clone(),
        );
        move |shared, duration_us| {
            seconds.observe(Duration::from_micros(duration_us).as_secs_f64());
            verbs.inc_by(shared as u64);
        }
    }

    /// The page of all figures. What the store alone knows is asked for at every reading.
    pub(crate) fn into_page(mut self, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> MetricsPage {
        let (pending, overdue, tasks) = (Gauge::default(), Gauge::default(), Gauge::default());
        self.registry
            .register("tidings_deliveries_pending", "Deliveries that are not finished", pending.clone());
        self.registry.register(
            "tidings_deliveries_overdue",
            "Deliveries that nobody has taken for ten seconds since they were due",
            overdue.clone(),
        );
        self.registry.register(
            "tidings_tasks",
            "Tasks of the process that have not ended: connections, attempts, what runs beside the road",
            tasks.clone(),
        );
        MetricsPage::new(
            self.registry,
            Gauges {
                store,
                asked_us: Mutex::default(),
                clock,
                pending,
                overdue,
                tasks,
            },
        )
    }
}

struct Gauges {
    store: Arc<dyn Store>,
    /// When the store was asked last, in microseconds of the clock. Held while it is: many who read the page at once share one question.
    asked_us: Mutex<u64>,
    clock: Arc<dyn Clock>,
    pending: Gauge,
    overdue: Gauge,
    tasks: Gauge,
}

#[async_trait::async_trait]
impl Refresh for Gauges {
    async fn refresh(&self) {
        let tasks = Handle::current().metrics().num_alive_tasks();
        self.tasks.set(i64::try_from(tasks).unwrap_or(i64::MAX));
        let called_us = self.clock.monotonic_us();
        let mut asked_us = self.asked_us.lock().await;
        if *asked_us > called_us {
            return;
        }
        *asked_us = self.clock.monotonic_us();
        match self.store.stats(self.clock.now()).await {
            Ok(stats) => {
                self.pending.set(i64::try_from(stats.pending).unwrap_or(i64::MAX));
                self.overdue.set(i64::try_from(stats.overdue).unwrap_or(i64::MAX));
            }
            Err(error) => tracing::warn!(%error, "the store's figures could not be read"),
        }
    }
}
