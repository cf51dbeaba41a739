//! What is done in a world: requests to nodes, written into the model as they are asked and as they are answered, and faults.

use std::sync::Arc;

use serde_json::json;
use tidings_model::{DeliveryId, EnvironmentId};
use tidings_runtime::Clock as _;
use tidings_store::{DeliveryFilter, Page, Store as _};

use super::World;
use crate::check;
use crate::model::{Chapter, Deed, End, Hook, Sent};
use crate::network::TEMPERS;
use crate::node::{Answer, Ask, Node};
use crate::store::Mood;

/// Webhooks that are made, at most.
const HOOKS_MAX: usize = 10;
/// Events that are sent, as keys of the catalogue.
const KEYS: [&str; 3] = ["frontegg.user.created", "frontegg.user.deleted", "frontegg.tenant.updated"];
/// Whose events they are.
const TENANTS: [Option<&str>; 3] = [None, Some("acme"), Some("globex")];
/// What webhooks are subscribed to.
const SUBSCRIPTIONS: [&[&str]; 5] = [
    &["*"],
    &["frontegg.user.created"],
    &["frontegg.user.created", "frontegg.tenant.updated"],
    &["frontegg.user.deleted"],
    &[],
];

impl World {
    fn some_node(&self) -> Option<&Node> {
        let alive: Vec<_> = self.nodes.iter().filter(|node| node.is_alive()).collect();
        self.dice.pick(&alive).copied()
    }

    pub(super) fn publish(&self) {
        let (Some(node), Some(environment)) = (self.some_node(), self.dice.pick(&self.environments)) else {
            return;
        };
        let key = self.dice.pick(&KEYS).copied().unwrap_or(KEYS[0]);
        let tenant = self.dice.pick(&TENANTS).copied().flatten();
        let mut model = self.model.lock();
        let number = model.sent.len();
        let payload = number as u64;
        // Now and then a request again, as it was, and now and then another under its key.
        let before: Vec<_> = model.sent.iter().filter(|sent| sent.idempotency.is_some()).cloned().collect();
        let repeated = self.dice.pick(&before).filter(|_| self.dice.in_thousand(300));
        let mut sent = Sent {
            asked: 0,
            end: End::Open,
            environment: *environment,
            key,
            tenant: tenant.map(str::to_owned),
            idempotency: self.dice.in_thousand(300).then(|| (format!("key-{number}"), payload)),
            id: None,
            deliveries: None,
        };
        if let Some(before) = repeated {
            sent = Sent {
                end: End::Open,
                id: None,
                deliveries: None,
                ..before.clone()
            };
            if let Some((_, used)) = sent.idempotency.as_mut().filter(|_| self.dice.in_thousand(200)) {
                *used = payload;
            }
        }
        let said = sent.idempotency.as_ref().map_or(payload, |(_, used)| *used);
        let mut body = json!({"eventKey": sent.key, "payload": {"number": said}});
        if let Some(tenant) = &sent.tenant {
            body["tenantId"] = json!(tenant);
        }
        let ask = Ask {
            method: "POST",
            path: "/v1/events".to_owned(),
            environment: sent.environment,
            key: sent.idempotency.as_ref().map(|(key, _)| key.clone()),
            body: Some(body),
        };
        sent.asked = self
            .trace
            .note(format_args!("n{} publish {number}: {} {:?}", node.number, sent.key, sent.tenant));
        model.sent.push(sent);
        let (trace, shared, clock) = (self.trace.clone(), Arc::clone(&self.model), self.clock.clone());
        node.ask(ask, move |answer| {
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
            check::answer_of_a_publish(&mut model, number, &answer, clock.now());
        });
    }

    pub(super) fn make_hook(&self) {
        let (Some(node), Some(environment)) = (self.some_node(), self.dice.pick(&self.environments)) else {
            return;
        };
        let tenant = self.dice.pick(&TENANTS).copied().flatten();
        let keys = self.some_keys();
        let mut model = self.model.lock();
        let number = model.hooks.len();
        if number == HOOKS_MAX {
            return;
        }
        let url = format!("https://r{number}.sim/{}", tenant.unwrap_or("-"));
        let mut body = json!({"url": url, "eventKeys": keys, "secret": "correct-horse"});
        if let Some(tenant) = tenant {
            body["tenantId"] = json!(tenant);
        }
        model.hooks.push(Hook {
            url,
            environment: *environment,
            tenant: tenant.map(str::to_owned),
            id: None,
            story: Vec::new(),
        });
        drop(model);
        let ask = Ask {
            method: "POST",
            path: "/v1/webhooks".to_owned(),
            environment: *environment,
            key: None,
            body: Some(body),
        };
        self.tell(node, number, ask, Deed::Made(keys));
    }

    fn some_keys(&self) -> Vec<String> {
        let keys = self.dice.pick(&SUBSCRIPTIONS).copied().unwrap_or(&[]);
        keys.iter().map(|key| (*key).to_owned()).collect()
    }

    /// A webhook that is there and to which nothing is being done, with its id.
    fn some_hook(&self) -> Option<(usize, String, EnvironmentId)> {
        let model = self.model.lock();
        let idle = model.hooks.iter().enumerate().filter(|(_, hook)| !hook.is_busy());
        let known: Vec<_> = idle
            .filter_map(|(number, hook)| Some((number, hook.id.clone()?, hook.environment)))
            .collect();
        self.dice.pick(&known).cloned()
    }

    pub(super) fn change_hook(&self) {
        if let (Some(node), Some((number, id, environment))) = (self.some_node(), self.some_hook()) {
            let keys = self.some_keys();
            let ask = Ask {
                method: "PATCH",
                path: format!("/v1/webhooks/{id}"),
                environment,
                key: None,
                body: Some(json!({"eventKeys": keys})),
            };
            self.tell(node, number, ask, Deed::Rekeyed(keys));
        }
    }

    pub(super) fn switch_hook(&self) {
        if let (Some(node), Some((number, id, environment))) = (self.some_node(), self.some_hook()) {
            let on = self.dice.in_thousand(600);
            let ask = Ask {
                method: "POST",
                path: format!("/v1/webhooks/{id}/{}", if on { "enable" } else { "disable" }),
                environment,
                key: None,
                body: None,
            };
            self.tell(node, number, ask, Deed::Switched(on));
        }
    }

    pub(super) fn delete_hook(&self) {
        if let (Some(node), Some((number, id, environment))) = (self.some_node(), self.some_hook()) {
            let ask = Ask {
                method: "DELETE",
                path: format!("/v1/webhooks/{id}"),
                environment,
                key: None,
                body: None,
            };
            self.tell(node, number, ask, Deed::Deleted);
        }
    }

    /// Has a node do something to a webhook, and writes it into the webhook's story.
    fn tell(&self, node: &Node, number: usize, ask: Ask, deed: Deed) {
        let asked = self.trace.note(format_args!("n{} webhook {number}: {deed:?}", node.number));
        self.model.lock().hooks[number].story.push(Chapter {
            asked,
            end: End::Open,
            deed,
        });
        let chapter = self.model.lock().hooks[number].story.len() - 1;
        let (trace, shared, clock) = (self.trace.clone(), Arc::clone(&self.model), self.clock.clone());
        node.ask(ask, move |answer: Answer| {
            let at = trace.note(format_args!("webhook {number}: {} {}", answer.status, answer.json["id"]));
            let mut model = shared.lock();
            let hook = &mut model.hooks[number];
            hook.story[chapter].end = match answer.status {
                200..300 => End::Done(at, clock.now().as_millis()),
                400..500 => End::Refused(at),
                _ => End::Unknown(at),
            };
            if hook.id.is_none() {
                hook.id = answer.json["id"].as_str().map(str::to_owned);
            }
            if answer.status == 0 || (answer.status >= 500 && answer.status != 503) {
                model
                    .broken
                    .push(format!("webhook {number}: answered {} {}", answer.status, answer.json));
            }
        });
    }

    pub(super) async fn resend(&self) -> anyhow::Result<()> {
        let (Some(node), Some(environment)) = (self.some_node(), self.dice.pick(&self.environments)) else {
            return Ok(());
        };
        let filter = DeliveryFilter::of(*environment);
        let listed = self.store.deliveries(&filter, Page::first(50), self.clock.now()).await?;
        let ids: Vec<DeliveryId> = listed.iter().map(|delivery| delivery.id).collect();
        let Some(id) = self.dice.pick(&ids) else {
            return Ok(());
        };
        let ask = Ask {
            method: "POST",
            path: format!("/v1/deliveries/{id}/resend"),
            environment: *environment,
            key: None,
            body: None,
        };
        self.trace.note(format_args!("n{} resend {id}", node.number));
        let (trace, shared, event) = (self.trace.clone(), Arc::clone(&self.model), id.event.to_string());
        node.ask(ask, move |answer| {
            trace.note(format_args!("resent: {} {}", answer.status, answer.json["id"]));
            if (200..300).contains(&answer.status) {
                *shared.lock().resent.entry(event).or_default() += 1;
            }
        });
        Ok(())
    }

    pub(super) fn change_temper(&self) {
        let urls: Vec<_> = self.model.lock().hooks.iter().map(|hook| hook.url.clone()).collect();
        if let (Some(url), Some(temper)) = (self.dice.pick(&urls), self.dice.pick(&TEMPERS)) {
            self.trace.note(format_args!("{url} is {temper:?}"));
            self.network.set_temper(url, *temper);
        }
    }

    pub(super) async fn crash_or_start(&mut self) -> anyhow::Result<()> {
        if !self.weather.crashes {
            return Ok(());
        }
        let number = usize::try_from(self.dice.below(self.nodes.len() as u64))?;
        if self.nodes[number].is_alive() {
            self.trace.note(format_args!("n{number} crashes"));
            self.nodes[number].crash();
            self.crashes += 1;
            self.run_tasks().await;
            if self.dice.in_thousand(700) {
                self.start(number).await?;
            }
            return Ok(());
        }
        self.start(number).await
    }

    pub(super) async fn start(&mut self, number: usize) -> anyhow::Result<()> {
        self.trace.note(format_args!("n{number} starts"));
        self.nodes[number].start().await
    }

    pub(super) fn change_mood(&self) {
        if !self.weather.store_faults {
            return;
        }
        if let Some(node) = self.some_node() {
            let trouble = self.dice.in_thousand(600);
            let mood = Mood {
                fails_before: if trouble { self.dice.below(300) } else { 0 },
                fails_after: if trouble { self.dice.below(200) } else { 0 },
                slow: if trouble { self.dice.below(300) } else { 0 },
            };
            self.trace.note(format_args!("n{} has a store of {mood:?}", node.number));
            node.store.set_mood(mood);
        }
    }

    pub(super) fn jump(&self) {
        if !self.weather.skew {
            return;
        }
        if let Some(node) = self.some_node() {
            let furthest = [2_000, 60_000, 3_600_000][usize::try_from(self.dice.below(3)).unwrap_or(0)];
            let skew_ms = self.dice.below(2 * furthest).cast_signed() - furthest.cast_signed();
            self.trace.note(format_args!("the clock of n{} is {skew_ms} ms off", node.number));
            node.clock.set_skew(skew_ms);
        }
    }
}
