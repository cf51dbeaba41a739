//! Reading requests as the rest of the server does, with refusals in the dialect's own shape.

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use tidings_model::limits::REQUEST_BYTES_MAX;
use utoipa::ToSchema;

use super::error::DialectProblem;
use crate::body::{event_bytes_max, read};
use crate::problem::ApiProblem;
use crate::state::ServerState;

/// A part of a request's head, read by an extractor of the server.
pub(super) struct Head<E>(pub(super) E);

impl<E: FromRequestParts<ServerState, Rejection = ApiProblem>> FromRequestParts<ServerState> for Head<E> {
    type Rejection = DialectProblem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, DialectProblem> {
        Ok(Self(E::from_request_parts(parts, state).await?))
    }
}

/// A request's body, read by an extractor of the server. Members that nobody asked for are passed over: clients send rows back with members of their
/// own.
pub(super) struct Body<E>(pub(super) E);

impl<E: FromRequest<ServerState, Rejection = ApiProblem>> FromRequest<ServerState> for Body<E> {
    type Rejection = DialectProblem;

    async fn from_request(request: Request, state: &ServerState) -> Result<Self, DialectProblem> {
        Ok(Self(E::from_request(request, state).await?))
    }
}

/// The bytes of a request that carries one event, with room for what it says to other channels: the page of an e-mail, for one.
pub(super) struct TriggerBody(pub(super) Bytes);

impl FromRequest<ServerState> for TriggerBody {
    type Rejection = DialectProblem;

    async fn from_request(request: Request, state: &ServerState) -> Result<Self, DialectProblem> {
        Ok(Self(read(state, request, event_bytes_max(state) + REQUEST_BYTES_MAX).await?))
    }
}

/// The object without members, for the document: see [`Done`].
#[derive(ToSchema)]
pub(super) struct Empty {}

/// Done, with nothing to say: clients want 200, and JSON.
pub(super) struct Done;

impl IntoResponse for Done {
    fn into_response(self) -> Response {
        Json(serde_json::Map::new()).into_response()
    }
}
