//! The engine put together: carrying out what the lanes want, starting and stopping.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tidings_model::verdict::retry_after;
use tidings_model::{Attempt, EndpointUrl, EnvironmentId, Exchange, Failure, Timestamp, Transport, WebhookId};
use tidings_runtime::{Clock, Entropy, OnError, TaskSet};
use tidings_signing::Vault;
use tidings_store::{DueBatch, LeaseGrant, LeasedDelivery, Store, StoreError};
use tokio::sync::{Notify, Semaphore};

use crate::activity::Activity;
use crate::deliver::{Shot, attempt, fire};
use crate::directory::Directory;
use crate::intake::ACCEPTING_BYTES_MAX;
use crate::lane::{FAST, Signal};
use crate::lanes::{Lanes, Work};
use crate::metrics::Metrics;
use crate::record::Desk;
use crate::roll::{Membership, NodeParts};
use crate::sealing::{StartError, check_master_key};

/// Wait after the store could not lease.
const LEASE_AGAIN: Duration = Duration::from_secs(1);

/// What the engine is made of.
pub struct EngineParts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The door out.
    pub transport: Arc<dyn Transport>,
    /// Opens secrets.
    pub vault: Arc<Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// The tasks of the process.
    pub tasks: TaskSet,
    /// Figures.
    pub metrics: Metrics,
    /// Who it is among the other nodes of the store.
    pub node: NodeParts,
}

/// See the crate.
pub struct Engine {
    /// The routing snapshot.
    pub directory: Directory,
    /// The lanes.
    pub lanes: Lanes,
    /// What happens, counted.
    pub activity: Activity,
    /// Figures.
    pub metrics: Metrics,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) transport: Arc<dyn Transport>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) tasks: TaskSet,
    pub(crate) roll: Membership,
    /// How late the latest attempt began since the last beat, in milliseconds.
    pub(crate) lag_ms: AtomicU64,
    pub(crate) accepting: Semaphore,
    /// What was attempted and is not in the store yet.
    pub(crate) desk: Desk,
    /// Rung when something may have to be reconciled: a webhook was disabled or deleted, a lease was given back.
    pub(crate) reconcile: Notify,
    /// Rung when something has become too old to keep: a retention was shortened, an environment deleted.
    pub(crate) prune: Notify,
}

impl Engine {
    /// Reads the routing, finds what is pending, and starts to work.
    ///
    /// # Errors
    /// When the store was sealed with another master key, or does not answer.
    pub async fn start(parts: EngineParts) -> Result<Arc<Self>, StartError> {
        check_master_key(&*parts.store, &parts.vault, parts.clock.now()).await?;
        let roll = Membership::join(&*parts.store, parts.node, parts.clock.now()).await?;
        let engine = Arc::new(Self {
            directory: Directory::new(Arc::clone(&parts.store), parts.vault),
            lanes: Lanes::new(roll.own(), parts.metrics.clone()),
            activity: Activity::new(Arc::clone(&parts.store)),
            metrics: parts.metrics,
            store: parts.store,
            transport: parts.transport,
            clock: parts.clock,
            entropy: parts.entropy,
            tasks: parts.tasks,
            roll,
            lag_ms: AtomicU64::new(0),
            accepting: Semaphore::new(ACCEPTING_BYTES_MAX / 1_024),
            desk: Desk::default(),
            reconcile: Notify::new(),
            prune: Notify::new(),
        });
        engine.directory.sync().await?;
        engine.beat_tick().await?;
        engine.find_due().await?;
        engine.start_upkeep();
        engine.pump();
        Ok(engine)
    }

    /// Carries out everything that the lanes want now.
    pub(crate) fn pump(self: &Arc<Self>) {
        if let Some(delivery) = self.pump_but_one() {
            let engine = Arc::clone(self);
            self.run("deliver", async move { engine.deliver(delivery).await });
        }
    }

    /// Carries out everything that the lanes want now but one delivery, which is the caller's to send.
    fn pump_but_one(self: &Arc<Self>) -> Option<Box<LeasedDelivery>> {
        let mut own = None;
        while let Some(work) = self.lanes.next(self.clock.now()) {
            let engine = Arc::clone(self);
            match work {
                Work::Send(delivery) if own.is_none() => own = Some(delivery),
                Work::Send(delivery) => self.run("deliver", async move { engine.deliver(delivery).await }),
                Work::Refill { webhook, want, grant } => self.run("lease", async move { engine.refill(webhook, want, grant).await }),
                Work::Release(leases) => self.run("release", async move { engine.return_to_lanes(leases).await }),
            }
        }
        own
    }

    pub(crate) fn run(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(name, OnError::Log, async {
            task.await;
            Ok::<(), StoreError>(())
        });
    }

    async fn refill(self: Arc<Self>, webhook: WebhookId, want: usize, grant: LeaseGrant) {
        let asked_at = self.clock.now();
        let batch = self.store.lease_due(webhook, asked_at, want, grant).await;
        let at = self.clock.now();
        let batch = batch.map(|batch| DueBatch {
            // Due, and not to be had: another node is just taking it.
            next_due: batch.next_due.map(|due| {
                let is_held = batch.deliveries.is_empty() && due <= asked_at;
                if is_held { at + LEASE_AGAIN } else { due }
            }),
            ..batch
        });
        let batch = batch.map_err(|error| {
            match &error {
                StoreError::Unavailable(reason) => tracing::debug!(%webhook, %reason, "could not lease deliveries"), // the store says so itself
                StoreError::Damaged(_) => tracing::warn!(%webhook, %error, "could not lease deliveries"),
            }
            at + LEASE_AGAIN
        });
        let lost = self.lanes.refilled(webhook, batch, at);
        if !lost.is_empty() {
            self.clone().return_to_lanes(lost).await;
        }
        self.pump();
    }

    /// Gives leases back.
    async fn release(&self, leases: &[LeasedDelivery]) {
        let tokens = leases.iter().map(|delivery| (delivery.id, delivery.lease.token)).collect();
        if let Err(error) = self.store.release(tokens).await {
            tracing::warn!(%error, leases = leases.len(), "could not give leases back; they will expire");
        }
    }

    /// Gives leases of webhooks that are to be sent to back, and looks at their lanes again.
    pub(crate) async fn return_to_lanes(self: Arc<Self>, leases: Vec<LeasedDelivery>) {
        self.release(&leases).await;
        for delivery in leases {
            self.note_due(delivery.environment, delivery.webhook, delivery.due_at);
        }
        self.pump();
    }

    /// Makes one attempt after the other, as long as the lanes have another, and until the process ends: what is under way beyond the grace is cut.
    async fn deliver(self: Arc<Self>, first: Box<LeasedDelivery>) {
        let mut next = Some(first);
        while let Some(delivery) = next {
            tokio::select! {
                biased;
                () = self.send(*delivery) => {}
                () = self.tasks.shutdown().begun() => return,
            }
            next = self.pump_but_one();
        }
    }

    async fn send(self: &Arc<Self>, delivery: LeasedDelivery) {
        let webhook = delivery.webhook;
        let routes = self.directory.routes(delivery.environment);
        let destination = routes
            .as_ref()
            .and_then(|routes| routes.destination(webhook).filter(|destination| destination.active));
        if let (Some(routes), Some(destination)) = (&routes, destination) {
            let (attempt, ended_at) = attempt(&*self.transport, &*self.clock, &*self.entropy, routes, destination, &delivery).await;
            let late = attempt.started_at.since(delivery.due_at).as_millis();
            self.lag_ms.fetch_max(u64::try_from(late).unwrap_or(u64::MAX), Ordering::Relaxed);
            self.lanes.finished(webhook, signal(&attempt, ended_at), self.clock.now());
            self.record(&delivery, attempt, ended_at);
        } else {
            self.release(&[delivery]).await;
            self.reconcile.notify_one(); // the webhook is off or gone: that cancels what is pending
            self.lanes.finished(webhook, Signal::Unused, self.clock.now());
        }
    }

    /// Changes something about an environment's configuration in the store and routes by it from now on. Events whose routes have become stale are
    /// not accepted while this is under way, and changes wait for them: neither keeps the other from ever being done.
    ///
    /// # Errors
    /// Those of the verb, and the store's when it cannot be read afterwards.
    pub async fn change<T>(&self, environment: EnvironmentId, verb: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let gate = self.directory.routes(environment).map(|routes| Arc::clone(&routes.gate));
        let _alone = match &gate {
            Some(gate) => Some(gate.write().await),
            None => None, // it is being made
        };
        let done = verb.await?;
        self.changed(environment).await?;
        Ok(done)
    }

    /// Something about an environment's configuration was changed in the store: routes by it from now on.
    pub async fn changed(&self, environment: EnvironmentId) -> Result<(), StoreError> {
        self.directory.reload(environment).await?;
        self.reconcile.notify_one();
        self.prune.notify_one();
        Ok(())
    }

    /// A delivery was made due in the store: looks at its lane.
    pub fn due(self: &Arc<Self>, environment: EnvironmentId, webhook: WebhookId, due: Timestamp) {
        self.note_due(environment, webhook, due);
        self.pump();
    }

    /// Tells a lane what waits for it in the store, and whose turns it takes when the routing knows.
    pub(crate) fn note_due(&self, environment: EnvironmentId, webhook: WebhookId, due: Timestamp) {
        let routes = self.directory.routes(environment);
        let destination = routes.as_ref().and_then(|routes| routes.destination(webhook));
        let owner = destination.map(|destination| &destination.owner);
        self.lanes.note_due(webhook, owner, due, self.clock.now());
    }

    /// Checks a URL as a send would, up to the connect.
    pub async fn vet(&self, environment: EnvironmentId, url: &EndpointUrl) -> Result<(), Failure> {
        self.transport.vet(environment, url).await
    }

    /// Sends one body outside the log: the test button.
    pub async fn probe(&self, shot: Shot<'_>) -> (Vec<(String, String)>, Exchange) {
        fire(&*self.transport, shot).await
    }

    /// Stops: takes nothing new, waits for the attempts under way at most `grace`, gives back what is queued, leaves the roll of nodes, and writes what
    /// was counted. What is not finished then is taken up by another node, or by the next start.
    pub async fn stop(self: &Arc<Self>, grace: Duration) {
        let queued = self.lanes.stop();
        let _ = tidings_runtime::within(&*self.clock, grace, self.lanes.quiet()).await;
        if !queued.is_empty() {
            self.release(&queued).await;
        }
        self.roll.leave();
        if let Err(error) = self.store.strike_node(self.roll.own(), None).await {
            tracing::warn!(%error, "could not leave the roll of nodes; the others will notice");
        }
        if let Err(error) = self.activity.write().await {
            tracing::warn!(%error, "could not write the last figures of what happened; they are lost");
        }
    }
}

/// What an attempt tells its lane.
fn signal(attempt: &Attempt, ended_at: Timestamp) -> Signal {
    if attempt.exchange.is_success() {
        let fast = u128::from(attempt.exchange.timings.total_us) < FAST.as_micros();
        return if fast { Signal::Well } else { Signal::Slowly };
    }
    match &attempt.exchange.reply {
        Some(reply) if matches!(reply.status, 429 | 503) => {
            Signal::Throttled(reply.header("retry-after").and_then(|value| retry_after(value, ended_at)))
        }
        _ => Signal::Failed,
    }
}
