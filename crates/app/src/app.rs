//! The application put together.

use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use tidings_engine::{Engine, Routes};
use tidings_model::{EnvironmentId, WebhookId};
use tidings_runtime::{Clock, Entropy, OnError, TaskSet};
use tidings_signing::Vault;
use tidings_store::Store;
use tokio::sync::Mutex;

use crate::jobs::Jobs;
use crate::keys::{Keyring, KeyringParts, MasterKeys};
use crate::known::{Heard, KnownCredentials};
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
    pub(crate) passwords: Passwords,
    pub(crate) throttle: Throttle,
    pub(crate) jobs: Jobs,
    pub(crate) credentials: Arc<KnownCredentials>,
    heard: Arc<Heard>,
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
        let credentials = Arc::new(KnownCredentials::of(Arc::clone(&parts.store)));
        let (engine, clock) = (Arc::clone(&parts.engine), Arc::clone(&parts.clock));
        let heard = Arc::new(Heard::nothing(engine, Arc::clone(&credentials), Arc::clone(&keys), clock));
        heard.catch_up().await?;
        let listen = Arc::clone(&heard).listen(parts.tasks.shutdown().clone());
        parts.tasks.spawn("changes", OnError::StopProcess, listen);
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
            passwords: Passwords::default(),
            throttle: Throttle::default(),
            jobs: Jobs::default(),
            credentials,
            heard,
            schemas: Schemas::default(),
            payload_bytes_max: parts.payload_bytes_max,
        };
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
        if !self.engine.is_heard() {
            return Err("the store has not answered for some seconds, or took this node off its roll".to_owned()); // asking it may take as long again
        }
        self.store.writable().await.map_err(|error| error.to_string())
    }

    /// Makes sure that what other nodes changed before this call is known here: whoever changed something at one of them may ask any.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn catch_up(&self) -> Result<(), Problem> {
        self.heard.catch_up().await
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
