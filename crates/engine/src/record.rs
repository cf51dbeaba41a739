//! Recording attempts: many in one transaction, while the next ones are made. Owns what was attempted and is not in the store yet; never sends.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tidings_model::limits::FAILING_DAYS_MAX;
use tidings_model::{Attempt, CancelReason, DisableReason, EnvironmentId, Timestamp, Verdict, WebhookId};
use tidings_store::{LeasedDelivery, Settled, Settlement};

use crate::engine::Engine;
use crate::metrics::AttemptResult;

/// Attempts that one transaction records, at most.
const BATCH: usize = 1_024;
/// Wait between two tries to record attempts that the store could not take.
const AGAIN: Duration = Duration::from_secs(1);

/// An attempt that is not in the store yet.
#[derive(Clone, Debug)]
struct Unrecorded {
    environment: EnvironmentId,
    /// The end of the lease: what is not recorded by then is made again by whoever has the delivery next.
    until: Timestamp,
    settlement: Settlement,
}

/// What waits to be recorded. Bounded by what the lanes let be attempted.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    attempts: Vec<Unrecorded>,
    /// True while a task is at it.
    attended: bool,
}

impl Desk {
    /// True: nobody attends to the desk, and the caller has to.
    fn put(&self, attempt: Unrecorded) -> bool {
        let mut waiting = self.0.lock();
        waiting.attempts.push(attempt);
        !std::mem::replace(&mut waiting.attended, true)
    }

    /// What waits; nothing means that nobody attends to the desk any more.
    fn take(&self) -> Vec<Unrecorded> {
        let mut waiting = self.0.lock();
        if waiting.attempts.len() > BATCH {
            return waiting.attempts.drain(..BATCH).collect();
        }
        waiting.attended = !waiting.attempts.is_empty();
        std::mem::take(&mut waiting.attempts)
    }
}

impl Engine {
    /// Has an attempt recorded. Its place under way is free already; its place among what is not recorded follows it.
    pub(crate) fn record(self: &Arc<Self>, delivery: &LeasedDelivery, attempt: Attempt, ended_at: Timestamp) {
        self.observe(delivery, &attempt, ended_at);
        let unrecorded = Unrecorded {
            environment: delivery.environment,
            until: delivery.lease.until,
            settlement: Settlement {
                webhook: delivery.webhook,
                lease: delivery.lease.token,
                attempt,
                ended_at,
            },
        };
        if self.desk.put(unrecorded) {
            let engine = Arc::clone(self);
            self.run("settle", async move { engine.attend().await });
        }
    }

    /// Records until nothing waits. What gathers while the store is at it goes into the next transaction.
    async fn attend(self: Arc<Self>) {
        loop {
            let batch = self.desk.take();
            if batch.is_empty() {
                return;
            }
            self.settle(batch).await;
            self.pump();
        }
    }

    /// Records attempts, trying again while their leases last: what was sent should not be sent twice for want of a disk.
    async fn settle(&self, mut batch: Vec<Unrecorded>) {
        while !batch.is_empty() {
            let (whose, settlements): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .map(|attempt| ((attempt.environment, attempt.until), attempt.settlement))
                .unzip();
            let settlements: Arc<[Settlement]> = settlements.into();
            let error = match self.store.settle(Arc::clone(&settlements)).await {
                Ok(settled) => {
                    for (((environment, _), settlement), settled) in whose.iter().zip(&*settlements).zip(settled) {
                        self.recorded(*environment, settlement, settled).await;
                    }
                    return;
                }
                Err(error) => error,
            };
            let ending = self.tasks.shutdown().has_begun();
            let (again, lost): (Vec<_>, Vec<_>) = whose
                .into_iter()
                .zip(settlements.iter().cloned())
                .map(|((environment, until), settlement)| Unrecorded {
                    environment,
                    until,
                    settlement,
                })
                .partition(|attempt| self.clock.now() + AGAIN < attempt.until && !ending);
            if let Some(first) = lost.first() {
                let delivery = first.settlement.attempt.delivery;
                tracing::error!(attempts = lost.len(), first = %delivery, %error, "attempts were made but not recorded; they will be made again");
            }
            for attempt in lost {
                self.lanes.recorded(attempt.settlement.webhook, None, self.clock.now());
            }
            if !again.is_empty() {
                tracing::warn!(attempts = again.len(), %error, "could not record attempts; trying again");
                self.clock.sleep(AGAIN).await;
            }
            batch = again;
        }
    }

    /// What follows from an attempt that was recorded, or was not because the lease was lost.
    async fn recorded(&self, environment: EnvironmentId, settlement: &Settlement, settled: Settled) {
        let (webhook, verdict) = (settlement.webhook, settlement.attempt.verdict);
        let Settled::Recorded { failing_since } = settled else {
            self.metrics.attempt(AttemptResult::LeaseLost);
            return self.lanes.recorded(webhook, None, self.clock.now());
        };
        let ended_at = settlement.ended_at;
        self.activity
            .attempted(environment, webhook, verdict == Verdict::Delivered, ended_at);
        let longest = Duration::from_secs(FAILING_DAYS_MAX.unsigned_abs() * 24 * 3_600);
        let failing = failing_since.is_some_and(|since| ended_at.since(since) >= longest);
        match verdict {
            Verdict::Cancel(CancelReason::Gone) => self.disable(environment, webhook, DisableReason::Gone).await,
            Verdict::RetryAt(_) | Verdict::Exhausted if failing => self.disable(environment, webhook, DisableReason::Failing).await,
            _ => {}
        }
        let due_again = match verdict {
            Verdict::RetryAt(at) => Some(at),
            Verdict::Delivered | Verdict::Exhausted | Verdict::Cancel(_) => None,
        };
        self.lanes.recorded(webhook, due_again, self.clock.now());
    }

    fn observe(&self, delivery: &LeasedDelivery, attempt: &Attempt, ended_at: Timestamp) {
        self.metrics
            .attempt_seconds
            .observe(Duration::from_micros(attempt.exchange.timings.total_us).as_secs_f64());
        let result = match attempt.verdict {
            Verdict::Delivered => AttemptResult::Delivered,
            Verdict::RetryAt(_) => AttemptResult::Retrying,
            Verdict::Exhausted => AttemptResult::Exhausted,
            Verdict::Cancel(_) => AttemptResult::Cancelled,
        };
        self.metrics.attempt(result);
        if result == AttemptResult::Delivered && attempt.number == 1 {
            self.metrics
                .end_to_end_seconds
                .observe(ended_at.since(delivery.id.event.timestamp()).as_secs_f64());
        }
    }

    async fn disable(&self, environment: EnvironmentId, webhook: WebhookId, why: DisableReason) {
        let disable = self.store.disable_webhook(webhook, why, self.clock.now());
        match self.change(environment, disable).await {
            Ok(true) => {
                self.metrics.disabled.inc();
                tracing::warn!(%webhook, %why, "disabled a webhook");
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%webhook, %error, "could not disable a webhook, or not read the routing afterwards"),
        }
    }
}
