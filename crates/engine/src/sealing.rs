//! Webhook secrets and custom headers between their readable and their stored form.

use tidings_model::{EnvironmentId, SealedSecret, Timestamp};
use tidings_runtime::Entropy;
use tidings_signing::{GIVE_OLD_KEY, KeyId, OpenError, Secret, Vault};
use tidings_store::{Reseal, SealedPlace, SealedWebhook, ServerKey, ServerKeyPurpose, Store, StoreError};
use zeroize::Zeroizing;

/// A sealed value cannot be read with the keys at hand.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// Another master key sealed it, or it is damaged.
    #[error("it cannot be opened: {0}")]
    Closed(String),
    /// It was opened, but is not what it should be.
    #[error("it was opened, but is not what was sealed")]
    Unexpected,
}

/// Why work cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What is stored was sealed with a key that was not given: no secret could be opened, and no token checked.
    #[error(
        "the secrets of this store are sealed with the master key {kept}, and the key given is {given}: start with the key {kept}, which is in your backup of master.key, or was given as TIDINGS_MASTER_KEY; beside a newer key, give it as TIDINGS_OLD_MASTER_KEY"
    )]
    WrongMasterKey {
        /// The key that is needed.
        kept: KeyId,
        /// The key that was given.
        given: KeyId,
    },
    /// A key of the server's own is still sealed with the master key before, which was not given.
    #[error(
        "a key that this server checks tokens and client secrets with is still sealed with the master key {id}, which was not given: {GIVE_OLD_KEY}"
    )]
    OldKeyMissing {
        /// The key that is needed, too.
        id: KeyId,
    },
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes sure that what is stored can be opened, before anything that cannot be is taken for a failure of its receiver.
///
/// # Errors
/// When the vault does not open what the master key sealed that the store keeps; else the id of that key.
pub async fn check_master_key(store: &dyn Store, vault: &Vault, at: Timestamp) -> Result<KeyId, StartError> {
    let given = vault.current();
    let kept = KeyId::from_bytes(store.keep_master_key(given.bytes(), at).await?);
    if !vault.opens(kept) {
        return Err(StartError::WrongMasterKey { kept, given });
    }
    for key in store.server_keys().await? {
        if let Err(OpenError::UnknownKey { id }) = vault.open(&key.sealed.0, server_key_context(key.purpose)) {
            return Err(StartError::OldKeyMissing { id });
        }
    }
    Ok(kept)
}

/// What a sealed value is bound to: it opens only in the environment, and for the purpose, that it was sealed for.
fn context(environment: EnvironmentId, purpose: &[u8]) -> Vec<u8> {
    [environment.as_uuid().as_bytes(), purpose].concat()
}

/// Seals with the vault's current key what another key sealed of a webhook. What cannot be opened is told instead: it stays as it is.
pub fn reseal_webhook(vault: &Vault, entropy: &dyn Entropy, webhook: &SealedWebhook) -> (Vec<Reseal>, Option<OpenError>) {
    let SealedWebhook {
        environment,
        id,
        secrets,
        headers,
    } = webhook;
    let rotating_out = secrets.rotating_out.as_ref().map(|(sealed, _)| sealed);
    let values = [
        (SealedPlace::Secret(*id), SECRET, secrets.current.as_ref()),
        (SealedPlace::RotatingOut(*id), SECRET, rotating_out),
        (SealedPlace::Headers(*id), HEADERS, headers.as_ref()),
    ];
    let (mut anew, mut closed) = (Vec::new(), None);
    for (place, purpose, sealed) in values {
        match sealed.map(|sealed| reseal(vault, entropy, sealed, &context(*environment, purpose))) {
            Some(Ok(Some((from, to)))) => anew.push(Reseal { place, from, to }),
            Some(Err(error)) => closed = Some(error),
            Some(Ok(None)) | None => {}
        }
    }
    (anew, closed)
}

/// The value and the same sealed with the current key; `None` when that sealed it already.
fn reseal(
    vault: &Vault,
    entropy: &dyn Entropy,
    sealed: &SealedSecret,
    context: &[u8],
) -> Result<Option<(SealedSecret, SealedSecret)>, OpenError> {
    if vault.is_current(&sealed.0) {
        return Ok(None);
    }
    let plaintext = vault.open(&sealed.0, context)?;
    Ok(Some((sealed.clone(), seal(vault, entropy, &plaintext, context))))
}

/// Seals a key of the server's own.
pub fn seal_server_key(vault: &Vault, entropy: &dyn Entropy, purpose: ServerKeyPurpose, key: &[u8; 32]) -> SealedSecret {
    seal(vault, entropy, key, server_key_context(purpose))
}

/// Opens a key of the server's own.
pub fn open_server_key(vault: &Vault, key: &ServerKey) -> Result<Zeroizing<[u8; 32]>, UnsealError> {
    let plaintext = vault
        .open(&key.sealed.0, server_key_context(key.purpose))
        .map_err(|error| UnsealError::Closed(error.to_string()))?;
    plaintext
        .as_slice()
        .try_into()
        .map(Zeroizing::new)
        .map_err(|_| UnsealError::Unexpected)
}

/// Seals a key of the server's own with the vault's current key; `None` when that sealed it already.
pub fn reseal_server_key(vault: &Vault, entropy: &dyn Entropy, key: &ServerKey) -> Result<Option<Reseal>, OpenError> {
    let place = SealedPlace::ServerKey(key.number);
    let anew = reseal(vault, entropy, &key.sealed, server_key_context(key.purpose))?;
    Ok(anew.map(|(from, to)| Reseal { place, from, to }))
}

const fn server_key_context(purpose: ServerKeyPurpose) -> &'static [u8] {
    match purpose {
        ServerKeyPurpose::AccessTokens => b"server key: access tokens",
        ServerKeyPurpose::ClientSecrets => b"server key: client secrets",
    }
}

const SECRET: &[u8] = b"webhook secret";
const HEADERS: &[u8] = b"webhook headers";

fn seal(vault: &Vault, entropy: &dyn Entropy, plaintext: &[u8], context: &[u8]) -> SealedSecret {
    let mut nonce = [0; 12];
    entropy.fill(&mut nonce);
    SealedSecret(vault.seal(plaintext, nonce, context))
}

/// Seals a webhook's secret.
pub fn seal_secret(vault: &Vault, entropy: &dyn Entropy, environment: EnvironmentId, secret: &Secret) -> SealedSecret {
    seal(vault, entropy, secret.expose().as_bytes(), &context(environment, SECRET))
}

/// Opens a webhook's secret.
pub fn open_secret(vault: &Vault, environment: EnvironmentId, sealed: &SealedSecret) -> Result<Secret, UnsealError> {
    let plaintext = vault
        .open(&sealed.0, &context(environment, SECRET))
        .map_err(|error| UnsealError::Closed(error.to_string()))?;
    let text = std::str::from_utf8(&plaintext).map_err(|_| UnsealError::Unexpected)?;
    Secret::new(text).map_err(|_| UnsealError::Unexpected)
}

/// Seals a webhook's custom headers; no headers need no seal.
pub fn seal_headers(
    vault: &Vault,
    entropy: &dyn Entropy,
    environment: EnvironmentId,
    headers: &[(String, String)],
) -> Option<SealedSecret> {
    let text = serde_json::to_vec(headers).expect("pairs of strings serialise into memory");
    (!headers.is_empty()).then(|| seal(vault, entropy, &text, &context(environment, HEADERS)))
}

/// Opens a webhook's custom headers.
pub fn open_headers(
    vault: &Vault,
    environment: EnvironmentId,
    sealed: Option<&SealedSecret>,
) -> Result<Vec<(String, String)>, UnsealError> {
    let Some(sealed) = sealed else {
        return Ok(Vec::new());
    };
    let plaintext = vault
        .open(&sealed.0, &context(environment, HEADERS))
        .map_err(|error| UnsealError::Closed(error.to_string()))?;
    serde_json::from_slice(&plaintext).map_err(|_| UnsealError::Unexpected)
}
