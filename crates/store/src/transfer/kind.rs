//! What a store consists of, store by store the same: kinds of records, each with its columns, of which the first are its key.

use serde::{Deserialize, Serialize};

/// A kind of records. Records of one kind are told apart, and ordered, by their keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Environments, the deleted ones that still have events too.
    Environments,
    /// Credentials.
    Credentials,
    /// People.
    People,
    /// Who is signed in.
    Sessions,
    /// The audit log.
    Audit,
    /// What was counted for charts.
    Activity,
    /// The master keys that sealed something, by their turn.
    MasterKeys,
    /// The server's own keys, sealed.
    ServerKeys,
    /// Event types of environments.
    EventTypes,
    /// Webhooks, the deleted ones too.
    Webhooks,
    /// How webhooks that are there have been doing, as far as they were tried.
    WebhookHealth,
    /// Events with their bodies.
    Events,
    /// Deliveries, without their leases.
    Deliveries,
    /// Attempts.
    Attempts,
    /// Idempotency keys.
    Idempotency,
    /// The highest numbers that were given out.
    Counters,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// A number, or a time in milliseconds.
    Number,
    /// Yes or no, as 1 or 0.
    Flag,
    /// A text.
    Text,
    /// Bytes.
    Bytes,
    /// The sixteen bytes of a UUID.
    Uuid,
}

use Holds::{Bytes, Flag, Number, Text, Uuid};

/// A column: its name, and what it holds unless it is empty.
pub type Column = (&'static str, Holds);

impl Kind {
    /// All of them, in the order in which they are moved: nothing comes before what it refers to.
    pub const ALL: [Self; 16] = [
        Self::Environments,
        Self::Credentials,
        Self::People,
        Self::Sessions,
        Self::Audit,
        Self::Activity,
        Self::MasterKeys,
        Self::ServerKeys,
        Self::EventTypes,
        Self::Webhooks,
        Self::WebhookHealth,
        Self::Events,
        Self::Deliveries,
        Self::Attempts,
        Self::Idempotency,
        Self::Counters,
    ];

    /// Its name, which is also that of its table where it has one.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Environments => "environments",
            Self::Credentials => "credentials",
            Self::People => "people",
            Self::Sessions => "sessions",
            Self::Audit => "audit",
            Self::Activity => "activity",
            Self::MasterKeys => "master_keys",
            Self::ServerKeys => "server_keys",
            Self::EventTypes => "event_types",
            Self::Webhooks => "webhooks",
            Self::WebhookHealth => "webhook_health",
            Self::Events => "events",
            Self::Deliveries => "deliveries",
            Self::Attempts => "attempts",
            Self::Idempotency => "idempotency",
            Self::Counters => "counters",
        }
    }

    /// Its columns.
    pub const fn columns(self) -> &'static [Column] {
        match self {
            Self::Environments => ENVIRONMENTS,
            Self::Credentials => CREDENTIALS,
            Self::People => PEOPLE,
            Self::Sessions => SESSIONS,
            Self::Audit => AUDIT,
            Self::Activity => ACTIVITY,
            Self::MasterKeys => MASTER_KEYS,
            Self::ServerKeys => SERVER_KEYS,
            Self::EventTypes => EVENT_TYPES,
            Self::Webhooks => WEBHOOKS,
            Self::WebhookHealth => WEBHOOK_HEALTH,
            Self::Events => EVENTS,
            Self::Deliveries => DELIVERIES,
            Self::Attempts => ATTEMPTS,
            Self::Idempotency => IDEMPOTENCY,
            Self::Counters => COUNTERS,
        }
    }

    /// Those of them that are its key: the first.
    pub fn key(self) -> &'static [Column] {
        let columns = match self {
            Self::Activity | Self::Attempts => 3,
            Self::EventTypes | Self::Deliveries | Self::Idempotency => 2,
            _ => 1,
        };
        &self.columns()[..columns]
    }

    /// Records of one chunk at most; some kinds have large ones. Events have a limit of bytes besides.
    pub const fn chunk_max(self) -> usize {
        match self {
            Self::EventTypes | Self::Webhooks => 64,
            _ => 2_048,
        }
    }

    /// Whether its records come along with the events that they belong to.
    pub const fn comes_with_events(self) -> bool {
        matches!(self, Self::Deliveries | Self::Attempts)
    }

    /// The kind after it that does not come along with another.
    pub fn following(self) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind > self && !kind.comes_with_events())
    }
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.name().replace('_', " "))
    }
}

const ENVIRONMENTS: &[Column] = &[
    ("id", Number),
    ("uuid", Uuid),
    ("name", Text),
    ("folded_name", Text),
    ("settings", Text),
    ("routing_version", Number),
    ("created_at", Number),
    ("deleted", Flag),
];

const CREDENTIALS: &[Column] = &[
    ("id", Number),
    ("client_id", Text),
    ("environment", Number),
    ("name", Text),
    ("scopes", Number),
    ("secret_hash", Bytes),
    ("created_at", Number),
];

const PEOPLE: &[Column] = &[
    ("id", Number),
    ("email", Text),
    ("role", Number),
    ("password_hash", Text),
    ("created_at", Number),
    ("recovered_until", Number),
];

const SESSIONS: &[Column] = &[
    ("id", Bytes),
    ("person", Number),
    ("created_at", Number),
    ("seen_at", Number),
    ("ends_at", Number),
    ("agent", Text),
    ("address", Text),
];

const AUDIT: &[Column] = &[
    ("number", Number),
    ("at", Number),
    ("actor", Text),
    ("action", Text),
    ("environment", Uuid),
    ("target", Text),
    ("detail", Text),
];

const ACTIVITY: &[Column] = &[
    ("environment", Number),
    ("webhook", Number),
    ("from_at", Number),
    ("accepted", Number),
    ("delivered", Number),
    ("failed", Number),
];

/// The n-th that ever sealed has the turn n. States: 0 current, 1 retiring, 2 retired.
const MASTER_KEYS: &[Column] = &[("turn", Number), ("id", Bytes), ("state", Number), ("since", Number)];

const SERVER_KEYS: &[Column] = &[
    ("number", Number),
    ("purpose", Number),
    ("sealed", Bytes),
    ("made_at", Number),
    ("ends_at", Number),
];

const EVENT_TYPES: &[Column] = &[
    ("environment", Number),
    ("key", Text),
    ("category", Text),
    ("display_name", Text),
    ("description", Text),
    ("example", Text),
    ("schema", Text),
    ("created_at", Number),
];

const WEBHOOKS: &[Column] = &[
    ("id", Number),
    ("environment", Number),
    ("tenant", Text),
    ("name", Text),
    ("description", Text),
    ("url", Text),
    ("secret", Bytes),
    ("old_secret", Bytes),
    ("old_until", Number),
    ("subscription", Text),
    ("headers", Bytes),
    ("disabled_at", Number),
    ("disabled_why", Number),
    ("created_at", Number),
    ("updated_at", Number),
    ("deleted_at", Number),
    ("changed", Number),
];

const WEBHOOK_HEALTH: &[Column] = &[
    ("webhook", Number),
    ("attempts", Number),
    ("failures", Number),
    ("last_attempt_at", Number),
    ("failing_since", Number),
];

/// `deliveries` is how many it was appended with.
const EVENTS: &[Column] = &[
    ("id", Number),
    ("environment", Number),
    ("trigger", Number),
    ("deliveries", Number),
    ("checksum", Number),
    ("key", Text),
    ("tenant", Text),
    ("user_id", Text),
    ("application", Text),
    ("body", Bytes),
];

const DELIVERIES: &[Column] = &[
    ("event", Number),
    ("ordinal", Number),
    ("webhook", Number),
    ("environment", Number),
    ("trigger", Number),
    ("state", Number),
    ("due_at", Number),
    ("attempts", Number),
    ("last_status", Number),
    ("ended_at", Number),
    ("why", Number),
    ("created_at", Number),
];

/// `detail` is in its present form.
const ATTEMPTS: &[Column] = &[
    ("event", Number),
    ("ordinal", Number),
    ("number", Number),
    ("started_at", Number),
    ("ended_at", Number),
    ("status", Number),
    ("verdict", Number),
    ("retry_at", Number),
    ("why", Number),
    ("detail", Bytes),
    ("reply_body", Bytes),
];

const IDEMPOTENCY: &[Column] = &[
    ("environment", Number),
    ("key", Text),
    ("event", Number),
    ("deliveries", Number),
    ("fingerprint", Bytes),
    ("expires_at", Number),
];

/// `number` is the highest number of that table that was ever given out; of `pruned`, the newest event that was pruned.
const COUNTERS: &[Column] = &[("name", Text), ("number", Number)];
