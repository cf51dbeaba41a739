//! The log: events, deliveries, attempts, and sending again.

use tidings_model::limits::PAGE_ROWS_MAX;
use tidings_model::{Delivery, DeliveryId, Event, EventId, Timestamp};
use tidings_store::{DeliveryDetail, DeliveryFilter, EventFilter, Page, ResendError};

use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Code, Problem};

/// Most deliveries that are counted for an answer that says how many there are.
pub const COUNT_MAX: usize = 10_000;

impl App {
    /// One event. A tenant sees those of its own webhooks through their deliveries, not here.
    pub async fn event(&self, caller: &Caller, id: EventId) -> Result<Event, Problem> {
        caller.can_read_environment()?;
        self.store
            .event(caller.environment, id)
            .await?
            .ok_or_else(|| Problem::not_found("event", &id))
    }

    /// Events, newest first.
    pub async fn events(&self, caller: &Caller, filter: EventFilter, page: Page<EventId>) -> Result<Vec<Event>, Problem> {
        caller.can_read_environment()?;
        check_span(filter.from, filter.until)?;
        let filter = EventFilter {
            environment: caller.environment,
            ..filter
        };
        Ok(self.store.events(&filter, capped(page)).await?)
    }

    /// Deliveries, newest first; a tenant sees those to its own webhooks.
    pub async fn deliveries(&self, caller: &Caller, filter: DeliveryFilter, page: Page<DeliveryId>) -> Result<Vec<Delivery>, Problem> {
        caller.can_read()?;
        check_span(filter.from, filter.until)?;
        Ok(self
            .store
            .deliveries(&confined(caller, filter), capped(page), self.clock.now())
            .await?)
    }

    /// How many deliveries a filter admits, counted up to [`COUNT_MAX`].
    pub async fn count_deliveries(&self, caller: &Caller, filter: DeliveryFilter) -> Result<usize, Problem> {
        caller.can_read()?;
        check_span(filter.from, filter.until)?;
        Ok(self.store.count_deliveries(&confined(caller, filter), COUNT_MAX).await?)
    }

    /// One delivery with its event and every attempt.
    pub async fn delivery(&self, caller: &Caller, id: DeliveryId) -> Result<DeliveryDetail, Problem> {
        caller.can_read()?;
        let missing = || Problem::not_found("delivery", &id);
        let detail = self
            .store
            .delivery(caller.environment, id, self.clock.now())
            .await?
            .ok_or_else(missing)?;
        if let Some(tenant) = &caller.tenant {
            let own = DeliveryFilter {
                webhook: Some(detail.delivery.webhook),
                event: Some(id.event),
                owner: Some(tenant.clone()),
                ..DeliveryFilter::of(caller.environment)
            };
            if self.store.count_deliveries(&own, 1).await? == 0 {
                return Err(missing());
            }
        }
        Ok(detail)
    }

    /// Sends a delivery again: a new delivery of the same event to the same webhook.
    pub async fn resend(&self, caller: &Caller, id: DeliveryId) -> Result<Delivery, Problem> {
        let delivery = self.resend_unrecorded(caller, id).await?;
        let detail = format!("as {}", delivery.id);
        self.record(caller, "delivery.resent", Some(caller.environment), &id.to_string(), &detail)
            .await;
        Ok(delivery)
    }

    /// Resends one of many, of which the audit log has one entry.
    pub(crate) async fn resend_unrecorded(&self, caller: &Caller, id: DeliveryId) -> Result<Delivery, Problem> {
        caller.can_write()?;
        self.delivery(caller, id).await?;
        let now = self.clock.now();
        let delivery = self.store.resend(caller.environment, id, now).await?.map_err(|error| match error {
            ResendError::NotFound => Problem::not_found("delivery", &id),
            ResendError::WebhookDeleted => Problem::new(
                Code::Conflict,
                "the webhook of this delivery was deleted; nothing can be sent to it",
            ),
            ResendError::WebhookDisabled => {
                Problem::new(Code::Conflict, "the webhook of this delivery is disabled; enable it, then resend")
            }
            ResendError::BodyAltered => Problem::new(
                Code::Conflict,
                "the disk altered the body of this event, so there is nothing to send; look it up in a backup, or publish it again",
            ),
        })?;
        self.engine.due(caller.environment, delivery.webhook, now);
        Ok(delivery)
    }
}

/// A time that ends before it begins is a mistake, not an empty answer.
fn check_span(from: Option<Timestamp>, until: Option<Timestamp>) -> Result<(), Problem> {
    match (from, until) {
        (Some(from), Some(until)) if from > until => Err(Problem::field("from", format!("is later than until ({until})"))),
        _ => Ok(()),
    }
}

fn capped<C>(page: Page<C>) -> Page<C> {
    Page {
        limit: page.limit.clamp(1, PAGE_ROWS_MAX + 1),
        ..page
    } // one more than a page tells whether there is another
}

fn confined(caller: &Caller, filter: DeliveryFilter) -> DeliveryFilter {
    DeliveryFilter {
        environment: caller.environment,
        owner: caller.tenant.clone(),
        ..filter
    }
}
