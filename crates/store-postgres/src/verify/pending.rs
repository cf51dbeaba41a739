//! What is pending: its event and its webhook are there, and its lease ends.

use tidings_model::{DeliveryId, Timestamp, WebhookId};
use tidings_store::{Finding, Missing};
use tokio_postgres::Row;

use super::{Look, numbers};
use crate::fault::Outcome;
use crate::record::{Record, rows, sql_count};

struct Seen {
    delivery: DeliveryId,
    webhook: WebhookId,
    lease_until: Option<Timestamp>,
    missing: Option<Missing>,
}

pub(super) async fn look(look: &mut Look<'_>, after: &str) -> Outcome<Option<String>> {
    let [environment, event, ordinal]: [i64; 3] = numbers(after)?;
    let found = rows(
        look.db,
        "-- verify::pending: by environment
         SELECT d.environment, d.event, d.ordinal, d.webhook, d.lease_until,
                EXISTS (SELECT 1 FROM events WHERE id = d.event) AS has_event,
                EXISTS (SELECT 1 FROM webhooks WHERE id = d.webhook) AS has_webhook
         FROM deliveries d
         WHERE d.state = 0 AND (d.environment, d.event, d.ordinal) > ($1, $2, $3)
         ORDER BY d.environment, d.event, d.ordinal LIMIT $4",
        &[
            &environment,
            &event,
            &i32::try_from(ordinal).unwrap_or(i32::MIN),
            &sql_count(look.limit),
        ],
    )
    .await?;
    look.looked_at = found.len() as u64;
    let mut last = None;
    for row in &found {
        let record = Record::new(row, "deliveries", &[]);
        let (environment, event): (i64, i64) = (record.get("environment")?, record.get("event")?);
        last = Some(format!("{environment}/{event}/{}", record.get::<i32>("ordinal")?));
        if let Some(seen) = look.readable(seen(row))? {
            judge(look, &seen);
        }
    }
    Ok(look.next(found.len(), last))
}

fn seen(row: &Row) -> Outcome<Seen> {
    let record = Record::new(row, "deliveries", &["event", "ordinal"]);
    let missing = match (record.get("has_event")?, record.get("has_webhook")?) {
        (true, true) => None,
        (false, _) => Some(Missing::Event),
        (_, false) => Some(Missing::Webhook),
    };
    Ok(Seen {
        delivery: record.delivery_id()?,
        webhook: record.convert("webhook", WebhookId::from_raw)?,
        lease_until: record.optional_time("lease_until")?,
        missing,
    })
}

fn judge(look: &mut Look<'_>, seen: &Seen) {
    let delivery = seen.delivery;
    if let Some(missing) = seen.missing {
        look.found(Finding::Orphan {
            delivery,
            webhook: seen.webhook,
            missing,
        });
    }
    if let Some(until) = seen.lease_until.filter(|until| *until > look.as_of.lease_end_max()) {
        look.found(Finding::LeaseTooLong { delivery, until });
    }
}
