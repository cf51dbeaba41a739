//! The keys of a data folder on which no server runs: the same work, done by the command itself.

use std::sync::Arc;

use tidings_app::keys::{KeeperError, Keyring, KeyringParts, Keys};
use tidings_app::{AuditEntry, Code};
use tidings_client::{MasterKey, TokenKey};
use tidings_engine::sealing::check_master_key;
use tidings_runtime::{Clock, Entropy, SystemClock, SystemEntropy};
use tidings_store::Store;
use tidings_store_sqlite::{SqliteOptions, SqliteStore};

use super::{done_words, rows, tokens_words};
use crate::config::AskConfig;
use crate::data_folder::DataFolder;
use crate::failure::{CommandError, Outcome};
use crate::node::NodeError;
use crate::output::{Format, print, say};

/// What is said when an older key has to stay, although it is given.
const UNFINISHED: &str = "something that an older master key sealed is damaged, so that key stays; a server's log says of which webhook: set its secret and its \
                          headers anew";

/// A data folder that this command has to itself.
pub(super) struct Offline {
    store: Arc<SqliteStore>,
    clock: Arc<dyn Clock>,
    keyring: Keyring,
    output: Format,
}

impl Offline {
    /// Opens the folder as a server does, and finishes what an earlier change of keys left. Refused while a server runs on it.
    pub(super) async fn open(config: &AskConfig) -> Result<Self, CommandError> {
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let folder = DataFolder::of_command(config, &*entropy)?;
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let store = SqliteStore::open(folder.path(), SqliteOptions::new(Arc::clone(&clock))).map_err(NodeError::from)?;
        let store = Arc::new(store);
        let master_keys = folder.master_keys().clone();
        let vault = Arc::new(master_keys.vault());
        check_master_key(&*store, &vault, clock.now()).await.map_err(NodeError::from)?;
        let keyring = Keyring::open(KeyringParts {
            store: store.clone(),
            vault,
            master_keys,
            clock: Arc::clone(&clock),
            entropy,
        })
        .await
        .map_err(NodeError::from)?;
        let finished = keyring.tick().await.map_err(NodeError::from)?;
        let missing = keyring.missing().await.map_err(NodeError::from)?;
        for missing in &missing {
            say(&missing.to_string());
        }
        if !finished && missing.is_empty() {
            say(UNFINISHED);
        }
        Ok(Self {
            store,
            clock,
            keyring,
            output: config.output,
        })
    }

    /// Whether the master key can be changed here and now.
    pub(super) async fn can_rotate(&self) -> Outcome {
        let keys = self.keyring.list().await.map_err(NodeError::from)?;
        if keys.given {
            return Err(KeeperError::Given.into());
        }
        let missing = self.keyring.missing().await.map_err(NodeError::from)?;
        missing.first().map_or(Ok(()), |missing| Err((*missing).into()))
    }

    /// Shows the keys.
    pub(super) async fn list(self) -> Outcome {
        let keys = self.keyring.list().await.map_err(NodeError::from)?;
        self.store.close().await;
        let keys = as_told(keys);
        Ok(print(&match self.output {
            Format::Json => serde_json::to_string(&keys).map_err(anyhow::Error::from)?,
            Format::Table => rows(&keys),
        })?)
    }

    /// Changes the key of access tokens.
    pub(super) async fn rotate_tokens(self, cut_off: bool) -> Outcome {
        self.keyring.rotate_tokens(cut_off).await.map_err(NodeError::from)?;
        self.record("token-key.rotated", String::new(), String::new()).await?;
        say(tokens_words(cut_off));
        self.list().await
    }

    /// Changes the master key, from the first step to the last.
    pub(super) async fn rotate_master(self, cut_off: bool) -> Outcome {
        let (before, after) = self
            .keyring
            .rotate_master(None, cut_off)
            .await
            .map_err(|problem| match problem.code {
                Code::Conflict => CommandError::KeysChanging(problem.detail),
                _ => NodeError::from(problem).into(),
            })?;
        self.record("master-key.rotated", after.to_string(), format!("was {before}"))
            .await?;
        if !self.keyring.tick().await.map_err(NodeError::from)? {
            return Err(CommandError::Other(anyhow::Error::msg(UNFINISHED)));
        }
        say(&done_words(cut_off));
        self.list().await
    }

    async fn record(&self, action: &str, target: String, detail: String) -> Result<(), CommandError> {
        let entry = AuditEntry {
            at: self.clock.now(),
            actor: "local".to_owned(),
            action: action.to_owned(),
            environment: None,
            target,
            detail,
        };
        Ok(self.store.record_audit(&entry).await.map_err(NodeError::from)?)
    }
}

/// The keys as a server would tell them.
fn as_told(keys: Keys) -> tidings_client::Keys {
    let master = keys.master.into_iter().map(|key| MasterKey {
        id: key.name,
        state: key.state.to_owned(),
        since: key.since.to_string(),
        sealed: key.sealed,
    });
    let tokens = keys.tokens.into_iter().map(|key| TokenKey {
        id: key.name,
        made_at: key.made_at.to_string(),
        ends_at: key.ends_at.map(|ends_at| ends_at.to_string()),
    });
    tidings_client::Keys {
        given: keys.given,
        master_keys: master.collect(),
        token_keys: tokens.collect(),
    }
}
