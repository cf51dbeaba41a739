//! What went wrong, told to people: from the errors of the layers below to a kind and a sentence.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use hyper_util::client::legacy;
use tidings_model::limits::{REPLY_HEADER_BYTES_MAX, REPLY_HEADERS_MAX};
use tidings_model::{Failure, FailureKind};

use crate::connect::ConnectError;
use crate::progress::Phase;
use crate::stream::TooMuch;
use crate::tls::library_error;
use crate::vet::VetError;

/// Which part of the reply was waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Head,
    Body,
}

impl From<&ConnectError> for Failure {
    fn from(error: &ConnectError) -> Self {
        let kind = match error {
            ConnectError::Vet(VetError::Unresolved { .. }) => FailureKind::Dns,
            ConnectError::Vet(_) => FailureKind::Refused,
            ConnectError::Dial(_) => FailureKind::Connect,
            ConnectError::Tls(_) => FailureKind::Tls,
            ConnectError::TimedOut => FailureKind::Timeout,
        };
        Self::new(kind, error.to_string())
    }
}

/// The request could not be sent, or no reply began. `peer` is the address, or the host while there is none.
pub(crate) fn of_request(error: &legacy::Error, peer: &dyn fmt::Display) -> Failure {
    if let Some(connect) = find::<ConnectError>(error) {
        return Failure::from(connect);
    }
    match find::<hyper::Error>(error) {
        Some(error) => of_reply(error, peer, Part::Head),
        None => Failure::new(
            FailureKind::Disconnected,
            format!("the connection to {peer} was lost before the request was sent"),
        ),
    }
}

/// The reply did not come whole.
pub(crate) fn of_reply(error: &hyper::Error, peer: &dyn fmt::Display, part: Part) -> Failure {
    if let Some(error) = find::<h2::Error>(error) {
        return of_http2(error, peer, part);
    }
    if let Some(error) = find::<io::Error>(error) {
        return of_io(error, peer, part);
    }
    if error.is_parse_too_large() {
        return too_many_headers(peer);
    }
    if error.is_parse() {
        return Failure::new(FailureKind::Protocol, format!("{peer} did not answer in HTTP: {error}"));
    }
    closed(peer, part)
}

/// The deadline passed while the try was in that phase; `part` says which part of the reply it waited for once it was connected, and `resolver` who was
/// asked for its address before.
pub(crate) fn timed_out(limit: Duration, phase: Phase, part: Part, peer: &dyn fmt::Display, resolver: &str) -> Failure {
    let limit = limit.as_millis();
    let message = match (phase, part) {
        (Phase::Resolving, _) => format!("{peer} was not resolved within {limit} ms: {resolver} did not answer"),
        (Phase::Connecting, _) => format!("no connection to {peer} within {limit} ms"),
        (Phase::Securing, _) => format!("no TLS with {peer} within {limit} ms"),
        (Phase::Connected, Part::Head) => format!("no reply from {peer} within {limit} ms"),
        (Phase::Connected, Part::Body) => format!("the reply from {peer} was not complete within {limit} ms"),
    };
    Failure::new(FailureKind::Timeout, message)
}

/// More headers, or larger ones, than are accepted.
pub(crate) fn too_many_headers(peer: &dyn fmt::Display) -> Failure {
    let message =
        format!("the reply from {peer} has more headers than are accepted ({REPLY_HEADERS_MAX}, together {REPLY_HEADER_BYTES_MAX} bytes)");
    Failure::new(FailureKind::Protocol, message)
}

/// True when a kept connection ended as the request went out on it: the receiver had closed it as idle, and no word of a reply was seen.
pub(crate) fn ended_as_idle(error: &legacy::Error) -> bool {
    if let Some(error) = find::<h2::Error>(error) {
        let unprocessed = [Some(h2::Reason::NO_ERROR), Some(h2::Reason::REFUSED_STREAM)].contains(&error.reason());
        return error.is_remote() && unprocessed && (error.is_go_away() || error.is_reset());
    }
    if let Some(error) = find::<io::Error>(error) {
        return error.get_ref().is_none() && is_closed(error.kind());
    }
    find::<hyper::Error>(error).is_some_and(|error| error.is_incomplete_message() || error.is_canceled() || error.is_closed())
}

fn of_io(error: &io::Error, peer: &dyn fmt::Display, part: Part) -> Failure {
    if matches!(error.get_ref().and_then(|inner| inner.downcast_ref()), Some(TooMuch)) {
        return Failure::new(FailureKind::Protocol, format!("{peer} sent {TooMuch} and no end of it"));
    }
    if let Some(error) = library_error(error) {
        return Failure::new(FailureKind::Tls, format!("TLS with {peer} broke: {error}"));
    }
    match error.kind() {
        io::ErrorKind::ConnectionReset => Failure::new(FailureKind::Disconnected, format!("connection reset by {peer} {}", during(part))),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Failure::new(FailureKind::Protocol, format!("the reply from {peer} is not valid HTTP: {error}"))
        }
        kind if is_closed(kind) => closed(peer, part),
        _ => Failure::new(
            FailureKind::Disconnected,
            format!("the connection to {peer} broke {}: {error}", during(part)),
        ),
    }
}

fn of_http2(error: &h2::Error, peer: &dyn fmt::Display, part: Part) -> Failure {
    if let Some(error) = error.get_io() {
        return of_io(error, peer, part);
    }
    let reason = error
        .reason()
        .map_or_else(|| error.to_string(), |reason| reason.description().to_owned());
    if error.is_remote() {
        let what = if error.is_go_away() {
            "HTTP/2 connection (GOAWAY)"
        } else {
            "HTTP/2 stream"
        };
        return Failure::new(
            FailureKind::Disconnected,
            format!("{peer} ended the {what} {}: {reason}", during(part)),
        );
    }
    Failure::new(
        FailureKind::Protocol,
        format!("{peer} did not answer in HTTP/2 as it should: {reason}"),
    )
}

fn closed(peer: &dyn fmt::Display, part: Part) -> Failure {
    Failure::new(FailureKind::Disconnected, format!("{peer} closed the connection {}", during(part)))
}

const fn during(part: Part) -> &'static str {
    match part {
        Part::Head => "without a reply",
        Part::Body => "in the middle of the reply",
    }
}

const fn is_closed(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(
        kind,
        BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof
    )
}

/// The first error of that type among an error and its causes.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}
