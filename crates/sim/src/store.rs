//! The store as a node sees it: the same for all nodes, but slow and failing in its own way for each. A verb that fails may have been done.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;
use tidings_model::{
    Credential, CredentialId, Delivery, DeliveryId, DisableReason, Environment, EnvironmentId, Event, EventId, EventKey, Timestamp,
    Verdict, Webhook, WebhookId, WebhookState,
};
use tidings_runtime::{Clock as _, ManualClock};
use tidings_store::{
    Activity, AppendRefusal, Appended, AsOf, AuditEntry, AuditFilter, AuditRecord, ChangePersonError, CopyReport, CreateEventTypeError,
    CreateWebhookError, CustomEventType, DeleteEnvironmentError, DeliveryDetail, DeliveryFilter, DueBatch, DueWebhook, EnvironmentChange,
    EnvironmentHolds, EventFilter, LeaseGrant, LeaseToken, MasterKeyId, MasterKeyUse, MemStore, NameTaken, NewEvent, NewNode, NewServerKey,
    Node, NodeNumber, Page, Person, PersonChange, Place, Pruned, Pulse, ReplaceWebhookError, Reseal, ResendError, Routing, RoutingChanges,
    SealedWebhook, ServerKey, Session, SessionId, Settled, Settlement, Store, StoreError, StoreStats, Verified, WebhookFilter,
    WebhookWithHealth,
};

use crate::dice::Dice;
use crate::play::Sabotage;

/// How a store behaves at the moment, in so many of a thousand verbs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mood {
    /// Fails, and nothing was done.
    pub(crate) fails_before: u64,
    /// Fails, and yet it was done.
    pub(crate) fails_after: u64,
    /// Takes up to two seconds.
    pub(crate) slow: u64,
}

/// What retention has removed: the last that was to be seen of it, and the world's time when it went.
#[derive(Default)]
pub(crate) struct Grave {
    /// Events.
    pub(crate) events: Vec<(Event, Timestamp)>,
    /// Their deliveries.
    pub(crate) deliveries: Vec<DeliveryDetail>,
}

/// See the module.
pub(crate) struct FaultyStore {
    inner: Arc<MemStore>,
    grave: Arc<Mutex<Grave>>,
    clock: ManualClock,
    dice: Dice,
    mood: Mutex<Mood>,
    sabotage: Sabotage,
}

impl FaultyStore {
    /// Without faults.
    pub(crate) fn new(inner: Arc<MemStore>, grave: Arc<Mutex<Grave>>, clock: ManualClock, dice: Dice, sabotage: Sabotage) -> Self {
        Self {
            inner,
            grave,
            clock,
            dice,
            mood: Mutex::default(),
            sabotage,
        }
    }

    /// Behaves like that from now on.
    pub(crate) fn set_mood(&self, mood: Mood) {
        *self.mood.lock() = mood;
    }

    async fn pass<T>(&self, verb: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        let mood = *self.mood.lock();
        if mood == Mood::default() {
            return verb.await;
        }
        if self.dice.in_thousand(mood.slow) {
            self.clock.sleep(Duration::from_millis(1 + self.dice.below(1_000))).await;
        }
        if self.dice.in_thousand(mood.fails_before) {
            return Err(StoreError::Unavailable("simulated: nothing was done".to_owned()));
        }
        let done = verb.await?;
        if self.dice.in_thousand(mood.slow) {
            self.clock.sleep(Duration::from_millis(1 + self.dice.below(1_000))).await;
        }
        if self.dice.in_thousand(mood.fails_after) {
            return Err(StoreError::Unavailable("simulated: it was done all the same".to_owned()));
        }
        Ok(done)
    }

    /// Prunes, and keeps what went for the checkers.
    async fn prune_watched(&self, environment: EnvironmentId, before: Timestamp, limit: usize) -> Result<Pruned, StoreError> {
        let too_soon = Duration::from_secs(12 * 3_600);
        let before = if self.sabotage == Sabotage::PrunesTooSoon {
            before + too_soon
        } else {
            before
        };
        let old = EventFilter {
            until: Some(before),
            ..EventFilter::of(environment)
        };
        let events = self.inner.events(&old, Page::first(usize::MAX)).await?;
        let mut deliveries = Vec::new();
        if let Some(last) = events.first().map(|event| event.id) {
            let all = self
                .inner
                .deliveries(&DeliveryFilter::of(environment), Page::first(usize::MAX), before)
                .await?;
            for delivery in all.into_iter().filter(|delivery| delivery.id.event <= last) {
                deliveries.extend(self.inner.delivery(environment, delivery.id, before).await?);
            }
        }
        let pruned = self.inner.prune(environment, before, limit).await?;
        let left = self.inner.events(&EventFilter::of(environment), Page::first(usize::MAX)).await?;
        let is_gone = |id: EventId| !left.iter().any(|event| event.id == id);
        let mut grave = self.grave.lock();
        let now = self.clock.now();
        grave
            .events
            .extend(events.into_iter().filter(|event| is_gone(event.id)).map(|event| (event, now)));
        grave
            .deliveries
            .extend(deliveries.into_iter().filter(|detail| is_gone(detail.delivery.id.event)));
        Ok(pruned)
    }

    /// What a store would do that is broken in a way that a checker has to find.
    fn append_sabotaged(&self, mut events: Vec<NewEvent>) -> Vec<NewEvent> {
        for event in &mut events {
            if self.sabotage == Sabotage::LosesTargets && self.dice.in_thousand(100) {
                event.targets.pop();
            }
        }
        events
    }

    fn settle_sabotaged(&self, settlements: &[Settlement]) -> Arc<[Settlement]> {
        let sabotaged = settlements.iter().cloned().map(|mut settlement| {
            let verdict = &mut settlement.attempt.verdict;
            match (self.sabotage, *verdict) {
                (Sabotage::CallsFailuresDelivered, Verdict::RetryAt(_)) => *verdict = Verdict::Delivered,
                (Sabotage::RetriesTooSoon, Verdict::RetryAt(at)) => *verdict = Verdict::RetryAt(at - Duration::from_secs(4)),
                _ => {}
            }
            if self.sabotage == Sabotage::SkipsNumbers {
                settlement.attempt.number += 1;
            }
            settlement
        });
        sabotaged.collect()
    }

    fn routing_sabotaged(&self, mut routing: Routing) -> Routing {
        for webhook in &mut routing.webhooks {
            match self.sabotage {
                Sabotage::MixesTenants => webhook.tenant = None,
                Sabotage::SendsToTheDisabled => webhook.state = WebhookState::Active,
                Sabotage::KeepsOldSecrets => {
                    if let Some((before, _)) = webhook.secrets.rotating_out.take() {
                        webhook.secrets.current = Some(before);
                    }
                }
                _ => {}
            }
        }
        routing
    }
}

/// Verbs that are passed on as they are.
macro_rules! faulty {
    ($(async fn $name:ident(&self $(, $argument:ident: $kind:ty)*) -> $answer:ty;)*) => {
        #[async_trait]
        impl Store for FaultyStore {
            $(async fn $name(&self $(, $argument: $kind)*) -> $answer {
                self.pass(self.inner.$name($($argument),*)).await
            })*

            async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Result<Appended, AppendRefusal>>, StoreError> {
                self.pass(self.inner.append(self.append_sabotaged(events))).await
            }

            async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, StoreError> {
                self.pass(self.inner.settle(self.settle_sabotaged(&settlements))).await
            }

            async fn deleted_environments(&self) -> Result<Vec<EnvironmentId>, StoreError> {
                let deleted = self.pass(self.inner.deleted_environments()).await?;
                Ok(if self.sabotage == Sabotage::ForgetsTheDeleted { Vec::new() } else { deleted })
            }

            async fn prune(&self, environment: EnvironmentId, before: Timestamp, limit: usize) -> Result<Pruned, StoreError> {
                self.pass(self.prune_watched(environment, before, limit)).await
            }

            async fn routing(&self, environment: EnvironmentId) -> Result<Option<Routing>, StoreError> {
                let routing = self.pass(self.inner.routing(environment)).await?;
                Ok(routing.map(|routing| self.routing_sabotaged(routing)))
            }

            async fn routing_changes(&self, environment: EnvironmentId, since: u64) -> Result<Option<RoutingChanges>, StoreError> {
                let changes = self.pass(self.inner.routing_changes(environment, since)).await?;
                Ok(changes.map(|changes| RoutingChanges {
                    routing: self.routing_sabotaged(changes.routing),
                    deleted: changes.deleted,
                }))
            }
        }
    };
}

faulty! {
    async fn keep_master_key(&self, id: MasterKeyId, at: Timestamp) -> Result<MasterKeyId, StoreError>;
    async fn change_master_key(&self, id: MasterKeyId, at: Timestamp) -> Result<bool, StoreError>;
    async fn retire_master_key(&self, id: MasterKeyId) -> Result<bool, StoreError>;
    async fn master_keys(&self) -> Result<Vec<MasterKeyUse>, StoreError>;
    async fn sealed_webhooks(&self, but: MasterKeyId, after: Option<WebhookId>, limit: usize) -> Result<Vec<SealedWebhook>, StoreError>;
    async fn reseal(&self, values: Vec<Reseal>) -> Result<usize, StoreError>;
    async fn server_keys(&self) -> Result<Vec<ServerKey>, StoreError>;
    async fn change_server_key(&self, key: &NewServerKey) -> Result<bool, StoreError>;
    async fn join(&self, node: &NewNode) -> Result<NodeNumber, StoreError>;
    async fn beat(&self, node: NodeNumber, pulse: Pulse) -> Result<Option<u64>, StoreError>;
    async fn nodes(&self) -> Result<Vec<Node>, StoreError>;
    async fn strike_node(&self, node: NodeNumber, beats: Option<u64>) -> Result<bool, StoreError>;
    async fn end_lost_leases(&self) -> Result<usize, StoreError>;
    async fn create_environment(&self, environment: &Environment) -> Result<Result<(), NameTaken>, StoreError>;
    async fn environments(&self) -> Result<Vec<Environment>, StoreError>;
    async fn change_environment(&self, id: EnvironmentId, change: &EnvironmentChange) -> Result<Result<Option<Environment>, NameTaken>, StoreError>;
    async fn delete_environment(&self, id: EnvironmentId, force: bool) -> Result<Result<(), DeleteEnvironmentError>, StoreError>;
    async fn copy_environment(&self, from: EnvironmentId, to: EnvironmentId, at: Timestamp) -> Result<Option<CopyReport>, StoreError>;
    async fn environment_holds(&self, id: EnvironmentId) -> Result<Option<EnvironmentHolds>, StoreError>;
    async fn create_credential(&self, credential: &Credential) -> Result<(), StoreError>;
    async fn credentials(&self) -> Result<Vec<Credential>, StoreError>;
    async fn delete_credential(&self, environment: EnvironmentId, id: &CredentialId) -> Result<bool, StoreError>;
    async fn create_person(&self, person: &Person) -> Result<Result<(), NameTaken>, StoreError>;
    async fn people(&self) -> Result<Vec<Person>, StoreError>;
    async fn change_person(&self, email: &str, change: &PersonChange) -> Result<Result<(), ChangePersonError>, StoreError>;
    async fn delete_person(&self, email: &str) -> Result<Result<(), ChangePersonError>, StoreError>;
    async fn create_session(&self, session: &Session) -> Result<bool, StoreError>;
    async fn session(&self, id: SessionId, at: Timestamp) -> Result<Option<(Session, Person)>, StoreError>;
    async fn touch_session(&self, id: SessionId, seen_at: Timestamp, ends_at: Timestamp) -> Result<(), StoreError>;
    async fn sessions(&self, email: Option<&str>, at: Timestamp) -> Result<Vec<Session>, StoreError>;
    async fn delete_session(&self, id: SessionId) -> Result<bool, StoreError>;
    async fn end_sessions(&self, email: &str, keep: Option<SessionId>) -> Result<usize, StoreError>;
    async fn record_audit(&self, entry: &AuditEntry) -> Result<(), StoreError>;
    async fn audit(&self, filter: &AuditFilter, page: Page<u64>) -> Result<Vec<AuditRecord>, StoreError>;
    async fn add_activity(&self, activity: Vec<Activity>) -> Result<(), StoreError>;
    async fn activity(&self, environment: EnvironmentId, webhooks: &[WebhookId], from: Timestamp, until: Timestamp) -> Result<Vec<Activity>, StoreError>;
    async fn create_event_type(&self, environment: EnvironmentId, event_type: &CustomEventType) -> Result<Result<(), CreateEventTypeError>, StoreError>;
    async fn delete_event_type(&self, environment: EnvironmentId, key: &EventKey) -> Result<bool, StoreError>;
    async fn create_webhook(&self, webhook: &Webhook) -> Result<Result<(), CreateWebhookError>, StoreError>;
    async fn webhook(&self, environment: EnvironmentId, id: WebhookId) -> Result<Option<WebhookWithHealth>, StoreError>;
    async fn webhooks(&self, environment: EnvironmentId, filter: &WebhookFilter, page: Page<WebhookId>) -> Result<Vec<WebhookWithHealth>, StoreError>;
    async fn replace_webhook(&self, webhook: &Webhook, unchanged_since: Timestamp) -> Result<Result<(), ReplaceWebhookError>, StoreError>;
    async fn delete_webhook(&self, environment: EnvironmentId, id: WebhookId, at: Timestamp) -> Result<bool, StoreError>;
    async fn disable_webhook(&self, id: WebhookId, why: DisableReason, at: Timestamp) -> Result<bool, StoreError>;
    async fn routing_versions(&self) -> Result<Vec<(EnvironmentId, u64)>, StoreError>;
    async fn lease_due(&self, webhook: WebhookId, at: Timestamp, want: usize, grant: LeaseGrant) -> Result<DueBatch, StoreError>;
    async fn due_webhooks(&self) -> Result<Vec<DueWebhook>, StoreError>;
    async fn release(&self, leases: Vec<(DeliveryId, LeaseToken)>) -> Result<(), StoreError>;
    async fn cancel_pending(&self, webhook: WebhookId, at: Timestamp, limit: usize) -> Result<usize, StoreError>;
    async fn resend(&self, environment: EnvironmentId, delivery: DeliveryId, at: Timestamp) -> Result<Result<Delivery, ResendError>, StoreError>;
    async fn event(&self, environment: EnvironmentId, id: EventId) -> Result<Option<Event>, StoreError>;
    async fn events(&self, filter: &EventFilter, page: Page<EventId>) -> Result<Vec<Event>, StoreError>;
    async fn event_at(&self, environment: EnvironmentId, before: Option<EventId>, places: usize) -> Result<Option<EventId>, StoreError>;
    async fn delivery(&self, environment: EnvironmentId, id: DeliveryId, at: Timestamp) -> Result<Option<DeliveryDetail>, StoreError>;
    async fn deliveries(&self, filter: &DeliveryFilter, page: Page<DeliveryId>, at: Timestamp) -> Result<Vec<Delivery>, StoreError>;
    async fn count_deliveries(&self, filter: &DeliveryFilter, cap: usize) -> Result<usize, StoreError>;
    async fn forget_keys(&self, at: Timestamp, limit: usize) -> Result<usize, StoreError>;
    async fn forget_history(&self, at: Timestamp, audit_before: Timestamp, activity_before: Timestamp, limit: usize) -> Result<usize, StoreError>;
    async fn writable(&self) -> Result<(), StoreError>;
    async fn stats(&self, at: Timestamp) -> Result<StoreStats, StoreError>;
    async fn verify(&self, place: &Place, as_of: AsOf, limit: usize) -> Result<Verified, StoreError>;
}
