//! Types of the verbs that read the log and shorten it.

use tidings_model::delivery::StatusFilter;
use tidings_model::{Attempt, Delivery, DeliveryId, EnvironmentId, Event, EventId, EventKey, TenantId, Timestamp, WebhookId};

/// A part of a list, newest first.
#[derive(Clone, Copy, Debug)]
pub struct Page<C> {
    /// Only what is older than this.
    pub before: Option<C>,
    /// Rows to leave out first.
    pub skip: usize,
    /// Rows at most.
    pub limit: usize,
}

impl<C> Page<C> {
    /// The first rows.
    pub const fn first(limit: usize) -> Self {
        Self {
            before: None,
            skip: 0,
            limit,
        }
    }
}

/// Which deliveries to list. Everything that is given has to hold.
#[derive(Clone, Debug)]
pub struct DeliveryFilter {
    /// Of this environment.
    pub environment: EnvironmentId,
    /// To this webhook.
    pub webhook: Option<WebhookId>,
    /// To webhooks of this tenant, those deleted since included: what a tenant may see.
    pub owner: Option<TenantId>,
    /// Of this event.
    pub event: Option<EventId>,
    /// In this state.
    pub status: Option<StatusFilter>,
    /// Of events of this key.
    pub event_key: Option<EventKey>,
    /// Of events of this tenant.
    pub tenant: Option<TenantId>,
    /// Of events accepted then or later.
    pub from: Option<Timestamp>,
    /// Of events accepted before then.
    pub until: Option<Timestamp>,
    /// With at least one attempt.
    pub attempted: bool,
}

impl DeliveryFilter {
    /// All deliveries of an environment.
    pub const fn of(environment: EnvironmentId) -> Self {
        Self {
            environment,
            webhook: None,
            owner: None,
            event: None,
            status: None,
            event_key: None,
            tenant: None,
            from: None,
            until: None,
            attempted: false,
        }
    }
}

/// Which events to list. Everything that is given has to hold.
#[derive(Clone, Debug)]
pub struct EventFilter {
    /// Of this environment.
    pub environment: EnvironmentId,
    /// Of this key.
    pub key: Option<EventKey>,
    /// Of this tenant.
    pub tenant: Option<TenantId>,
    /// Accepted then or later.
    pub from: Option<Timestamp>,
    /// Accepted before then.
    pub until: Option<Timestamp>,
}

impl EventFilter {
    /// All events of an environment.
    pub const fn of(environment: EnvironmentId) -> Self {
        Self {
            environment,
            key: None,
            tenant: None,
            from: None,
            until: None,
        }
    }
}

/// A delivery with everything that is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct DeliveryDetail {
    /// The delivery.
    pub delivery: Delivery,
    /// Its event, with the body that is sent.
    pub event: Event,
    /// Its attempts, oldest first.
    pub attempts: Vec<Attempt>,
}

impl DeliveryDetail {
    /// The delivery's id.
    pub const fn id(&self) -> DeliveryId {
        self.delivery.id
    }
}

/// What a round of pruning removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Events, with their deliveries and attempts.
    pub events: usize,
    /// True when the round stopped at its limit and there is more that it could have removed.
    pub more: bool,
}

/// Figures of the whole store, for the metrics.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Deliveries that are not finished.
    pub pending: u64,
    /// Those of them that could have been leased for at least ten seconds: the later of due time and end of lease is that long ago.
    pub overdue: u64,
}
