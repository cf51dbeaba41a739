//! Credentials of an environment, and tokens for tenants.

use serde::{Deserialize, Serialize};

use crate::client::Query;
use crate::{Answer, Client, Error, Listing, Secret};

/// A client id and what it may do.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Credential {
    /// The client id.
    pub client_id: String,
    /// What people call it.
    pub name: String,
    /// `read`, `write`, `operator`.
    pub scopes: Vec<String>,
    /// When it was made (RFC 3339).
    pub created_at: String,
}

/// A credential that was made just now: the only time that its secret is seen.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuedCredential {
    /// The credential.
    #[serde(flatten)]
    pub credential: Credential,
    /// The client secret.
    pub client_secret: Secret,
}

/// A credential to be made.
#[derive(Clone, Debug, Default, Serialize)]
pub struct NewCredential {
    /// What people call it.
    pub name: String,
    /// `read`, `write`, `operator`; the server's default is read and write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

/// A token for a tenant to be made.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewTenantToken {
    /// How long it lasts, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// `read`, `write`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Vec<String>>,
}

/// A token that sees only one tenant's webhooks and logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantToken {
    /// The token.
    pub token: Secret,
    /// Seconds until it ends.
    pub expires_in: u64,
}

impl Client {
    /// The credentials of an environment, without their secrets.
    pub async fn credentials(&self, environment: &str) -> Result<Answer<Listing<Credential>>, Error> {
        self.get(&["v1", "environments", environment, "credentials"], Query::default())
            .await
    }

    /// Makes a credential; the answer holds its secret, once.
    pub async fn create_credential(&self, environment: &str, new: &NewCredential) -> Result<Answer<IssuedCredential>, Error> {
        self.post(&["v1", "environments", environment, "credentials"], new).await
    }

    /// Ends a credential and every token that was minted with it.
    pub async fn revoke_credential(&self, environment: &str, client_id: &str) -> Result<(), Error> {
        let path = ["v1", "environments", environment, "credentials", client_id];
        self.delete(&path, Query::default()).await
    }

    /// Mints a token that sees only that tenant's webhooks and logs.
    pub async fn create_tenant_token(&self, tenant: &str, new: &NewTenantToken) -> Result<Answer<TenantToken>, Error> {
        self.post(&["v1", "tenants", tenant, "tokens"], new).await
    }
}
