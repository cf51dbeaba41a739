//! Pruning, forgetting, counting.

use std::collections::BTreeSet;
use std::time::Duration;

use tidings_model::{EnvironmentId, Timestamp};

use super::State;
use crate::{Pruned, StoreStats};

/// From then on a delivery that nobody leased counts as overdue.
const OVERDUE: Duration = Duration::from_secs(10);

impl State {
    pub(super) fn prune(&mut self, environment: EnvironmentId, before: Timestamp, limit: usize) -> Pruned {
        let old = self
            .events
            .iter()
            .filter(|(id, row)| row.event.environment == environment && id.timestamp() < before);
        let finished = old.filter(|(_, row)| row.deliveries.iter().all(|delivery| delivery.due_at().is_none()));
        let mut ids: Vec<_> = finished.map(|(id, _)| *id).take(limit.saturating_add(1)).collect();
        let more = ids.len() > limit;
        ids.truncate(limit);
        for id in &ids {
            self.events.remove(id);
        }
        Pruned { events: ids.len(), more }
    }

    pub(super) fn forget_keys(&mut self, at: Timestamp, limit: usize) -> usize {
        let expired: Vec<_> = self
            .keys
            .iter()
            .filter(|(_, row)| row.expires_at <= at)
            .map(|(key, _)| key.clone())
            .take(limit)
            .collect();
        for key in &expired {
            self.keys.remove(key);
        }
        expired.len()
    }

    pub(super) fn deleted_environments(&self) -> Vec<EnvironmentId> {
        let with_events: BTreeSet<_> = self.events.values().map(|row| row.event.environment).collect();
        with_events.into_iter().filter(|id| self.environment(*id).is_none()).collect()
    }

    pub(super) fn stats(&self, at: Timestamp) -> StoreStats {
        let free_times = || self.all_deliveries().filter_map(|(_, _, delivery)| delivery.free_at());
        StoreStats {
            pending: free_times().count() as u64,
            overdue: free_times().filter(|free_at| *free_at + OVERDUE <= at).count() as u64,
        }
    }
}
