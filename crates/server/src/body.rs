//! Bodies of requests: capped before and while they are read, and not waited for without end.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use tidings_app::{Code, Problem};
use tidings_model::limits::{BATCH_BYTES_MAX, ENVELOPE_BYTES_MAX, REQUEST_BYTES_MAX};
use tidings_runtime::within;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::auth::single;
use crate::json;
use crate::limits::{BODY_SECONDS_MAX, STRANGER_BYTES_MAX};
use crate::problem::ApiProblem;
use crate::state::ServerState;

/// The JSON body of a request that carries no event.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ServerState> for Json<T> {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &ServerState) -> Result<Self, ApiProblem> {
        let bytes = read(state, request, REQUEST_BYTES_MAX).await?;
        Ok(Self(json::parse(&bytes)?))
    }
}

/// The JSON body of a request all of whose members are optional: no body at all stands for an empty object.
pub(crate) struct JsonOrNothing<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<ServerState> for JsonOrNothing<T> {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &ServerState) -> Result<Self, ApiProblem> {
        let bytes = read(state, request, REQUEST_BYTES_MAX).await?;
        let value = if bytes.is_empty() { T::default() } else { json::parse(&bytes)? };
        Ok(Self(value))
    }
}

/// The JSON body of a request that anybody may send, because it is what proves who sent it.
pub(crate) struct StrangersJson<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<ServerState> for StrangersJson<T> {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &ServerState) -> Result<Self, ApiProblem> {
        let bytes = read_within(state, request, STRANGER_BYTES_MAX, &state.strangers).await?;
        Ok(Self(json::parse(&bytes)?))
    }
}

/// The bytes of a request that carries one event.
pub(crate) struct EventBody(pub(crate) Bytes);

impl FromRequest<ServerState> for EventBody {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &ServerState) -> Result<Self, ApiProblem> {
        Ok(Self(read(state, request, event_bytes_max(state)).await?))
    }
}

/// The bytes of a request that carries a batch of events.
pub(crate) struct BatchBody(pub(crate) Bytes);

impl FromRequest<ServerState> for BatchBody {
    type Rejection = ApiProblem;

    async fn from_request(request: Request, state: &ServerState) -> Result<Self, ApiProblem> {
        Ok(Self(read(state, request, BATCH_BYTES_MAX.max(event_bytes_max(state))).await?))
    }
}

/// Largest body of a request that carries one event.
pub(crate) fn event_bytes_max(state: &ServerState) -> usize {
    state.app.payload_bytes_max() + ENVELOPE_BYTES_MAX
}

/// Reads a whole JSON body of at most `bytes_max`.
pub(crate) async fn read(state: &ServerState, request: Request, bytes_max: usize) -> Result<Bytes, Problem> {
    read_within(state, request, bytes_max, &state.bodies).await
}

/// The same, in that room for bodies.
async fn read_within(state: &ServerState, request: Request, bytes_max: usize, room: &Semaphore) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    check_content_type(&parts.headers)?;
    check_content_encoding(&parts.headers)?;
    if declared_length(&parts.headers).is_some_and(|length| length > bytes_max as u64) {
        return Err(too_large(bytes_max)); // before a byte of it is read
    }
    let limit = Duration::from_secs(BODY_SECONDS_MAX);
    within(&*state.clock, limit, collect(room, body, bytes_max))
        .await
        .unwrap_or_else(|_| {
            let detail = format!("the body did not arrive within {BODY_SECONDS_MAX} seconds");
            Err(Problem::new(Code::Malformed, detail))
        })
}

async fn collect(room: &Semaphore, mut body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    let mut permits: Option<SemaphorePermit<'_>> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Code::Malformed, "the body ended before it was complete"))?;
        let Ok(data) = frame.into_data() else {
            continue; // trailers
        };
        let read = first.len() + rest.len() + data.len();
        if read > bytes_max {
            return Err(too_large(bytes_max));
        }
        let more = room.try_acquire_many(u32::try_from(data.len()).unwrap_or(u32::MAX));
        let more = more.map_err(|_| Problem::new(Code::Overloaded, "too many large requests are being read at the moment; try again"))?;
        match &mut permits {
            Some(permits) => permits.merge(more),
            None => permits = Some(more),
        }
        if first.is_empty() && rest.is_empty() {
            first = data; // most bodies come in one piece and are never copied
            continue;
        }
        if rest.is_empty() {
            rest.extend_from_slice(&std::mem::take(&mut first));
        }
        rest.extend_from_slice(&data);
    }
    Ok(if rest.is_empty() { first } else { rest.freeze() })
}

/// JSON, or nothing said, or what `curl -d` says unasked.
fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let Some(text) = single(headers, &header::CONTENT_TYPE)? else {
        return Ok(());
    };
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let taken = ["application/json", "application/x-www-form-urlencoded"];
    if !taken.iter().any(|name| essence.eq_ignore_ascii_case(name)) {
        let detail = format!("the content type is '{essence}'; send application/json");
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let parameters = parts.filter_map(|parameter| parameter.split_once('='));
    for (_, charset) in parameters.filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset")) {
        let charset = charset.trim().trim_matches('"');
        if !["utf-8", "utf8"].iter().any(|name| charset.eq_ignore_ascii_case(name)) {
            let detail = format!("the charset is '{charset}'; send JSON in utf-8");
            return Err(Problem::new(Code::UnsupportedMediaType, detail));
        }
    }
    Ok(())
}

/// As it is: a compressed body could grow to any size.
fn check_content_encoding(headers: &HeaderMap) -> Result<(), Problem> {
    match single(headers, &header::CONTENT_ENCODING)? {
        Some(encoding) if !encoding.eq_ignore_ascii_case("identity") => {
            let detail = format!("the content encoding is '{encoding}'; send the body as it is, without compressing it");
            Err(Problem::new(Code::UnsupportedMediaType, detail))
        }
        _ => Ok(()),
    }
}

fn declared_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::new(
        Code::TooLarge,
        format!("the body has more than {bytes_max} bytes, which are the most that are taken here"),
    )
}
