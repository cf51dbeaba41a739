//! The header by which a producer may send a request again without its events being stored again.

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::request::Parts;
use tidings_app::publish::IdempotencyKey;

use crate::auth::single;
use crate::problem::ApiProblem;
use crate::state::ServerState;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");

/// The value of `Idempotency-Key`, if there is one.
pub(super) struct Idempotency(Option<String>);

impl FromRequestParts<ServerState> for Idempotency {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _: &ServerState) -> Result<Self, ApiProblem> {
        let given = single(&parts.headers, &HEADER)?;
        // An empty key is a mistake of the caller's (a variable that was not set), not the absence of a promise: the application refuses it.
        let given = given.or_else(|| parts.headers.contains_key(&HEADER).then_some(""));
        Ok(Self(given.map(str::to_owned)))
    }
}

impl Idempotency {
    /// The promise that whoever sends the key again sends these bytes again.
    pub(super) fn of<'a>(&'a self, request: &'a [u8]) -> Option<IdempotencyKey<'a>> {
        self.0.as_deref().map(|key| IdempotencyKey { key, request })
    }
}
