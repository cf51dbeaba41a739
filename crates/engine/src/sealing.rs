//! Webhook secrets and custom headers between their readable and their stored form.

use tidings_model::{EnvironmentId, SealedSecret};
use tidings_runtime::Entropy;
use tidings_signing::{KeyId, Secret, Vault};
use tidings_store::{Store, StoreError};

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
        "the secrets of this store are sealed with the master key {kept}, and the key given is {given}: start with the key {kept}; your backup of master.key has it"
    )]
    WrongMasterKey {
        /// The key that is needed.
        kept: KeyId,
        /// The key that was given.
        given: KeyId,
    },
    /// The store did not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes sure that what is stored can be opened, before anything that cannot be is taken for a failure of its receiver.
pub(crate) async fn check_master_key(store: &dyn Store, vault: &Vault) -> Result<(), StartError> {
    let given = vault.current();
    let kept = KeyId::from_bytes(store.keep_master_key(given.bytes()).await?);
    if vault.opens(kept) {
        Ok(())
    } else {
        Err(StartError::WrongMasterKey { kept, given })
    }
}

/// What a sealed value is bound to: it opens only in the environment, and for the purpose, that it was sealed for.
fn context(environment: EnvironmentId, purpose: &[u8]) -> Vec<u8> {
    [environment.as_uuid().as_bytes(), purpose].concat()
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
