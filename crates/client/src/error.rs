//! What can go wrong between asking and having an answer.

use http::StatusCode;
use http::header::RETRY_AFTER;
use serde::Deserialize;
use url::Url;

/// Bytes of a foreign reply that are shown.
const EXCERPT_CHARS: usize = 200;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address of the server is not one that can be asked.
    #[error("'{url}' is not the address of a server: {reason}")]
    Address {
        /// As it was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Something that was given cannot be part of a request.
    #[error("{what} cannot be sent: {reason}")]
    Unsendable {
        /// What was given, without its value when that is a secret.
        what: String,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Nobody answers at that address. Nothing was sent.
    #[error("cannot reach {url}: {reason}")]
    Unreachable {
        /// The server.
        url: Url,
        /// What the network says.
        reason: String,
        /// True when the machine answers but nothing listens on the port.
        refused: bool,
    },
    /// The connection broke before the whole reply was there. The request may have been carried out.
    #[error("the connection to {url} broke before the reply was complete: {reason}")]
    Broken {
        /// The server.
        url: Url,
        /// What the network says.
        reason: String,
    },
    /// The server refused, and says why.
    #[error(transparent)]
    Problem(Box<Problem>),
    /// What answers there does not speak like Tidings.
    #[error("{url} answered HTTP {status}, but not as Tidings does: {excerpt}")]
    Foreign {
        /// What was asked for.
        url: Url,
        /// The HTTP status.
        status: u16,
        /// The beginning of the reply.
        excerpt: String,
    },
    /// The reply is not what this operation answers.
    #[error("the server's reply cannot be read, its version may be another than this client's: {0}")]
    Unreadable(#[source] serde_json::Error),
}

/// A refusal in the form of RFC 9457.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, thiserror::Error)]
#[serde(rename_all = "camelCase")]
#[error("{detail}")]
pub struct Problem {
    /// `urn:tidings:problem:<code>`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The kind in words.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened and what to do, in a sentence.
    pub detail: String,
    /// The kind, for programs.
    #[serde(default)]
    pub code: String,
    /// The fields that are wrong.
    #[serde(default)]
    pub errors: Vec<FieldError>,
    /// When to come back, in seconds: the `Retry-After` header.
    #[serde(skip)]
    pub retry_after_seconds: Option<u32>,
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct FieldError {
    /// The field, as it was sent: `settings.timeoutMs`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

impl Error {
    /// The refusal, when it is one.
    pub fn problem(&self) -> Option<&Problem> {
        match self {
            Self::Problem(problem) => Some(problem),
            _ => None,
        }
    }

    /// What a reply that is not a success means.
    pub(crate) fn refusal(url: Url, head: &http::response::Parts, body: &[u8]) -> Self {
        let Ok(mut problem) = serde_json::from_slice::<Problem>(body) else {
            return Self::foreign(url, head.status, body);
        };
        problem.retry_after_seconds = head
            .headers
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse().ok());
        Self::Problem(Box::new(problem))
    }

    pub(crate) fn foreign(url: Url, status: StatusCode, body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let excerpt: String = text.trim().chars().take(EXCERPT_CHARS).collect();
        let excerpt = if excerpt.is_empty() { "(nothing)".to_owned() } else { excerpt };
        Self::Foreign {
            url,
            status: status.as_u16(),
            excerpt,
        }
    }
}
