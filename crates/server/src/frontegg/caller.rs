//! Who asks, and the tenant that the dialect's header names.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use tidings_app::{Caller, Identity, Problem};
use tidings_model::{EnvironmentId, TenantId, TenantIdError};

use super::error::DialectProblem;
use crate::auth::{authenticate, authenticate_producer, single};
use crate::state::ServerState;

/// Names the tenant.
pub(super) const TENANT_HEADER: &str = "frontegg-tenant-id";

/// Somebody who asks about the environment: its catalogue, its events.
#[derive(Debug)]
pub(super) struct Asking {
    /// Who.
    pub(super) caller: Caller,
    /// The tenant that the request names, when it names one.
    pub(super) tenant: Option<TenantId>,
}

/// Somebody who asks about webhooks and logs: confined to the tenant that the request names, when it names one.
#[derive(Debug)]
pub(super) struct Confined(pub(super) Caller);

/// Somebody who has events accepted.
#[derive(Debug)]
pub(super) struct Producing(pub(super) Asking);

impl FromRequestParts<ServerState> for Producing {
    type Rejection = DialectProblem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, DialectProblem> {
        let caller = authenticate_producer(state, &parts.headers).await?;
        Ok(Self(Asking::of(caller, parts)?))
    }
}

impl Asking {
    fn of(caller: Caller, parts: &Parts) -> Result<Self, DialectProblem> {
        let tenant = tenant(&parts.headers, caller.environment())?;
        Ok(Self { caller, tenant })
    }

    /// The same caller, confined to the tenant that the request names.
    pub(super) fn confined(self) -> Result<Caller, Problem> {
        match self.tenant {
            Some(tenant) => self.caller.on_behalf_of(tenant),
            None => Ok(self.caller),
        }
    }
}

impl FromRequestParts<ServerState> for Asking {
    type Rejection = DialectProblem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, DialectProblem> {
        Self::of(authenticate(state, &parts.headers).await?, parts)
    }
}

impl FromRequestParts<ServerState> for Confined {
    type Rejection = DialectProblem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, DialectProblem> {
        Ok(Self(Asking::from_request_parts(parts, state).await?.confined()?))
    }
}

/// Whether a caller sees the secrets of webhooks: a vendor who may change them. A tenant never does, its token lives in a browser.
pub(super) fn sees_secrets(caller: &Caller) -> bool {
    caller.scopes().write && !matches!(caller.identity(), Identity::Tenant(_))
}

/// The tenant; the environment's own id stands for none, because some clients send the vendor's id here.
fn tenant(headers: &HeaderMap, environment: EnvironmentId) -> Result<Option<TenantId>, Problem> {
    let Some(text) = single(headers, &HeaderName::from_static(TENANT_HEADER))? else {
        return Ok(None);
    };
    if text.parse() == Ok(environment) {
        return Ok(None);
    }
    let malformed = |error: TenantIdError| Problem::field(TENANT_HEADER, error.to_string());
    text.parse().map(Some).map_err(malformed)
}
