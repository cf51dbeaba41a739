//! Proving who one is: client id and secret, and the tokens that stand for them for a while.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use tidings_model::limits::{TOKEN_SECONDS_DEFAULT, TOKEN_SECONDS_MAX};
use tidings_model::{CredentialId, EnvironmentId, Scopes, TenantId};
use tidings_signing::{self as signing, CredentialHash, TokenError};

use crate::app::App;
use crate::caller::{Caller, Identity};
use crate::problem::{Code, Problem};
use crate::verified::{Verified, VerifiedTokens};

/// The audience of access tokens.
pub const AUDIENCE: &str = "tidings";

/// What is said of a genuine token that lacks what its kind needs.
const INCOMPLETE: &str = "the access token is not valid: it is incomplete";

/// Whom a token stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TokenKind {
    /// A credential of an environment. Frontegg's clients look for this word.
    Vendor,
    /// A tenant.
    Tenant,
    /// Whoever can read the data folder.
    Local,
}

/// What an access token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claims {
    /// Whom it stands for.
    #[serde(rename = "type")]
    pub kind: TokenKind,
    /// [`AUDIENCE`].
    pub aud: String,
    /// The credential that it was minted with; it ends with it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub sub: Option<CredentialId>,
    /// The environment.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub vendor_id: Option<EnvironmentId>,
    /// The tenant.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tenant_id: Option<TenantId>,
    /// What it may do, separated by spaces.
    pub scopes: String,
    /// Seconds since 1970 at which it was minted.
    pub iat: u64,
    /// Seconds since 1970 at which it ends.
    pub exp: u64,
}

/// A token and how long it lasts.
#[derive(Clone, Debug)]
pub struct MintedToken {
    /// The token.
    pub token: String,
    /// Seconds until it ends.
    pub expires_in: u64,
}

fn unauthenticated(detail: &str) -> Problem {
    Problem::new(Code::Unauthenticated, detail)
}

impl App {
    /// Checks a client id and secret.
    pub fn authenticate_basic(&self, client_id: &str, secret: &str) -> Result<Caller, Problem> {
        let wrong = || unauthenticated("the client id or the secret is wrong");
        let id: CredentialId = client_id.parse().map_err(|_| wrong())?;
        let credentials = self.credentials.load();
        let credential = credentials.get(&id);
        let hash = credential
            .and_then(|credential| credential.secret_hash.as_slice().try_into().ok())
            .map(CredentialHash::from_bytes);
        let matches = hash.is_some_and(|hash| self.keys.hasher().verify(secret, &hash));
        let credential = credential.filter(|_| matches).ok_or_else(wrong)?;
        Ok(Caller {
            identity: Identity::Credential(id),
            environment: credential.environment,
            tenant: None,
            scopes: credential.scopes,
        })
    }

    /// Checks an access token.
    pub fn authenticate_token(&self, token: &str) -> Result<Caller, Problem> {
        let Verified {
            kind,
            credential,
            environment,
            tenant,
            scopes,
            ..
        } = self.verified(token)?;
        let incomplete = || unauthenticated(INCOMPLETE);
        if kind == TokenKind::Local {
            let first = || self.engine.directory.environments().first().copied();
            return Ok(Caller {
                identity: Identity::Local,
                environment: environment.or_else(first).ok_or_else(incomplete)?,
                tenant: None,
                scopes,
            });
        }
        let (id, environment) = credential.zip(environment).ok_or_else(incomplete)?;
        let credentials = self.credentials.load();
        let credential = credentials.get(&id).filter(|credential| credential.environment == environment);
        let credential = credential.ok_or_else(|| unauthenticated("the credential of this access token was revoked"))?;
        if !credential.scopes.covers(scopes) {
            return Err(incomplete());
        }
        let (identity, tenant) = match kind {
            TokenKind::Tenant => (Identity::Tenant(id), Some(tenant.ok_or_else(incomplete)?)),
            TokenKind::Vendor | TokenKind::Local => (Identity::Credential(id), None),
        };
        Ok(Caller {
            identity,
            environment,
            tenant,
            scopes,
        })
    }

    /// What a token says, when it is genuine and has not expired.
    fn verified(&self, token: &str) -> Result<Verified, Problem> {
        let now = self.clock.now().as_seconds().unsigned_abs();
        let digest = VerifiedTokens::digest(token);
        let keys = self.keys.live();
        if let Some(known) = keys.verified.get(&digest, now) {
            return Ok(known);
        }
        let refused = |error| unauthenticated(&format!("the access token is not valid: {error}"));
        let (genuine, local) = match keys.tokens.verify::<Claims>(token, AUDIENCE, now) {
            Err(TokenError::UnknownKey) => (keys.local.verify(token, AUDIENCE, now), true),
            other => (other, false),
        };
        let signing::Verified { claims, until_secs } = genuine.map_err(refused)?;
        if (claims.kind == TokenKind::Local) != local {
            return Err(unauthenticated(
                "the access token is not valid: another key signs tokens of its kind",
            ));
        }
        let verified = Verified {
            kind: claims.kind,
            credential: claims.sub,
            environment: claims.vendor_id,
            tenant: claims.tenant_id,
            scopes: claims.scopes.parse().map_err(|_| unauthenticated(INCOMPLETE))?,
            until_secs,
        };
        keys.verified.remember(digest, verified.clone());
        Ok(verified)
    }

    /// The caller acting in another environment: only operators and people may.
    pub fn in_environment(&self, caller: Caller, environment: EnvironmentId) -> Result<Caller, Problem> {
        if caller.environment == environment {
            return Ok(caller);
        }
        if caller.tenant.is_some() || !caller.sees_every_environment() {
            return Err(Problem::new(Code::Forbidden, "this credential belongs to another environment"));
        }
        self.routes(environment)?;
        Ok(Caller { environment, ..caller })
    }

    /// Mints an access token for a client id and secret.
    pub fn vendor_token(&self, client_id: &str, secret: &str) -> Result<MintedToken, Problem> {
        let caller = self.authenticate_basic(client_id, secret)?;
        let Identity::Credential(id) = caller.identity else {
            return Err(unauthenticated("only a credential mints tokens"));
        };
        self.mint(
            TokenKind::Vendor,
            id,
            caller.environment,
            None,
            caller.scopes,
            TOKEN_SECONDS_DEFAULT,
        )
    }

    /// Mints a token that sees only one tenant's webhooks and logs.
    pub fn tenant_token(
        &self,
        caller: &Caller,
        tenant: TenantId,
        scopes: Option<Scopes>,
        ttl_seconds: Option<u64>,
    ) -> Result<MintedToken, Problem> {
        caller.can_write_environment()?;
        let Identity::Credential(id) = caller.identity.clone() else {
            return Err(Problem::new(
                Code::Forbidden,
                "mint tenant tokens with a credential: they end when it is revoked",
            ));
        };
        let scopes = scopes.unwrap_or(Scopes::READ_WRITE);
        if scopes.operator || !caller.scopes.covers(scopes) {
            return Err(Problem::field("scopes", "a tenant's token has the scopes read and write at most"));
        }
        let ttl = ttl_seconds.unwrap_or(TOKEN_SECONDS_DEFAULT);
        if !(1..=TOKEN_SECONDS_MAX).contains(&ttl) {
            return Err(Problem::field("ttlSeconds", format!("has to be between 1 and {TOKEN_SECONDS_MAX}")));
        }
        self.mint(TokenKind::Tenant, id, caller.environment, Some(tenant), scopes, ttl)
    }

    fn mint(
        &self,
        kind: TokenKind,
        sub: CredentialId,
        environment: EnvironmentId,
        tenant_id: Option<TenantId>,
        scopes: Scopes,
        expires_in: u64,
    ) -> Result<MintedToken, Problem> {
        let iat = self.clock.now().as_seconds().unsigned_abs();
        let claims = Claims {
            kind,
            aud: AUDIENCE.to_owned(),
            sub: Some(sub),
            vendor_id: Some(environment),
            tenant_id,
            scopes: scopes.to_string(),
            iat,
            exp: iat + expires_in,
        };
        let token = self
            .keys
            .live()
            .tokens
            .mint(&claims)
            .map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        Ok(MintedToken { token, expires_in })
    }

    /// A new client secret: 256 bits of chance as text.
    pub(crate) fn new_client_secret(&self) -> String {
        BASE64URL_NOPAD.encode(&self.entropy.bytes32())
    }
}
