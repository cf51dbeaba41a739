//! Webhooks: creating, changing, switching on and off, deleting.

mod secrets;

use std::time::Duration;

use tidings_engine::Routes;
use tidings_engine::sealing::seal_headers;
use tidings_model::catalog::nearest;
use tidings_model::limits::PAGE_ROWS_MAX;
use tidings_model::webhook::check_headers;
use tidings_model::{
    DisableReason, EndpointUrl, EventPattern, SealedSecretSet, Subscription, TenantId, Timestamp, Webhook, WebhookId, WebhookState,
};
use tidings_store::{CreateWebhookError, Page, ReplaceWebhookError, WebhookFilter, WebhookWithHealth};

use self::secrets::NewSecret;
pub use self::secrets::{SecretChange, Unsealed};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Code, Problem};
use crate::validate::{self, Faults};

/// How often a change is tried again because somebody else changed the webhook in between.
const CHANGES_MAX: usize = 5;

/// A webhook that somebody wants to add.
#[derive(Clone, Debug, Default)]
pub struct WebhookDraft {
    /// What people call it; may be empty, then it is named after its host.
    pub name: String,
    /// What people say of it.
    pub description: String,
    /// Where deliveries go.
    pub url: String,
    /// Its secret.
    pub secret: SecretChange,
    /// Keys, `Category.*` or `*`.
    pub event_keys: Vec<String>,
    /// Whether it gets deliveries.
    pub active: bool,
    /// The tenant whose events it sees. A tenant's own caller gets its own whatever this says.
    pub tenant_id: Option<String>,
    /// Headers that are sent with every delivery.
    pub headers: Vec<(String, String)>,
}

/// What is changed of a webhook; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct WebhookChange {
    /// What people call it.
    pub name: Option<String>,
    /// What people say of it.
    pub description: Option<String>,
    /// Where deliveries go.
    pub url: Option<String>,
    /// Its secret.
    pub secret: SecretChange,
    /// Keys, `Category.*` or `*`.
    pub event_keys: Option<Vec<String>>,
    /// Whether it gets deliveries.
    pub active: Option<bool>,
    /// Headers that are sent with every delivery.
    pub headers: Option<Vec<(String, String)>>,
    /// Its `updated_at` when whoever changes it read it: refused when somebody changed it since. `None` does not ask.
    pub unchanged_since: Option<Timestamp>,
}

/// A webhook and, when it was made or rotated here, the secret that was generated: shown this once.
#[derive(Clone, Debug)]
pub struct SavedWebhook {
    /// The webhook.
    pub saved: WebhookWithHealth,
    /// The generated secret.
    pub generated: Option<String>,
}

/// A draft that can be saved.
struct CheckedDraft {
    name: String,
    description: String,
    url: EndpointUrl,
    secret: NewSecret,
    subscription: Subscription,
    headers: Vec<(String, String)>,
    tenant: Option<TenantId>,
}

fn not_found(id: WebhookId) -> Problem {
    Problem::not_found("webhook", &id)
}

impl App {
    /// Webhooks of the caller's environment, of its tenant only for a tenant; newest first.
    pub async fn webhooks(
        &self,
        caller: &Caller,
        mut filter: WebhookFilter,
        page: Page<WebhookId>,
    ) -> Result<Vec<WebhookWithHealth>, Problem> {
        caller.can_read()?;
        if let Some(tenant) = &caller.tenant {
            filter.tenant = Some(tenant.clone());
        }
        let page = Page {
            limit: page.limit.min(PAGE_ROWS_MAX + 1),
            ..page
        };
        Ok(self.store.webhooks(caller.environment, &filter, page).await?)
    }

    /// One webhook.
    pub async fn webhook(&self, caller: &Caller, id: WebhookId) -> Result<WebhookWithHealth, Problem> {
        caller.can_read()?;
        let found = self.store.webhook(caller.environment, id).await?;
        let visible = |found: &WebhookWithHealth| caller.tenant.is_none() || found.webhook.tenant == caller.tenant;
        found.filter(visible).ok_or_else(|| not_found(id))
    }

    /// Says what is wrong with a draft, as [`Self::create_webhook`] would, and saves nothing.
    pub async fn check_webhook(&self, caller: &Caller, draft: WebhookDraft) -> Result<(), Problem> {
        caller.can_write()?;
        self.check_draft(caller, draft).await.map(drop)
    }

    async fn check_draft(&self, caller: &Caller, draft: WebhookDraft) -> Result<CheckedDraft, Problem> {
        let routes = self.routes(caller.environment)?;
        let mut faults = Faults::default();
        let url = faults.check("url", self.check_url(&routes, &draft.url).await);
        let name = match (draft.name.trim().is_empty(), &url) {
            (false, _) => faults.check("name", validate::name(&draft.name)),
            (true, Some(url)) => faults.check("name", validate::name(&url.host().to_string())),
            (true, None) => None,
        };
        let description = faults.check("description", validate::description(&draft.description));
        let subscription = faults.check("eventKeys", check_event_keys(&routes, &draft.event_keys));
        let headers = faults.check("headers", check_headers(&draft.headers));
        let secret = faults.check("secret", self.new_secret(draft.secret));
        let tenant = match (&caller.tenant, draft.tenant_id) {
            (Some(own), _) => Some(own.clone()),
            (None, Some(given)) => faults.check("tenantId", given.parse::<TenantId>()),
            (None, None) => None,
        };
        faults.into_result()?;
        let checked = (name, description, url, secret, subscription, headers);
        let (Some(name), Some(description), Some(url), Some(secret), Some(subscription), Some(headers)) = checked else {
            return Err(Problem::new(Code::Internal, "a draft without faults has every field"));
        };
        Ok(CheckedDraft {
            name,
            description,
            url,
            secret,
            subscription,
            headers,
            tenant,
        })
    }

    /// Adds a webhook.
    pub async fn create_webhook(&self, caller: &Caller, draft: WebhookDraft) -> Result<SavedWebhook, Problem> {
        caller.can_write()?;
        let active = draft.active;
        let checked = self.check_draft(caller, draft).await?;
        let now = self.clock.now();
        let _sealing = self.keys.sealing().await;
        let disabled = WebhookState::Disabled {
            at: now,
            why: DisableReason::Operator,
        };
        let mut webhook = Webhook {
            id: self.webhook_id(),
            environment: caller.environment,
            tenant: checked.tenant,
            name: checked.name,
            description: checked.description,
            url: checked.url.to_string(),
            secrets: SealedSecretSet::default(),
            subscription: checked.subscription,
            headers: seal_headers(&self.vault, &*self.entropy, caller.environment, &checked.headers),
            state: if active { WebhookState::Active } else { disabled },
            created_at: now,
            updated_at: now,
        };
        let generated = self.put_secret(&mut webhook, checked.secret);
        while let Err(error) = self.engine.change(caller.environment, self.store.create_webhook(&webhook)).await? {
            match error {
                CreateWebhookError::NoEnvironment => return Err(Problem::not_found("environment", &caller.environment)),
                CreateWebhookError::IdTaken => webhook.id = self.webhook_id(), // another node came upon it in the same millisecond
            }
        }
        self.record_webhook(caller, "webhook.created", &webhook, &webhook.name).await;
        Ok(SavedWebhook {
            saved: WebhookWithHealth {
                webhook,
                health: tidings_model::WebhookHealth::default(),
            },
            generated,
        })
    }

    /// Changes a webhook.
    pub async fn change_webhook(&self, caller: &Caller, id: WebhookId, change: WebhookChange) -> Result<SavedWebhook, Problem> {
        caller.can_write()?;
        let before = self.webhook(caller, id).await?.webhook;
        let routes = self.routes(caller.environment)?;
        let mut faults = Faults::default();
        let url = match &change.url {
            Some(text) => faults.check("url", self.check_url(&routes, text).await),
            None => None,
        };
        let name = change.name.and_then(|name| faults.check("name", validate::name(&name)));
        let description = change
            .description
            .and_then(|text| faults.check("description", validate::description(&text)));
        let subscription = change
            .event_keys
            .and_then(|keys| faults.check("eventKeys", check_event_keys(&routes, &keys)));
        let headers = change.headers.and_then(|headers| faults.check("headers", check_headers(&headers)));
        let secret_given = change.secret != SecretChange::Keep;
        let secret = faults.check("secret", self.new_secret(change.secret));
        faults.into_result()?;
        let mut secret = secret.unwrap_or(NewSecret::Keep);
        let mut generated = None;
        let saved = self
            .edit(caller, id, change.unchanged_since, |webhook, at| {
                if let Some(name) = &name {
                    webhook.name.clone_from(name);
                }
                if let Some(description) = &description {
                    webhook.description.clone_from(description);
                }
                if let Some(url) = &url {
                    webhook.url = url.to_string();
                }
                if let Some(subscription) = &subscription {
                    webhook.subscription = subscription.clone();
                }
                if let Some(headers) = &headers {
                    webhook.headers = seal_headers(&self.vault, &*self.entropy, webhook.environment, headers);
                }
                if let Some(active) = change.active {
                    switch(webhook, active, at);
                }
                generated = self
                    .put_secret(webhook, std::mem::replace(&mut secret, NewSecret::Keep))
                    .or(generated.take());
            })
            .await?;
        let secret_given = secret_given && (before.secrets.current.is_some() || saved.webhook.secrets.current.is_some());
        self.record_change(caller, &before, &saved.webhook, [secret_given, headers.is_some()])
            .await;
        Ok(SavedWebhook { saved, generated })
    }

    /// Switches a webhook on or off.
    pub async fn switch_webhook(&self, caller: &Caller, id: WebhookId, active: bool) -> Result<WebhookWithHealth, Problem> {
        caller.can_write()?;
        let before = self.webhook(caller, id).await?.webhook;
        let saved = self.edit(caller, id, None, |webhook, at| switch(webhook, active, at)).await?;
        self.record_change(caller, &before, &saved.webhook, [false, false]).await;
        Ok(saved)
    }

    /// Deletes a webhook; its log stays as long as retention says.
    pub async fn delete_webhook(&self, caller: &Caller, id: WebhookId) -> Result<(), Problem> {
        caller.can_write()?;
        let webhook = self.webhook(caller, id).await?.webhook;
        let delete = self.store.delete_webhook(caller.environment, id, self.clock.now());
        let deleted = self.engine.change(caller.environment, delete).await?;
        if !deleted {
            return Err(not_found(id));
        }
        self.record_webhook(caller, "webhook.deleted", &webhook, &webhook.name).await;
        Ok(())
    }

    /// Records what changed of a webhook: names of fields, because a URL or a header may hold a secret too. Whether the secret and the headers were
    /// given is told: how they are sealed changes by itself.
    async fn record_change(&self, caller: &Caller, before: &Webhook, after: &Webhook, [secret, headers]: [bool; 2]) {
        let fields = [
            ("name", before.name != after.name),
            ("description", before.description != after.description),
            ("url", before.url != after.url),
            ("secret", secret),
            ("eventKeys", before.subscription != after.subscription),
            ("headers", headers && (before.headers.is_some() || after.headers.is_some())),
        ];
        let changed: Vec<_> = fields.into_iter().filter_map(|(name, changed)| changed.then_some(name)).collect();
        if !changed.is_empty() {
            self.record_webhook(caller, "webhook.changed", after, &changed.join(", ")).await;
        }
        if before.state.is_active() != after.state.is_active() {
            let action = if after.state.is_active() {
                "webhook.enabled"
            } else {
                "webhook.disabled"
            };
            self.record_webhook(caller, action, after, &after.name).await;
        }
    }

    async fn record_webhook(&self, caller: &Caller, action: &'static str, webhook: &Webhook, detail: &str) {
        self.record(caller, action, Some(webhook.environment), &webhook.id.to_string(), detail)
            .await;
    }

    /// Reads, changes and replaces a webhook, again when somebody else was faster; but not one that changed since the time given.
    async fn edit(
        &self,
        caller: &Caller,
        id: WebhookId,
        as_of: Option<Timestamp>,
        mut edit: impl FnMut(&mut Webhook, Timestamp),
    ) -> Result<WebhookWithHealth, Problem> {
        for _ in 0..CHANGES_MAX {
            let _sealing = self.keys.sealing().await;
            let WebhookWithHealth { mut webhook, .. } = self.webhook(caller, id).await?;
            let unchanged_since = webhook.updated_at;
            if as_of.is_some_and(|as_of| as_of != unchanged_since) {
                return Err(Problem::new(
                    Code::Conflict,
                    "somebody changed this webhook after you opened it; nothing was saved. Look at how it stands now, and make your change again",
                ));
            }
            let at = self.clock.now().max(unchanged_since + Duration::from_millis(1));
            edit(&mut webhook, at);
            self.seal_anew(&mut webhook);
            webhook.updated_at = at;
            let replace = self.store.replace_webhook(&webhook, unchanged_since);
            match self.engine.change(caller.environment, replace).await? {
                Ok(()) => return self.webhook(caller, id).await,
                Err(ReplaceWebhookError::NotFound) => return Err(not_found(id)),
                Err(ReplaceWebhookError::Changed) => {}
            }
        }
        Err(Problem::new(
            Code::Conflict,
            "somebody else is changing the webhook; read it again and retry",
        ))
    }

    /// Checks a URL as the environment's policy has it, the network's addresses included.
    pub(crate) async fn check_url(&self, routes: &Routes, text: &str) -> Result<EndpointUrl, String> {
        let url = EndpointUrl::parse(text, routes.settings.http_allowed).map_err(|error| error.to_string())?;
        self.engine.vet(routes.environment, &url).await.map_err(|failure| failure.message)?;
        Ok(url)
    }
}

fn switch(webhook: &mut Webhook, active: bool, at: Timestamp) {
    if webhook.state.is_active() != active {
        webhook.state = if active {
            WebhookState::Active
        } else {
            WebhookState::Disabled {
                at,
                why: DisableReason::Operator,
            }
        };
    }
}

/// Checks that every key and category of a subscription exists.
fn check_event_keys(routes: &Routes, texts: &[String]) -> Result<Subscription, String> {
    let subscription = Subscription::parse(texts.iter().map(String::as_str)).map_err(|error| error.to_string())?;
    for pattern in subscription.patterns() {
        let (known, all): (bool, Vec<&str>) = match pattern {
            EventPattern::All => (true, Vec::new()),
            EventPattern::Key(key) => (
                routes.event_type(key.as_str()).is_some(),
                routes.event_types().map(|event_type| event_type.key.as_str()).collect(),
            ),
            EventPattern::Category(name) => {
                let all: Vec<_> = routes.event_types().map(|event_type| event_type.category.as_str()).collect();
                (all.contains(&name.as_str()), all)
            }
        };
        if !known {
            let mut near = match pattern {
                EventPattern::Category(name) => nearest(name, all).into_iter().map(|name| format!("{name}.*")).collect::<Vec<_>>(),
                _ => nearest(&pattern.to_string(), all).into_iter().map(str::to_owned).collect(),
            };
            near.dedup();
            let hint = if near.is_empty() {
                String::new()
            } else {
                format!("; did you mean {}?", near.join(", "))
            };
            return Err(format!("'{pattern}' is not a known event key or category{hint}"));
        }
    }
    Ok(subscription)
}
