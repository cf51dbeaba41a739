//! The application put together.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use arc_swap::ArcSwap;
use tidings_engine::{Engine, Routes};
use tidings_model::{Credential, CredentialId, EnvironmentId, WebhookId};
use tidings_runtime::{Clock, Entropy, OnError, TaskSet};
use tidings_signing::Vault;
use tidings_store::{Store, StoreError};
use tokio::sync::Mutex;

use crate::jobs::Jobs;
use crate::keys::{Keyring, KeyringParts, MasterKeys};
use crate::links::UsedLinks;
use crate::passwords::Passwords;
use crate::problem::Problem;
use crate::schema::Schemas;
use crate::throttle::Throttle;

/// What the application is made of.
pub struct AppParts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// The engine.
    pub engine: Arc<Engine>,
    /// Seals secrets, with the keys of `master_keys`; the engine's too.
    pub vault: Arc<Vault>,
    /// The master keys.
    pub master_keys: MasterKeys,
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
    pub(crate) keys: Arc<Keyring>,
    /// Held while a link is used: it works once.
    pub(crate) linking: Mutex<()>,
    pub(crate) used_links: UsedLinks,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) jobs: Jobs,
    pub(crate) credentials: ArcSwap<BTreeMap<CredentialId, Credential>>,
    /// Held while the credentials are read anew or changed: what was read first must not replace what was read later.
    pub(crate) crediting: Mutex<()>,
    pub(crate) schemas: Schemas,
    pub(crate) payload_bytes_max: usize,
    /// The low part of the next webhook's id, from a beginning by chance: no two that are made in one millisecond share it.
    webhooks_made: AtomicU16,
}

impl App {
    /// Opens the keys, reads the credentials and is ready.
    ///
    /// # Errors
    /// When the store does not answer, or keeps something that the keys do not open.
    pub async fn new(parts: AppParts) -> Result<Self, Problem> {
        let keys = Keyring::open(KeyringParts {
            store: Arc::clone(&parts.store),
            vault: Arc::clone(&parts.vault),
            master_keys: parts.master_keys,
            clock: Arc::clone(&parts.clock),
            entropy: Arc::clone(&parts.entropy),
        })
        .await?;
        let keys = Arc::new(keys);
        let work = Arc::clone(&keys).run(parts.tasks.shutdown().clone());
        parts.tasks.spawn("keys", OnError::StopProcess, work);
        let app = Self {
            webhooks_made: AtomicU16::new(parts.entropy.u32() as u16),
            store: parts.store,
            engine: parts.engine,
            vault: parts.vault,
            clock: parts.clock,
            entropy: parts.entropy,
            tasks: parts.tasks,
            keys,
            linking: Mutex::default(),
            used_links: UsedLinks::default(),
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            jobs: Jobs::default(),
            credentials: ArcSwap::default(),
            crediting: Mutex::default(),
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

    /// Whether events and changes can be taken at the moment; otherwise why not, in words.
    ///
    /// # Errors
    /// While the store cannot be written.
    pub async fn can_store(&self) -> Result<(), String> {
        self.store.writable().await.map_err(|error| error.to_string())
    }

    /// Reads the credentials anew: a revoked one stops working now.
    pub(crate) async fn reload_credentials(&self) -> Result<(), StoreError> {
        let _alone = self.crediting.lock().await;
        self.read_credentials().await
    }

    /// Forgets a credential of an environment, which is refused from now on, whatever becomes of its deletion.
    pub(crate) fn forget_credential(&self, environment: EnvironmentId, id: &CredentialId) {
        self.credentials.rcu(|credentials| {
            let mut left = BTreeMap::clone(credentials);
            if left.get(id).is_some_and(|credential| credential.environment == environment) {
                left.remove(id);
            }
            left
        });
    }

    /// As [`Self::reload_credentials`], for whoever is alone already.
    pub(crate) async fn read_credentials(&self) -> Result<(), StoreError> {
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
