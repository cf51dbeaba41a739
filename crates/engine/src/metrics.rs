//! What the engine counts. No label takes unbounded values.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AttemptResult {
    /// 2xx.
    Delivered,
    /// It will be tried again.
    Retrying,
    /// It was the last of its schedule.
    Exhausted,
    /// It was given up.
    Cancelled,
    /// Somebody else had the delivery when it was to be recorded.
    LeaseLost,
}

impl EncodeLabelValue for AttemptResult {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> std::fmt::Result {
        let word = match self {
            Self::Delivered => "delivered",
            Self::Retrying => "retrying",
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
            Self::LeaseLost => "lease_lost",
        };
        EncodeLabelValue::encode(&word, encoder)
    }
}

/// The labels of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct AttemptLabels {
    /// How it ended.
    pub result: AttemptResult,
}

/// The engine's figures.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// Events that were accepted.
    pub accepted: Counter,
    /// Deliveries that those events caused.
    pub deliveries: Counter,
    /// Events refused because too much was under way.
    pub overloaded: Counter,
    /// Attempts by how they ended.
    pub attempts: Family<AttemptLabels, Counter>,
    /// How long attempts took.
    pub attempt_seconds: Histogram,
    /// From accepting an event to its being delivered at the first attempt.
    pub end_to_end_seconds: Histogram,
    /// Lanes in memory.
    pub lanes: Gauge,
    /// Deliveries leased and waiting in memory.
    pub queued: Gauge,
    /// Attempts under way.
    pub in_flight: Gauge,
    /// Webhooks disabled by the engine.
    pub disabled: Counter,
    /// Events removed by retention.
    pub pruned: Counter,
    /// Pending deliveries that can never be sent, as of the last look.
    pub orphaned: Gauge,
    /// What was found to be wrong in the store since the start.
    pub unsound: Gauge,
    /// Nodes that serve the store, this one included.
    pub nodes: Gauge,
}

impl Metrics {
    /// Registers the figures.
    pub fn register(registry: &mut Registry) -> Self {
        let seconds = || Histogram::new(exponential_buckets(0.0005, 2.0, 18));
        let metrics = Self {
            accepted: Counter::default(),
            deliveries: Counter::default(),
            overloaded: Counter::default(),
            attempts: Family::default(),
            attempt_seconds: seconds(),
            end_to_end_seconds: seconds(),
            lanes: Gauge::default(),
            queued: Gauge::default(),
            in_flight: Gauge::default(),
            disabled: Counter::default(),
            pruned: Counter::default(),
            orphaned: Gauge::default(),
            unsound: Gauge::default(),
            nodes: Gauge::default(),
        };
        registry.register("tidings_events_accepted", "Events accepted durably", metrics.accepted.clone());
        registry.register(
            "tidings_deliveries_created",
            "Deliveries that accepted events caused",
            metrics.deliveries.clone(),
        );
        registry.register(
            "tidings_events_overloaded",
            "Events refused because too much was under way",
            metrics.overloaded.clone(),
        );
        registry.register("tidings_attempts", "Attempts by how they ended", metrics.attempts.clone());
        registry.register_with_unit(
            "tidings_attempt",
            "Duration of attempts",
            Unit::Seconds,
            metrics.attempt_seconds.clone(),
        );
        registry.register_with_unit(
            "tidings_end_to_end",
            "From accepting an event to its delivery at the first attempt",
            Unit::Seconds,
            metrics.end_to_end_seconds.clone(),
        );
        registry.register("tidings_lanes", "Lanes in memory", metrics.lanes.clone());
        registry.register(
            "tidings_deliveries_queued",
            "Deliveries leased and waiting in memory",
            metrics.queued.clone(),
        );
        registry.register("tidings_attempts_in_flight", "Attempts under way", metrics.in_flight.clone());
        registry.register(
            "tidings_webhooks_disabled",
            "Webhooks disabled because they were gone or kept failing",
            metrics.disabled.clone(),
        );
        registry.register("tidings_events_pruned", "Events removed by retention", metrics.pruned.clone());
        registry.register(
            "tidings_deliveries_orphaned",
            "Pending deliveries whose event or webhook is not there, looked for every five minutes; `tidings verify` names them",
            metrics.orphaned.clone(),
        );
        registry.register(
            "tidings_store_findings",
            "What looking the store through after the start found to be wrong in it",
            metrics.unsound.clone(),
        );
        registry.register(
            "tidings_nodes",
            "Nodes that serve this store, this one included",
            metrics.nodes.clone(),
        );
        metrics
    }

    pub(crate) fn attempt(&self, result: AttemptResult) {
        self.attempts.get_or_create(&AttemptLabels { result }).inc();
    }
}
