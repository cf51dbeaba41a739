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
        let gauges = self.gauges(store, clock);
        MetricsPage::new(self.registry, gauges)
    }

    fn gauges(&mut self, store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Gauges {
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
        Gauges {
            store,
            asked_us: Mutex::default(),
            clock,
            pending,
            overdue,
            tasks,
        }
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

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::path::Path;

    use prometheus_client::encoding::text::encode;
    use tidings_engine::Metrics;
    use tidings_engine::metrics::{AttemptLabels, AttemptResult};
    use tidings_runtime::SystemClock;
    use tidings_store::MemStore;

    use super::*;
    use crate::checked_in;

    const HEAD: &str = "\
# Metrics

<!-- Made from the registry itself: UPDATE=1 cargo test -p tidings metrics -->

What `GET /metrics` tells, in the text format of OpenMetrics. A counter has `_total` behind its name; a histogram has `_bucket`, `_sum` and `_count`.
[operating.md](../operating.md) says which to watch, and what to do.

| name | kind | unit | meaning |
|---|---|---|---|
";

    #[test]
    fn the_reference_of_the_metrics_is_the_registry() {
        let mut telemetry = Telemetry::new();
        drop(telemetry.commit_observer());
        let metrics = Metrics::register(telemetry.registry());
        let result = AttemptResult::Delivered;
        metrics.attempts.get_or_create(&AttemptLabels { result }).inc(); // a family without a member is not told
        telemetry.gauges(Arc::new(MemStore::new()), Arc::new(SystemClock::new()));
        let mut told = String::new();
        encode(&mut told, &telemetry.registry).expect("a string takes everything");

        let mut text = HEAD.to_owned();
        let said = |what: &str, name: &str| {
            let begins = format!("# {what} {name} ");
            told.lines()
                .find_map(|line| line.strip_prefix(&begins))
                .unwrap_or_default()
                .to_owned()
        };
        for line in told.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').expect("a type has a name and a kind");
            let (unit, meaning) = (said("UNIT", name), said("HELP", name));
            writeln!(text, "| `{name}` | {kind} | {unit} | {} |", meaning.trim_end_matches('.')).expect("a string takes everything");
        }
        checked_in::hold(Path::new("docs/reference/metrics.md"), &text);
    }
}
