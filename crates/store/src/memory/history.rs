//! The audit log and the activity.

use std::ops::Range;

use tidings_model::{EnvironmentId, Timestamp, WebhookId};

use super::State;
use super::log::page_of;
use crate::{Activity, AuditEntry, AuditFilter, AuditRecord, Page};

/// The span that counts belong to: by time, then by webhook.
pub(super) type ActivityKey = (Timestamp, Option<WebhookId>, EnvironmentId);

impl State {
    pub(super) fn record_audit(&mut self, entry: &AuditEntry) {
        self.audited += 1;
        self.audit.push(AuditRecord {
            number: self.audited,
            entry: entry.clone(),
        });
    }

    pub(super) fn audit(&self, filter: &AuditFilter, page: &Page<u64>) -> Vec<AuditRecord> {
        let admitted = self.audit.iter().rev().filter(|record| admits(filter, &record.entry));
        page_of(admitted.map(|record| (record.number, record)), page).cloned().collect()
    }

    pub(super) fn add_activity(&mut self, activity: &[Activity]) {
        for added in activity {
            if self.environment(added.environment).is_some() {
                let key = (added.from, added.webhook, added.environment);
                self.activity.entry(key).or_default().add(added.counts);
            }
        }
    }

    pub(super) fn activity(&self, environment: EnvironmentId, webhooks: &[WebhookId], spans: &Range<Timestamp>) -> Vec<Activity> {
        if self.environment(environment).is_none() {
            return Vec::new();
        }
        let of = |webhook: Option<WebhookId>| webhook.map_or(webhooks.is_empty(), |id| webhooks.contains(&id));
        let counted = self.activity.iter();
        counted
            .filter(|((from, webhook, of_environment), _)| *of_environment == environment && spans.contains(from) && of(*webhook))
            .map(|((from, webhook, _), counts)| Activity {
                environment,
                webhook: *webhook,
                from: *from,
                counts: *counts,
            })
            .collect()
    }

    pub(super) fn forget_history(&mut self, at: Timestamp, audit_before: Timestamp, activity_before: Timestamp, limit: usize) -> usize {
        let ended: Vec<_> = self
            .sessions
            .values()
            .filter(|session| session.ends_at <= at)
            .map(|session| session.id)
            .take(limit)
            .collect();
        for id in &ended {
            self.sessions.remove(id);
        }
        let entries = self.audit.len();
        let mut left = limit;
        self.audit.retain(|record| {
            let goes = record.entry.at < audit_before && left > 0;
            left -= usize::from(goes);
            !goes
        });
        let past: Vec<_> = self
            .activity
            .keys()
            .take_while(|(from, ..)| *from < activity_before)
            .take(limit)
            .copied()
            .collect();
        for key in &past {
            self.activity.remove(key);
        }
        ended.len() + (entries - self.audit.len()) + past.len()
    }
}

fn admits(filter: &AuditFilter, entry: &AuditEntry) -> bool {
    filter.environment.is_none_or(|environment| entry.environment == Some(environment))
        && filter.actor.as_ref().is_none_or(|actor| entry.actor == *actor)
        && filter
            .action
            .as_ref()
            .is_none_or(|action| entry.action.starts_with(action.as_str()))
}
