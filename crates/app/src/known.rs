//! What a process keeps in memory of who may ask: read when it starts, when it changes something itself, and when another node may have.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, Guard};
use tidings_engine::Engine;
use tidings_model::{Credential, CredentialId, EnvironmentId};
use tidings_runtime::{Clock, Shutdown};
use tidings_store::{Store, StoreError};
use tokio::sync::{Mutex, watch};

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

/// What others changed, as far as this process has heard of it.
#[derive(Default)]
pub(crate) struct Heard(Mutex<Hearing>);

#[derive(Default)]
struct Hearing {
    /// When the latest hearing began, in microseconds of the clock.
    begun_us: u64,
    /// How often something was changed by then.
    changes: u64,
}

impl Heard {
    /// Makes sure that what others changed before this call is known: many who call at once share one question.
    pub(crate) async fn catch_up(
        &self,
        engine: &Arc<Engine>,
        credentials: &KnownCredentials,
        keys: &Keyring,
        clock: &dyn Clock,
    ) -> Result<(), Problem> {
        let called_us = clock.monotonic_us();
        let mut hearing = self.0.lock().await;
        if hearing.begun_us > called_us {
            return Ok(());
        }
        hearing.begun_us = clock.monotonic_us();
        let changes = engine.catch_up().await?;
        if changes != hearing.changes {
            read_anew(credentials, keys).await?;
            hearing.changes = changes;
        }
        Ok(())
    }
}

/// Reads anew, until the end, what was changed, by another node perhaps.
pub(crate) async fn hear(
    mut changes: watch::Receiver<u64>,
    credentials: Arc<KnownCredentials>,
    keys: Arc<Keyring>,
    clock: Arc<dyn Clock>,
    shutdown: Shutdown,
) -> Result<(), Problem> {
    loop {
        tokio::select! {
            biased;
            () = shutdown.begun() => return Ok(()),
            changed = changes.changed() => if changed.is_err() {
                return Ok(()); // the engine is gone
            },
        }
        while let Err(problem) = read_anew(&credentials, &keys).await {
            tracing::warn!(%problem, "what may have been changed could not be read; it is tried again");
            tokio::select! {
                biased;
                () = shutdown.begun() => return Ok(()),
                () = clock.sleep(TRY_AGAIN_AFTER) => {}
            }
        }
    }
}

async fn read_anew(credentials: &KnownCredentials, keys: &Keyring) -> Result<(), Problem> {
    credentials.reload().await?;
    keys.reload().await
}
