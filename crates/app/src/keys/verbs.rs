//! What operators ask of the keys.

use std::sync::Arc;

use tidings_engine::sealing::open_server_key;
use tidings_model::Timestamp;
use tidings_runtime::OnError;
use tidings_signing::{KeyId, TokenKeys};
use tidings_store::{MasterKeyState, MasterKeyUse, ServerKeyPurpose, StoreError};
use tokio::sync::oneshot;

use super::{Keyring, MissingKey};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Code, Problem};

/// The keys of a server, by their names; never a key.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Whether the master key is given from outside, so that it is changed there too.
    pub given: bool,
    /// The master keys: the current one, then those before it.
    pub master: Vec<MasterKeyView>,
    /// The keys that sign access tokens, the one in use last.
    pub tokens: Vec<TokenKeyView>,
}

/// A master key.
#[derive(Clone, Debug)]
pub struct MasterKeyView {
    /// Its name.
    pub name: String,
    /// `current`, `retiring` while something that it sealed is left, `retired`.
    pub state: &'static str,
    /// Since when it seals, or sealed.
    pub since: Timestamp,
    /// How many secrets are sealed with it.
    pub sealed: u64,
}

/// A key that signs access tokens.
#[derive(Clone, Debug)]
pub struct TokenKeyView {
    /// The name that tokens carry as `kid`.
    pub name: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// When its tokens are not accepted any more; `None` for the one in use.
    pub ends_at: Option<Timestamp>,
}

impl Keyring {
    /// The master keys that something is sealed with, and that were not given.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn missing(&self) -> Result<Vec<MissingKey>, StoreError> {
        let keys = self.store.master_keys().await?.into_iter();
        let needed = keys.filter(|key| key.sealed > 0).map(|key| MissingKey {
            id: KeyId::from_bytes(key.id),
            sealed: key.sealed,
        });
        Ok(needed.filter(|key| !self.vault.opens(key.id)).collect())
    }

    /// The keys, by their names.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self) -> Result<Keys, Problem> {
        let mut tokens = Vec::new();
        for key in self.store.server_keys().await? {
            if key.purpose == ServerKeyPurpose::AccessTokens {
                let bytes = open_server_key(&self.vault, &key).map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
                tokens.push(TokenKeyView {
                    name: TokenKeys::name_of(&bytes),
                    made_at: key.made_at,
                    ends_at: key.ends_at,
                });
            }
        }
        Ok(Keys {
            given: !self.keeper.may_change(),
            master: self.store.master_keys().await?.into_iter().map(MasterKeyView::from).collect(),
            tokens,
        })
    }
}

impl From<MasterKeyUse> for MasterKeyView {
    fn from(key: MasterKeyUse) -> Self {
        Self {
            name: KeyId::from_bytes(key.id).to_string(),
            state: match key.state {
                MasterKeyState::Current => "current",
                MasterKeyState::Retiring => "retiring",
                MasterKeyState::Retired => "retired",
            },
            since: key.since,
            sealed: key.sealed,
        }
    }
}

impl App {
    /// The keys of this server, by their names: for operators.
    pub async fn keys(&self, caller: &Caller) -> Result<Keys, Problem> {
        caller.can_operate()?;
        self.keys.list().await
    }

    /// Gives the master key a successor, with which everything is sealed anew while the server serves. See [`Keyring::rotate_master`].
    pub async fn rotate_master_key(&self, caller: &Caller, replaces: Option<String>, cut_off: bool) -> Result<Keys, Problem> {
        caller.can_operate()?;
        let keyring = Arc::clone(&self.keys);
        let (before, after) = self
            .to_its_end("rotate master key", async move {
                keyring.rotate_master(replaces.as_deref(), cut_off).await
            })
            .await?;
        let detail = format!("was {before}; {}", tokens_end(cut_off));
        self.record(caller, "master-key.rotated", None, &after.to_string(), &detail).await;
        self.keys.list().await
    }

    /// Gives the key of access tokens a successor. See [`Keyring::rotate_tokens`].
    pub async fn rotate_token_key(&self, caller: &Caller, cut_off: bool) -> Result<Keys, Problem> {
        caller.can_operate()?;
        let keyring = Arc::clone(&self.keys);
        self.to_its_end("rotate token key", async move { keyring.rotate_tokens(cut_off).await })
            .await?;
        let keys = self.keys.list().await?;
        let name = keys.tokens.last().map_or("", |key| key.name.as_str());
        self.record(caller, "token-key.rotated", None, name, tokens_end(cut_off)).await;
        Ok(keys)
    }

    /// Waits for work that is done to its end also when nobody waits for it any more: half of it would help nobody.
    pub(crate) async fn to_its_end<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl Future<Output = Result<T, Problem>> + Send + 'static,
    ) -> Result<T, Problem> {
        let (tell, told) = oneshot::channel();
        self.tasks.spawn(name, OnError::Log, async move {
            let _ = tell.send(work.await); // nobody waits any more
            Ok::<(), Problem>(())
        });
        told.await
            .map_err(|_| Problem::new(Code::Unavailable, "the server is stopping; ask again when it runs"))?
    }
}

const fn tokens_end(cut_off: bool) -> &'static str {
    if cut_off {
        "access tokens ended at once"
    } else {
        "access tokens end by themselves"
    }
}
