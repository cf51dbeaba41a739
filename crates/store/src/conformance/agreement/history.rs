//! The audit log and the activity.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use tidings_model::{EnvironmentId, Timestamp, WebhookId};

use super::actor::Actor;
use super::op::{ENVIRONMENTS, WEBHOOKS};
use crate::conformance::world::{Done, START, at, page, webhook};
use crate::{Activity, ActivityCounts, AuditEntry, AuditFilter, Page};

/// Actions of the audit log, some of which begin alike.
const ACTIONS: [&str; 3] = ["webhook.created", "webhook.deleted", "person.invited"];

/// What is noted and counted.
#[derive(Clone, Debug)]
pub(super) enum History {
    /// By that person, of that kind.
    Audit { slot: Option<usize>, number: u8, action: u8 },
    /// Spans by slot, webhook and ten seconds ago, with how much was counted.
    Count(Vec<(usize, Option<usize>, i64, u64)>),
    /// None or all, as for keys.
    Forget { age_ms: i64, limit: usize },
}

pub(super) fn ops() -> impl Strategy<Value = History> {
    let span = (0..ENVIRONMENTS, option::of(0..WEBHOOKS), 0..3_i64, 0..5_u64);
    let age = prop_oneof![Just(0_i64), Just(-1), Just(10_000)];
    prop_oneof![
        2 => (option::of(0..ENVIRONMENTS), 0..3_u8, 0..3_u8).prop_map(|(slot, number, action)| History::Audit { slot, number, action }),
        2 => vec(span, 1..4).prop_map(History::Count),
        1 => (age, prop_oneof![Just(0_usize), Just(1_000)]).prop_map(|(age_ms, limit)| History::Forget { age_ms, limit }),
    ]
}

impl Actor {
    pub(super) async fn history(&self, what: &History) -> String {
        match what {
            History::Audit { slot, number, action } => {
                let entry = AuditEntry {
                    at: self.now,
                    actor: format!("person {number}"),
                    action: ACTIONS[usize::from(*action)].to_owned(),
                    environment: slot.map(|slot| self.environments[slot]),
                    target: String::new(),
                    detail: String::new(),
                };
                self.store.record_audit(&entry).await.done();
                String::new()
            }
            History::Count(spans) => {
                let activity = spans.iter().map(|(slot, hook, tens, counted)| Activity {
                    environment: self.environments[*slot],
                    webhook: hook.map(|number| counted_webhook(self.environments[*slot], number)),
                    from: at(tens * 10),
                    counts: ActivityCounts {
                        accepted: if hook.is_none() { *counted } else { 0 },
                        delivered: *counted,
                        failed: 1,
                    },
                });
                self.store.add_activity(activity.collect()).await.done();
                String::new()
            }
            History::Forget { age_ms, limit } => {
                let before = self.ago(*age_ms);
                self.store.forget_history(self.now, before, before, *limit).await.done().to_string()
            }
        }
    }

    /// The whole audit log and parts of it. The numbers are the store's own, but they order the entries.
    pub(super) async fn look_at_audit(&self) -> Vec<String> {
        let all = self.store.audit(&AuditFilter::default(), Page::first(1_000)).await.done();
        let second = all.get(1).map(|record| record.number);
        let mut seen = Vec::new();
        for environment in [None, Some(self.environments[0])] {
            for (actor, action) in [
                (None, None),
                (Some("person 1"), None),
                (None, Some("webhook.")),
                (Some("person 1"), Some("webhook.")),
            ] {
                let filter = AuditFilter {
                    environment,
                    actor: actor.map(ToOwned::to_owned),
                    action: action.map(ToOwned::to_owned),
                };
                for part in [Page::first(1_000), page(second, 1, 2)] {
                    let records = self.store.audit(&filter, part).await.done();
                    let entries: Vec<_> = records.into_iter().map(|record| record.entry).collect();
                    seen.push(format!("audit by {filter:?}: {entries:?}"));
                }
            }
        }
        seen
    }

    /// What was counted of an environment and of webhooks, all of it and a part.
    pub(super) async fn look_at_activity(&self, environment: EnvironmentId) -> Vec<String> {
        let hooks: Vec<WebhookId> = (0..WEBHOOKS).rev().map(|number| counted_webhook(environment, number)).collect();
        let mut seen = Vec::new();
        for webhooks in [&[], &hooks[..1], &hooks] {
            for (from, until) in [(Timestamp::from_millis(0), Timestamp::MAX), (START, at(20))] {
                let spans = self.store.activity(environment, webhooks, from, until).await.done();
                seen.push(format!("activity of {environment}: {spans:?}"));
            }
        }
        seen
    }
}

/// A webhook of which something may be counted; whether it is there is nothing to the counts.
fn counted_webhook(environment: EnvironmentId, number: usize) -> WebhookId {
    webhook(environment, number as u16 + 1).id
}
