//! The keys of a moment, and the tokens that were verified with them. Changed as a whole: what was verified with keys that are gone is gone with them.

use tidings_model::Timestamp;
use tidings_signing::{MasterKey, TokenKeys, Vault};
use tidings_store::{ServerKey, ServerKeyPurpose};

use super::{LOCAL_TOKEN_PURPOSE, MasterKeys, open};
use crate::links::LINK_KEY_PURPOSE;
use crate::problem::{Code, Problem};
use crate::verified::VerifiedTokens;

/// The master keys of a moment.
pub(super) struct Masters {
    pub(super) current: MasterKey,
    /// With the Unix second until which what was signed with them is accepted.
    pub(super) older: Vec<(MasterKey, u64)>,
    /// Whether what older ones signed ends when they are retired, rather than a while later.
    pub(super) cut_off: bool,
}

impl Masters {
    pub(super) fn new(keys: &MasterKeys) -> Self {
        Self {
            current: keys.current.clone(),
            older: keys.older.iter().map(|key| (key.clone(), u64::MAX)).collect(),
            cut_off: false,
        }
    }

    /// Another one is the current one.
    pub(super) fn change_to(&mut self, next: MasterKey, cut_off: bool) {
        let before = std::mem::replace(&mut self.current, next);
        self.older.insert(0, (before, u64::MAX));
        self.cut_off = cut_off;
    }

    /// What the older ones signed is accepted until then at most.
    pub(super) fn end_older(&mut self, until_secs: u64) {
        for (_, until) in &mut self.older {
            *until = until_secs.min(*until);
        }
    }

    fn token_keys(&self, purpose: &str) -> TokenKeys {
        let older: Vec<_> = self.older.iter().map(|(key, until)| (key.derive(purpose), *until)).collect();
        TokenKeys::new(&self.current.derive(purpose), &older)
    }
}

/// See the module.
pub(crate) struct LiveKeys {
    /// Access tokens.
    pub(crate) tokens: TokenKeys,
    /// Tokens of whoever can read the master key.
    pub(crate) local: TokenKeys,
    /// Links with which people choose a password.
    pub(crate) links: TokenKeys,
    /// Access tokens that were verified with these.
    pub(crate) verified: VerifiedTokens,
}

impl LiveKeys {
    pub(super) fn of(vault: &Vault, masters: &Masters, own: &[ServerKey]) -> Result<Self, Problem> {
        let (mut current, mut older) = (None, Vec::new());
        for key in own.iter().filter(|key| key.purpose == ServerKeyPurpose::AccessTokens) {
            let bytes = open(vault, key)?;
            match key.ends_at {
                None => current = Some(bytes),
                Some(ends_at) => older.push((*bytes, seconds(ends_at))),
            }
        }
        let current = current.ok_or_else(|| Problem::new(Code::Internal, "the store keeps no key for access tokens"))?;
        Ok(Self {
            tokens: TokenKeys::new(&current, &older),
            local: masters.token_keys(LOCAL_TOKEN_PURPOSE),
            links: masters.token_keys(LINK_KEY_PURPOSE),
            verified: VerifiedTokens::default(),
        })
    }
}

pub(super) fn seconds(at: Timestamp) -> u64 {
    at.as_seconds().unsigned_abs()
}
