//! The vault: small secrets sealed for the store, so that a stolen database file gives nothing away.
//!
//! An envelope is `version (1) | key id (4) | nonce (12) | ciphertext and tag (16)`, AES-256-GCM. The context
//! (say, the webhook's id) is authenticated with it: an envelope moved to another row does not open.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use zeroize::Zeroizing;

use crate::{KeyId, MasterKey};

/// The only layout so far; another one gets another first byte.
const VERSION: u8 = 1;

/// What the envelope's key is derived for.
const PURPOSE: &str = "vault";

/// What to do about a master key that is needed beside the one in use, and was not given.
pub const GIVE_OLD_KEY: &str = "start the server with that key as TIDINGS_OLD_MASTER_KEY (old_master_key in the configuration file), until `tidings keys list` \
                                shows it as retired";

/// Seals with the current master key, opens with any that it was given.
pub struct Vault(ArcSwap<SealingKeys>);

/// The keys of a moment: the one that seals first.
struct SealingKeys {
    current: Arc<SealingKey>,
    older: Vec<Arc<SealingKey>>,
}

/// Why an envelope did not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Sealed by a later version of Tidings.
    #[error("the envelope has version {version}, which this version of Tidings does not know; run the newer one again")]
    Version {
        /// The version found.
        version: u8,
    },
    /// Sealed with a master key that was not given.
    #[error("sealed with master key {id}, which was not given: {GIVE_OLD_KEY}")]
    UnknownKey {
        /// The key that is needed.
        id: KeyId,
    },
    /// The bytes were changed, cut off, or moved to a place that they were not sealed for.
    #[error("the sealed secret is damaged or belongs to another place; restore it from a backup or set it anew")]
    Damaged,
}

struct SealingKey {
    id: KeyId,
    key: LessSafeKey,
}

impl SealingKey {
    fn new(master: &MasterKey) -> Self {
        let bytes = Zeroizing::new(master.derive(PURPOSE));
        let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice()).expect("AES-256 takes any 32 bytes as its key");
        Self {
            id: master.id(),
            key: LessSafeKey::new(key),
        }
    }
}

impl Vault {
    /// A vault that seals with `current`, and still opens what one of `older` sealed.
    pub fn new(current: &MasterKey, older: &[MasterKey]) -> Self {
        Self(ArcSwap::from_pointee(SealingKeys {
            current: Arc::new(SealingKey::new(current)),
            older: older.iter().map(SealingKey::new).map(Arc::new).collect(),
        }))
    }

    /// Seals with `next` from now on, and still opens what was sealed before.
    ///
    /// Whoever sealed something in this moment may still write it under the key before: the store is asked what is left under that one.
    pub fn change_to(&self, next: &MasterKey) {
        let next = Arc::new(SealingKey::new(next));
        self.0.rcu(|keys| SealingKeys {
            older: keys.all().filter(|key| key.id != next.id).cloned().collect(),
            current: Arc::clone(&next),
        });
    }

    /// Seals `plaintext` for the place that `context` names.
    ///
    /// `nonce` must be 12 random bytes, fresh for every call: the same nonce twice under one key breaks AES-GCM.
    /// Random ones are safe for some four thousand million seals under one master key.
    pub fn seal(&self, plaintext: &[u8], nonce: [u8; NONCE_LEN], context: &[u8]) -> Vec<u8> {
        let keys = self.0.load();
        let SealingKey { id, key } = &*keys.current;
        let mut sealed = Vec::with_capacity(plaintext.len() + AES_256_GCM.tag_len());
        sealed.extend_from_slice(plaintext);
        key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut sealed)
            .expect("AES-GCM seals anything below 64 GiB");
        [&[VERSION], id.0.as_slice(), &nonce, &sealed].concat()
    }

    /// Opens an envelope that was sealed for the place that `context` names.
    ///
    /// # Errors
    /// When the envelope's version or key is unknown, or when it is damaged or was sealed for another place.
    pub fn open(&self, envelope: &[u8], context: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (&version, rest) = envelope.split_first().ok_or(OpenError::Damaged)?;
        if version != VERSION {
            return Err(OpenError::Version { version });
        }
        let (&id, rest) = rest.split_first_chunk().ok_or(OpenError::Damaged)?;
        let (&nonce, sealed) = rest.split_first_chunk().ok_or(OpenError::Damaged)?;
        let key = self.key(KeyId(id))?;
        let mut buffer = Zeroizing::new(sealed.to_vec());
        let length = key
            .key
            .open_in_place(Nonce::assume_unique_for_key(nonce), Aad::from(context), &mut buffer)
            .map_err(|_| OpenError::Damaged)?
            .len();
        buffer.truncate(length);
        Ok(buffer)
    }

    /// The key that it seals with.
    pub fn current(&self) -> KeyId {
        self.0.load().current.id
    }

    /// Whether it opens what that key sealed.
    pub fn opens(&self, id: KeyId) -> bool {
        self.key(id).is_ok()
    }

    /// Whether the current key sealed this envelope. One that it did not seal should be opened and sealed again, so
    /// that the older key can be retired.
    pub fn is_current(&self, envelope: &[u8]) -> bool {
        envelope
            .strip_prefix(&[VERSION])
            .is_some_and(|rest| rest.starts_with(&self.current().0))
    }

    fn key(&self, id: KeyId) -> Result<Arc<SealingKey>, OpenError> {
        let keys = self.0.load();
        let found = keys.all().find(|candidate| candidate.id == id).cloned();
        found.ok_or(OpenError::UnknownKey { id })
    }
}

impl SealingKeys {
    fn all(&self) -> impl Iterator<Item = &Arc<SealingKey>> {
        std::iter::once(&self.current).chain(&self.older)
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vault").field("current", &self.current()).finish_non_exhaustive()
    }
}
