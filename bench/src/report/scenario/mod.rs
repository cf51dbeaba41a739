//! The scenarios: each is a file, says what it shows, runs its rounds and draws its figures from them.
//!
//! Never knows: budgets, or how figures are shown.

mod backlog;
mod durability;
mod fanout;
mod history;
mod isolation;
mod latency;
pub(crate) mod nodes;
mod retention;
mod throughput;
mod webhooks;

use clap::ValueEnum;

use super::Bench;
use super::record::Findings;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// One event, one webhook, as many as go: raw, relay and Tidings.
    Throughput,
    /// One event, ten webhooks.
    Fanout,
    /// 200 and 2,000 events a second.
    Latency,
    /// Two of ten webhooks hang, or fail.
    Isolation,
    /// That each commit and each 202 has its fsync.
    Durability,
    /// One, two and four nodes beside one PostgreSQL (only with --database).
    Nodes,
    /// 10,000 webhooks; with --long also 100,000 in 10,000 environments.
    Webhooks,
    /// A million deliveries that wait for a retry, and a crash. Some minutes.
    Backlog,
    /// 600,000 old events that are removed while others are accepted. Some minutes.
    Retention,
    /// Ten million stored deliveries, and lists of them. Long, and some gigabytes of disk.
    History,
}

impl Scenario {
    /// Those of a report that does not name any.
    pub(crate) const ORDINARY: [Self; 8] = [
        Self::Throughput,
        Self::Fanout,
        Self::Latency,
        Self::Isolation,
        Self::Durability,
        Self::Webhooks,
        Self::Backlog,
        Self::Retention,
    ];
    /// Those of a report on nodes beside a PostgreSQL: the others are about the disk of the embedded store.
    pub(crate) const SHARED: [Self; 5] = [Self::Throughput, Self::Fanout, Self::Latency, Self::Isolation, Self::Nodes];
    /// Those of a short one.
    pub(crate) const SHORT: [Self; 4] = [Self::Throughput, Self::Latency, Self::Isolation, Self::Durability];

    /// Its name, with which the ids of its figures begin.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Throughput => "throughput",
            Self::Fanout => "fanout",
            Self::Latency => "latency",
            Self::Isolation => "isolation",
            Self::Durability => "durability",
            Self::Nodes => "nodes",
            Self::Webhooks => "webhooks",
            Self::Backlog => "backlog",
            Self::Retention => "retention",
            Self::History => "history",
        }
    }

    /// Measures it.
    pub(crate) async fn run(self, bench: &Bench) -> anyhow::Result<Findings> {
        match self {
            Self::Throughput => throughput::run(bench).await,
            Self::Fanout => fanout::run(bench).await,
            Self::Latency => latency::run(bench).await,
            Self::Isolation => isolation::run(bench).await,
            Self::Durability => durability::run(bench).await,
            Self::Nodes => nodes::run(bench).await,
            Self::Webhooks => webhooks::run(bench).await,
            Self::Backlog => backlog::run(bench).await,
            Self::Retention => retention::run(bench).await,
            Self::History => history::run(bench).await,
        }
    }
}
