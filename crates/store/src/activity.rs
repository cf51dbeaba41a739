//! Types of the verbs that count what happened, for charts: figures, not the log.

use tidings_model::{EnvironmentId, Timestamp, WebhookId};

/// What happened in one span of time: a minute of an environment, an hour of a webhook. The caller decides where spans begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The environment.
    pub environment: EnvironmentId,
    /// The webhook; `None` counts the whole environment.
    pub webhook: Option<WebhookId>,
    /// When the span begins.
    pub from: Timestamp,
    /// What happened in it.
    pub counts: ActivityCounts,
}

/// What happened, added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ActivityCounts {
    /// Events that were accepted; none of a webhook, which accepts nothing.
    pub accepted: u64,
    /// Attempts that delivered.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
}

impl ActivityCounts {
    /// Adds what happened elsewhere or later.
    pub const fn add(&mut self, other: Self) {
        self.accepted += other.accepted;
        self.delivered += other.delivered;
        self.failed += other.failed;
    }
}
