//! Events: published one by one, many at once, again under their idempotency key; deliveries sent again.

use std::sync::Arc;

use serde_json::{Value, json};
use tidings_model::{DeliveryId, EnvironmentId};
use tidings_runtime::Clock as _;
use tidings_store::{DeliveryFilter, Page, Store as _};

use super::World;
use crate::check;
use crate::model::{End, Sent};
use crate::node::{Answer, Ask};

/// Events that are sent, as keys of the catalogue.
const KEYS: [&str; 3] = ["frontegg.user.created", "frontegg.user.deleted", "frontegg.tenant.updated"];
/// Whose events they are.
pub(super) const TENANTS: [Option<&str>; 3] = [None, Some("acme"), Some("globex")];
/// Events of an ordinary batch, at most.
const BATCH_MAX: u64 = 6;
/// Events of a batch where there are crowds: more than a lane takes into memory.
const CROWD: u64 = 600;

impl World {
    pub(super) fn publish(&self) {
        let (Some(node), Some(environment)) = (self.some_node(), self.some_environment()) else {
            return;
        };
        let number = self.model.lock().sent.len();
        let sent = self.some_event(node.number, environment, number);
        let said = sent.idempotency.as_ref().map_or(number as u64, |(_, used)| *used);
        let ask = Ask {
            method: "POST",
            path: "/v1/events".to_owned(),
            environment: sent.environment,
            key: sent.idempotency.as_ref().map(|(key, _)| key.clone()),
            body: Some(body(&sent, said)),
        };
        self.send(node.number, vec![sent]);
        let learn = self.learner();
        node.ask(ask, move |answer| learn(number, &answer));
    }

    /// An event, now and then one again under its idempotency key, and now and then another under that key.
    fn some_event(&self, node: usize, environment: EnvironmentId, number: usize) -> Sent {
        let before: Vec<_> = {
            let model = self.model.lock();
            model.sent.iter().filter(|sent| sent.idempotency.is_some()).cloned().collect()
        };
        let payload = number as u64;
        let fresh = Sent {
            node,
            asked: 0,
            end: End::Open,
            environment,
            key: self.dice.pick(&KEYS).copied().unwrap_or(KEYS[0]),
            tenant: self.dice.pick(&TENANTS).copied().flatten().map(str::to_owned),
            idempotency: self.dice.in_thousand(300).then(|| (format!("key-{number}"), payload)),
            id: None,
            deliveries: None,
        };
        let Some(before) = self.dice.pick(&before).filter(|_| self.dice.in_thousand(300)) else {
            return fresh;
        };
        let mut again = Sent {
            node,
            end: End::Open,
            id: None,
            deliveries: None,
            ..before.clone()
        };
        if let Some((_, used)) = again.idempotency.as_mut().filter(|_| self.dice.in_thousand(200)) {
            *used = payload;
        }
        again
    }

    /// Many events with one request, each for itself.
    pub(super) fn publish_batch(&self) {
        let (Some(node), Some(environment)) = (self.some_node(), self.some_environment()) else {
            return;
        };
        let crowded = self.weather.crowds && self.dice.in_thousand(100);
        let count = if crowded { CROWD } else { 1 + self.dice.below(BATCH_MAX) };
        let first = self.model.lock().sent.len();
        let mut batch = Vec::new();
        for number in first..first + usize::try_from(count).unwrap_or(0) {
            let sent = self.some_event(node.number, environment, number);
            batch.push(Sent {
                environment,
                idempotency: None,
                ..sent
            });
        }
        let events: Vec<_> = batch.iter().zip(first as u64..).map(|(sent, said)| body(sent, said)).collect();
        let ask = Ask {
            method: "POST",
            path: "/v1/events/batch".to_owned(),
            environment,
            key: None,
            body: Some(json!({"events": events})),
        };
        let all = first..first + batch.len();
        self.send(node.number, batch);
        let learn = self.learner();
        node.ask(ask, move |answer| {
            for (at, number) in all.enumerate() {
                let result = &answer.json["results"][at];
                let status = result["status"].as_u64().and_then(|status| u16::try_from(status).ok());
                let own = Answer {
                    status: status.unwrap_or(answer.status),
                    json: if status.is_some() { result.clone() } else { answer.json.clone() },
                };
                learn(number, &own);
            }
        });
    }

    /// Writes down what is being sent.
    fn send(&self, node: usize, batch: Vec<Sent>) {
        let mut model = self.model.lock();
        for mut sent in batch {
            let number = model.sent.len();
            sent.asked = self
                .trace
                .note(format_args!("n{node} publish {number}: {} {:?}", sent.key, sent.tenant));
            model.sent.push(sent);
        }
    }

    /// Writes down what was answered to an event, and looks at it.
    fn learner(&self) -> impl Fn(usize, &Answer) + Send + use<> {
        let (trace, shared, clock) = (self.trace.clone(), Arc::clone(&self.model), self.clock.clone());
        move |number, answer| {
            let at = trace.note(format_args!("published {number}: {} {}", answer.status, answer.json["id"]));
            let mut model = shared.lock();
            let sent = &mut model.sent[number];
            sent.end = match answer.status {
                202 => End::Done(at, clock.now().as_millis()),
                400..500 => End::Refused(at),
                _ => End::Unknown(at),
            };
            sent.id = answer.json["id"].as_str().filter(|_| answer.status == 202).map(str::to_owned);
            sent.deliveries = answer.json["deliveries"].as_u64();
            check::answer_of_a_publish(&mut model, number, answer, clock.now());
        }
    }

    pub(super) async fn resend(&self) -> anyhow::Result<()> {
        let (Some(node), Some(environment)) = (self.some_node(), self.some_environment()) else {
            return Ok(());
        };
        let filter = DeliveryFilter::of(environment);
        let listed = self.store.deliveries(&filter, Page::first(50), self.clock.now()).await?;
        let ids: Vec<DeliveryId> = listed.iter().map(|delivery| delivery.id).collect();
        let Some(id) = self.dice.pick(&ids) else {
            return Ok(());
        };
        let ask = Ask {
            method: "POST",
            path: format!("/v1/deliveries/{id}/resend"),
            environment,
            key: None,
            body: None,
        };
        self.trace.note(format_args!("n{} resend {id}", node.number));
        let (trace, shared) = (self.trace.clone(), Arc::clone(&self.model));
        node.ask(ask, move |answer| {
            trace.note(format_args!("resent: {} {}", answer.status, answer.json["id"]));
            let made = answer.json["id"].as_str().filter(|_| (200..300).contains(&answer.status));
            if let Some(made) = made {
                shared.lock().resent.insert(made.to_owned(), environment);
            }
        });
        Ok(())
    }
}

/// The event as a request has it.
fn body(sent: &Sent, said: u64) -> Value {
    let mut body = json!({"eventKey": sent.key, "payload": {"number": said}});
    if let Some(tenant) = &sent.tenant {
        body["tenantId"] = json!(tenant);
    }
    body
}
