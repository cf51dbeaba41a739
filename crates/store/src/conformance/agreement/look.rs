//! Everything that can be seen of a store at once.

use super::actor::Actor;
use crate::conformance::world::Done;
use crate::{DeliveryFilter, EventFilter, Page, WebhookFilter};

impl Actor {
    /// Looks at everything and puts it into words, one entry a verb and environment.
    pub(super) async fn look(&mut self) -> Vec<String> {
        let changes = self.changes().await;
        let mut seen = vec![changes, self.raised().await];
        let environments = self.store.environments().await.done();
        seen.push(format!("{environments:?}"));
        seen.push(format!("{:?}", self.store.credentials().await.done()));
        seen.extend(self.look_at_people().await);
        seen.extend(self.look_at_audit().await);
        let mut due = self.store.due_webhooks().await.done();
        due.sort_by_key(|due| due.webhook);
        seen.push(format!("due: {due:?}"));
        let mut deleted = self.store.deleted_environments().await.done();
        deleted.sort_unstable();
        seen.push(format!("deleted: {deleted:?}"));
        seen.push(format!("{:?}", self.store.stats(self.now).await.done()));
        for id in environments.into_iter().map(|environment| environment.id) {
            let routing = self
                .store
                .routing(id)
                .await
                .done()
                .map(|routing| (routing.settings, routing.event_types, routing.webhooks));
            seen.push(format!("routing of {id}: {routing:?}"));
            let webhooks = self.store.webhooks(id, &WebhookFilter::default(), Page::first(1_000)).await.done();
            seen.push(format!("webhooks of {id}: {webhooks:?}"));
            seen.push(format!("{id} holds: {:?}", self.store.environment_holds(id).await.done()));
            seen.extend(self.look_at_activity(id).await);
            let events = self.store.events(&EventFilter::of(id), Page::first(1_000)).await.done();
            seen.push(format!("events of {id}: {events:?}"));
            let deliveries = self
                .store
                .deliveries(&DeliveryFilter::of(id), Page::first(1_000), self.now)
                .await
                .done();
            seen.push(format!("deliveries of {id}: {deliveries:?}"));
        }
        seen
    }

    /// What has changed of the routing of each environment since the last look.
    async fn changes(&self) -> String {
        let mut seen = Vec::new();
        for (id, since) in &self.versions {
            let changes = self.store.routing_changes(*id, *since).await.done();
            seen.push((id, changes.map(|changes| (changes.routing.webhooks, changes.deleted))));
        }
        format!("changes: {seen:?}")
    }

    /// Which environments there are, and whose versions have risen since the last look. The numbers themselves are the store's own.
    async fn raised(&mut self) -> String {
        let versions: std::collections::BTreeMap<_, _> = self.store.routing_versions().await.done().into_iter().collect();
        let raised = versions
            .iter()
            .map(|(id, version)| (id, self.versions.get(id).map(|before| version > before)));
        let words = format!("raised versions: {:?}", raised.collect::<Vec<_>>());
        self.versions = versions;
        words
    }
}
