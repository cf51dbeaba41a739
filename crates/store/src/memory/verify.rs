//! Verifying: what is always true of a store, said once more over the plain maps. What a map cannot get wrong is not looked at.

use std::collections::BTreeSet;

use tidings_model::{Attempt, DeliveryId, EnvironmentId, EventId, Trigger, WebhookId};

use super::State;
use super::road::{DeliveryRow, EventRow};
use crate::verify::{AsOf, Check, Finding, MadeAttempt, Missing, Place, Thing, ToldDelivery, Verified, judge};

impl State {
    pub(super) fn verify(&self, place: &Place, as_of: AsOf, limit: usize) -> Verified {
        let limit = limit.max(1);
        match place.check {
            Check::Database | Check::Lists => Verified {
                next: place.next_check(),
                ..Verified::default()
            },
            Check::Configuration => page(
                place,
                limit,
                &self.credentials,
                |number, _| number.to_string(),
                |credential| {
                    let there = self.environment(credential.environment).is_some();
                    let thing = Thing::Credential(credential.id.clone());
                    if there {
                        Vec::new()
                    } else {
                        vec![Finding::NoEnvironment { thing }]
                    }
                },
            ),
            Check::Webhooks => {
                let all: BTreeSet<_> = self.webhooks.keys().chain(self.former.keys()).collect();
                page(
                    place,
                    limit,
                    all,
                    |_, id| id.raw().to_string(),
                    |id| self.verify_webhook(*id, as_of),
                )
            }
            Check::Pending => {
                let pending = self.all_deliveries().filter(|(_, _, delivery)| delivery.due_at().is_some());
                page(
                    place,
                    limit,
                    pending,
                    |number, _| number.to_string(),
                    |(id, event, delivery)| self.verify_pending(id, event, delivery, as_of),
                )
            }
            Check::Events => page(
                place,
                limit,
                &self.events,
                |_, (id, _)| id.raw().to_string(),
                |(_, event)| self.verify_event(event),
            ),
            Check::Keys => page(
                place,
                limit,
                &self.keys,
                |number, _| number.to_string(),
                |((environment, key), row)| self.verify_key(*environment, key, row.first.event, row.first.deliveries),
            ),
        }
    }

    fn verify_webhook(&self, id: WebhookId, as_of: AsOf) -> Vec<Finding> {
        let mut findings = Vec::new();
        let held = self.webhooks.get(&id);
        if held.is_some_and(|held| self.environment(held.webhook.environment).is_none()) {
            findings.push(Finding::NoEnvironment { thing: Thing::Webhook(id) });
        }
        let own = || self.all_deliveries().filter(|(_, _, delivery)| delivery.webhook == id);
        let oldest = own().filter_map(|(delivery, _, row)| Some((row.free_at()?, delivery))).min();
        let worked_on =
            |since| held.is_some_and(|held| held.health.last_attempt_at > Some(since)) || own().any(|(_, _, row)| row.leased(as_of.at));
        if let (Some(since), Some((free_at, delivery))) = (as_of.overdue_since(), oldest)
            && free_at <= since
            && !worked_on(since)
        {
            findings.push(Finding::Overdue {
                webhook: id,
                delivery,
                since: free_at,
            });
        }
        findings
    }

    fn verify_pending(&self, id: DeliveryId, event: &EventRow, delivery: &DeliveryRow, as_of: AsOf) -> Vec<Finding> {
        let mut findings = Vec::new();
        if self.environment(event.event.environment).is_some() && self.home_of(delivery.webhook).is_none() {
            findings.push(Finding::Orphan {
                delivery: id,
                webhook: delivery.webhook,
                missing: Missing::Webhook,
            });
        }
        findings.extend(
            delivery
                .lease
                .filter(|lease| lease.until > as_of.lease_end_max())
                .map(|lease| Finding::LeaseTooLong {
                    delivery: id,
                    until: lease.until,
                }),
        );
        findings
    }

    /// The environment of a webhook that is there, or was.
    fn home_of(&self, webhook: WebhookId) -> Option<EnvironmentId> {
        let former = || self.former.get(&webhook).map(|former| former.environment);
        self.webhooks.get(&webhook).map(|held| held.webhook.environment).or_else(former)
    }

    fn verify_event(&self, row: &EventRow) -> Vec<Finding> {
        let (event, home) = (row.event.id, row.event.environment);
        let mut findings = Vec::new();
        for (ordinal, delivery) in (0..).zip(&row.deliveries) {
            let id = DeliveryId { event, ordinal };
            // Of a deleted environment the webhooks are gone before the events.
            let webhook_home = self.environment(home).and_then(|_| self.home_of(delivery.webhook));
            if webhook_home.is_some_and(|other| other != home) {
                findings.push(Finding::OtherEnvironment {
                    thing: Thing::Delivery(id),
                    into: Thing::Webhook(delivery.webhook),
                });
            }
            let told = ToldDelivery {
                id,
                state: delivery.state,
                attempts: u16::try_from(delivery.attempts.len()).unwrap_or(u16::MAX),
                last_status: delivery.attempts.last().and_then(|attempt| attempt.exchange.status()),
            };
            let made: Vec<_> = delivery.attempts.iter().map(made).collect();
            findings.extend(judge(&told, &made));
        }
        findings
    }

    fn verify_key(&self, environment: EnvironmentId, key: &str, event: EventId, told: u32) -> Vec<Finding> {
        let named = Thing::IdempotencyKey(key.to_owned());
        let known = self.environment(environment).map(|_| environment);
        match self.events.get(&event) {
            None if self.ids.last() >= Some(event) => Vec::new(), // pruned
            None => vec![Finding::KeyWithoutEvent {
                environment: known,
                key: key.to_owned(),
                event,
            }],
            Some(row) if row.event.environment != environment => vec![Finding::OtherEnvironment {
                thing: named,
                into: Thing::Event(event),
            }],
            Some(row) => {
                let resend = |delivery: &&DeliveryRow| delivery.trigger == Trigger::Resend;
                let found = (row.deliveries.len() - row.deliveries.iter().filter(resend).count()) as u32;
                let disagrees = Finding::KeyDisagrees {
                    environment: known,
                    key: key.to_owned(),
                    event,
                    told,
                    found,
                };
                if told == found { Vec::new() } else { vec![disagrees] }
            }
        }
    }
}

fn made(attempt: &Attempt) -> MadeAttempt {
    MadeAttempt {
        number: attempt.number,
        verdict: attempt.verdict,
        status: Some(attempt.exchange.status()),
    }
}

/// Looks at some of a kind of thing, after the one where the last step ended.
fn page<T>(
    place: &Place,
    limit: usize,
    things: impl IntoIterator<Item = T>,
    name: impl Fn(usize, &T) -> String,
    look: impl Fn(T) -> Vec<Finding>,
) -> Verified {
    let mut named = things
        .into_iter()
        .enumerate()
        .map(|(number, thing)| (name(number, &thing), thing))
        .peekable();
    if !place.after.is_empty() {
        let _before = named.by_ref().find(|(name, _)| *name == place.after);
    }
    let mut verified = Verified::default();
    let mut after = String::new();
    for (name, thing) in named.by_ref().take(limit) {
        verified.looked_at += 1;
        verified.findings.extend(look(thing));
        after = name;
    }
    verified.next = match named.peek() {
        Some(_) => Some(Place { check: place.check, after }),
        None => place.next_check(),
    };
    verified
}
