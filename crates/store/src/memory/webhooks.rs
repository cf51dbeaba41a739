//! Webhooks and their health.

use std::time::Duration;

use tidings_model::{DisableReason, EnvironmentId, TenantId, Timestamp, Webhook, WebhookHealth, WebhookId, WebhookState};

use super::State;
use super::log::page_of;
use crate::{CreateWebhookError, Page, ReplaceWebhookError, WebhookFilter, WebhookWithHealth};

/// What is kept of a webhook that was deleted.
pub(super) struct Former {
    pub(super) environment: EnvironmentId,
    /// For those who read its log.
    tenant: Option<TenantId>,
    /// The routing version that its deletion raised.
    pub(super) version: u64,
}

impl State {
    pub(super) fn webhook_of(&self, environment: EnvironmentId, id: WebhookId) -> Option<&WebhookWithHealth> {
        self.webhooks.get(&id).filter(|held| held.webhook.environment == environment)
    }

    /// The tenant of a webhook that is there, or was.
    pub(super) fn owner(&self, id: WebhookId) -> Option<&TenantId> {
        match self.webhooks.get(&id) {
            Some(held) => held.webhook.tenant.as_ref(),
            None => self.former.get(&id)?.tenant.as_ref(),
        }
    }

    pub(super) fn create_webhook(&mut self, webhook: &Webhook) -> Result<(), CreateWebhookError> {
        if self.environment(webhook.environment).is_none() {
            return Err(CreateWebhookError::NoEnvironment);
        }
        if self.webhooks.contains_key(&webhook.id) || self.former.contains_key(&webhook.id) {
            return Err(CreateWebhookError::IdTaken);
        }
        self.note_change(webhook.environment, webhook.id);
        let new = WebhookWithHealth {
            webhook: webhook.clone(),
            health: WebhookHealth::default(),
        };
        self.webhooks.insert(webhook.id, new);
        Ok(())
    }

    pub(super) fn webhooks(&self, environment: EnvironmentId, filter: &WebhookFilter, page: &Page<WebhookId>) -> Vec<WebhookWithHealth> {
        let admitted = self
            .webhooks
            .values()
            .rev()
            .filter(|held| held.webhook.environment == environment && admits(filter, held));
        page_of(admitted.map(|held| (held.webhook.id, held)), page).cloned().collect()
    }

    pub(super) fn replace_webhook(&mut self, webhook: &Webhook, unchanged_since: Timestamp) -> Result<(), ReplaceWebhookError> {
        let held = self
            .webhook_of(webhook.environment, webhook.id)
            .ok_or(ReplaceWebhookError::NotFound)?;
        if held.webhook.updated_at != unchanged_since {
            return Err(ReplaceWebhookError::Changed);
        }
        let anew = webhook.state.is_active() && !held.webhook.state.is_active();
        let health = if anew { WebhookHealth::default() } else { held.health };
        self.webhooks.insert(
            webhook.id,
            WebhookWithHealth {
                webhook: webhook.clone(),
                health,
            },
        );
        self.note_change(webhook.environment, webhook.id);
        Ok(())
    }

    pub(super) fn delete_webhook(&mut self, environment: EnvironmentId, id: WebhookId) -> bool {
        if self.webhook_of(environment, id).is_none() {
            return false;
        }
        let tenant = self.webhooks.remove(&id).and_then(|held| held.webhook.tenant);
        if let Some(row) = self.changing(environment) {
            let version = row.version;
            self.former.insert(
                id,
                Former {
                    environment,
                    tenant,
                    version,
                },
            );
        }
        true
    }

    pub(super) fn disable_webhook(&mut self, id: WebhookId, why: DisableReason, at: Timestamp) -> bool {
        let Some(held) = self.webhooks.get_mut(&id).filter(|held| held.webhook.state.is_active()) else {
            return false;
        };
        held.webhook.state = WebhookState::Disabled { at, why };
        held.webhook.updated_at = at.max(held.webhook.updated_at + Duration::from_millis(1));
        let environment = held.webhook.environment;
        self.note_change(environment, id)
    }

    /// Raises the routing version for a change of a webhook. False: there is no such environment.
    fn note_change(&mut self, environment: EnvironmentId, id: WebhookId) -> bool {
        let Some(row) = self.changing(environment) else {
            return false;
        };
        let version = row.version;
        self.changed.insert(id, version);
        true
    }

    /// Writes an attempt into a webhook's health, and says since when it has been failing. A deleted webhook has no health.
    pub(super) fn note_attempt(&mut self, id: WebhookId, success: bool, ended_at: Timestamp) -> Option<Timestamp> {
        let health = &mut self.webhooks.get_mut(&id)?.health;
        health.attempts += 1;
        health.failures += u64::from(!success);
        health.last_attempt_at = Some(ended_at);
        health.failing_since = if success { None } else { health.failing_since.or(Some(ended_at)) };
        health.failing_since
    }
}

fn admits(filter: &WebhookFilter, held: &WebhookWithHealth) -> bool {
    let webhook = &held.webhook;
    let disabled_by_engine = matches!(
        webhook.state,
        WebhookState::Disabled {
            why: DisableReason::Gone | DisableReason::Failing,
            ..
        }
    );
    let contains = |text: &str, part: &str| text.to_ascii_lowercase().contains(&part.to_ascii_lowercase());
    filter.tenant.as_ref().is_none_or(|tenant| webhook.tenant.as_ref() == Some(tenant))
        && filter
            .search
            .as_ref()
            .is_none_or(|part| contains(&webhook.name, part) || contains(&webhook.url, part))
        && filter.active.is_none_or(|active| webhook.state.is_active() == active)
        && (!filter.in_trouble || disabled_by_engine || held.health.failing_since.is_some())
}
