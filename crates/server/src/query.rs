//! The parts of an address: its query, read as strictly as a body, and the ids in its path.

use std::fmt;
use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tidings_app::{Code, Problem};
use tidings_model::{CredentialId, DeliveryId, EnvironmentId, EventId, WebhookId};
use url::form_urlencoded;

use crate::fault::field_fault;
use crate::problem::ApiProblem;
use crate::state::ServerState;

/// The query of an address.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<ServerState> for Query<T> {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, _: &ServerState) -> Result<Self, ApiProblem> {
        let pairs = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
        let query = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs));
        let fault = |error: serde_path_to_error::Error<serde_urlencoded::de::Error>| {
            field_fault(&error.path().to_string(), &error.inner().to_string(), "the query")
        };
        Ok(Self(query.map_err(fault)?))
    }
}

/// What an id is the id of, for the message when there is nothing of it.
pub(crate) trait Named: FromStr {
    /// The word for people.
    const WHAT: &'static str;
}

impl Named for WebhookId {
    const WHAT: &'static str = "webhook";
}

impl Named for EventId {
    const WHAT: &'static str = "event";
}

impl Named for DeliveryId {
    const WHAT: &'static str = "delivery";
}

impl Named for EnvironmentId {
    const WHAT: &'static str = "environment";
}

impl Named for CredentialId {
    const WHAT: &'static str = "credential";
}

/// The one id in a path. A text that cannot be an id is the id of nothing.
pub(crate) struct Id<T>(pub(crate) T);

impl<T: Named> FromRequestParts<ServerState> for Id<T> {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, ApiProblem> {
        let Segment(text) = Segment::from_request_parts(parts, state).await?;
        Ok(Self(id(&text)?))
    }
}

/// The two ids in a path, the outer one first.
pub(crate) struct Ids<A, B>(pub(crate) A, pub(crate) B);

impl<A: Named, B: Named> FromRequestParts<ServerState> for Ids<A, B> {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, ApiProblem> {
        let path = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((outer, inner)) = path.map_err(|_| unreadable())?;
        Ok(Self(id(&outer)?, id(&inner)?))
    }
}

/// Reads an id.
pub(crate) fn id<T: Named>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|_| Problem::not_found(T::WHAT, &Shown(text)))
}

/// The one variable part of a path, decoded.
pub(crate) struct Segment(pub(crate) String);

impl FromRequestParts<ServerState> for Segment {
    type Rejection = ApiProblem;

    async fn from_request_parts(parts: &mut Parts, state: &ServerState) -> Result<Self, ApiProblem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|_| unreadable())?;
        Ok(Self(text))
    }
}

fn unreadable() -> Problem {
    Problem::new(Code::Malformed, "the address is not UTF-8")
}

/// A text as far as it is worth repeating to whoever sent it.
struct Shown<'a>(&'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().take(64).try_for_each(|letter| fmt::Write::write_char(f, letter))
    }
}
