//! The verbs, each handed to the writer or to a reader.

use async_trait::async_trait;
use tidings_model::{
    CancelReason, Credential, CredentialId, Delivery, DeliveryId, DisableReason, Environment, EnvironmentId, Event, EventId, EventKey,
    Timestamp, Webhook, WebhookId,
};
use tidings_store::{
    AppendRefusal, Appended, CopyReport, CreateEventTypeError, CustomEventType, DeleteEnvironmentError, DeliveryDetail, DeliveryFilter,
    DueBatch, DueWebhook, EnvironmentChange, EventFilter, LeaseGrant, LeaseToken, MasterKeyId, NameTaken, NewEvent, Page, Person, Pruned,
    ReplaceWebhookError, ResendError, Routing, Settled, Settlement, Store, StoreError, StoreStats, WebhookFilter, WebhookWithHealth,
};

use crate::store::SqliteStore;
use crate::{append, credentials, deliveries, environments, event_types, events, lease, settle, upkeep, webhooks};

type Answer<T, E> = Result<Result<T, E>, StoreError>;

#[async_trait]
impl Store for SqliteStore {
    async fn keep_master_key(&self, id: MasterKeyId) -> Result<MasterKeyId, StoreError> {
        self.writer.run(move |tx| upkeep::keep_master_key(tx, id)).await
    }

    async fn create_environment(&self, environment: &Environment) -> Answer<(), NameTaken> {
        let environment = environment.clone();
        self.writer.run(move |tx| environments::create(tx, &environment)).await
    }

    async fn environments(&self) -> Result<Vec<Environment>, StoreError> {
        self.readers.run(environments::all).await
    }

    async fn change_environment(&self, id: EnvironmentId, change: &EnvironmentChange) -> Answer<Option<Environment>, NameTaken> {
        let change = change.clone();
        self.writer.run(move |tx| environments::change(tx, id, &change)).await
    }

    async fn delete_environment(&self, id: EnvironmentId, force: bool) -> Answer<(), DeleteEnvironmentError> {
        self.writer.run(move |tx| environments::delete(tx, id, force)).await
    }

    async fn copy_environment(&self, from: EnvironmentId, to: EnvironmentId, at: Timestamp) -> Result<Option<CopyReport>, StoreError> {
        self.writer.run(move |tx| environments::copy(tx, from, to, at)).await
    }

    async fn create_credential(&self, credential: &Credential) -> Result<(), StoreError> {
        let credential = credential.clone();
        self.writer.run(move |tx| credentials::create(tx, &credential)).await
    }

    async fn credentials(&self) -> Result<Vec<Credential>, StoreError> {
        self.readers.run(credentials::all).await
    }

    async fn delete_credential(&self, environment: EnvironmentId, id: &CredentialId) -> Result<bool, StoreError> {
        let id = id.clone();
        self.writer.run(move |tx| credentials::delete(tx, environment, &id)).await
    }

    async fn create_person(&self, person: &Person) -> Answer<(), NameTaken> {
        let person = person.clone();
        self.writer.run(move |tx| credentials::create_person(tx, &person)).await
    }

    async fn people(&self) -> Result<Vec<Person>, StoreError> {
        self.readers.run(credentials::people).await
    }

    async fn create_event_type(&self, environment: EnvironmentId, event_type: &CustomEventType) -> Answer<(), CreateEventTypeError> {
        let event_type = event_type.clone();
        self.writer.run(move |tx| event_types::create(tx, environment, &event_type)).await
    }

    async fn delete_event_type(&self, environment: EnvironmentId, key: &EventKey) -> Result<bool, StoreError> {
        let key = key.clone();
        self.writer.run(move |tx| event_types::delete(tx, environment, &key)).await
    }

    async fn create_webhook(&self, webhook: &Webhook) -> Result<bool, StoreError> {
        let webhook = webhook.clone();
        self.writer.run(move |tx| webhooks::create(tx, &webhook)).await
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
        self.writer.run(move |tx| webhooks::replace(tx, &webhook, unchanged_since)).await
    }

    async fn delete_webhook(&self, environment: EnvironmentId, id: WebhookId, at: Timestamp) -> Result<bool, StoreError> {
        self.writer.run(move |tx| webhooks::delete(tx, environment, id, at)).await
    }

    async fn disable_webhook(&self, id: WebhookId, why: DisableReason, at: Timestamp) -> Result<bool, StoreError> {
        self.writer.run(move |tx| webhooks::disable(tx, id, why, at)).await
    }

    async fn routing(&self, environment: EnvironmentId) -> Result<Option<Routing>, StoreError> {
        self.readers.run(move |connection| webhooks::routing(connection, environment)).await
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
        self.readers.run(lease::due_webhooks).await
    }

    async fn settle(&self, settlements: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        self.writer.run(move |tx| settle::settle(tx, &settlements)).await
    }

    async fn release(&self, leases: Vec<(DeliveryId, LeaseToken)>) -> Result<(), StoreError> {
        self.writer.run(move |tx| lease::release(tx, &leases)).await
    }

    async fn cancel_pending(&self, webhook: WebhookId, why: CancelReason, at: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.writer.run(move |tx| lease::cancel_pending(tx, webhook, why, at, limit)).await
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

    async fn delivery(&self, environment: EnvironmentId, id: DeliveryId, at: Timestamp) -> Result<Option<DeliveryDetail>, StoreError> {
        self.readers
            .run(move |connection| deliveries::one(connection, environment, id, at))
            .await
    }

    async fn deliveries(&self, filter: &DeliveryFilter, page: Page<DeliveryId>, at: Timestamp) -> Result<Vec<Delivery>, StoreError> {
        let filter = filter.clone();
        self.readers
            .run(move |connection| deliveries::list(connection, &filter, page, at))
            .await
    }

    async fn count_deliveries(&self, filter: &DeliveryFilter, cap: usize) -> Result<usize, StoreError> {
        let filter = filter.clone();
        self.readers
            .run(move |connection| deliveries::count(connection, &filter, cap))
            .await
    }

    async fn prune(&self, environment: EnvironmentId, before: Timestamp, limit: usize) -> Result<Pruned, StoreError> {
        self.writer.run(move |tx| upkeep::prune(tx, environment, before, limit)).await
    }

    async fn forget_keys(&self, at: Timestamp, limit: usize) -> Result<usize, StoreError> {
        self.writer.run(move |tx| upkeep::forget_keys(tx, at, limit)).await
    }

    async fn deleted_environments(&self) -> Result<Vec<EnvironmentId>, StoreError> {
        self.readers.run(upkeep::deleted_environments).await
    }

    async fn stats(&self, at: Timestamp) -> Result<StoreStats, StoreError> {
        self.readers.run(move |connection| upkeep::stats(connection, at)).await
    }
}
