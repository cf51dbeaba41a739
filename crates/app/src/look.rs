//! Looking for what may be rare: a list that stops after so many events, rather than making somebody wait for all of them.
//!
//! States and webhooks have indexes of their own, keys and tenants do not: an index by them would cost every event, and a list by them walks.

use tidings_model::{Delivery, DeliveryId, Event, EventId, Timestamp};
use tidings_store::{DeliveryFilter, EventFilter, Page};

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;

/// Events that one look goes through: some 20 ms of the store's time along an index that has key and tenant.
pub const LOOK_EVENTS_MAX: usize = 200_000;
/// The same where it is narrowed to a webhook too: every delivery costs a step to its event, some 40 ms when all events went there.
pub const LOOK_WEBHOOK_EVENTS_MAX: usize = 30_000;

/// What a look found.
#[derive(Clone, Debug)]
pub struct Looked<T> {
    /// What it found, newest first, at most a page.
    pub rows: Vec<T>,
    /// That it stopped before it was through.
    pub stopped: Option<Stopped>,
}

/// Where a look stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped {
    /// Looking goes on with what is older than this event.
    pub at: EventId,
    /// Events that were looked through.
    pub after: usize,
}

impl App {
    /// Events as [`Self::events`], among the newest [`LOOK_EVENTS_MAX`] when they are narrowed by key or tenant.
    pub async fn look_for_events(&self, caller: &Caller, mut filter: EventFilter, page: Page<EventId>) -> Result<Looked<Event>, Problem> {
        let walks = filter.key.is_some() || filter.tenant.is_some();
        let most = walks.then_some(LOOK_EVENTS_MAX);
        let edge = self.edge(caller, most, page.before, filter.until).await?;
        filter.from = filter.from.max(edge.map(|edge| edge.at.timestamp()));
        let rows = self.events(caller, filter, page).await?;
        Ok(Looked::of(rows, |event| event.id, edge, page.limit))
    }

    /// Deliveries as [`Self::deliveries`], among those of the newest [`LOOK_EVENTS_MAX`] events ([`LOOK_WEBHOOK_EVENTS_MAX`] of one webhook) when they
    /// are narrowed by key or tenant.
    pub async fn look_for_deliveries(
        &self,
        caller: &Caller,
        mut filter: DeliveryFilter,
        page: Page<DeliveryId>,
    ) -> Result<Looked<Delivery>, Problem> {
        let walks = filter.event.is_none() && (filter.event_key.is_some() || filter.tenant.is_some());
        let most = match filter.webhook {
            Some(_) => LOOK_WEBHOOK_EVENTS_MAX,
            None => LOOK_EVENTS_MAX,
        };
        let before = page.before.map(|before| before.event);
        let edge = self.edge(caller, walks.then_some(most), before, filter.until).await?;
        filter.from = filter.from.max(edge.map(|edge| edge.at.timestamp()));
        let rows = self.deliveries(caller, filter, page).await?;
        Ok(Looked::of(rows, Delivery::event, edge, page.limit))
    }

    /// Where a look that goes through at most so many events has to stop; `None` when it need not.
    async fn edge(
        &self,
        caller: &Caller,
        most: Option<usize>,
        before: Option<EventId>,
        until: Option<Timestamp>,
    ) -> Result<Option<Stopped>, Problem> {
        caller.can_read()?;
        let Some(after) = most else {
            return Ok(None);
        };
        let until = until.map(|until| EventId::new(until, 0));
        let before = before.into_iter().chain(until).min();
        let edge = self.store.event_at(caller.environment(), before, after - 1).await?;
        Ok(edge.map(|at| Stopped { at, after }))
    }
}

impl<T> Looked<T> {
    /// What was found from the edge on. A page that is full goes on with its last row.
    fn of(mut rows: Vec<T>, event: impl Fn(&T) -> EventId, edge: Option<Stopped>, limit: usize) -> Self {
        rows.retain(|row| edge.is_none_or(|edge| event(row) >= edge.at)); // others may have been accepted in its millisecond
        Self {
            stopped: edge.filter(|_| rows.len() < limit),
            rows,
        }
    }
}
