//! The verbs, each handed to the writer or to a reader.

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

use crate::store::SqliteStore;
use crate::{
    append, credentials, deliveries, environments, event_types, events, history, keys, lease, people, room, settle, upkeep, verify,
    webhooks,
};

type Answer<T, E> = Result<Result<T, E>, StoreError>;

#[async_trait]
impl Store for SqliteStore {
    async fn keep_master_key(&self, id: MasterKeyId, at: Timestamp) -> Result<MasterKeyId, StoreError> {
        self.writer.run(move |tx| keys::keep(tx, id, at)).await
    }

    async fn change_master_key(&self, id: MasterKeyId, at: Timestamp) -> Result<bool, StoreError> {
        self.change(move |tx| keys::change(tx, id, at)).await
    }

    async fn retire_master_key(&self, id: MasterKeyId) -> Result<bool, StoreError> {
        self.writer.run(move |tx| keys::retire(tx, id)).await
    }

    async fn master_keys(&self) -> Result<Vec<MasterKeyUse>, StoreError> {
        self.readers.run(keys::all).await
    }

    async fn sealed_webhooks(&self, but: MasterKeyId, after: Option<WebhookId>, limit: usize) -> Result<Vec<SealedWebhook>, StoreError> {
        self.readers
            .run(move |connection| keys::sealed_webhooks(connection, but, after, limit))
            .await
    }

    async fn reseal(&self, values: Vec<Reseal>) -> Result<usize, StoreError> {
        self.writer.run(move |tx| keys::reseal(tx, &values)).await
    }

    async fn server_keys(&self) -> Result<Vec<ServerKey>, StoreError> {
        self.readers.run(keys::own).await
    }

    async fn change_server_key(&self, key: &NewServerKey) -> Result<bool, StoreError> {
        let key = key.clone();
        self.change(move |tx| keys::change_own(tx, &key)).await
    }

    async fn join(&self, node: &NewNode) -> Result<NodeNumber, StoreError> {
        let number = self.roll.lock().join(node);
        number.ok_or_else(|| StoreError::Unavailable("all numbers of nodes were given out; restart the server".to_owned()))
    }

    async fn beat(&self, node: NodeNumber, pulse: Pulse) -> Result<Option<u64>, StoreError> {
        Ok(self.roll.lock().beat(node, pulse))
    }

    async fn nodes(&self) -> Result<Vec<Node>, StoreError> {
        Ok(self.roll.lock().nodes())
    }

    async fn strike_node(&self, node: NodeNumber, beats: Option<u64>) -> Result<bool, StoreError> {
        Ok(self.roll.lock().strike(node, beats))
    }

    async fn end_lost_leases(&self) -> Result<usize, StoreError> {
        let alive = self.roll.lock().nodes().iter().map(|node| node.number).collect();
        self.writer.run(move |tx| lease::end_lost(tx, &alive)).await
    }

    async fn create_environment(&self, environment: &Environment) -> Answer<(), NameTaken> {
        let environment = environment.clone();
        self.change(move |tx| environments::create(tx, &environment)).await
    }

    async fn environments(&self) -> Result<Vec<Environment>, StoreError> {
        self.readers.run(environments::all).await
    }

    async fn change_environment(&self, id: EnvironmentId, change: &EnvironmentChange) -> Answer<Option<Environment>, NameTaken> {
        let change = change.clone();
        self.change(move |tx| environments::change(tx, id, &change)).await
    }

    async fn delete_environment(&self, id: EnvironmentId, force: bool) -> Answer<(), DeleteEnvironmentError> {
        self.change(move |tx| environments::delete(tx, id, force)).await
    }

    async fn copy_environment(&self, from: EnvironmentId, to: EnvironmentId, at: Timestamp) -> Result<Option<CopyReport>, StoreError> {
        self.change(move |tx| environments::copy(tx, from, to, at)).await
    }

    async fn environment_holds(&self, id: EnvironmentId) -> Result<Option<EnvironmentHolds>, StoreError> {
        self.readers
            .run(move |connection| environments::what_it_holds(connection, id))
            .await
    }

    async fn create_credential(&self, credential: &Credential) -> Result<(), StoreError> {
        let credential = credential.clone();
        self.change(move |tx| credentials::create(tx, &credential)).await
    }

    async fn credentials(&self) -> Result<Vec<Credential>, StoreError> {
        self.readers.run(credentials::all).await
    }

    async fn delete_credential(&self, environment: EnvironmentId, id: &CredentialId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.change(move |tx| credentials::delete(tx, environment, &id)).await
    }

    async fn create_person(&self, person: &Person) -> Answer<(), NameTaken> {
        let person = person.clone();
        self.writer.run(move |tx| people::create(tx, &person)).await
    }

    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.readers.run(people::all).await
    }

    async fn change_person(&self, email: &str, change: &PersonChange) -> Answer<(), ChangePersonError> {
        let (email, change) = (email.to_owned(), change.clone());
        self.writer.run(move |tx| people::change(tx, &email, &change)).await
    }

    async fn delete_person(&self, email: &str) -> Answer<(), ChangePersonError> {
        let email = email.to_owned();
        self.writer.run(move |tx| people::delete(tx, &email)).await
    }

    async fn create_session(&self, session: &Session) -> Result<bool, StoreError> {
        let session = session.clone();
        self.writer.run(move |tx| people::create_session(tx, &session)).await
    }

    async fn session(&self, id: SessionId, at: Timestamp) -> Result<Option<(Session, Person)>, StoreError> {
        self.readers.run(move |connection| people::session_of(connection, id, at)).await
    }

    async fn touch_session(&self, id: SessionId, seen_at: Timestamp, ends_at: Timestamp) -> Result<(), StoreError> {
        self.writer.run(move |tx| people::touch_session(tx, id, seen_at, ends_at)).await
    }

    async fn sessions(&self, email: Option<&str>, at: Timestamp) -> Result<Vec<Session>, StoreError> {
        let email = email.map(str::to_owned);
        self.readers
            .run(move |connection| people::sessions(connection, email.as_deref(), at))
            .await
    }

    async fn delete_session(&self, id: SessionId) -> Result<bool, StoreError> {
        self.writer.run(move |tx| people::delete_session(tx, id)).await
    }

    async fn end_sessions(&self, email: &str, keep: Option<SessionId>) -> Result<usize, StoreError> {
        let email = email.to_owned();
        self.writer.run(move |tx| people::end_sessions(tx, &email, keep)).await
    }

    async fn record_audit(&self, entry: &AuditEntry) -> Result<(), StoreError> {
        let entry = entry.clone();
        self.writer.run(move |tx| history::record_audit(tx, &entry)).await
    }

    async fn audit(&self, filter: &AuditFilter, page: Page<u64>) -> Result<Vec<AuditRecord>, StoreError> {
        let filter = filter.clone();
        self.readers.run(move |connection| history::audit(connection, &filter, page)).await
    }

    async fn add_activity(&self, activity: Vec<Activity>) -> Result<(), StoreError> {
        self.writer.run(move |tx| history::add_activity(tx, &activity)).await
    }

    async fn activity(
        &self,
        environment: EnvironmentId,
        webhooks: &[WebhookId],
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Vec<Activity>, StoreError> {
        let webhooks = webhooks.to_vec();
        self.readers
            .run(move |connection| history::activity(connection, environment, &webhooks, from, until))
            .await
    }

    async fn create_event_type(&self, environment: EnvironmentId, event_type: &CustomEventType) -> Answer<(), CreateEventTypeError> {
        let event_type = event_type.clone();
        self.change(move |tx| event_types::create(tx, environment, &event_type)).await
    }

    async fn delete_event_type(&self, environment: EnvironmentId, key: &EventKey) -> Result<bool, StoreError> {
        let key = key.clone();
        self.change(move |tx| event_types::delete(tx, environment, &key)).await
    }

    async fn create_webhook(&self, webhook: &Webhook) -> Answer<(), CreateWebhookError> {
        let webhook = webhook.clone();
        self.change(move |tx| webhooks::create(tx, &webhook)).await
    }

    async fn webhook(&self, environment: EnvironmentId, id: WebhookId) -> Result<Option<WebhookWithHealth>, StoreError> {
        self.readers.run(move |connection| webhooks::one(connection, environment, id)).await
    }

    async fn webhooks(
        &self,
        environment: EnvironmentId,
        filter: &WebhookFilter,
        page: Page<WebhookId>,
    ) -> Result<Vec<WebhookWithHealth>, StoreError> {
        let filter = filter.clone();
        self.readers
            .run(move |connection| webhooks::list(connection, environment, &filter, page))
            .await
    }

    async fn replace_webhook(&self, webhook: &Webhook, unchanged_since: Timestamp) -> Answer<(), ReplaceWebhookError> {
        let webhook = webhook.clone();
        self.change(move |tx| webhooks::replace(tx, &webhook, unchanged_since)).await
    }

    async fn delete_webhook(&self, environment: EnvironmentId, id: WebhookId, at: Timestamp) -> Result<bool, StoreError> {
        self.change(move |tx| webhooks::delete(tx, environment, id, at)).await
    }

    async fn disable_webhook(&self, id: WebhookId, why: DisableReason, at: Timestamp) -> Result<bool, StoreError> {
        self.change(move |tx| webhooks::disable(tx, id, why, at)).await
    }

    async fn routing(&self, environment: EnvironmentId) -> Result<Option<Routing>, StoreError> {
        self.readers.run(move |connection| webhooks::routing(connection, environment)).await
    }

    async fn routing_changes(&self, environment: EnvironmentId, since: u64) -> Result<Option<RoutingChanges>, StoreError> {
        self.readers
            .run(move |connection| webhooks::routing_changes(connection, environment, since))
            .await
    }

    async fn routing_versions(&self) -> Result<Vec<(EnvironmentId, u64)>, StoreError> {
        self.readers.run(environments::versions).await
    }

    async fn append(&self, events: Vec<NewEvent>) -> Result<Vec<Result<Appended, AppendRefusal>>, StoreError> {
        self.writer.run(move |tx| append::append(tx, &events)).await
    }

    async fn lease_due(&self, webhook: WebhookId, at: Timestamp, want: usize, grant: LeaseGrant) -> Result<DueBatch, StoreError> {
        self.writer.run(move |tx| lease::lease_due(tx, webhook, at, want, grant)).await
    }

    async fn due_webhooks(&self) -> Result<Vec<DueWebhook>, StoreError> {
        let fresh = self.writer.fresh();
        self.readers.run(move |connection| lease::due_webhooks(connection, &fresh)).await
    }

    async fn settle(&self, settlements: Arc<[Settlement]>) -> Result<Vec<Settled>, StoreError> {
        self.writer.run(move |tx| settle::settle(tx, &settlements)).await
    }

    async fn release(&self, leases: Vec<(DeliveryId, LeaseToken)>) -> Result<(), StoreError> {
        self.writer.run(move |tx| lease::release(tx, &leases)).await
    }

    async fn cancel_pending(&self, webhook: WebhookId, at: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.writer.run(move |tx| lease::cancel_pending(tx, webhook, at, limit)).await
    }

    async fn resend(&self, environment: EnvironmentId, delivery: DeliveryId, at: Timestamp) -> Answer<Delivery, ResendError> {
        self.writer.run(move |tx| lease::resend(tx, environment, delivery, at)).await
    }

    async fn event(&self, environment: EnvironmentId, id: EventId) -> Result<Option<Event>, StoreError> {
        self.readers.run(move |connection| events::one(connection, environment, id)).await
    }

    async fn events(&self, filter: &EventFilter, page: Page<EventId>) -> Result<Vec<Event>, StoreError> {
        let filter = filter.clone();
        self.readers.run(move |connection| events::list(connection, &filter, page)).await
    }

    async fn event_at(&self, environment: EnvironmentId, before: Option<EventId>, places: usize) -> Result<Option<EventId>, StoreError> {
        self.readers
            .run(move |connection| events::at(connection, environment, before, places))
            .await
    }

    async fn delivery(&self, environment: EnvironmentId, id: DeliveryId, at: Timestamp) -> Result<Option<DeliveryDetail>, StoreError> {
        self.readers
            .run(move |connection| deliveries::one(connection, environment, id, at))
            .await
    }

    async fn deliveries(&self, filter: &DeliveryFilter, page: Page<DeliveryId>, at: Timestamp) -> Result<Vec<Delivery>, StoreError> {
        let (filter, fresh) = (filter.clone(), self.writer.fresh());
        self.readers
            .run(move |connection| deliveries::list(connection, &fresh, &filter, page, at))
            .await
    }

    async fn count_deliveries(&self, filter: &DeliveryFilter, cap: usize) -> Result<usize, StoreError> {
        let (filter, fresh) = (filter.clone(), self.writer.fresh());
        self.readers
            .run(move |connection| deliveries::count(connection, &fresh, &filter, cap))
            .await
    }

    async fn prune(&self, environment: EnvironmentId, before: Timestamp, limit: usize) -> Result<Pruned, StoreError> {
        self.writer.run(move |tx| upkeep::prune(tx, environment, before, limit)).await
    }

    async fn forget_keys(&self, at: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.writer.run(move |tx| upkeep::forget_keys(tx, at, limit)).await
    }

    async fn forget_history(
        &self,
        at: Timestamp,
        audit_before: Timestamp,
        activity_before: Timestamp,
        limit: usize,
    ) -> Result<usize, StoreError> {
        self.writer
            .run(move |tx| history::forget(tx, at, audit_before, activity_before, limit))
            .await
    }

    async fn deleted_environments(&self) -> Result<Vec<EnvironmentId>, StoreError> {
        self.readers.run(upkeep::deleted_environments).await
    }

    async fn writable(&self) -> Result<(), StoreError> {
        room::writable(&self.writer).await
    }

    async fn stats(&self, at: Timestamp) -> Result<StoreStats, StoreError> {
        let fresh = self.writer.fresh();
        self.readers.run(move |connection| upkeep::stats(connection, &fresh, at)).await
    }

    async fn verify(&self, place: &Place, as_of: AsOf, limit: usize) -> Result<Verified, StoreError> {
        let place = place.clone();
        self.readers
            .run(move |connection| verify::step(connection, &place, as_of, limit))
            .await
    }
}
