//! What a verification can find: what it is, where, and what it means for people.

use std::fmt;

use serde::Serialize;
use tidings_model::{CredentialId, DeliveryId, EnvironmentId, EventId, EventKey, Timestamp, WebhookId};

/// Something in a store, by its id.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Thing {
    /// A webhook.
    Webhook(WebhookId),
    /// A credential.
    Credential(CredentialId),
    /// An environment's own event type.
    EventType(EventKey),
    /// An event.
    Event(EventId),
    /// The body of an event.
    Body(EventId),
    /// A delivery.
    Delivery(DeliveryId),
    /// An attempt of a delivery, by its number.
    Attempt(DeliveryId, u16),
    /// An idempotency key.
    IdempotencyKey(String),
}

impl fmt::Display for Thing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Webhook(id) => write!(f, "webhook {id}"),
            Self::Credential(id) => write!(f, "credential {}", id.as_str()),
            Self::EventType(key) => write!(f, "event type {key}"),
            Self::Event(id) => write!(f, "event {id}"),
            Self::Body(id) => write!(f, "the body of event {id}"),
            Self::Delivery(id) => write!(f, "delivery {id}"),
            Self::Attempt(id, number) => write!(f, "attempt {number} of delivery {id}"),
            Self::IdempotencyKey(key) => write!(f, "idempotency key {key:?}"),
        }
    }
}

/// What an orphan has lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Missing {
    /// Its event.
    Event,
    /// The bytes that it would send.
    Body,
    /// Where it would go.
    Webhook,
}

/// Something that is never so in a sound store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
pub enum Finding {
    /// The database's own check of its pages, indexes and references says so.
    Damaged {
        /// In the database's words.
        what: String,
    },
    /// Something holds a value that it cannot have.
    Unreadable {
        /// Which table, column and row.
        what: String,
    },
    /// Something belongs to an environment that is not there, or is deleted.
    NoEnvironment {
        /// What.
        thing: Thing,
    },
    /// Something points from one environment into another.
    OtherEnvironment {
        /// What points.
        thing: Thing,
        /// What it points to.
        into: Thing,
    },
    /// Something is left of an event that is not there.
    NoEvent {
        /// What is left.
        thing: Thing,
        /// The event.
        event: EventId,
    },
    /// The body of an event is gone.
    NoBody {
        /// The event.
        event: EventId,
    },
    /// The body of an event is not what was accepted: its checksum says so.
    AlteredBody {
        /// The event.
        event: EventId,
    },
    /// A pending delivery that cannot be sent.
    Orphan {
        /// The delivery.
        delivery: DeliveryId,
        /// Where it was to go.
        webhook: WebhookId,
        /// What it has lost.
        missing: Missing,
    },
    /// A finished delivery whose webhook is nowhere, not even among the deleted.
    NoWebhook {
        /// The delivery.
        delivery: DeliveryId,
        /// The webhook.
        webhook: WebhookId,
    },
    /// An accepted event promised a delivery, and nothing tells what became of it.
    Lost {
        /// The delivery.
        delivery: DeliveryId,
        /// Where it was to go, where that is known.
        webhook: Option<WebhookId>,
        /// Whether the next start of a server takes it up.
        taken_up_at_start: bool,
    },
    /// A webhook has something due and nobody works on it.
    Overdue {
        /// The webhook.
        webhook: WebhookId,
        /// The delivery that has waited longest.
        delivery: DeliveryId,
        /// Since when anybody could have leased it.
        since: Timestamp,
    },
    /// A lease that keeps a delivery from everybody for longer than any engine leases.
    LeaseTooLong {
        /// The delivery.
        delivery: DeliveryId,
        /// When the lease ends.
        until: Timestamp,
    },
    /// The attempts of a delivery are not numbered from 1 without a gap.
    AttemptsNotNumbered {
        /// The delivery.
        delivery: DeliveryId,
        /// The first number that is missing.
        expected: u16,
        /// The number in its place.
        found: u16,
    },
    /// A delivery says that it made more attempts, or fewer, than there are.
    AttemptsDisagree {
        /// The delivery.
        delivery: DeliveryId,
        /// How many it says.
        told: u16,
        /// How many there are.
        found: u16,
    },
    /// The state of a delivery is not what follows from its last attempt.
    StateDisagrees {
        /// The delivery.
        delivery: DeliveryId,
        /// What it says, and what its attempts say.
        what: String,
    },
    /// An idempotency key names an event that is not there, and is newer than all that were pruned.
    KeyWithoutEvent {
        /// Its environment, where that is still there.
        environment: Option<EnvironmentId>,
        /// The key.
        key: String,
        /// The event that it names.
        event: EventId,
    },
    /// An idempotency key answers with another number of deliveries than its event has.
    KeyDisagrees {
        /// Its environment, where that is still there.
        environment: Option<EnvironmentId>,
        /// The key.
        key: String,
        /// The event.
        event: EventId,
        /// Deliveries by the key.
        told: u32,
        /// Deliveries by the event.
        found: u32,
    },
    /// An event is not in a list that it belongs to, or in one to which it does not.
    ListDisagrees {
        /// The event.
        event: EventId,
        /// Which list.
        list: String,
        /// Whether the list has it.
        listed: bool,
    },
    /// What lists are read from does not fit together.
    ListsBroken {
        /// Where, and how.
        what: String,
    },
    /// A webhook says that its last change is newer than every change of its environment: nodes would not hear of its next change.
    ChangeAhead {
        /// The webhook.
        webhook: WebhookId,
        /// The routing version of its last change.
        changed: u64,
        /// The routing version of its environment.
        version: u64,
    },
}

impl Finding {
    /// What it means, and what to do: one or two sentences.
    pub const fn meaning(&self) -> &'static str {
        match self {
            Self::Damaged { .. } | Self::Unreadable { .. } => {
                "The file is damaged. Stop the server, keep a copy of the folder, and restore a backup with `tidings restore`."
            }
            Self::NoEnvironment { .. } => {
                "Nobody can see or change it any more. It does no harm; something outside Tidings removed its environment."
            }
            Self::OtherEnvironment { .. } => {
                "Something of one environment could reach another. Stop the server and find out what wrote to the database beside it."
            }
            Self::NoEvent { .. } => "What is left takes room and is shown nowhere. Something outside Tidings removed the event.",
            Self::NoBody { .. } => {
                "The event cannot be sent any more, nor sent again. Its bytes are in backups that were made since it was accepted."
            }
            Self::AlteredBody { .. } => {
                "The file is damaged, most often by the disk. The event is shown without it and not sent any more; its bytes are in backups that were made since it was accepted."
            }
            Self::Orphan { .. } => {
                "It is never sent, and its event is never pruned. A backup that has what is missing can be restored beside this folder to look it up."
            }
            Self::NoWebhook { .. } => "The log does not know any more where the delivery went. Nothing waits for it.",
            Self::Lost {
                taken_up_at_start: true, ..
            } => "Nobody works on it now. Restart the server: it takes up what was promised and not delivered.",
            Self::Lost {
                taken_up_at_start: false, ..
            } => "It is not sent by itself any more. Publish the event again: its body is shown by `tidings events show`.",
            Self::Overdue { .. } => {
                "The server does not get round to it. Look at its log and its load, then restart it: what is due is taken up at once."
            }
            Self::LeaseTooLong { .. } => {
                "It waits for that time. The clock was wrong when it was leased; a restart of the server ends the lease."
            }
            Self::AttemptsNotNumbered { .. } | Self::AttemptsDisagree { .. } => {
                "The log of the delivery is not complete. Something outside Tidings changed it."
            }
            Self::StateDisagrees { .. } => {
                "What is shown of the delivery may be wrong. Look at its attempts with `tidings deliveries show`, and resend it when in doubt."
            }
            Self::KeyWithoutEvent { .. } => {
                "An accepted event is gone, and a producer that repeats the request is told that it is there. Have it published again, under another key."
            }
            Self::KeyDisagrees { .. } => "A producer that repeats the request is told a wrong number of deliveries. Nothing else follows.",
            Self::ListDisagrees { .. } | Self::ListsBroken { .. } => {
                "Lists may leave out events, or show too many; deliveries are sent all the same. Restore a backup to have lists again that can be trusted."
            }
            Self::ChangeAhead { .. } => {
                "Until the server is restarted, it may go on with what it knew of the webhook before its next change."
            }
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged { what } | Self::Unreadable { what } | Self::ListsBroken { what } => f.write_str(what),
            Self::NoEnvironment { thing } => write!(f, "{thing} belongs to an environment that is not there"),
            Self::OtherEnvironment { thing, into } => write!(f, "{thing} points to {into}, which is of another environment"),
            Self::NoEvent { thing, event } => write!(f, "{thing} is there, but event {event} is not"),
            Self::NoBody { event } => write!(f, "event {event} has no body"),
            Self::AlteredBody { event } => write!(f, "the body of event {event} is not what was accepted"),
            Self::Orphan {
                delivery,
                webhook,
                missing,
            } => match missing {
                Missing::Event => write!(f, "delivery {delivery} to webhook {webhook} is pending, but its event is not there"),
                Missing::Body => write!(
                    f,
                    "delivery {delivery} to webhook {webhook} is pending, but the body of its event is not there"
                ),
                Missing::Webhook => write!(f, "delivery {delivery} is pending, but its webhook {webhook} is not there"),
            },
            Self::NoWebhook { delivery, webhook } => write!(f, "delivery {delivery} went to webhook {webhook}, which is not there"),
            Self::Lost {
                delivery,
                webhook: Some(webhook),
                ..
            } => {
                write!(
                    f,
                    "delivery {delivery} to webhook {webhook} was promised, and nothing tells what became of it"
                )
            }
            Self::Lost {
                delivery, webhook: None, ..
            } => write!(f, "delivery {delivery} is missing between others of its event"),
            Self::Overdue { webhook, delivery, since } => {
                write!(
                    f,
                    "webhook {webhook} has had delivery {delivery} due since {since}, and nobody works on it"
                )
            }
            Self::LeaseTooLong { delivery, until } => write!(f, "delivery {delivery} is leased until {until}"),
            Self::AttemptsNotNumbered { delivery, expected, found } => {
                write!(
                    f,
                    "delivery {delivery} has an attempt {found} where its attempt {expected} should be"
                )
            }
            Self::AttemptsDisagree { delivery, told, found } => {
                write!(f, "delivery {delivery} says that it made {told} attempts, and there are {found}")
            }
            Self::StateDisagrees { delivery, what } => write!(f, "delivery {delivery} {what}"),
            Self::KeyWithoutEvent { key, event, .. } => write!(
                f,
                "idempotency key {key:?} names event {event}, which is not there and was not pruned"
            ),
            Self::KeyDisagrees {
                key, event, told, found, ..
            } => {
                write!(
                    f,
                    "idempotency key {key:?} says that event {event} has {told} deliveries, and it has {found}"
                )
            }
            Self::ListDisagrees {
                event,
                list,
                listed: false,
            } => write!(f, "event {event} is missing in the list of {list}"),
            Self::ListDisagrees { event, list, listed: true } => {
                write!(f, "event {event} is in the list of {list}, where it does not belong")
            }
            Self::ChangeAhead { webhook, changed, version } => {
                write!(
                    f,
                    "webhook {webhook} was changed in version {changed} of a routing that has version {version}"
                )
            }
        }
    }
}
