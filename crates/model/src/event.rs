//! One thing that happened.

use bytes::Bytes;

use crate::{EnvironmentId, EventId, EventKey, TenantId, Timestamp};

/// The bytes of an event, as far as the store has them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventBody {
    /// As they were accepted.
    Whole(Bytes),
    /// The disk has others than were accepted: nobody is shown them, and nobody is sent them.
    Altered,
}

impl EventBody {
    /// The bytes, unless they were altered.
    pub const fn whole(&self) -> Option<&Bytes> {
        match self {
            Self::Whole(bytes) => Some(bytes),
            Self::Altered => None,
        }
    }
}

/// What people read in the place of a body that was altered.
pub const BODY_ALTERED: &str = "The disk altered this body: it is not what was accepted, so it is neither shown nor sent. Look the event up in a backup, or publish it again.";

/// An accepted event: immutable, its body as it is delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id, which carries when it was accepted.
    pub id: EventId,
    /// The environment it belongs to.
    pub environment: EnvironmentId,
    /// Its key.
    pub key: EventKey,
    /// The tenant it belongs to, when it does.
    pub tenant: Option<TenantId>,
    /// The user it is about, when it is.
    pub user: Option<String>,
    /// The application it came through, when it did.
    pub application: Option<String>,
    /// The flat body that every receiver gets: the payload's members as received, `eventContext`, `eventKey`.
    pub body: EventBody,
}

impl Event {
    /// When it was accepted.
    pub const fn accepted_at(&self) -> Timestamp {
        self.id.timestamp()
    }
}
