//! A new key in the place of an old one, while everything goes on.
//!
//! Of the master key: the new one is put beside the old one (1), the store is told (2), this process seals with it (3), what the old one sealed is
//! sealed anew in small steps (4), the store notes that nothing is left (5), and the old one is gone (6). A crash after any of them leaves both keys
//! where the next start finds them, which goes on with the first step that is missing.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tidings_engine::sealing::{reseal_server_key, reseal_webhook, seal_server_key};
use tidings_model::limits::TOKEN_SECONDS_MAX;
use tidings_runtime::Shutdown;
use tidings_signing::{KeyId, MasterKey, OpenError};
use tidings_store::{AuditEntry, MasterKeyState, NewServerKey, ServerKeyPurpose, StoreError};

use super::live::seconds;
use super::{KeeperError, Keyring, LiveKeys};
use crate::problem::{Code, Problem};

/// Webhooks of which what is sealed is sealed anew in one transaction: small enough that accepting does not notice.
const RESEAL_WEBHOOKS: usize = 100;
/// How long after a failure the next try waits.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(30);
/// How long what a local command was given with a retired master key is accepted, in seconds: as long as its token lasts.
const LOCAL_TOKEN_SECONDS: u64 = 15 * 60;

impl Keyring {
    /// Goes on where the last process stopped, or begins what the keys ask for that this one was given.
    pub(super) async fn resume(&self, kept: KeyId, more_keys: bool) -> Result<(), Problem> {
        let current = self.vault.current();
        if current != kept {
            self.replace_token_key(TOKEN_SECONDS_MAX).await?;
            self.store.change_master_key(current.bytes(), self.clock.now()).await?;
            tracing::info!(from = %kept, to = %current, "the master key changes: what is sealed is sealed anew from now on");
        }
        if more_keys || self.is_retiring().await? {
            self.begin_work();
        }
        Ok(())
    }

    /// Gives the master key a successor. The work that follows is done by [`Self::tick`]. `cut_off`: access tokens that are out there end now rather
    /// than by themselves, and so do those of local commands, when the old key is gone. `replaces`: the key that whoever asks has seen, and may have kept
    /// a copy of.
    ///
    /// # Errors
    /// [`Code::Conflict`] when the key is given from outside, is being changed already, or is another than the one that is to be replaced.
    pub async fn rotate_master(&self, replaces: Option<&str>, cut_off: bool) -> Result<(KeyId, KeyId), Problem> {
        let under_way = || {
            Problem::new(
                Code::Conflict,
                "keys are being changed already; `tidings keys list` says how far it is",
            )
        };
        let _alone = self.changing.try_lock().map_err(|_| under_way())?;
        if self.is_retiring().await? {
            return Err(under_way());
        }
        let before = self.vault.current();
        if let Some(replaces) = replaces.filter(|replaces| *replaces != before.to_string()) {
            let detail = format!("the master key in use is {before}, not {replaces}: nothing was changed");
            return Err(Problem::new(Code::Conflict, detail));
        }
        let next = MasterKey::from_bytes(self.entropy.bytes32());
        let keeper = Arc::clone(&self.keeper);
        let prepared = tokio::task::spawn_blocking(move || keeper.prepare(&next)).await;
        let next = prepared.map_err(|error| Problem::new(Code::Internal, error.to_string()))??;
        self.replace_token_key(if cut_off { 0 } else { TOKEN_SECONDS_MAX }).await?;
        self.store.change_master_key(next.id().bytes(), self.clock.now()).await?;
        {
            let _nothing_is_on_its_way = self.sealing.write().await;
            self.vault.change_to(&next);
        }
        let after = next.id();
        self.masters.lock().change_to(next, cut_off);
        self.reload().await?;
        self.begin_work();
        Ok((before, after))
    }

    /// Gives the key of access tokens a successor. `cut_off`: those that are out there end now, rather than by themselves.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn rotate_tokens(&self, cut_off: bool) -> Result<(), Problem> {
        let _alone = self.changing.lock().await;
        self.replace_token_key(if cut_off { 0 } else { TOKEN_SECONDS_MAX }).await
    }

    async fn replace_token_key(&self, overlap_secs: u64) -> Result<(), Problem> {
        let purpose = ServerKeyPurpose::AccessTokens;
        let own = self.store.server_keys().await?;
        let in_use = own.iter().find(|key| key.purpose == purpose && key.ends_at.is_none());
        let key = zeroize::Zeroizing::new(self.entropy.bytes32());
        let at = self.clock.now();
        let new = NewServerKey {
            purpose,
            replaces: in_use.map(|key| key.number),
            sealed: seal_server_key(&self.vault, &*self.entropy, purpose, &key),
            at,
            older_until: at + Duration::from_secs(overlap_secs),
        };
        if !self.store.change_server_key(&new).await? {
            return Err(Problem::new(
                Code::Conflict,
                "another node changes the key of access tokens; try again",
            ));
        }
        self.reload().await
    }

    /// Uses the keys that the store and this process hold now, and forgets what was verified with others.
    pub(crate) async fn reload(&self) -> Result<(), Problem> {
        let _alone = self.reloading.lock().await;
        let own = self.store.server_keys().await?;
        let live = LiveKeys::of(&self.vault, &self.masters.lock(), &own)?;
        self.live.store(Arc::new(live));
        Ok(())
    }

    async fn is_retiring(&self) -> Result<bool, StoreError> {
        let keys = self.store.master_keys().await?;
        Ok(keys.iter().any(|key| key.state == MasterKeyState::Retiring))
    }

    fn begin_work(&self) {
        self.unfinished.store(true, Ordering::SeqCst);
        self.nudge.notify_one();
    }

    /// Does what is left to do, now and whenever something is, until the shutdown.
    pub(crate) async fn run(self: Arc<Self>, shutdown: Shutdown) -> Result<(), StoreError> {
        loop {
            let again = async {
                if self.unfinished.load(Ordering::SeqCst) {
                    self.clock.sleep(TRY_AGAIN_AFTER).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                biased;
                () = shutdown.begun() => return Ok(()),
                () = self.nudge.notified() => {}
                () = again => {}
            }
            tokio::select! {
                biased;
                () = shutdown.begun() => return Ok(()), // what is left is done after the next start
                done = self.tick() => if let Err(problem) = done {
                    tracing::warn!(%problem, "what an older key sealed could not be sealed anew; it is tried again");
                },
            }
        }
    }

    /// Seals anew what another key sealed, and lets older keys go when nothing is left of it. True: nothing is left to do.
    ///
    /// # Errors
    /// Those of the store and of whoever keeps the key; what was done stays done.
    pub async fn tick(&self) -> Result<bool, Problem> {
        if !self.unfinished.load(Ordering::SeqCst) {
            return Ok(true);
        }
        let _alone = self.changing.lock().await;
        self.reseal_all().await?;
        for missing in self.missing().await? {
            tracing::error!("{missing}");
        }
        let mut retired = Vec::new();
        for key in self.store.master_keys().await? {
            if key.state != MasterKeyState::Retiring {
                continue;
            }
            if !self.store.retire_master_key(key.id).await? {
                return Ok(false); // something changed in between, or cannot be opened: it is told
            }
            retired.push(KeyId::from_bytes(key.id));
        }
        let keeper = Arc::clone(&self.keeper);
        let finished = tokio::task::spawn_blocking(move || keeper.finish()).await;
        finished.map_err(|error| Problem::new(Code::Internal, error.to_string()))??;
        self.let_go(&retired).await?;
        self.unfinished.store(false, Ordering::SeqCst);
        Ok(true)
    }

    /// Ends what older master keys signed, and tells that they are retired.
    async fn let_go(&self, retired: &[KeyId]) -> Result<(), Problem> {
        let now = self.clock.now();
        {
            let mut masters = self.masters.lock();
            let overlap = if masters.cut_off { 0 } else { LOCAL_TOKEN_SECONDS };
            masters.end_older(seconds(now) + overlap);
        }
        self.reload().await?;
        for id in retired {
            tracing::info!(key = %id, current = %self.vault.current(), "nothing here needs that master key any more; backups that were made with it do");
            let entry = AuditEntry {
                at: now,
                actor: "server".to_owned(),
                action: "master-key.retired".to_owned(),
                environment: None,
                target: id.to_string(),
                detail: format!("everything is sealed with {}", self.vault.current()),
            };
            self.store.record_audit(&entry).await?;
        }
        if !self.keeper.may_change() {
            tracing::info!("TIDINGS_OLD_MASTER_KEY is not needed any more: take it away before the next start");
        }
        Ok(())
    }

    /// Walks once through everything that other keys than the current one sealed.
    async fn reseal_all(&self) -> Result<(), Problem> {
        let current = self.vault.current().bytes();
        let mut anew = Vec::new();
        for key in self.store.server_keys().await? {
            let resealed = reseal_server_key(&self.vault, &*self.entropy, &key)
                .map_err(|error| Problem::new(Code::Internal, format!("a key of the server's own cannot be opened: {error}")))?;
            anew.extend(resealed);
        }
        self.store.reseal(anew).await?;
        let mut after = None;
        loop {
            let found = self.store.sealed_webhooks(current, after, RESEAL_WEBHOOKS).await?;
            let Some(last) = found.last() else { return Ok(()) };
            after = Some(last.id);
            let mut anew = Vec::new();
            for webhook in &found {
                let (values, closed) = reseal_webhook(&self.vault, &*self.entropy, webhook);
                anew.extend(values);
                // That a key was not given is told once of all webhooks.
                if let Some(error) = closed.filter(|error| !matches!(error, OpenError::UnknownKey { .. })) {
                    tracing::error!(webhook = %webhook.id, %error, "something that a webhook keeps cannot be sealed anew: set its secret and its headers anew");
                }
            }
            self.store.reseal(anew).await?;
        }
    }
}

impl From<KeeperError> for Problem {
    fn from(error: KeeperError) -> Self {
        let code = match error {
            KeeperError::Given => Code::Conflict,
            KeeperError::Failed(_) => Code::Unavailable, // a disk that is full, for one
        };
        Self::new(code, error.to_string())
    }
}
