//! One event on its way to one webhook: few stored states, and the richer words that people see as a view of them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{DeliveryId, EnvironmentId, EventId, EventKey, TenantId, Timestamp, WebhookId};

/// Why a delivery exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trigger {
    /// The event matched the webhook.
    Event,
    /// Somebody asked for it again.
    Resend,
    /// Somebody tested the webhook.
    Test,
}

/// Why a delivery was given up before its schedule ran out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum CancelReason {
    /// The receiver answered 410.
    Gone,
    /// The webhook was disabled when the event arrived, or while it was waiting.
    WebhookDisabled,
    /// The webhook was deleted.
    WebhookDeleted,
    /// The disk altered the body of the event, so that there is nothing left to send.
    BodyAltered,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the receiver answered 410 Gone",
            Self::WebhookDisabled => "the webhook is disabled",
            Self::WebhookDeleted => "the webhook was deleted",
            Self::BodyAltered => "the disk altered the body of the event",
        })
    }
}

/// What is stored of a delivery's progress. A lease on a pending delivery lies beside it, in the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DeliveryState {
    /// Not finished; the next attempt may begin at that time.
    Pending {
        /// Not before this.
        next_attempt_at: Timestamp,
    },
    /// The receiver took it.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// The schedule ran out.
    Exhausted {
        /// When.
        at: Timestamp,
    },
    /// Given up.
    Cancelled {
        /// When.
        at: Timestamp,
        /// Why.
        why: CancelReason,
    },
}

/// The words that people see.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum DeliveryStatus {
    /// Waiting for its first attempt.
    Scheduled,
    /// Being sent, or queued to be sent, right now.
    InFlight,
    /// Failed before, waiting for another attempt.
    Retrying,
    /// The receiver took it.
    Delivered,
    /// The schedule ran out.
    Exhausted,
    /// Given up for a stated reason.
    Cancelled,
}

/// A word is not a status.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{0}' is not a delivery status; use one of pending, retrying, delivered, exhausted, cancelled")]
pub struct StatusError(String);

impl DeliveryStatus {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Scheduled => "scheduled",
            Self::InFlight => "inFlight",
            Self::Retrying => "retrying",
            Self::Delivered => "delivered",
            Self::Exhausted => "exhausted",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for DeliveryStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a list of deliveries can be narrowed to: stored states and failure, rather than the finer words whose meaning moves with the clock.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StatusFilter {
    /// Not finished: scheduled, in flight or retrying.
    Pending,
    /// Not finished, and at least one attempt has failed.
    Retrying,
    /// Taken by the receiver.
    Delivered,
    /// The schedule ran out.
    Exhausted,
    /// Given up.
    Cancelled,
}

impl FromStr for StatusFilter {
    type Err = StatusError;

    fn from_str(text: &str) -> Result<Self, StatusError> {
        Ok(match text {
            "pending" => Self::Pending,
            "retrying" => Self::Retrying,
            "delivered" => Self::Delivered,
            "exhausted" => Self::Exhausted,
            "cancelled" => Self::Cancelled,
            other => return Err(StatusError(other.to_owned())),
        })
    }
}

impl StatusFilter {
    /// Whether a delivery in that state, after so many attempts, is in the filter.
    pub const fn admits(self, state: &DeliveryState, attempts: u16) -> bool {
        match (self, state) {
            (Self::Pending, DeliveryState::Pending { .. })
            | (Self::Delivered, DeliveryState::Delivered { .. })
            | (Self::Exhausted, DeliveryState::Exhausted { .. })
            | (Self::Cancelled, DeliveryState::Cancelled { .. }) => true,
            (Self::Retrying, DeliveryState::Pending { .. }) => attempts > 0,
            _ => false,
        }
    }
}

/// A delivery as the log shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The environment of the event and of the webhook.
    pub environment: EnvironmentId,
    /// The webhook it goes to.
    pub webhook: WebhookId,
    /// Why it exists.
    pub trigger: Trigger,
    /// The key of its event.
    pub event_key: EventKey,
    /// The tenant of its event.
    pub tenant: Option<TenantId>,
    /// How far it is.
    pub state: DeliveryState,
    /// Attempts made so far.
    pub attempts: u16,
    /// HTTP status of the last attempt, when one came back.
    pub last_status: Option<u16>,
    /// True while a node holds it to send it.
    pub leased: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl Delivery {
    /// The event that is delivered.
    pub const fn event(&self) -> EventId {
        self.id.event
    }

    /// The word for its state.
    pub const fn status(&self) -> DeliveryStatus {
        match self.state {
            DeliveryState::Delivered { .. } => DeliveryStatus::Delivered,
            DeliveryState::Exhausted { .. } => DeliveryStatus::Exhausted,
            DeliveryState::Cancelled { .. } => DeliveryStatus::Cancelled,
            DeliveryState::Pending { .. } if self.leased => DeliveryStatus::InFlight,
            DeliveryState::Pending { .. } if self.attempts > 0 => DeliveryStatus::Retrying,
            DeliveryState::Pending { .. } => DeliveryStatus::Scheduled,
        }
    }
}
