//! The obvious store: everything in plain maps behind one lock, every verb a few lines. It is what other stores are compared with, and what tests of
//! other rooms use. Nothing here is fast, and nothing survives the process.
//!
//! Owns: the meaning of every verb, as short as it can be said. Never knows: a driver, or what time it is.

mod configuration;
mod history;
mod keys;
mod log;
mod people;
mod road;
mod upkeep;
mod verify;
mod webhooks;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use parking_lot::{Mutex, MutexGuard};
use tidings_model::{
    Credential, CredentialId, Delivery, DeliveryId, DisableReason, Environment, EnvironmentId, Event, EventBody, EventId, EventKey,
    Timestamp, Webhook, WebhookId,
};
use tokio::sync::watch;

use crate::{
    Activity, ActivityCounts, AppendRefusal, Appended, AsOf, AuditEntry, AuditFilter, AuditRecord, ChangePersonError, CopyReport,
    CreateEventTypeError, CreateWebhookError, CustomEventType, DeleteEnvironmentError, DeliveryDetail, DeliveryFilter, DueBatch,
    DueWebhook, EnvironmentChange, EnvironmentHolds, EventFilter, EventIdSequence, LeaseGrant, LeaseToken, MasterKeyId, MasterKeyUse,
    NameTaken, NewEvent, NewNode, NewServerKey, Node, NodeNumber, Page, Person, PersonChange, Place, Pruned, Pulse, ReplaceWebhookError,
    Reseal, ResendError, Roll, Routing, RoutingChanges, SealedWebhook, ServerKey, Session, SessionId, Settled, Settlement, Store,
    StoreError, StoreStats, Verified, WebhookFilter, WebhookWithHealth,
};

/// A store in memory, the reference model of all others. It is never unavailable, unless it is asked to be.
#[derive(Default)]
pub struct MemStore {
    state: Mutex<State>,
    looks_refused: AtomicUsize,
}

impl MemStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Does to the body of an event what a disk may do.
    pub fn alter_body(&self, event: EventId) {
        if let Some(row) = self.state().events.get_mut(&event) {
            row.event.body = EventBody::Altered;
        }
    }

    /// Answers the next so many steps of [`Store::verify`] as a store that is away does.
    pub fn refuse_looks(&self, steps: usize) {
        self.looks_refused.store(steps, Ordering::Relaxed);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// The state, of which something is about to change that nodes keep in memory. Who waits for that is told, and has to wait until it is done.
    fn changing(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock();
        state.roll.changed();
        state.changes.send_modify(|changes| *changes += 1);
        state
    }
}

impl std::fmt::Debug for MemStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemStore").finish_non_exhaustive()
    }
}

/// Everything. Each file beside this one adds the verbs of one concern.
#[derive(Default)]
struct State {
    /// The current one first, then those before, the latest first.
    master_keys: Vec<keys::KeptMasterKey>,
    server_keys: Vec<ServerKey>,
    /// Numbers of server keys that were given out.
    server_keys_made: u64,
    /// In the order in which they were added.
    environments: Vec<configuration::EnvironmentRow>,
    credentials: Vec<Credential>,
    people: Vec<Person>,
    sessions: BTreeMap<SessionId, Session>,
    audit: Vec<AuditRecord>,
    /// Numbers of the audit log that were given out.
    audited: u64,
    activity: BTreeMap<history::ActivityKey, ActivityCounts>,
    /// Changes of what nodes keep in memory, for whoever waits for one.
    changes: watch::Sender<u64>,
    webhooks: BTreeMap<WebhookId, WebhookWithHealth>,
    /// The routing versions that the last changes of webhooks raised.
    changed: BTreeMap<WebhookId, u64>,
    /// Webhooks that were deleted.
    former: BTreeMap<WebhookId, webhooks::Former>,
    ids: EventIdSequence,
    roll: Roll,
    events: BTreeMap<EventId, road::EventRow>,
    keys: BTreeMap<(EnvironmentId, String), road::KeyRow>,
}

#[async_trait]
impl Store for MemStore {
    async fn keep_master_key(&self, id: MasterKeyId, at: Timestamp) -> Result<MasterKeyId, StoreError> {
        Ok(self.state().keep_master_key(id, at))
    }

    async fn change_master_key(&self, id: MasterKeyId, at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.changing().change_master_key(id, at))
    }

    async fn retire_master_key(&self, id: MasterKeyId) -> Result<bool, StoreError> {
        Ok(self.state().retire_master_key(id))
    }

    async fn master_keys(&self) -> Result<Vec<MasterKeyUse>, StoreError> {
        Ok(self.state().master_keys())
    }

    async fn sealed_webhooks(&self, but: MasterKeyId, after: Option<WebhookId>, limit: usize) -> Result<Vec<SealedWebhook>, StoreError> {
        Ok(self.state().sealed_webhooks(but, after, limit))
    }

    async fn reseal(&self, values: Vec<Reseal>) -> Result<usize, StoreError> {
        Ok(self.state().reseal(values))
    }

    async fn server_keys(&self) -> Result<Vec<ServerKey>, StoreError> {
        Ok(self.state().server_keys.clone())
    }

    async fn change_server_key(&self, key: &NewServerKey) -> Result<bool, StoreError> {
        Ok(self.changing().change_server_key(key))
    }

    async fn join(&self, node: &NewNode) -> Result<NodeNumber, StoreError> {
        let number = self.state().roll.join(node);
        number.ok_or_else(|| StoreError::Unavailable("all numbers of nodes were given out".to_owned()))
    }

    async fn beat(&self, node: NodeNumber, pulse: Pulse) -> Result<Option<u64>, StoreError> {
        Ok(self.state().roll.beat(node, pulse))
    }

    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        Ok(self.state().roll.nodes())
    }

    async fn strike_node(&self, node: NodeNumber, beats: Option<u64>) -> Result<bool, StoreError> {
        Ok(self.state().roll.strike(node, beats))
    }

    async fn end_lost_leases(&self) -> Result<usize, StoreError> {
        Ok(self.state().end_lost_leases())
    }

    async fn changed(&self, seen: u64) -> Result<u64, StoreError> {
        let mut changes = self.state().changes.subscribe();
        let changed = changes.wait_for(|changes| *changes != seen).await;
        changed
            .map(|changes| *changes)
            .map_err(|_| StoreError::Unavailable("it is gone".to_owned()))
    }

    async fn create_environment(&self, environment: &Environment) -> Result<Result<(), NameTaken>, StoreError> {
        Ok(self.changing().create_environment(environment))
    }

    async fn environments(&self) -> Result<Vec<Environment>, StoreError> {
        Ok(self.state().environments.iter().map(|row| row.environment.clone()).collect())
    }

    async fn change_environment(
        &self,
        id: EnvironmentId,
        change: &EnvironmentChange,
    ) -> Result<Result<Option<Environment>, NameTaken>, StoreError> {
        Ok(self.changing().change_environment(id, change))
    }

    async fn delete_environment(&self, id: EnvironmentId, force: bool) -> Result<Result<(), DeleteEnvironmentError>, StoreError> {
        Ok(self.changing().delete_environment(id, force))
    }

    async fn copy_environment(&self, from: EnvironmentId, to: EnvironmentId, at: Timestamp) -> Result<Option<CopyReport>, StoreError> {
        Ok(self.changing().copy_environment(from, to, at))
    }

    async fn environment_holds(&self, id: EnvironmentId) -> Result<Option<EnvironmentHolds>, StoreError> {
        let state = self.state();
        Ok(state.environment(id).map(|row| state.holds(row)))
    }

    async fn create_credential(&self, credential: &Credential) -> Result<(), StoreError> {
        self.changing().credentials.push(credential.clone());
        Ok(())
    }

    async fn credentials(&self) -> Result<Vec<Credential>, StoreError> {
        Ok(self.state().credentials.clone())
    }

    async fn delete_credential(&self, environment: EnvironmentId, id: &CredentialId) -> Result<bool, StoreError> {
        Ok(self.changing().delete_credential(environment, id))
    }

    async fn create_person(&self, person: &Person) -> Result<Result<(), NameTaken>, StoreError> {
        Ok(self.state().create_person(person))
    }

    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        Ok(self.state().people.clone())
    }

    async fn change_person(&self, email: &str, change: &PersonChange) -> Result<Result<(), ChangePersonError>, StoreError> {
        Ok(self.state().change_person(email, change))
    }

    async fn delete_person(&self, email: &str) -> Result<Result<(), ChangePersonError>, StoreError> {
        Ok(self.state().delete_person(email))
    }

    async fn create_session(&self, session: &Session) -> Result<bool, StoreError> {
        Ok(self.state().create_session(session))
    }

    async fn session(&self, id: SessionId, at: Timestamp) -> Result<Option<(Session, Person)>, StoreError> {
        Ok(self.state().session(id, at))
    }

    async fn touch_session(&self, id: SessionId, seen_at: Timestamp, ends_at: Timestamp) -> Result<(), StoreError> {
        self.state().touch_session(id, seen_at, ends_at);
        Ok(())
    }

    async fn sessions(&self, email: Option<&str>, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        Ok(self.state().sessions(email, at))
    }

    async fn delete_session(&self, id: SessionId) -> Result<bool, StoreError> {
        Ok(self.state().sessions.remove(&id).is_some())
    }

    async fn end_sessions(&self, email: &str, keep: Option<SessionId>) -> Result<usize, StoreError> {
        Ok(self.state().end_sessions(email, keep))
    }

    async fn record_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        self.state().record_audit(entry);
        Ok(())
    }

    async fn audit(&self, filter: &AuditFilter, page: Page<u64>) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(self.state().audit(filter, &page))
    }

    async fn add_activity(&self, activity: Vec<Activity>) -> Result<(), StoreError> {
        self.state().add_activity(&activity);
        Ok(())
    }

    async fn activity(
        &self,
        environment: EnvironmentId,
        webhooks: &[WebhookId],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Activity>, StoreError> {
        Ok(self.state().activity(environment, webhooks, &(from..until)))
    }

    async fn create_event_type(
        &self,
        environment: EnvironmentId,
        event_type: &CustomEventType,
    ) -> Result<Result<(), CreateEventTypeError>, StoreError> {
        Ok(self.changing().create_event_type(environment, event_type))
    }

    async fn delete_event_type(&self, environment: EnvironmentId, key: &EventKey) -> Result<bool, StoreError> {
        Ok(self.changing().delete_event_type(environment, key))
    }

    async fn create_webhook(&self, webhook: &Webhook) -> Result<Result<(), CreateWebhookError>, StoreError> {
        Ok(self.changing().create_webhook(webhook))
    }

    async fn webhook(&self, environment: EnvironmentId, id: WebhookId) -> Result<Option<WebhookWithHealth>, StoreError> {
        Ok(self.state().webhook_of(environment, id).cloned())
    }

    async fn webhooks(
        &self,
        environment: EnvironmentId,
        filter: &WebhookFilter,
        page: Page<WebhookId>,
    ) -> Result<Vec<WebhookWithHealth>, StoreError> {
        Ok(self.state().webhooks(environment, filter, &page))
    }

    async fn replace_webhook(&self, webhook: &Webhook, unchanged_since: Timestamp) -> Result<Result<(), ReplaceWebhookError>, StoreError> {
        Ok(self.changing().replace_webhook(webhook, unchanged_since))
    }

    async fn delete_webhook(&self, environment: EnvironmentId, id: WebhookId, _at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.changing().delete_webhook(environment, id))
    }

    async fn disable_webhook(&self, id: WebhookId, why: DisableReason, at: Timestamp) -> Result<bool, StoreError> {
        Ok(self.changing().disable_webhook(id, why, at))
    }

    async fn routing(&self, environment: EnvironmentId) -> Result<Option<Routing>, StoreError> {
        Ok(self.state().routing(environment))
    }

    async fn routing_changes(&self, environment: EnvironmentId, since: u64) -> Result<Option<RoutingChanges>, StoreError> {
        Ok(self.state().routing_changes(environment, since))
    }

    async fn routing_versions(&self) -> Result<Vec<(EnvironmentId, u64)>, StoreError> {
        Ok(self
            .state()
            .environments
            .iter()
            .map(|row| (row.environment.id, row.version))
            .collect())
    }

    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Result<Appended, AppendRefusal>>, StoreError> {
        let mut state = self.state();
        Ok(events.into_iter().map(|event| state.append(event)).collect())
    }

    async fn lease_due(&self, webhook: WebhookId, at: Timestamp, want: usize, grant: LeaseGrant) -> Result<DueBatch, StoreError> {
        Ok(self.state().lease_due(webhook, at, want, grant))
    }

    async fn due_webhooks(&self) -> Result<Vec<DueWebhook>, StoreError> {
        Ok(self.state().due_webhooks())
    }

    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, StoreError> {
        let mut state = self.state();
        Ok(settlements.iter().map(|settlement| state.settle(settlement.clone())).collect())
    }

    async fn release(&self, leases: Vec<(DeliveryId, LeaseToken)>) -> Result<(), StoreError> {
        self.state().release(&leases);
        Ok(())
    }

    async fn cancel_pending(&self, webhook: WebhookId, at: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(self.state().cancel_pending(webhook, at, limit))
    }

    async fn resend(
        &self,
        environment: EnvironmentId,
        delivery: DeliveryId,
        at: Timestamp,
    ) -> Result<Result<Delivery, ResendError>, StoreError> {
        Ok(self.state().resend(environment, delivery, at))
    }

    async fn event(&self, environment: EnvironmentId, id: EventId) -> Result<Option<Event>, StoreError> {
        Ok(self.state().event_of(environment, id).map(|row| row.event.clone()))
    }

    async fn events(&self, filter: &EventFilter, page: Page<EventId>) -> Result<Vec<Event>, StoreError> {
        Ok(self.state().events(filter, &page))
    }

    async fn event_at(&self, environment: EnvironmentId, before: Option<EventId>, places: usize) -> Result<Option<EventId>, StoreError> {
        Ok(self.state().event_at(environment, before, places))
    }

    async fn delivery(&self, environment: EnvironmentId, id: DeliveryId, at: Timestamp) -> Result<Option<DeliveryDetail>, StoreError> {
        Ok(self.state().delivery(environment, id, at))
    }

    async fn deliveries(&self, filter: &DeliveryFilter, page: Page<DeliveryId>, at: Timestamp) -> Result<Vec<Delivery>, StoreError> {
        Ok(self.state().deliveries(filter, &page, at))
    }

    async fn count_deliveries(&self, filter: &DeliveryFilter, cap: usize) -> Result<usize, StoreError> {
        Ok(self.state().count_deliveries(filter, cap))
    }

    async fn prune(&self, environment: EnvironmentId, before: Timestamp, limit: usize) -> Result<Pruned, StoreError> {
        Ok(self.state().prune(environment, before, limit))
    }

    async fn forget_keys(&self, at: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(self.state().forget_keys(at, limit))
    }

    async fn forget_history(
        &self,
        at: Timestamp,
        audit_before: Timestamp,
        activity_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        Ok(self.state().forget_history(at, audit_before, activity_before, limit))
    }

    async fn deleted_environments(&self) -> Result<Vec<EnvironmentId>, StoreError> {
        Ok(self.state().deleted_environments())
    }

    async fn writable(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn stats(&self, at: Timestamp) -> Result<StoreStats, StoreError> {
        Ok(self.state().stats(at))
    }

    async fn verify(&self, place: &Place, as_of: AsOf, limit: usize) -> Result<Verified, StoreError> {
        let is_refused = self
            .looks_refused
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1));
        if is_refused.is_ok() {
            return Err(StoreError::Unavailable("it was asked to be away".to_owned()));
        }
        Ok(self.state().verify(place, as_of, limit))
    }
}
