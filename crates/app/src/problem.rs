//! An error as people see it: what was wrong, with which field, what to do. The one table between errors inside and answers outside.

use tidings_engine::AcceptError;
use tidings_store::StoreError;

/// The kind of a problem. Stable: programs may act on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// The request cannot be read.
    Malformed,
    /// No credential, or one that is not valid.
    Unauthenticated,
    /// A valid credential that may not do this.
    Forbidden,
    /// There is nothing of that id, or not for this caller.
    NotFound,
    /// There is no such operation on this address.
    MethodNotAllowed,
    /// It contradicts what is already there.
    Conflict,
    /// More bytes than are taken.
    TooLarge,
    /// Another content type than is taken.
    UnsupportedMediaType,
    /// It can be read, but a field of it cannot be taken.
    Invalid,
    /// Tried too often; come back when [`Problem::retry_after_seconds`] says.
    Throttled,
    /// Too much at the moment; come back later.
    Overloaded,
    /// The store cannot be reached or written at the moment.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl Code {
    /// The HTTP status.
    pub const fn status(self) -> u16 {
        match self {
            Self::Malformed => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::UnsupportedMediaType => 415,
            Self::Invalid => 422,
            Self::Throttled => 429,
            Self::Internal => 500,
            Self::Overloaded | Self::Unavailable => 503,
        }
    }

    /// The name that programs see.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not-found",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::Conflict => "conflict",
            Self::TooLarge => "too-large",
            Self::UnsupportedMediaType => "unsupported-media-type",
            Self::Invalid => "invalid",
            Self::Throttled => "throttled",
            Self::Overloaded => "overloaded",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// The title that people see.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Malformed => "The request cannot be read",
            Self::Unauthenticated => "Not signed in",
            Self::Forbidden => "Not allowed",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "No such operation here",
            Self::Conflict => "Conflict",
            Self::TooLarge => "Too large",
            Self::UnsupportedMediaType => "Unsupported content type",
            Self::Invalid => "The request cannot be taken",
            Self::Throttled => "Tried too often",
            Self::Overloaded => "Too busy",
            Self::Unavailable => "Not available at the moment",
            Self::Internal => "Internal error",
        }
    }
}

/// What is wrong with one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field, as the caller wrote it: `settings.timeoutMs`, `events[3].payload`.
    pub field: String,
    /// What is wrong and what to do.
    pub message: String,
}

/// An error as people see it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct Problem {
    /// Its kind.
    pub code: Code,
    /// What happened and what to do, in a sentence.
    pub detail: String,
    /// The fields that are wrong.
    pub fields: Vec<FieldProblem>,
    /// When to come back, in seconds.
    pub retry_after_seconds: Option<u32>,
}

impl Problem {
    /// A problem of a kind, in a sentence.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        let retry_after_seconds = matches!(code, Code::Overloaded | Code::Unavailable).then_some(1);
        Self {
            code,
            detail: detail.into(),
            fields: Vec::new(),
            retry_after_seconds,
        }
    }

    /// A field that cannot be taken.
    pub fn field(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::fields(vec![FieldProblem {
            field: field.into(),
            message: message.into(),
        }])
    }

    /// Fields that cannot be taken, at least one.
    pub fn fields(fields: Vec<FieldProblem>) -> Self {
        let detail = fields
            .iter()
            .map(|problem| format!("{}: {}", problem.field, problem.message))
            .collect::<Vec<_>>()
            .join("; ");
        Self {
            fields,
            ..Self::new(Code::Invalid, detail)
        }
    }

    /// There is no such thing, or not for this caller: the two are not told apart.
    pub fn not_found(what: &str, id: &dyn std::fmt::Display) -> Self {
        Self::new(Code::NotFound, format!("there is no {what} {id}"))
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => {
                tracing::debug!(%reason, "the store is not available"); // the store says so itself, and not once a request
                Self::new(
                    Code::Unavailable,
                    "the store is not available at the moment; nothing was changed; try again",
                )
            }
            StoreError::Damaged(reason) => {
                tracing::error!(%reason, "the store holds something unreadable");
                Self::new(Code::Internal, "something stored cannot be read; the log of the server says what")
            }
        }
    }
}

impl From<AcceptError> for Problem {
    fn from(error: AcceptError) -> Self {
        match error {
            AcceptError::TooMany => Self::new(
                Code::TooLarge,
                format!("{error}, more than one request may make; nothing was stored; send them in smaller batches"),
            ),
            AcceptError::Overloaded => Self::new(
                Code::Overloaded,
                "too many events are being accepted at the moment; nothing was stored; try again",
            ),
            AcceptError::NoEnvironment => Self::new(Code::NotFound, "the environment does not exist any more"),
            AcceptError::Changing => Self::new(Code::Unavailable, format!("{error}; nothing was stored; try again")),
            AcceptError::Store(error) => error.into(),
        }
    }
}
