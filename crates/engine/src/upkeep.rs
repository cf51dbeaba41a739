//! What runs beside the road: alarms, reconciling memory with the store, retention. Each is a tick that can run at any time, any number of times.

use std::sync::Arc;
use std::time::Duration;

use tidings_model::limits::{ACTIVITY_DAYS, AUDIT_DAYS};
use tidings_model::{EnvironmentId, Timestamp};
use tidings_runtime::OnError;
use tidings_store::{AsOf, Check, DueWebhook, Finding, Place, StoreError};
use tokio::sync::Notify;

use crate::engine::Engine;

/// How often memory is compared with the store when nobody asks for it.
const RECONCILE_EVERY: Duration = Duration::from_secs(30);
/// How often retention removes what is too old.
const PRUNE_EVERY: Duration = Duration::from_secs(60);
/// How long counts of what happened gather before they are written.
const WRITE_ACTIVITY_EVERY: Duration = Duration::from_secs(5);
/// Events that one transaction of retention removes, at most: small enough that accepting does not notice.
const PRUNE_EVENTS: usize = 200;
/// How often the store is looked through for deliveries that can never be sent.
const COUNT_ORPHANS_EVERY: Duration = Duration::from_secs(300);
/// Pending deliveries that are looked at as of one moment.
const ORPHANS_ROWS: usize = 1_000;
/// Rows that one step of looking the store through looks at, about.
const LOOK_ROWS: usize = 500;
/// Between two such steps: whoever accepts and lists comes first.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Findings that the log names, at most; `tidings verify` names all.
const FINDINGS_NAMED: u64 = 20;
/// Deliveries that one transaction cancels, at most.
const CANCEL_DELIVERIES: usize = 500;
/// Such transactions in one turn, at most: what other webhooks have due is told between turns.
const CANCEL_ROUNDS: usize = 20;
/// Idempotency keys that one transaction forgets, at most.
const FORGET_KEYS: usize = 1_000;
/// Sessions, audit entries and spans of activity that one transaction forgets, at most of each.
const FORGET_HISTORY: usize = 1_000;

impl Engine {
    pub(crate) fn start_upkeep(self: &Arc<Self>) {
        let (alarms, reconcile) = (Arc::clone(self), Arc::clone(self));
        let (activity, prune) = (Arc::clone(self), Arc::clone(self));
        let (orphans, look) = (Arc::clone(self), Arc::clone(self));
        self.tasks.spawn("beat", OnError::StopProcess, Arc::clone(self).beat());
        self.tasks
            .spawn("alarms", OnError::StopProcess, async move { alarms.ring_alarms().await });
        self.tasks.spawn("reconcile", OnError::StopProcess, async move {
            while reconcile.turn(RECONCILE_EVERY, &reconcile.reconcile).await {
                tell("reconcile", reconcile.reconcile_tick().await);
            }
            Ok::<(), StoreError>(())
        });
        self.tasks.spawn("activity", OnError::StopProcess, async move {
            while activity.something_gathered().await {
                tell("activity", activity.activity.write().await);
            }
            Ok::<(), StoreError>(())
        });
        self.tasks.spawn("prune", OnError::StopProcess, async move {
            while prune.turn(PRUNE_EVERY, &prune.prune).await {
                if prune.roll.is_eldest() {
                    tell("prune", prune.prune_tick().await);
                }
            }
            Ok::<(), StoreError>(())
        });
        self.tasks.spawn("look", OnError::StopProcess, async move {
            look.look().await;
            Ok::<(), StoreError>(())
        });
        self.tasks.spawn("orphans", OnError::StopProcess, async move {
            loop {
                if orphans.roll.is_eldest() {
                    tell("orphans", orphans.orphans_tick().await);
                } else {
                    orphans.metrics.orphaned.set(0); // another tells of them
                }
                if !orphans.pause(COUNT_ORPHANS_EVERY).await {
                    return Ok::<(), StoreError>(());
                }
            }
        });
    }

    /// Wakes lanes when their time comes.
    async fn ring_alarms(self: Arc<Self>) -> Result<(), StoreError> {
        loop {
            let next = self.lanes.next_alarm().map(|due| due.since(self.clock.now()));
            tokio::select! {
                biased;
                () = self.tasks.shutdown().begun() => return Ok(()),
                () = self.lanes.alarm.notified() => {}
                () = self.clock.sleep(next.unwrap_or(RECONCILE_EVERY)) => {}
            }
            self.lanes.ring(self.clock.now());
            self.pump();
        }
    }

    /// Waits for the next turn of a tick: its interval, or a nudge. False: the process is ending.
    async fn turn(&self, interval: Duration, nudge: &Notify) -> bool {
        tokio::select! {
            biased;
            () = self.tasks.shutdown().begun() => false,
            () = nudge.notified() => true,
            () = self.clock.sleep(interval) => true,
        }
    }

    /// Waits that long. False: the process is ending.
    async fn pause(&self, duration: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.tasks.shutdown().begun() => false,
            () = self.clock.sleep(duration) => true,
        }
    }

    /// Waits until something was counted, and then for more of it. False: the process is ending.
    async fn something_gathered(&self) -> bool {
        tokio::select! {
            biased;
            () = self.tasks.shutdown().begun() => return false,
            () = self.activity.begun() => {}
        }
        self.pause(WRITE_ACTIVITY_EVERY).await // stopping writes what has gathered
    }

    /// Compares memory with the store: routing versions, what is due, what has to be cancelled.
    pub async fn reconcile_tick(self: &Arc<Self>) -> Result<(), StoreError> {
        self.directory.sync().await?;
        self.find_due().await?;
        self.lanes.sweep(self.clock.now());
        self.pump();
        Ok(())
    }

    /// Tells the lanes what waits for them in the store, and then cancels what waits for webhooks that are off or gone.
    pub(crate) async fn find_due(self: &Arc<Self>) -> Result<(), StoreError> {
        let mut off = Vec::new();
        for due in self.store.due_webhooks().await? {
            if due.cancelled.is_some() {
                off.push(due);
            } else {
                self.note_due(due.environment, due.webhook, due.next_due);
            }
        }
        self.cancel(off).await
    }

    /// Cancels some of what these have, and asks for another turn where that was not all.
    async fn cancel(&self, off: Vec<DueWebhook>) -> Result<(), StoreError> {
        let mut rounds = CANCEL_ROUNDS;
        for due in off {
            loop {
                let cancelled = self.store.cancel_pending(due.webhook, self.clock.now(), CANCEL_DELIVERIES).await?;
                self.activity.stirred(due.environment);
                if cancelled < CANCEL_DELIVERIES {
                    break;
                }
                rounds -= 1;
                if rounds == 0 || self.tasks.shutdown().has_begun() {
                    self.reconcile.notify_one();
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Removes what retention says is too old, a little at a time, and ends what leases are left of nodes that are gone.
    pub async fn prune_tick(self: &Arc<Self>) -> Result<(), StoreError> {
        let at = self.clock.now();
        if self.store.end_lost_leases().await? > 0 {
            self.reconcile.notify_one();
        }
        while self.store.forget_keys(at, FORGET_KEYS).await? == FORGET_KEYS && !self.tasks.shutdown().has_begun() {}
        let days = |days: u64| Duration::from_secs(days * 24 * 3_600);
        let (audit, activity) = (at - days(AUDIT_DAYS), at - days(ACTIVITY_DAYS));
        while self.store.forget_history(at, audit, activity, FORGET_HISTORY).await? >= FORGET_HISTORY && !self.tasks.shutdown().has_begun()
        {
        }
        for environment in self.store.environments().await? {
            self.prune(environment.id, at - environment.settings.retention()).await?;
        }
        for gone in self.store.deleted_environments().await? {
            self.prune(gone, Timestamp::MAX).await?;
        }
        Ok(())
    }

    /// Looks the whole store through, once, whenever this node becomes the eldest: a file that was damaged while nobody ran it is not always refused by
    /// who opens it. Ends with the process.
    async fn look(self: &Arc<Self>) {
        while self.until_eldest(true).await && self.look_through().await && self.until_eldest(false).await {
            self.metrics.unsound.set(0); // another tells of it
        }
    }

    /// Waits until this node is the eldest, or is not. False: the process is ending.
    async fn until_eldest(&self, wanted: bool) -> bool {
        while self.roll.is_eldest() != wanted {
            if !self.pause(RECONCILE_EVERY).await {
                return false;
            }
        }
        true
    }

    /// Walks the store to its end. While it does not answer, the same step is tried again. False: the process is ending.
    async fn look_through(self: &Arc<Self>) -> bool {
        let as_of = AsOf {
            at: self.clock.now(),
            served_since: None,
        };
        let (mut place, mut looked_at, mut found) = (Some(Place::start()), 0, 0);
        while let Some(here) = place.take() {
            let pause = match self.store.verify(&here, as_of, LOOK_ROWS).await {
                Ok(step) => {
                    for finding in step.findings {
                        if found < FINDINGS_NAMED {
                            tracing::error!(%finding, "the store is not sound; see what `tidings verify` finds, and keep the last backup");
                        }
                        found += 1;
                    }
                    looked_at += step.looked_at;
                    self.metrics.unsound.set(i64::try_from(found).unwrap_or(i64::MAX));
                    place = step.next;
                    LOOK_PAUSE
                }
                failed => {
                    tell("look", failed.map(drop));
                    place = Some(here);
                    RECONCILE_EVERY
                }
            };
            if !self.pause(pause).await {
                return false;
            }
        }
        tracing::info!(looked_at, found, "looked the store through");
        true
    }

    /// Counts pending deliveries that have lost their event or their webhook: nothing in Tidings makes one, and nothing would ever end it.
    pub async fn orphans_tick(self: &Arc<Self>) -> Result<(), StoreError> {
        let as_of = AsOf {
            at: self.clock.now(),
            served_since: None,
        };
        let (mut place, mut orphans) = (Some(Place::of(Check::Pending)), 0);
        while let Some(here) = place.filter(|place| place.check == Check::Pending) {
            let step = self.store.verify(&here, as_of, ORPHANS_ROWS).await?;
            orphans += step
                .findings
                .iter()
                .filter(|finding| matches!(finding, Finding::Orphan { .. }))
                .count();
            if self.tasks.shutdown().has_begun() {
                return Ok(());
            }
            place = step.next;
        }
        if orphans > 0 {
            tracing::error!(
                orphans,
                "pending deliveries have lost their event or their webhook; `tidings verify` names them"
            );
        }
        self.metrics.orphaned.set(i64::try_from(orphans).unwrap_or(i64::MAX));
        Ok(())
    }

    async fn prune(&self, environment: EnvironmentId, before: Timestamp) -> Result<(), StoreError> {
        loop {
            let pruned = self.store.prune(environment, before, PRUNE_EVENTS).await?;
            self.metrics.pruned.inc_by(pruned.events as u64);
            if !pruned.more || self.tasks.shutdown().has_begun() {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }
}

/// A tick that failed is done again at its next turn.
fn tell(tick: &'static str, done: Result<(), StoreError>) {
    if let Err(error) = done {
        tracing::warn!(tick, %error, "a tick could not be done; it is tried again");
    }
}
