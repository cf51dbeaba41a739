//! Types of the verbs about keys: which master key seals what, and the server's own keys, which are sealed too.

use tidings_model::{EnvironmentId, SealedSecret, SealedSecretSet, Timestamp, WebhookId};

use crate::MasterKeyId;

/// What a master key is to a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MasterKeyState {
    /// Seals.
    Current,
    /// Sealed what was not sealed anew yet.
    Retiring,
    /// Sealed nothing that is here any more. What was copied before is sealed with it still.
    Retired,
}

/// A master key that a store has been sealed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MasterKeyUse {
    /// Which.
    pub id: MasterKeyId,
    /// What it is now.
    pub state: MasterKeyState,
    /// Since when it seals, or sealed.
    pub since: Timestamp,
    /// Values that are sealed with it.
    pub sealed: u64,
}

/// What a key of the server's own is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerKeyPurpose {
    /// Signs access tokens.
    AccessTokens,
    /// Hashes client secrets.
    ClientSecrets,
}

/// A key of the server's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerKey {
    /// Its number; of two, the later has the higher.
    pub number: u64,
    /// What it is for.
    pub purpose: ServerKeyPurpose,
    /// The key, sealed with a master key.
    pub sealed: SealedSecret,
    /// When it was made.
    pub made_at: Timestamp,
    /// When it is not accepted any more; `None` for the one that is in use.
    pub ends_at: Option<Timestamp>,
}

/// A key of the server's own that takes the place of another.
#[derive(Clone, Debug)]
pub struct NewServerKey {
    /// What it is for.
    pub purpose: ServerKeyPurpose,
    /// The number of the one in use that it replaces; `None` when there has to be none yet.
    pub replaces: Option<u64>,
    /// The key, sealed with a master key.
    pub sealed: SealedSecret,
    /// Now.
    pub at: Timestamp,
    /// No older key of the purpose is accepted for longer. Those that have ended by `at` are forgotten.
    pub older_until: Timestamp,
}

/// What a webhook keeps sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedWebhook {
    /// Its environment.
    pub environment: EnvironmentId,
    /// Which.
    pub id: WebhookId,
    /// Its secrets.
    pub secrets: SealedSecretSet,
    /// Its headers.
    pub headers: Option<SealedSecret>,
}

/// Where a sealed value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealedPlace {
    /// A webhook's secret.
    Secret(WebhookId),
    /// The secret that a webhook is rotating out.
    RotatingOut(WebhookId),
    /// A webhook's headers.
    Headers(WebhookId),
    /// A key of the server's own.
    ServerKey(u64),
}

/// A value sealed anew, for where it was found.
#[derive(Clone, Debug)]
pub struct Reseal {
    /// Where.
    pub place: SealedPlace,
    /// What was there.
    pub from: SealedSecret,
    /// What takes its place, if that is still there.
    pub to: SealedSecret,
}
