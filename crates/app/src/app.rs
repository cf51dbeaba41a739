//! The application put together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use arc_swap::ArcSwap;
use tidings_engine::{Engine, Routes};
use tidings_model::{Credential, CredentialId, EnvironmentId, WebhookId};
use tidings_runtime::{Clock, Entropy, TaskSet};
use tidings_signing::{CredentialHasher, MasterKey, TokenKeys, Vault};
use tidings_store::{Store, StoreError};
use tokio::sync::Mutex;

use crate::jobs::Jobs;
use crate::links::{self, UsedLinks};
use crate::passwords::Passwords;
use crate::problem::Problem;
use crate::schema::Schemas;
use crate::throttle::Throttle;
use crate::verified::VerifiedTokens;

/// What the application is made of.
pub struct AppParts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The engine.
    pub engine: Arc<Engine>,
    /// Seals secrets.
    pub vault: Arc<Vault>,
    /// The key from which those of tokens and credentials are derived.
    pub master_key: MasterKey,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// Where long work runs.
    pub tasks: TaskSet,
    /// Largest payload of an event, in bytes.
    pub payload_bytes_max: usize,
}

/// See the crate.
pub struct App {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) engine: Arc<Engine>,
    pub(crate) vault: Arc<Vault>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) tasks: TaskSet,
    pub(crate) tokens: TokenKeys,
    pub(crate) verified_tokens: VerifiedTokens,
    pub(crate) links: TokenKeys,
    /// Held while a link is used: it works once.
    pub(crate) linking: Mutex<()>,
    pub(crate) used_links: UsedLinks,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) jobs: Jobs,
    pub(crate) hasher: CredentialHasher,
    pub(crate) credentials: ArcSwap<BTreeMap<CredentialId, Credential>>,
    pub(crate) schemas: Schemas,
    pub(crate) payload_bytes_max: usize,
    /// The low part of the next webhook's id, from a beginning by chance: no two that are made in one millisecond share it.
    webhooks_made: AtomicU16,
}

/// The purpose of the key that signs access tokens.
pub const TOKEN_KEY_PURPOSE: &str = "tidings access tokens";
/// The purpose of the key that hashes client secrets.
const CREDENTIAL_KEY_PURPOSE: &str = "tidings client secrets";

impl App {
    /// Reads the credentials and is ready.
    pub async fn new(parts: AppParts) -> Result<Self, StoreError> {
        let app = Self {
            webhooks_made: AtomicU16::new(parts.entropy.u32() as u16),
            store: parts.store,
            engine: parts.engine,
            vault: parts.vault,
            clock: parts.clock,
            entropy: parts.entropy,
            tasks: parts.tasks,
            tokens: TokenKeys::new(&parts.master_key.derive(TOKEN_KEY_PURPOSE), &[]),
            verified_tokens: VerifiedTokens::default(),
            links: links::keys(&parts.master_key),
            linking: Mutex::default(),
            used_links: UsedLinks::default(),
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            jobs: Jobs::default(),
            hasher: CredentialHasher::new(&parts.master_key.derive(CREDENTIAL_KEY_PURPOSE), &[]),
            credentials: ArcSwap::default(),
            schemas: Schemas::default(),
            payload_bytes_max: parts.payload_bytes_max,
        };
        app.reload_credentials().await?;
        Ok(app)
    }

    /// Largest payload of an event, in bytes.
    pub const fn payload_bytes_max(&self) -> usize {
        self.payload_bytes_max
    }

    /// Reads the credentials anew: a revoked one stops working now.
    pub(crate) async fn reload_credentials(&self) -> Result<(), StoreError> {
        let credentials = self.store.credentials().await?;
        self.credentials.store(Arc::new(
            credentials
                .into_iter()
                .map(|credential| (credential.id.clone(), credential))
                .collect(),
        ));
        Ok(())
    }

    pub(crate) fn routes(&self, environment: EnvironmentId) -> Result<Arc<Routes>, Problem> {
        self.engine
            .directory
            .routes(environment)
            .ok_or_else(|| Problem::not_found("environment", &environment))
    }

    pub(crate) fn webhook_id(&self) -> WebhookId {
        WebhookId::new(self.clock.now(), self.webhooks_made.fetch_add(1, Ordering::Relaxed))
    }
}
