//! Webhooks: made, changed, switched, given other secrets, deleted.

use std::sync::Arc;

use serde_json::json;
use tidings_model::EnvironmentId;
use tidings_runtime::Clock as _;

use super::World;
use super::events::TENANTS;
use crate::model::{Chapter, Deed, End, FIRST_SECRET, Hook};
use crate::node::{Answer, Ask, Node};

/// Webhooks that are made, at most.
const HOOKS_MAX: usize = 12;
/// What webhooks are subscribed to.
const SUBSCRIPTIONS: [&[&str]; 5] = [
    &["*"],
    &["frontegg.user.created"],
    &["frontegg.user.created", "frontegg.tenant.updated"],
    &["frontegg.user.deleted"],
    &[],
];
/// How long a secret that was rotated out may go on signing, in seconds.
const OVERLAPS: [u32; 3] = [0, 600, 86_400];

impl World {
    pub(super) fn make_hook(&self) {
        let (Some(node), Some(environment)) = (self.some_node(), self.some_environment()) else {
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
        let mut body = json!({"url": url, "eventKeys": keys, "secret": FIRST_SECRET});
        if let Some(tenant) = tenant {
            body["tenantId"] = json!(tenant);
        }
        model.hooks.push(Hook {
            url,
            environment,
            tenant: tenant.map(str::to_owned),
            id: None,
            story: Vec::new(),
        });
        drop(model);
        let ask = Ask {
            method: "POST",
            path: "/v1/webhooks".to_owned(),
            environment,
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

    pub(super) fn rotate_hook(&self) {
        if let (Some(node), Some((number, id, environment))) = (self.some_node(), self.some_hook()) {
            let secret = format!("rotated-{:08}", self.dice.below(100_000_000));
            let overlap = self.dice.pick(&OVERLAPS).copied().unwrap_or(0);
            let ask = Ask {
                method: "POST",
                path: format!("/v1/webhooks/{id}/rotate-secret"),
                environment,
                key: None,
                body: Some(json!({"secret": secret, "overlapSeconds": overlap})),
            };
            self.tell(node, number, ask, Deed::Rotated(secret, overlap));
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
            node: node.number,
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
}
