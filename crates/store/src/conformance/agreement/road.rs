//! Appending, leasing, settling, and upkeep.

use bytes::Bytes;
use tidings_model::{CancelReason, DeliveryId, Timestamp, Trigger, Verdict};

use super::actor::{Actor, Held, event_key, tenant_id};
use super::op::{Beginning, Draft, Ending, Road};
use crate::conformance::world::{Done, idempotency, replied, settlement};
use crate::{Appended, LeaseGrant, LeasedDelivery, NewEvent, Settlement, Start, Target};

impl Actor {
    pub(super) async fn road(&mut self, what: &Road) -> String {
        match what {
            Road::Append(drafts) => self.append(drafts).await,
            Road::Lease { slot, want } => self.lease(*slot, *want).await,
            Road::Settle(endings) => {
                let settlements: Vec<_> = endings
                    .iter()
                    .filter_map(|(place, ending)| self.settlement(*place, *ending))
                    .collect();
                format!("{:?}", self.store.settle(settlements.into()).await.done())
            }
            Road::Release(places) => {
                let leases = places
                    .iter()
                    .filter_map(|place| self.held(*place))
                    .map(|held| (held.delivery, held.token));
                format!("{:?}", self.store.release(leases.collect()).await.done())
            }
            Road::Cancel { slot, limit } => match self.webhooks[*slot] {
                Some(id) => {
                    format!("{:?}", self.store.cancel_pending(id, self.now, *limit).await.done())
                }
                None => String::new(),
            },
            Road::Resend { event, ordinal } => self.resend(*event, *ordinal).await,
            Road::Prune { slot, age_ms, limit } => {
                format!(
                    "{:?}",
                    self.store.prune(self.environments[*slot], self.ago(*age_ms), *limit).await.done()
                )
            }
            Road::PruneDeleted { limit } => {
                let mut deleted = self.store.deleted_environments().await.done();
                deleted.sort_unstable();
                let mut answers = Vec::new();
                for environment in deleted {
                    answers.push(self.store.prune(environment, Timestamp::MAX, *limit).await.done());
                }
                format!("{answers:?}")
            }
            Road::ForgetKeys { limit } => format!("{:?}", self.store.forget_keys(self.now, *limit).await.done()),
        }
    }

    async fn append(&mut self, drafts: &[Draft]) -> String {
        let mut events = Vec::with_capacity(drafts.len());
        for draft in drafts {
            events.push(self.event(draft).await);
        }
        let answers = self.store.append(events.clone()).await.done();
        for (event, answer) in events.iter().zip(&answers) {
            if let Ok(Appended {
                event: id, fresh: true, ..
            }) = answer
            {
                self.events.push((event.environment, *id));
                self.leases
                    .extend((0..).zip(&event.targets).filter_map(|(ordinal, target)| match target.start {
                        Start::Leased(LeaseGrant { token, .. }) => {
                            let delivery = DeliveryId { event: *id, ordinal };
                            Some(Held {
                                delivery,
                                webhook: target.webhook,
                                token,
                                attempts: 0,
                            })
                        }
                        Start::Due | Start::Skipped(_) => None,
                    }));
            }
        }
        format!("{answers:?}")
    }

    async fn event(&mut self, draft: &Draft) -> NewEvent {
        let environment = self.environments[draft.slot];
        let routing = self.store.routing(environment).await.done();
        let (version, webhooks) = routing.map_or((0, Vec::new()), |routing| (routing.version, routing.webhooks));
        let mut targets = Vec::new();
        for (place, beginning) in draft.targets.iter().filter(|_| !webhooks.is_empty()) {
            let start = match beginning {
                Beginning::Leased => Start::Leased(self.next_grant()),
                Beginning::Due => Start::Due,
                Beginning::Skipped => Start::Skipped(CancelReason::WebhookDisabled),
            };
            targets.push(Target {
                webhook: webhooks[place % webhooks.len()].id,
                start,
            });
        }
        NewEvent {
            environment,
            routing_version: version + u64::from(draft.stale),
            key: event_key(draft.key),
            tenant: draft.tenant.map(tenant_id),
            user: None,
            application: None,
            body: Bytes::from(format!("{{\"n\":{}}}", self.events.len())),
            at: self.now,
            idempotency: draft
                .idempotency
                .map(|(key, fingerprint, millis)| idempotency(&key.to_string(), fingerprint, self.ago(-millis))),
            trigger: Trigger::Event,
            targets,
        }
    }

    async fn lease(&mut self, slot: usize, want: usize) -> String {
        let Some(webhook) = self.webhooks[slot] else { return String::new() };
        let grant = self.next_grant();
        let batch = self.store.lease_due(webhook, self.now, want, grant).await.done();
        self.leases.extend(batch.deliveries.iter().map(|leased| {
            let LeasedDelivery {
                id,
                webhook,
                attempts,
                lease,
                ..
            } = leased;
            Held {
                delivery: *id,
                webhook: *webhook,
                token: lease.token,
                attempts: *attempts,
            }
        }));
        format!("{batch:?}")
    }

    /// A lease that was given once, counted from the newest; it may be lost.
    fn held(&self, place: usize) -> Option<Held> {
        self.leases.iter().rev().nth(place).copied()
    }

    fn settlement(&self, place: usize, ending: Ending) -> Option<Settlement> {
        let Held {
            delivery,
            webhook,
            token,
            attempts,
        } = self.held(place)?;
        let (verdict, status) = match ending {
            Ending::Delivered => (Verdict::Delivered, 204),
            Ending::RetryIn(millis) => (Verdict::RetryAt(self.ago(-millis)), 500),
            Ending::Exhausted => (Verdict::Exhausted, 404),
            Ending::Gone => (Verdict::Cancel(CancelReason::Gone), 410),
        };
        let leased = LeasedDelivery {
            id: delivery,
            environment: self.environments[0],
            webhook,
            trigger: Trigger::Event,
            attempts,
            due_at: self.now,
            body: Bytes::new(),
            lease: LeaseGrant { token, until: self.now },
        };
        let mut settlement = settlement(&leased, verdict, self.now);
        settlement.attempt.exchange = replied(status);
        Some(settlement)
    }

    async fn resend(&self, event: usize, ordinal: u32) -> String {
        let Some((environment, event)) = self.newest(event) else {
            return String::new();
        };
        if !self.lives(environment).await {
            return String::new();
        }
        format!(
            "{:?}",
            self.store.resend(environment, DeliveryId { event, ordinal }, self.now).await.done()
        )
    }
}
