//! Types of the verbs on the road of an event: append, lease, settle.

use bytes::Bytes;
use tidings_model::{Attempt, CancelReason, DeliveryId, EnvironmentId, EventId, EventKey, TenantId, Timestamp, Trigger, WebhookId};

/// Proof that a delivery is ours to settle: a new one for every lease, so that whoever lost a lease cannot settle with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
pub struct LeaseToken(pub i64);

/// A lease about to be taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct LeaseGrant {
    /// Never used before by anybody.
    pub token: LeaseToken,
    /// When it ends by itself; from then on anybody may lease the delivery again.
    pub until: Timestamp,
}

/// How a new delivery begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Start {
    /// Leased to the caller, who sends it at once.
    Leased(LeaseGrant),
    /// Due at once, for whoever leases it.
    Due,
    /// Cancelled from the start, at the event's `at`: kept so that it can be seen and resent.
    Skipped(CancelReason),
}

/// One webhook that an event matched.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Target {
    /// The webhook.
    pub webhook: WebhookId,
    /// How its delivery begins.
    pub start: Start,
}

/// A caller's promise that a repeated request is the same request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Idempotency {
    /// The caller's key, unique in the environment.
    pub key: String,
    /// SHA-256 of the request.
    pub fingerprint: [u8; 32],
    /// From then on it is as if the key had never been used.
    pub expires_at: Timestamp,
}

/// An event to append, with the deliveries that it caused.
#[derive(Clone, Debug)]
pub struct NewEvent {
    /// The environment.
    pub environment: EnvironmentId,
    /// The version of the routing that the targets were matched against.
    pub routing_version: u64,
    /// Its key.
    pub key: EventKey,
    /// Its tenant.
    pub tenant: Option<TenantId>,
    /// Its user.
    pub user: Option<String>,
    /// Its application.
    pub application: Option<String>,
    /// The body to deliver.
    pub body: Bytes,
    /// When it is accepted; its id begins with it, as [`EventIdSequence`](crate::EventIdSequence) says.
    pub at: Timestamp,
    /// The caller's idempotency key.
    pub idempotency: Option<Idempotency>,
    /// Why its deliveries exist: an event, or a test.
    pub trigger: Trigger,
    /// The webhooks that it matched.
    pub targets: Vec<Target>,
}

/// An event that is durable, with its deliveries.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Appended {
    /// Its id. The delivery of the n-th target has the ordinal n.
    pub event: EventId,
    /// False when the idempotency key was seen before: nothing was written, and the id is that of the first time.
    pub fresh: bool,
    /// How many deliveries it was appended with; a repetition says the same again.
    pub deliveries: u32,
}

/// Why an event was not appended.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum AppendRefusal {
    /// The routing has changed since the targets were matched: match again.
    #[error("the routing has changed")]
    StaleRouting,
    /// The idempotency key was used for other bytes.
    #[error("the idempotency key was used for another request")]
    KeyReused {
        /// The event that it was used for.
        event: EventId,
    },
    /// There is no such environment.
    #[error("there is no such environment")]
    NoEnvironment,
}

/// A delivery in the hands of whoever leased it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeasedDelivery {
    /// Its id.
    pub id: DeliveryId,
    /// The environment.
    pub environment: EnvironmentId,
    /// Where it goes.
    pub webhook: WebhookId,
    /// Why it exists.
    pub trigger: Trigger,
    /// Attempts made before.
    pub attempts: u16,
    /// When it was due.
    pub due_at: Timestamp,
    /// The body to send.
    pub body: Bytes,
    /// The lease.
    pub lease: LeaseGrant,
}

/// What a webhook had to lease.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct DueBatch {
    /// What was leased, oldest first.
    pub deliveries: Vec<LeasedDelivery>,
    /// When the webhook next has something to lease after this: the earliest, over what is pending, of the later of its due time and the end of its
    /// lease. Not after `at` when more was due than wanted. `None` when nothing is pending.
    pub next_due: Option<Timestamp>,
}

/// A webhook with pending deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueWebhook {
    /// The webhook; it may be disabled or deleted.
    pub webhook: WebhookId,
    /// Its environment.
    pub environment: EnvironmentId,
    /// When it next has something to lease, as in [`DueBatch`].
    pub next_due: Timestamp,
    /// Why nothing of it may be sent any more, when that is so: it was deleted, or it is disabled for whatever reason.
    pub cancelled: Option<CancelReason>,
}

/// What became of an attempt, to be recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Settlement {
    /// The webhook of the delivery.
    pub webhook: WebhookId,
    /// The lease under which it was sent.
    pub lease: LeaseToken,
    /// The attempt; it names the delivery and carries the verdict.
    pub attempt: Attempt,
    /// When it ended.
    pub ended_at: Timestamp,
}

/// What recording it did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Settled {
    /// The attempt is in the log and the delivery has moved.
    Recorded {
        /// Since when the webhook has failed without one success; `None` while it is well.
        failing_since: Option<Timestamp>,
    },
    /// Somebody else has the delivery now, or it is gone: nothing was written.
    LeaseLost,
}

/// Why a delivery was not sent again.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum ResendError {
    /// There is no such delivery in that environment.
    #[error("there is no such delivery")]
    NotFound,
    /// Its webhook was deleted.
    #[error("the webhook of the delivery was deleted")]
    WebhookDeleted,
    /// Its webhook is disabled.
    #[error("the webhook of the delivery is disabled")]
    WebhookDisabled,
    /// The body of its event was altered.
    #[error("the disk altered the body of the event")]
    BodyAltered,
}
