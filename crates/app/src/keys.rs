//! The keys of a server: the master key that seals what is secret in the store, and the server's own keys, which are sealed there too.
//!
//! Owns: which keys are in use in this process, giving a new one in the place of an old one while everything goes on, and what that leaves to be done
//! after a crash. `docs/adr/0012-rotating-keys.md` says why each step is where it is.
//!
//! Never knows: where the master key is kept. A [`KeyKeeper`] does.

mod live;
mod rotation;
mod verbs;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use arc_swap::ArcSwap;
use tidings_engine::sealing::{check_master_key, open_server_key, seal_server_key};
use tidings_model::Timestamp;
use tidings_runtime::{Clock, Entropy};
use tidings_signing::{CredentialHasher, GIVE_OLD_KEY, KeyId, MasterKey, Vault};
use tidings_store::{NewServerKey, ServerKey, ServerKeyPurpose, Store};
use tokio::sync::{Mutex, Notify, RwLock, RwLockReadGuard};

pub(crate) use self::live::LiveKeys;
use self::live::Masters;
pub use self::verbs::{Keys, MasterKeyView, TokenKeyView};
use crate::problem::{Code, Problem};

/// The purpose of the key that a local command signs its token with.
pub const LOCAL_TOKEN_PURPOSE: &str = "tidings local tokens";
/// The purpose of the first key that signs access tokens.
const TOKEN_KEY_PURPOSE: &str = "tidings access tokens";
/// The purpose of the key that hashes client secrets.
const CREDENTIAL_KEY_PURPOSE: &str = "tidings client secrets";

/// A master key that is needed, and was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{sealed} secrets are sealed with the master key {id}, which was not given, and nothing that they belong to can be sent: {GIVE_OLD_KEY}"
)]
pub struct MissingKey {
    /// Its name.
    pub id: KeyId,
    /// How many secrets need it.
    pub sealed: u64,
}

/// Where a master key is kept. What it does takes as long as a file takes.
pub trait KeyKeeper: fmt::Debug + Send + Sync {
    /// Puts another key beside the one in use, so that both are there after a crash, and gives it; one that lies beside it already is given instead.
    ///
    /// # Errors
    /// When the key is not this server's to change, or cannot be written.
    fn prepare(&self, next: &MasterKey) -> Result<MasterKey, KeeperError>;

    /// Lets the key that lies beside the one in use take its place; nothing happens when there is none.
    ///
    /// # Errors
    /// When it cannot be written.
    fn finish(&self) -> Result<(), KeeperError>;

    /// Whether it is this server's to change.
    fn may_change(&self) -> bool;
}

/// A master key was not put where it belongs.
#[derive(Debug, thiserror::Error)]
pub enum KeeperError {
    /// The operator gives the key and keeps it, for this server or for all nodes of a database.
    #[error(
        "the master key is given from outside, or shared by the nodes of a database, so a new one is too: start the server with the new key as TIDINGS_MASTER_KEY and the one before as \
         TIDINGS_OLD_MASTER_KEY; it seals everything anew while it serves, and `tidings keys list` says when the old one is not needed any more"
    )]
    Given,
    /// It cannot be written; the text says what and why.
    #[error("{0}")]
    Failed(String),
}

/// Keeps a master key that the operator gives and keeps.
#[derive(Debug)]
pub struct GivenKey;

impl KeyKeeper for GivenKey {
    fn prepare(&self, _next: &MasterKey) -> Result<MasterKey, KeeperError> {
        Err(KeeperError::Given)
    }

    fn finish(&self) -> Result<(), KeeperError> {
        Ok(())
    }

    fn may_change(&self) -> bool {
        false
    }
}

/// The master keys that a process was started with.
#[derive(Clone, Debug)]
pub struct MasterKeys {
    /// Seals.
    pub current: MasterKey,
    /// Sealed what may not be sealed anew yet.
    pub older: Vec<MasterKey>,
    /// Where they are kept.
    pub keeper: Arc<dyn KeyKeeper>,
}

impl MasterKeys {
    /// One key, given from outside.
    pub fn given(current: MasterKey) -> Self {
        Self {
            current,
            older: Vec::new(),
            keeper: Arc::new(GivenKey),
        }
    }

    /// A vault with these keys.
    pub fn vault(&self) -> Vault {
        Vault::new(&self.current, &self.older)
    }

    fn find(&self, id: KeyId) -> Option<&MasterKey> {
        std::iter::once(&self.current).chain(&self.older).find(|key| key.id() == id)
    }

    /// Their names, that of the current one first.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        std::iter::once(&self.current).chain(&self.older).map(MasterKey::id)
    }
}

/// What a keyring is made of.
pub struct KeyringParts {
    /// The database.
    pub store: Arc<dyn Store>,
    /// Seals, with the keys of `master_keys`.
    pub vault: Arc<Vault>,
    /// The master keys.
    pub master_keys: MasterKeys,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
}

/// The keys of a process. See the module.
pub struct Keyring {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    keeper: Arc<dyn KeyKeeper>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    masters: parking_lot::Mutex<Masters>,
    live: ArcSwap<LiveKeys>,
    hasher: CredentialHasher,
    /// Held to read while something is sealed and written; to write while the key changes: then nothing is on its way under the key before.
    sealing: RwLock<()>,
    /// Held while keys are changed: one change at a time.
    changing: Mutex<()>,
    /// Held while the keys are read: what was read first must not replace what was read later.
    reloading: Mutex<()>,
    /// Whether something may be left that another key sealed.
    unfinished: AtomicBool,
    nudge: Notify,
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").field("vault", &self.vault).finish_non_exhaustive()
    }
}

impl Keyring {
    /// Finds the server's own keys, makes those that are missing, and begins what the master keys that were given ask for.
    ///
    /// # Errors
    /// When the store does not answer, or keeps something that the keys do not open.
    pub async fn open(parts: KeyringParts) -> Result<Self, Problem> {
        let KeyringParts {
            store,
            vault,
            master_keys,
            clock,
            entropy,
        } = parts;
        let kept = check_master_key(&*store, &vault, clock.now())
            .await
            .map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        let kept_key = master_keys.find(kept).unwrap_or(&master_keys.current);
        let own = ensure_own_keys(&*store, &vault, &*entropy, kept_key, clock.now()).await?;
        let secrets = own.iter().find(|key| key.purpose == ServerKeyPurpose::ClientSecrets);
        let secrets = secrets.ok_or_else(|| Problem::new(Code::Internal, "the store keeps no key for client secrets"))?;
        let hasher = CredentialHasher::new(&*open(&vault, secrets)?, &[]);
        let masters = Masters::new(&master_keys);
        let keyring = Self {
            live: ArcSwap::from_pointee(LiveKeys::of(&vault, &masters, &own)?),
            masters: parking_lot::Mutex::new(masters),
            hasher,
            keeper: master_keys.keeper,
            store,
            vault,
            clock,
            entropy,
            sealing: RwLock::default(),
            changing: Mutex::default(),
            reloading: Mutex::default(),
            unfinished: AtomicBool::default(),
            nudge: Notify::new(),
        };
        keyring.resume(kept, !master_keys.older.is_empty()).await?;
        Ok(keyring)
    }

    /// The keys that tokens and links are checked with at this moment.
    pub(crate) fn live(&self) -> arc_swap::Guard<Arc<LiveKeys>> {
        self.live.load()
    }

    /// Hashes client secrets.
    pub(crate) const fn hasher(&self) -> &CredentialHasher {
        &self.hasher
    }

    /// Held by whoever seals something, until it is written.
    pub(crate) async fn sealing(&self) -> RwLockReadGuard<'_, ()> {
        self.sealing.read().await
    }
}

/// The server's own keys. The first of each purpose are derived from the master key, so that nodes that start at once make the same.
async fn ensure_own_keys(
    store: &dyn Store,
    vault: &Vault,
    entropy: &dyn Entropy,
    master_key: &MasterKey,
    at: Timestamp,
) -> Result<Vec<ServerKey>, Problem> {
    let mut own = store.server_keys().await?;
    let mut made = false;
    for (purpose, derived_for) in [
        (ServerKeyPurpose::AccessTokens, TOKEN_KEY_PURPOSE),
        (ServerKeyPurpose::ClientSecrets, CREDENTIAL_KEY_PURPOSE),
    ] {
        if !own.iter().any(|key| key.purpose == purpose && key.ends_at.is_none()) {
            let key = zeroize::Zeroizing::new(master_key.derive(derived_for));
            let new = NewServerKey {
                purpose,
                replaces: None,
                sealed: seal_server_key(vault, entropy, purpose, &key),
                at,
                older_until: at,
            };
            store.change_server_key(&new).await?; // false: another node was faster, and made the same
            made = true;
        }
    }
    if made {
        own = store.server_keys().await?;
    }
    Ok(own)
}

fn open(vault: &Vault, key: &ServerKey) -> Result<zeroize::Zeroizing<[u8; 32]>, Problem> {
    open_server_key(vault, key).map_err(|error| {
        Problem::new(
            Code::Internal,
            format!(
                "a key of the server's own, number {}, {error}; restore the database and its master key from one backup",
                key.number
            ),
        )
    })
}
