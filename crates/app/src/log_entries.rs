//! Deliveries beside the events they carry: for whoever shows what was sent in the list itself.

use tidings_model::{Delivery, DeliveryId, Event};
use tidings_store::{DeliveryFilter, Page};

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;

/// A delivery and what it carries.
#[derive(Clone, Debug)]
pub struct LogEntry {
    /// The delivery.
    pub delivery: Delivery,
    /// Its event, with the body that is sent.
    pub event: Event,
}

impl App {
    /// Deliveries, newest first, each with its event; a tenant sees those to its own webhooks. One whose event was removed while the list was read is
    /// left out.
    pub async fn log_entries(&self, caller: &Caller, filter: DeliveryFilter, page: Page<DeliveryId>) -> Result<Vec<LogEntry>, Problem> {
        let deliveries = self.deliveries(caller, filter, page).await?;
        let mut entries: Vec<LogEntry> = Vec::with_capacity(deliveries.len());
        for delivery in deliveries {
            let before = entries.last().map(|entry| &entry.event); // deliveries of one event stand together
            let event = match before.filter(|event| event.id == delivery.event()) {
                Some(event) => Some(event.clone()),
                None => self.store.event(caller.environment, delivery.event()).await?,
            };
            entries.extend(event.map(|event| LogEntry { delivery, event }));
        }
        Ok(entries)
    }
}
