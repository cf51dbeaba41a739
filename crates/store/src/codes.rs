//! The numbers under which words are stored. They are part of the schema: a number never changes its meaning.

use crate::{PersonRole, ServerKeyPurpose};
use tidings_model::{CancelReason, DisableReason, FailureKind, Timestamp, Trigger, Verdict};

/// Not finished. Also written out in the conditions of statements and of partial indexes, as the planner wants it.
pub const PENDING: i64 = 0;
/// Taken by the receiver.
pub const DELIVERED: i64 = 1;
/// The schedule ran out.
pub const EXHAUSTED: i64 = 2;
/// Given up.
pub const CANCELLED: i64 = 3;

/// A verdict as it is stored: its number, when it is tried again, and why it was given up.
pub const fn of_verdict(verdict: Verdict) -> (i16, Option<Timestamp>, Option<CancelReason>) {
    match verdict {
        Verdict::Delivered => (0, None, None),
        Verdict::RetryAt(at) => (1, Some(at), None),
        Verdict::Exhausted => (2, None, None),
        Verdict::Cancel(why) => (3, None, Some(why)),
    }
}

/// The verdict that is stored so; `None` when its parts do not go together.
pub const fn verdict(number: i16, retry_at: Option<Timestamp>, why: Option<CancelReason>) -> Option<Verdict> {
    match (number, retry_at, why) {
        (0, None, None) => Some(Verdict::Delivered),
        (1, Some(at), None) => Some(Verdict::RetryAt(at)),
        (2, None, None) => Some(Verdict::Exhausted),
        (3, None, Some(why)) => Some(Verdict::Cancel(why)),
        _ => None,
    }
}

/// A word with a number in the schema.
pub trait Code: Copy + 'static {
    /// Every word.
    const ALL: &'static [Self];

    /// Its number.
    fn code(self) -> i64;

    /// The word of a number.
    fn from_code(code: i64) -> Option<Self> {
        Self::ALL.iter().copied().find(|word| word.code() == code)
    }
}

impl Code for Trigger {
    const ALL: &'static [Self] = &[Self::Event, Self::Resend, Self::Test];

    fn code(self) -> i64 {
        match self {
            Self::Event => 0,
            Self::Resend => 1,
            Self::Test => 2,
        }
    }
}

impl Code for CancelReason {
    const ALL: &'static [Self] = &[Self::Gone, Self::WebhookDisabled, Self::WebhookDeleted, Self::BodyAltered];

    fn code(self) -> i64 {
        match self {
            Self::Gone => 0,
            Self::WebhookDisabled => 1,
            Self::WebhookDeleted => 2,
            Self::BodyAltered => 3,
        }
    }
}

impl Code for DisableReason {
    const ALL: &'static [Self] = &[Self::Operator, Self::Gone, Self::Failing];

    fn code(self) -> i64 {
        match self {
            Self::Operator => 0,
            Self::Gone => 1,
            Self::Failing => 2,
        }
    }
}

impl Code for PersonRole {
    const ALL: &'static [Self] = &[Self::Owner, Self::Admin, Self::Viewer];

    fn code(self) -> i64 {
        match self {
            Self::Owner => 0,
            Self::Admin => 1,
            Self::Viewer => 2,
        }
    }
}

impl Code for FailureKind {
    const ALL: &'static [Self] = &[
        Self::Refused,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Disconnected,
        Self::Protocol,
    ];

    fn code(self) -> i64 {
        match self {
            Self::Refused => 0,
            Self::Dns => 1,
            Self::Connect => 2,
            Self::Tls => 3,
            Self::Timeout => 4,
            Self::Disconnected => 5,
            Self::Protocol => 6,
        }
    }
}

impl Code for ServerKeyPurpose {
    const ALL: &'static [Self] = &[Self::AccessTokens, Self::ClientSecrets];

    fn code(self) -> i64 {
        match self {
            Self::AccessTokens => 0,
            Self::ClientSecrets => 1,
        }
    }
}
