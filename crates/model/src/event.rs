//! One thing that happened.

use bytes::Bytes;

use crate::{EnvironmentId, EventId, EventKey, TenantId, Timestamp};

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
    pub body: Bytes,
}

impl Event {
    /// When it was accepted.
    pub const fn accepted_at(&self) -> Timestamp {
        self.id.timestamp()
    }
}
