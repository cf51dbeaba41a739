//! Reading the log.

use tidings_model::{Delivery, DeliveryId, EnvironmentId, Event, EventId, Timestamp};

use super::State;
use super::road::{DeliveryRow, EventRow};
use crate::{DeliveryDetail, DeliveryFilter, EventFilter, Page};

/// A page of rows that come newest first, each with its id.
pub(super) fn page_of<I: Ord, T>(rows: impl Iterator<Item = (I, T)>, page: &Page<I>) -> impl Iterator<Item = T> {
    rows.filter(|(id, _)| page.before.as_ref().is_none_or(|before| id < before))
        .skip(page.skip)
        .take(page.limit)
        .map(|(_, row)| row)
}

impl EventRow {
    /// A delivery of this event as the log shows it.
    pub(super) fn shown(&self, id: DeliveryId, delivery: &DeliveryRow, at: Timestamp) -> Delivery {
        Delivery {
            id,
            environment: self.event.environment,
            webhook: delivery.webhook,
            trigger: delivery.trigger,
            event_key: self.event.key.clone(),
            tenant: self.event.tenant.clone(),
            state: delivery.state,
            attempts: delivery.attempts_made(),
            last_status: delivery.attempts.last().and_then(|attempt| attempt.exchange.status()),
            leased: delivery.leased(at),
            created_at: delivery.created_at,
        }
    }
}

/// Whether a time is not before the one and before the other.
fn within(time: Timestamp, from: Option<Timestamp>, until: Option<Timestamp>) -> bool {
    from.is_none_or(|from| time >= from) && until.is_none_or(|until| time < until)
}

fn same<T: PartialEq>(wanted: Option<&T>, have: Option<&T>) -> bool {
    wanted.is_none() || wanted == have
}

impl State {
    pub(super) fn event_of(&self, environment: EnvironmentId, id: EventId) -> Option<&EventRow> {
        self.events.get(&id).filter(|row| row.event.environment == environment)
    }

    pub(super) fn events(&self, filter: &EventFilter, page: &Page<EventId>) -> Vec<Event> {
        let newest_first = self.events.values().rev().map(|row| &row.event);
        let admitted = newest_first.filter(|event| {
            event.environment == filter.environment
                && same(filter.key.as_ref(), Some(&event.key))
                && same(filter.tenant.as_ref(), event.tenant.as_ref())
                && within(event.accepted_at(), filter.from, filter.until)
        });
        page_of(admitted.map(|event| (event.id, event)), page).cloned().collect()
    }

    pub(super) fn event_at(&self, environment: EnvironmentId, before: Option<EventId>, places: usize) -> Option<EventId> {
        let newest_first = self.events.iter().rev().filter(|(_, row)| row.event.environment == environment);
        let mut after = newest_first
            .map(|(id, _)| *id)
            .filter(|id| before.is_none_or(|before| *id < before));
        after.nth(places)
    }

    pub(super) fn delivery(&self, environment: EnvironmentId, id: DeliveryId, at: Timestamp) -> Option<DeliveryDetail> {
        let row = self.event_of(environment, id.event)?;
        let delivery = row.deliveries.get(id.ordinal as usize)?;
        Some(DeliveryDetail {
            delivery: row.shown(id, delivery, at),
            event: row.event.clone(),
            attempts: delivery.attempts.clone(),
        })
    }

    fn admits(&self, filter: &DeliveryFilter, event: &Event, delivery: &DeliveryRow) -> bool {
        event.environment == filter.environment
            && same(filter.webhook.as_ref(), Some(&delivery.webhook))
            && same(filter.owner.as_ref(), self.owner(delivery.webhook))
            && same(filter.event.as_ref(), Some(&event.id))
            && filter
                .status
                .is_none_or(|status| status.admits(&delivery.state, delivery.attempts_made()))
            && same(filter.event_key.as_ref(), Some(&event.key))
            && same(filter.tenant.as_ref(), event.tenant.as_ref())
            && within(event.accepted_at(), filter.from, filter.until)
            && (!filter.attempted || !delivery.attempts.is_empty())
    }

    pub(super) fn deliveries(&self, filter: &DeliveryFilter, page: &Page<DeliveryId>, at: Timestamp) -> Vec<Delivery> {
        let newest_first = self.all_deliveries().rev();
        let admitted = newest_first.filter(|(_, row, delivery)| self.admits(filter, &row.event, delivery));
        page_of(admitted.map(|(id, row, delivery)| (id, row.shown(id, delivery, at))), page).collect()
    }

    pub(super) fn count_deliveries(&self, filter: &DeliveryFilter, cap: usize) -> usize {
        self.all_deliveries()
            .filter(|(_, row, delivery)| self.admits(filter, &row.event, delivery))
            .take(cap)
            .count()
    }
}
