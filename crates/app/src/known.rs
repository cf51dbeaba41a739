//! What a process keeps in memory of who may ask: read when it starts, when it changes something itself, and when another node may have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tidings_engine::Engine;
use tidings_model::{Credential, CredentialId, EnvironmentId};
use tidings_runtime::{Clock, Shutdown};
use tidings_store::{Store, StoreError};
use tokio::sync::Mutex;

use crate::keys::Keyring;
use crate::problem::Problem;

/// How long after a failure what others changed is read again.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(1);

/// The credentials, as this process knows them.
pub(crate) struct KnownCredentials {
    store: Arc<dyn Store>,
    known: ArcSwap<BTreeMap<CredentialId, Credential>>,
    /// Held while they are read anew or changed: what was read first must not replace what was read later.
    alone: Mutex<()>,
}

impl KnownCredentials {
    /// None, until they are read.
    pub(crate) fn of(store: Arc<dyn Store>) -> Self {
        Self {
            store,
            known: ArcSwap::default(),
            alone: Mutex::default(),
        }
    }

    /// Those that are known now.
    pub(crate) fn load(&self) -> Guard<Arc<BTreeMap<CredentialId, Credential>>> {
        self.known.load()
    }

    /// Reads them anew: a revoked one stops working now.
    pub(crate) async fn reload(&self) -> Result<(), StoreError> {
        let _alone = self.alone.lock().await;
        self.read().await
    }

    /// Deletes one of an environment, which is refused from now on, also when nobody waits for the rest or the rest fails halfway. False: there is none.
    pub(crate) async fn revoke(&self, environment: EnvironmentId, id: &CredentialId) -> Result<bool, StoreError> {
        let _alone = self.alone.lock().await;
        self.forget(environment, id);
        let revoked = self.store.delete_credential(environment, id).await;
        self.read().await?;
        revoked
    }

    fn forget(&self, environment: EnvironmentId, id: &CredentialId) {
        self.known.rcu(|known| {
            let mut left = BTreeMap::clone(known);
            if left.get(id).is_some_and(|credential| credential.environment == environment) {
                left.remove(id);
            }
            left
        });
    }

    async fn read(&self) -> Result<(), StoreError> {
        let credentials = self.store.credentials().await?.into_iter();
        let known = credentials.map(|credential| (credential.id.clone(), credential)).collect();
        self.known.store(Arc::new(known));
        Ok(())
    }
}

/// What others changed, and as far as this process has heard of it.
pub(crate) struct Heard {
    engine: Arc<Engine>,
    credentials: Arc<KnownCredentials>,
    keys: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    /// Held while it is asked and read: many who want to know at once share one question.
    hearing: Mutex<Hearing>,
}

#[derive(Default)]
struct Hearing {
    /// When the latest question was asked, in microseconds of the clock, and what came of it: nothing, when whoever asked was gone before the answer.
    asked_us: u64,
    answer: Option<Result<(), Problem>>,
    /// How often something had been changed when the credentials and keys were read.
    read: Option<u64>,
}

impl Heard {
    /// Nothing yet.
    pub(crate) fn nothing(engine: Arc<Engine>, credentials: Arc<KnownCredentials>, keys: Arc<Keyring>, clock: Arc<dyn Clock>) -> Self {
        Self {
            engine,
            credentials,
            keys,
            clock,
            hearing: Mutex::default(),
        }
    }

    /// Makes sure that what others changed before this call is known.
    pub(crate) async fn catch_up(&self) -> Result<(), Problem> {
        let called_us = self.clock.monotonic_us();
        let mut hearing = self.hearing.lock().await;
        if hearing.asked_us > called_us
            && let Some(answer) = &hearing.answer
        {
            return answer.clone();
        }
        hearing.asked_us = self.clock.monotonic_us();
        hearing.answer = None;
        let answer = self.ask(&mut hearing).await;
        hearing.answer = Some(answer.clone());
        answer
    }

    async fn ask(&self, hearing: &mut Hearing) -> Result<(), Problem> {
        let changes = self.engine.catch_up().await?;
        self.read(hearing, changes).await
    }

    async fn read(&self, hearing: &mut Hearing, changes: u64) -> Result<(), Problem> {
        if hearing.read != Some(changes) {
            self.credentials.reload().await?;
            self.keys.reload().await?;
            hearing.read = Some(changes);
        }
        Ok(())
    }

    async fn read_once(&self, changes: u64) -> Result<(), Problem> {
        let mut hearing = self.hearing.lock().await;
        self.read(&mut hearing, changes).await
    }

    /// Reads anew, until the end, whenever something was changed, by another node perhaps.
    pub(crate) async fn listen(self: Arc<Self>, shutdown: Shutdown) -> Result<(), Problem> {
        let mut changes = self.engine.changes();
        loop {
            let number = *changes.borrow_and_update();
            if let Err(problem) = self.read_once(number).await {
                tracing::warn!(%problem, "what may have been changed could not be read; it is tried again");
                tokio::select! {
                    biased;
                    () = shutdown.begun() => return Ok(()),
                    () = self.clock.sleep(TRY_AGAIN_AFTER) => continue,
                }
            }
            tokio::select! {
                biased;
                () = shutdown.begun() => return Ok(()),
                changed = changes.changed() => if changed.is_err() {
                    return Ok(()); // the engine is gone
                },
            }
        }
    }
}
