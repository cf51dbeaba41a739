//! Types of the verb that holds a store against what is always true of it, and the part of that which all stores share ([`judge`]).

mod finding;
mod judge;

use std::time::Duration;

use tidings_model::Timestamp;

pub use finding::{Finding, Missing, Thing};
pub use judge::{MadeAttempt, ToldDelivery, judge};

/// Nobody leases for longer: an engine asks for three minutes. A lease with a later end was taken by a clock that was wrong.
pub const LEASE_MAX: Duration = Duration::from_secs(3_600);

/// What a webhook has due for so long, without a lease and without an attempt in all that time, nobody works on. An engine that is told to wait by a
/// receiver asks it again every five minutes.
pub const OVERDUE_AFTER: Duration = Duration::from_secs(600);

/// A part of what is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Check {
    /// What the database itself can say of its pages, its indexes and its references.
    Database,
    /// Environments, and what belongs to them: credentials, event types; people and their sessions.
    Configuration,
    /// Webhooks, and whether somebody works on what they have due.
    Webhooks,
    /// What is pending: it has its event and its webhook, and its lease ends.
    Pending,
    /// Events with their deliveries and attempts.
    Events,
    /// Idempotency keys.
    Keys,
    /// What is written twice so that lists are fast.
    Lists,
}

impl Check {
    /// All of them, in the order in which they are made.
    pub const ALL: [Self; 7] = [
        Self::Database,
        Self::Configuration,
        Self::Webhooks,
        Self::Pending,
        Self::Events,
        Self::Keys,
        Self::Lists,
    ];

    fn following(self) -> Option<Self> {
        Self::ALL.into_iter().find(|check| *check > self)
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Database => "the database file",
            Self::Configuration => "configuration",
            Self::Webhooks => "webhooks",
            Self::Pending => "pending deliveries",
            Self::Events => "events",
            Self::Keys => "idempotency keys",
            Self::Lists => "lists",
        })
    }
}

/// Where a step of a verification begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// What it looks at.
    pub check: Check,
    /// After which row of that: as the store that gave it wrote it, and empty at the beginning.
    pub after: String,
}

impl Place {
    /// The beginning of everything.
    pub const fn start() -> Self {
        Self::of(Check::ALL[0])
    }

    /// The beginning of one check.
    pub const fn of(check: Check) -> Self {
        Self {
            check,
            after: String::new(),
        }
    }

    /// The beginning of the next check; `None` after the last.
    pub fn next_check(&self) -> Option<Self> {
        self.check.following().map(Self::of)
    }
}

/// As of when a store is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    /// The time.
    pub at: Timestamp,
    /// Since when an engine has been working on the store. Where none does, nothing can be late.
    pub served_since: Option<Timestamp>,
}

impl AsOf {
    /// What was due by then is overdue; `None` where nothing can be, as in an engine's first minutes.
    pub fn overdue_since(&self) -> Option<Timestamp> {
        let long_ago = self.at - OVERDUE_AFTER;
        self.served_since.filter(|since| *since <= long_ago).map(|_| long_ago)
    }

    /// No lease ends after this.
    pub fn lease_end_max(&self) -> Timestamp {
        self.at + LEASE_MAX
    }
}

/// What one step of a verification found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// How much it looked at: rows of the kind that its check is about.
    pub looked_at: u64,
    /// What is wrong there.
    pub findings: Vec<Finding>,
    /// Where to go on; `None` when everything has been looked at.
    pub next: Option<Place>,
}
