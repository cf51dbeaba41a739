//! The server's keys, by their names.

use serde::{Deserialize, Serialize};

use crate::client::Query;
use crate::{Answer, Client, Error};

/// The keys of a server; never a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Keys {
    /// Whether the master key is given from outside, so that it is changed there too.
    pub given: bool,
    /// The master keys: the current one, then those before it.
    pub master_keys: Vec<MasterKey>,
    /// The keys that sign access tokens, the one in use last.
    pub token_keys: Vec<TokenKey>,
}

/// A master key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MasterKey {
    /// Its name.
    pub id: String,
    /// `current`, `retiring`, `retired`.
    pub state: String,
    /// Since when it seals, or sealed (RFC 3339).
    pub since: String,
    /// How many secrets are sealed with it.
    pub sealed: u64,
}

/// A key that signs access tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TokenKey {
    /// Its name.
    pub id: String,
    /// When it was made (RFC 3339).
    pub made_at: String,
    /// When its tokens are not accepted any more (RFC 3339); none for the one in use.
    pub ends_at: Option<String>,
}

/// How a key is changed.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRotation {
    /// Whether access tokens that are out there end at once, rather than by themselves.
    pub revoke_tokens: bool,
}

/// How the master key is changed.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MasterKeyRotation {
    /// The id of the key that is to be replaced; nothing happens when another is in use. Without it, whichever is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
    /// Whether access tokens that are out there end at once, rather than by themselves.
    pub revoke_tokens: bool,
}

impl Client {
    /// The server's keys, by their names.
    pub async fn keys(&self) -> Result<Answer<Keys>, Error> {
        self.get(&["v1", "keys"], Query::default()).await
    }

    /// Changes the master key; the server seals every secret anew while it serves.
    pub async fn rotate_master_key(&self, rotation: &MasterKeyRotation) -> Result<Answer<Keys>, Error> {
        self.post(&["v1", "keys", "master", "rotate"], rotation).await
    }

    /// Changes the key that signs access tokens.
    pub async fn rotate_token_key(&self, rotation: KeyRotation) -> Result<Answer<Keys>, Error> {
        self.post(&["v1", "keys", "tokens", "rotate"], &rotation).await
    }
}
