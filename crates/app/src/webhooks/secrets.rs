//! What a webhook keeps sealed: its secret, with a new one in the place of an old one, and the values of its headers.

use std::time::Duration;

use tidings_engine::sealing::{UnsealError, open_headers, open_secret, reseal_webhook, seal_secret};
use tidings_model::{SealedSecretSet, Webhook, WebhookId};
use tidings_signing::Secret;
use tidings_store::{Reseal, SealedPlace, SealedWebhook};

use super::SavedWebhook;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Code, Problem};

/// How long the secret before a rotation goes on signing unless asked otherwise.
const OVERLAP_DEFAULT: Duration = Duration::from_secs(24 * 3_600);
/// Longest overlap of a rotation.
const OVERLAP_MAX: Duration = Duration::from_secs(7 * 24 * 3_600);

/// What to do with a webhook's secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SecretChange {
    /// Nothing.
    #[default]
    Keep,
    /// Deliveries are not signed any more.
    Remove,
    /// This one from now on, and no other.
    Set(String),
    /// One made by Tidings.
    Generate,
}

/// What a webhook keeps sealed.
#[derive(Clone, Debug, Default)]
pub struct Unsealed {
    /// Its secret.
    pub secret: Option<String>,
    /// Its custom headers.
    pub headers: Vec<(String, String)>,
}

/// A secret about to be sealed.
pub(super) enum NewSecret {
    Keep,
    Remove,
    Set { secret: Secret, generated: bool },
}

impl App {
    /// The secret and the custom headers of a webhook, for whoever may change it and is no tenant: a tenant's token lives in browsers.
    pub fn unseal(&self, caller: &Caller, webhook: &Webhook) -> Result<Unsealed, Problem> {
        caller.can_write()?;
        caller.is_no_tenant()?;
        self.open_webhook(webhook)
    }

    /// The secret and the custom headers, to be used and not to be shown.
    pub fn open_webhook(&self, webhook: &Webhook) -> Result<Unsealed, Problem> {
        let closed = |error: UnsealError| {
            tracing::error!(webhook = %webhook.id, %error, "a webhook's secret cannot be opened");
            Problem::new(Code::Internal, format!("the webhook's secret and headers cannot be read: {error}"))
        };
        let secret = webhook
            .secrets
            .current
            .as_ref()
            .map(|sealed| open_secret(&self.vault, webhook.environment, sealed));
        Ok(Unsealed {
            secret: secret.transpose().map_err(closed)?.map(|secret| secret.expose().to_owned()),
            headers: open_headers(&self.vault, webhook.environment, webhook.headers.as_ref()).map_err(closed)?,
        })
    }

    /// Gives a webhook a new secret; the one before goes on signing beside it for the overlap, so that receivers can change over.
    pub async fn rotate_secret(
        &self,
        caller: &Caller,
        id: WebhookId,
        secret: SecretChange,
        overlap: Option<Duration>,
    ) -> Result<SavedWebhook, Problem> {
        caller.can_write()?;
        let overlap = overlap.unwrap_or(OVERLAP_DEFAULT);
        if overlap > OVERLAP_MAX {
            return Err(Problem::field(
                "overlapSeconds",
                format!("has to be at most {}", OVERLAP_MAX.as_secs()),
            ));
        }
        let secret = if matches!(secret, SecretChange::Set(_)) {
            secret
        } else {
            SecretChange::Generate
        };
        let secret = self.new_secret(secret).map_err(|message| Problem::field("secret", message))?;
        let NewSecret::Set { secret, generated } = secret else {
            return Err(Problem::field("secret", "has to be given"));
        };
        let text = generated.then(|| secret.expose().to_owned());
        let saved = self
            .edit(caller, id, None, |webhook, at| {
                let sealed = seal_secret(&self.vault, &*self.entropy, webhook.environment, &secret);
                let before = webhook.secrets.current.replace(sealed);
                webhook.secrets.rotating_out = before.filter(|_| !overlap.is_zero()).map(|before| (before, at + overlap));
            })
            .await?;
        let detail = format!("the one before signs for {} s more", overlap.as_secs());
        self.record_webhook(caller, "webhook.secret-rotated", &saved.webhook, &detail).await;
        Ok(SavedWebhook { saved, generated: text })
    }

    /// Seals with the current key what a webhook keeps that another one sealed: it must not come back after that one is gone. What cannot be opened
    /// stays as it is.
    pub(super) fn seal_anew(&self, webhook: &mut Webhook) {
        let sealed = SealedWebhook {
            environment: webhook.environment,
            id: webhook.id,
            secrets: webhook.secrets.clone(),
            headers: webhook.headers.clone(),
        };
        let (anew, _) = reseal_webhook(&self.vault, &*self.entropy, &sealed);
        for Reseal { place, to, .. } in anew {
            match place {
                SealedPlace::Secret(_) => webhook.secrets.current = Some(to),
                SealedPlace::RotatingOut(_) => {
                    if let Some((sealed, _)) = &mut webhook.secrets.rotating_out {
                        *sealed = to;
                    }
                }
                SealedPlace::Headers(_) => webhook.headers = Some(to),
                SealedPlace::ServerKey(_) => {}
            }
        }
    }

    pub(super) fn new_secret(&self, change: SecretChange) -> Result<NewSecret, String> {
        Ok(match change {
            SecretChange::Keep => NewSecret::Keep,
            SecretChange::Remove => NewSecret::Remove,
            SecretChange::Set(text) => NewSecret::Set {
                secret: Secret::new(text).map_err(|error| error.to_string())?,
                generated: false,
            },
            SecretChange::Generate => NewSecret::Set {
                secret: Secret::generate(&self.entropy.bytes32()),
                generated: true,
            },
        })
    }

    /// Puts a secret into a webhook, and gives its text back when it was generated.
    pub(super) fn put_secret(&self, webhook: &mut Webhook, secret: NewSecret) -> Option<String> {
        let current = match &secret {
            NewSecret::Keep => return None,
            NewSecret::Remove => None,
            NewSecret::Set { secret, .. } => Some(seal_secret(&self.vault, &*self.entropy, webhook.environment, secret)),
        };
        webhook.secrets = SealedSecretSet {
            current,
            rotating_out: None,
        };
        match secret {
            NewSecret::Set { secret, generated: true } => Some(secret.expose().to_owned()),
            _ => None,
        }
    }
}
