//! Reading parts of lists.

use tidings_model::{DeliveryId, EnvironmentId};

use super::actor::{Actor, event_key, tenant_id};
use super::op::{Narrow, Part, Read};
use crate::conformance::world::Done;
use crate::{DeliveryFilter, EventFilter, Page, WebhookFilter};

/// Texts to look for in names and URLs.
const SEARCHES: [&str; 6] = ["webhook", "RENAMED", "receiver.example/2", "%", "_", ""];

impl Actor {
    pub(super) async fn read(&self, what: &Read) -> String {
        let (Read::Deliveries { slot, .. }
        | Read::Count { slot, .. }
        | Read::Events { slot, .. }
        | Read::Webhooks { slot, .. }
        | Read::Detail { slot, .. }) = what;
        let environment = self.environments[*slot];
        if !self.lives(environment).await {
            return String::new();
        }
        match what {
            Read::Deliveries { narrow, part, .. } => {
                let before = self.before(part);
                let page = Page {
                    before,
                    skip: part.skip,
                    limit: part.limit,
                };
                format!(
                    "{:?}",
                    self.store
                        .deliveries(&self.filter(environment, narrow), page, self.now)
                        .await
                        .done()
                )
            }
            Read::Count { narrow, cap, .. } => {
                format!(
                    "{:?}",
                    self.store.count_deliveries(&self.filter(environment, narrow), *cap).await.done()
                )
            }
            Read::Events { narrow, part, .. } => {
                let DeliveryFilter {
                    event_key: key,
                    tenant,
                    from,
                    until,
                    ..
                } = self.filter(environment, narrow);
                let before = self.before(part).map(|delivery| delivery.event);
                let page = Page {
                    before,
                    skip: part.skip,
                    limit: part.limit,
                };
                format!(
                    "{:?}",
                    self.store
                        .events(
                            &EventFilter {
                                environment,
                                key,
                                tenant,
                                from,
                                until
                            },
                            page
                        )
                        .await
                        .done()
                )
            }
            Read::Webhooks {
                tenant,
                active,
                search,
                in_trouble,
                part,
                ..
            } => {
                let search = search.map(|number| SEARCHES[usize::from(number)].to_owned());
                let filter = WebhookFilter {
                    tenant: tenant.map(tenant_id),
                    search,
                    active: *active,
                    in_trouble: *in_trouble,
                };
                let before = part.before.and_then(|(slot, _)| *self.webhooks.get(slot)?);
                let page = Page {
                    before,
                    skip: part.skip,
                    limit: part.limit,
                };
                format!("{:?}", self.store.webhooks(environment, &filter, page).await.done())
            }
            Read::Detail { event, ordinal, .. } => match self.newest(*event) {
                Some((_, event)) => {
                    let id = DeliveryId { event, ordinal: *ordinal };
                    format!("{:?}", self.store.delivery(environment, id, self.now).await.done())
                }
                None => String::new(),
            },
        }
    }

    fn before(&self, part: &Part) -> Option<DeliveryId> {
        let (place, ordinal) = part.before?;
        self.newest(place).map(|(_, event)| DeliveryId { event, ordinal })
    }

    fn filter(&self, environment: EnvironmentId, narrow: &Narrow) -> DeliveryFilter {
        DeliveryFilter {
            environment,
            webhook: narrow.webhook.and_then(|slot| self.webhooks[slot]),
            owner: narrow.owner.map(tenant_id),
            event: narrow.event.and_then(|place| self.newest(place)).map(|(_, event)| event),
            status: narrow.status,
            event_key: narrow.key.map(event_key),
            tenant: narrow.tenant.map(tenant_id),
            from: narrow.from_age_ms.map(|millis| self.ago(millis)),
            until: narrow.until_age_ms.map(|millis| self.ago(millis)),
            attempted: narrow.attempted,
        }
    }
}
