//! Access tokens that were verified already. A producer sends the same token with every event, and verifying it again costs more than everything else
//! that authenticating does. What changes is asked at every use: whether it has expired, and whether its credential is still there. When the keys change,
//! [`LiveKeys`](crate::keys::LiveKeys) brings an empty one of these.

use std::collections::HashMap;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use parking_lot::RwLock;
use tidings_model::{CredentialId, EnvironmentId, Scopes, TenantId};

use crate::tokens::TokenKind;

/// Tokens that are remembered at most; then all are forgotten and verified anew.
const REMEMBERED_MAX: usize = 4_096;

/// What a genuine token says.
#[derive(Clone, Debug)]
pub(crate) struct Verified {
    pub(crate) kind: TokenKind,
    pub(crate) credential: Option<CredentialId>,
    pub(crate) environment: Option<EnvironmentId>,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) scopes: Scopes,
    /// Seconds since 1970 at which it, or its key, ends.
    pub(crate) until_secs: u64,
}

/// Looked up by its digest: how long that takes tells nothing about tokens that others have.
pub(crate) type TokenDigest = [u8; SHA256_OUTPUT_LEN];

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct VerifiedTokens(RwLock<HashMap<TokenDigest, Verified>>);

impl VerifiedTokens {
    /// What a token is known by here.
    pub(crate) fn digest(token: &str) -> TokenDigest {
        digest(&SHA256, token.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
    }

    /// What a token says that was verified before and is good for longer than `now_secs`.
    pub(crate) fn get(&self, token: &TokenDigest, now_secs: u64) -> Option<Verified> {
        self.0.read().get(token).filter(|verified| now_secs < verified.until_secs).cloned()
    }

    /// Remembers a token that was verified now.
    pub(crate) fn remember(&self, token: TokenDigest, verified: Verified) {
        let mut known = self.0.write();
        if known.len() >= REMEMBERED_MAX {
            known.clear();
        }
        known.insert(token, verified);
    }
}
