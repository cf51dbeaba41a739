//! Configuring.

use std::time::Duration;

use tidings_model::{DisableReason, EnvironmentId, Settings, Webhook, WebhookState};

use super::actor::{Actor, tenant_id};
use super::op::{Configure, ENVIRONMENTS};
use crate::EnvironmentChange;
use crate::conformance::world::{Done, at, credential, environment, event_type, webhook};

impl Actor {
    pub(super) async fn configure(&mut self, what: &Configure) -> String {
        match what {
            Configure::CreateEnvironment { slot } => self.create_environment(*slot).await,
            Configure::RenameEnvironment { slot, to } => {
                let change = EnvironmentChange {
                    name: Some(format!("environment {to}")),
                    settings: None,
                };
                self.change_environment(*slot, change).await
            }
            Configure::ChangeSettings { slot, timeout_ms } => {
                let settings = Settings {
                    timeout_ms: *timeout_ms,
                    ..Settings::default()
                };
                self.change_environment(
                    *slot,
                    EnvironmentChange {
                        name: None,
                        settings: Some(settings),
                    },
                )
                .await
            }
            Configure::DeleteEnvironment { slot, force } => {
                format!("{:?}", self.store.delete_environment(self.environments[*slot], *force).await.done())
            }
            Configure::CopyEnvironment { from, to } => {
                let (from, to) = (self.environments[*from], self.environments[*to]);
                format!("{:?}", self.store.copy_environment(from, to, self.now).await.done())
            }
            Configure::CreateEventType { slot, key } => {
                let event_type = event_type(&format!("custom.{key}"));
                format!(
                    "{:?}",
                    self.store.create_event_type(self.environments[*slot], &event_type).await.done()
                )
            }
            Configure::DeleteEventType { slot, key } => {
                let key = event_type(&format!("custom.{key}")).key;
                format!("{:?}", self.store.delete_event_type(self.environments[*slot], &key).await.done())
            }
            Configure::CreateCredential { slot } => self.create_credential(self.environments[*slot]).await,
            Configure::DeleteCredential { slot, number } => match self.credentials.get(*number) {
                Some(id) => format!("{:?}", self.store.delete_credential(self.environments[*slot], id).await.done()),
                None => String::new(),
            },
            Configure::CreateWebhook { slot, tenant } => self.create_webhook(*slot, *tenant).await,
            Configure::ReplaceWebhook { slot, active, outdated } => self.replace_webhook(*slot, *active, *outdated).await,
            Configure::DeleteWebhook { slot } => match self.webhooks[*slot] {
                Some(id) => format!("{:?}", self.store.delete_webhook(self.home(*slot), id, self.now).await.done()),
                None => String::new(),
            },
            Configure::DisableWebhook { slot } => match self.webhooks[*slot] {
                Some(id) => format!(
                    "{:?}",
                    self.store.disable_webhook(id, DisableReason::Failing, self.now).await.done()
                ),
                None => String::new(),
            },
        }
    }

    /// The environment that the webhooks of a slot belong to, as it is now; an older one's webhook is not found from there.
    fn home(&self, slot: usize) -> EnvironmentId {
        self.environments[slot % ENVIRONMENTS]
    }

    async fn create_environment(&mut self, slot: usize) -> String {
        let new = environment(self.next_number(), &format!("Environment {slot}"));
        let answer = self.store.create_environment(&new).await.done();
        if answer.is_ok() {
            self.environments[slot] = new.id;
        }
        format!("{answer:?}")
    }

    async fn change_environment(&self, slot: usize, change: EnvironmentChange) -> String {
        format!("{:?}", self.store.change_environment(self.environments[slot], &change).await.done())
    }

    async fn create_credential(&mut self, environment: EnvironmentId) -> String {
        if self.lives(environment).await {
            let new = credential(self.next_number(), environment);
            self.store.create_credential(&new).await.done();
            self.credentials.push(new.id);
        }
        String::new()
    }

    async fn create_webhook(&mut self, slot: usize, tenant: Option<u8>) -> String {
        let new = webhook(self.home(slot), u16::from(self.next_number()));
        let new = Webhook {
            tenant: tenant.map(tenant_id),
            ..new
        };
        let created = self.store.create_webhook(&new).await.done();
        if created.is_ok() {
            self.webhooks[slot] = Some(new.id);
        }
        format!("{created:?}")
    }

    async fn replace_webhook(&self, slot: usize, active: bool, outdated: bool) -> String {
        let Some(id) = self.webhooks[slot] else { return String::new() };
        let environment = self.home(slot);
        let read = self.store.webhook(environment, id).await.done().map(|held| held.webhook);
        let read = read.unwrap_or_else(|| Webhook {
            id,
            ..webhook(environment, 0)
        });
        let state = if active {
            WebhookState::Active
        } else {
            WebhookState::Disabled {
                at: self.now,
                why: DisableReason::Operator,
            }
        };
        let unchanged_since = if outdated { at(-1) } else { read.updated_at };
        let updated_at = self.now.max(read.updated_at + Duration::from_millis(1));
        let new = Webhook {
            state,
            updated_at,
            name: format!("Renamed at {}", self.now),
            ..read
        };
        format!("{:?}", self.store.replace_webhook(&new, unchanged_since).await.done())
    }
}
