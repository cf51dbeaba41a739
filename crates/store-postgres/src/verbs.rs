//! The verbs, each a statement or a transaction. Appends and settlements share theirs with those of other callers.

use std::sync::Arc;

use async_trait::async_trait;
use tidings_model::{
    Credential, CredentialId, Delivery, DeliveryId, DisableReason, Environment, EnvironmentId, Event, EventId, EventKey, Timestamp,
    Webhook, WebhookId,
};
use tidings_store::{
    Activity, AppendRefusal, Appended, AsOf, AuditEntry, AuditFilter, AuditRecord, ChangePersonError, CopyReport, CreateEventTypeError,
    CreateWebhookError, CustomEventType, DeleteEnvironmentError, DeliveryDetail, DeliveryFilter, DueBatch, DueWebhook, EnvironmentChange,
    EnvironmentHolds, EventFilter, LeaseGrant, LeaseToken, MasterKeyId, MasterKeyUse, NameTaken, NewEvent, NewNode, NewServerKey, Node,
    NodeNumber, Page, Person, PersonChange, Place, Pruned, Pulse, ReplaceWebhookError, Reseal, ResendError, Routing, RoutingChanges,
    SealedWebhook, ServerKey, Session, SessionId, Settled, Settlement, Store, StoreError, StoreStats, Verified, WebhookFilter,
    WebhookWithHealth,
};

use crate::pool::{alone, change, snapshot, transact};
use crate::store::PostgresStore;
use crate::{credentials, deliveries, environments, event_types, events, history, keys, lease, nodes, people, upkeep, verify, webhooks};

type Answer<T, E> = Result<Result<T, E>, StoreError>;

#[async_trait]
impl Store for PostgresStore {
    async fn keep_master_key(&self, id: MasterKeyId, at: Timestamp) -> Result<MasterKeyId, StoreError> {
        Ok(change!(self, db => keys::keep(db, id, at))?)
    }

    async fn change_master_key(&self, id: MasterKeyId, at: Timestamp) -> Result<bool, StoreError> {
        Ok(change!(self, db => keys::change(db, id, at))?)
    }

    async fn retire_master_key(&self, id: MasterKeyId) -> Result<bool, StoreError> {
        Ok(change!(self, db => keys::retire(db, id))?)
    }

    async fn master_keys(&self) -> Result<Vec<MasterKeyUse>, StoreError> {
        Ok(snapshot!(self, db => keys::all(db))?)
    }

    async fn sealed_webhooks(&self, but: MasterKeyId, after: Option<WebhookId>, limit: usize) -> Result<Vec<SealedWebhook>, StoreError> {
        Ok(alone!(self.pool, db => keys::sealed_webhooks(db, but, after, limit))?)
    }

    async fn reseal(&self, values: Vec<Reseal>) -> Result<usize, StoreError> {
        Ok(change!(self, db => keys::reseal(db, &values))?)
    }

    async fn server_keys(&self) -> Result<Vec<ServerKey>, StoreError> {
        Ok(alone!(self.pool, db => keys::own(db))?)
    }

    async fn change_server_key(&self, key: &NewServerKey) -> Result<bool, StoreError> {
        Ok(change!(self, db => keys::change_own(db, key))?)
    }

    async fn join(&self, node: &NewNode) -> Result<NodeNumber, StoreError> {
        Ok(async { transact!(self.vital, begin, db => nodes::join(db, node, self.known())) }.await?)
    }

    async fn beat(&self, node: NodeNumber, pulse: Pulse) -> Result<Option<u64>, StoreError> {
        Ok(alone!(self.vital, db => nodes::beat(db, node, pulse))?)
    }

    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        Ok(alone!(self.vital, db => nodes::all(db))?)
    }

    async fn strike_node(&self, node: NodeNumber, beats: Option<u64>) -> Result<bool, StoreError> {
        Ok(alone!(self.vital, db => nodes::strike(db, node, beats))?)
    }

    async fn end_lost_leases(&self) -> Result<usize, StoreError> {
        Ok(alone!(self.vital, db => lease::end_lost(db))?)
    }

    async fn changed(&self, seen: u64) -> Result<u64, StoreError> {
        self.changes.after(seen).await
    }

    async fn create_environment(&self, environment: &Environment) -> Answer<(), NameTaken> {
        Ok(change!(self, db => environments::create(db, environment))?)
    }

    async fn environments(&self) -> Result<Vec<Environment>, StoreError> {
        Ok(alone!(self.pool, db => environments::all(db))?)
    }

    async fn change_environment(&self, id: EnvironmentId, change: &EnvironmentChange) -> Answer<Option<Environment>, NameTaken> {
        Ok(change!(self, db => environments::change(db, id, change))?)
    }

    async fn delete_environment(&self, id: EnvironmentId, force: bool) -> Answer<(), DeleteEnvironmentError> {
        Ok(change!(self, db => environments::delete(db, id, force))?)
    }

    async fn copy_environment(&self, from: EnvironmentId, to: EnvironmentId, at: Timestamp) -> Result<Option<CopyReport>, StoreError> {
        Ok(change!(self, db => environments::copy(db, from, to, at))?)
    }

    async fn environment_holds(&self, id: EnvironmentId) -> Result<Option<EnvironmentHolds>, StoreError> {
        Ok(snapshot!(self, db => environments::what_it_holds(db, id))?)
    }

    async fn create_credential(&self, credential: &Credential) -> Result<(), StoreError> {
        Ok(change!(self, db => credentials::create(db, credential))?)
    }

    async fn credentials(&self) -> Result<Vec<Credential>, StoreError> {
        Ok(alone!(self.pool, db => credentials::all(db))?)
    }

    async fn delete_credential(&self, environment: EnvironmentId, id: &CredentialId) -> Result<bool, StoreError> {
        Ok(change!(self, db => credentials::delete(db, environment, id))?)
    }

    async fn create_person(&self, person: &Person) -> Answer<(), NameTaken> {
        Ok(alone!(self.pool, db => people::create(db, person))?)
    }

    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        Ok(alone!(self.pool, db => people::all(db))?)
    }

    async fn change_person(&self, email: &str, change: &PersonChange) -> Answer<(), ChangePersonError> {
        Ok(change!(self, db => people::change(db, email, change))?)
    }

    async fn delete_person(&self, email: &str) -> Answer<(), ChangePersonError> {
        Ok(change!(self, db => people::delete(db, email))?)
    }

    async fn create_session(&self, session: &Session) -> Result<bool, StoreError> {
        Ok(alone!(self.pool, db => people::create_session(db, session))?)
    }

    async fn session(&self, id: SessionId, at: Timestamp) -> Result<Option<(Session, Person)>, StoreError> {
        Ok(alone!(self.pool, db => people::session(db, id, at))?)
    }

    async fn touch_session(&self, id: SessionId, seen_at: Timestamp, ends_at: Timestamp) -> Result<(), StoreError> {
        Ok(alone!(self.pool, db => people::touch_session(db, id, seen_at, ends_at))?)
    }

    async fn sessions(&self, email: Option<&str>, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        Ok(alone!(self.pool, db => people::sessions(db, email, at))?)
    }

    async fn delete_session(&self, id: SessionId) -> Result<bool, StoreError> {
        Ok(alone!(self.pool, db => people::delete_session(db, id))?)
    }

    async fn end_sessions(&self, email: &str, keep: Option<SessionId>) -> Result<usize, StoreError> {
        Ok(alone!(self.pool, db => people::end_sessions(db, email, keep))?)
    }

    async fn record_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        Ok(alone!(self.pool, db => history::record_audit(db, entry))?)
    }

    async fn audit(&self, filter: &AuditFilter, page: Page<u64>) -> Result<Vec<AuditRecord>, StoreError> {
        Ok(alone!(self.pool, db => history::audit(db, filter, page))?)
    }

    async fn add_activity(&self, activity: Vec<Activity>) -> Result<(), StoreError> {
        Ok(alone!(self.pool, db => history::add_activity(db, &activity))?)
    }

    async fn activity(
        &self,
        environment: EnvironmentId,
        webhooks: &[WebhookId],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Activity>, StoreError> {
        Ok(alone!(self.pool, db => history::activity(db, environment, webhooks, from, until))?)
    }

    async fn create_event_type(&self, environment: EnvironmentId, event_type: &CustomEventType) -> Answer<(), CreateEventTypeError> {
        Ok(change!(self, db => event_types::create(db, environment, event_type))?)
    }

    async fn delete_event_type(&self, environment: EnvironmentId, key: &EventKey) -> Result<bool, StoreError> {
        Ok(change!(self, db => event_types::delete(db, environment, key))?)
    }

    async fn create_webhook(&self, webhook: &Webhook) -> Answer<(), CreateWebhookError> {
        Ok(change!(self, db => webhooks::create(db, webhook))?)
    }

    async fn webhook(&self, environment: EnvironmentId, id: WebhookId) -> Result<Option<WebhookWithHealth>, StoreError> {
        Ok(alone!(self.pool, db => webhooks::one(db, environment, id))?)
    }

    async fn webhooks(
        &self,
        environment: EnvironmentId,
        filter: &WebhookFilter,
        page: Page<WebhookId>,
    ) -> Result<Vec<WebhookWithHealth>, StoreError> {
        Ok(alone!(self.pool, db => webhooks::list(db, environment, filter, page))?)
    }

    async fn replace_webhook(&self, webhook: &Webhook, unchanged_since: Timestamp) -> Answer<(), ReplaceWebhookError> {
        Ok(change!(self, db => webhooks::replace(db, webhook, unchanged_since))?)
    }

    async fn delete_webhook(&self, environment: EnvironmentId, id: WebhookId, at: Timestamp) -> Result<bool, StoreError> {
        Ok(change!(self, db => webhooks::delete(db, environment, id, at))?)
    }

    async fn disable_webhook(&self, id: WebhookId, why: DisableReason, at: Timestamp) -> Result<bool, StoreError> {
        Ok(change!(self, db => webhooks::disable(db, id, why, at))?)
    }

    async fn routing(&self, environment: EnvironmentId) -> Result<Option<Routing>, StoreError> {
        Ok(snapshot!(self, db => webhooks::routing(db, environment))?)
    }

    async fn routing_changes(&self, environment: EnvironmentId, since: u64) -> Result<Option<RoutingChanges>, StoreError> {
        Ok(snapshot!(self, db => webhooks::routing_changes(db, environment, since))?)
    }

    async fn routing_versions(&self) -> Result<Vec<(EnvironmentId, u64)>, StoreError> {
        Ok(alone!(self.vital, db => environments::versions(db))?)
    }

    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Result<Appended, AppendRefusal>>, StoreError> {
        self.appends.ask(events).await
    }

    async fn lease_due(&self, webhook: WebhookId, at: Timestamp, want: usize, grant: LeaseGrant) -> Result<DueBatch, StoreError> {
        Ok(alone!(self.vital, db => lease::lease_due(db, webhook, at, want, grant))?)
    }

    async fn due_webhooks(&self) -> Result<Vec<DueWebhook>, StoreError> {
        Ok(alone!(self.vital, db => lease::due_webhooks(db))?)
    }

    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, StoreError> {
        self.settles.ask(settlements).await
    }

    async fn release(&self, leases: Vec<(DeliveryId, LeaseToken)>) -> Result<(), StoreError> {
        Ok(alone!(self.vital, db => lease::release(db, &leases))?)
    }

    async fn cancel_pending(&self, webhook: WebhookId, at: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(alone!(self.pool, db => lease::cancel_pending(db, webhook, at, limit))?)
    }

    async fn resend(&self, environment: EnvironmentId, delivery: DeliveryId, at: Timestamp) -> Answer<Delivery, ResendError> {
        Ok(change!(self, db => deliveries::resend(db, environment, delivery, at))?)
    }

    async fn event(&self, environment: EnvironmentId, id: EventId) -> Result<Option<Event>, StoreError> {
        Ok(alone!(self.pool, db => events::one(db, environment, id))?)
    }

    async fn events(&self, filter: &EventFilter, page: Page<EventId>) -> Result<Vec<Event>, StoreError> {
        Ok(alone!(self.pool, db => events::list(db, filter, page))?)
    }

    async fn event_at(&self, environment: EnvironmentId, before: Option<EventId>, places: usize) -> Result<Option<EventId>, StoreError> {
        Ok(alone!(self.pool, db => events::at(db, environment, before, places))?)
    }

    async fn delivery(&self, environment: EnvironmentId, id: DeliveryId, at: Timestamp) -> Result<Option<DeliveryDetail>, StoreError> {
        Ok(snapshot!(self, db => deliveries::one(db, environment, id, at))?)
    }

    async fn deliveries(&self, filter: &DeliveryFilter, page: Page<DeliveryId>, at: Timestamp) -> Result<Vec<Delivery>, StoreError> {
        Ok(alone!(self.pool, db => deliveries::list(db, filter, page, at))?)
    }

    async fn count_deliveries(&self, filter: &DeliveryFilter, cap: usize) -> Result<usize, StoreError> {
        Ok(alone!(self.pool, db => deliveries::count(db, filter, cap))?)
    }

    async fn prune(&self, environment: EnvironmentId, before: Timestamp, limit: usize) -> Result<Pruned, StoreError> {
        Ok(change!(self, db => upkeep::prune(db, environment, before, limit))?)
    }

    async fn forget_keys(&self, at: Timestamp, limit: usize) -> Result<usize, StoreError> {
        Ok(alone!(self.pool, db => upkeep::forget_keys(db, at, limit))?)
    }

    async fn forget_history(
        &self,
        at: Timestamp,
        audit_before: Timestamp,
        activity_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        Ok(change!(self, db => history::forget(db, at, audit_before, activity_before, limit))?)
    }

    async fn deleted_environments(&self) -> Result<Vec<EnvironmentId>, StoreError> {
        Ok(alone!(self.pool, db => upkeep::deleted_environments(db))?)
    }

    async fn writable(&self) -> Result<(), StoreError> {
        if self.writing.is_to_be_tried() {
            change!(self, db => nodes::try_to_write(db))?;
        }
        self.writing.reason().map_or(Ok(()), |reason| Err(StoreError::Unavailable(reason)))
    }

    async fn stats(&self, at: Timestamp) -> Result<StoreStats, StoreError> {
        Ok(alone!(self.pool, db => upkeep::stats(db, at))?)
    }

    async fn verify(&self, place: &Place, as_of: AsOf, limit: usize) -> Result<Verified, StoreError> {
        Ok(snapshot!(self, db => verify::step(db, place, as_of, limit))?)
    }
}
