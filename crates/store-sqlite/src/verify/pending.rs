//! What is pending and has a row: its event and its webhook are there, and its lease ends.

use rusqlite::{Row, params};
use tidings_model::{DeliveryId, Timestamp, WebhookId};
use tidings_store::{Finding, Missing};

use super::{Look, numbers};
use crate::fault::Outcome;
use crate::lease::delivery_id;
use crate::record::{Record, sql_count};

struct Seen {
    delivery: DeliveryId,
    webhook: WebhookId,
    lease_until: Option<Timestamp>,
    missing: Option<Missing>,
}

pub(super) fn look(look: &mut Look<'_>, after: &str) -> Outcome<Option<String>> {
    // Everything comes after the beginning, whatever damage made of its numbers.
    let after: [i64; 3] = if after.is_empty() { [i64::MIN; 3] } else { numbers(after)? };
    let connection = look.connection;
    let mut statement = connection.prepare_cached(
        "-- verify::pending: by environment
         SELECT d.environment, d.event, d.ordinal, d.webhook, d.lease_until,
                EXISTS (SELECT 1 FROM events WHERE id = d.event) AS has_event,
                EXISTS (SELECT 1 FROM bodies WHERE event = d.event) AS has_body,
                EXISTS (SELECT 1 FROM webhooks WHERE id = d.webhook) AS has_webhook
         FROM deliveries d INDEXED BY deliveries_pending_by_environment
         WHERE d.state = 0 AND (d.environment, d.event, d.ordinal) > (?1, ?2, ?3)
         ORDER BY d.environment, d.event, d.ordinal LIMIT ?4",
    )?;
    let mut rows = statement.query(params![after[0], after[1], after[2], sql_count(look.limit)])?;
    let (mut read, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        read += 1;
        last = Some([row.get::<_, i64>("environment")?, row.get("event")?, row.get("ordinal")?]);
        if let Some(seen) = look.readable(seen(row))? {
            judge(look, &seen);
        }
    }
    look.looked_at = read as u64;
    Ok(look.next(read, last, |[environment, event, ordinal]| {
        format!("{environment}/{event}/{ordinal}")
    }))
}

fn seen(row: &Row<'_>) -> Outcome<Seen> {
    let record = Record::new(row, "deliveries", &["event", "ordinal"]);
    let has = |column| record.get::<bool>(column);
    let missing = match (has("has_event")?, has("has_body")?, has("has_webhook")?) {
        (true, true, true) => None,
        (false, ..) => Some(Missing::Event),
        (_, false, _) => Some(Missing::Body),
        (.., false) => Some(Missing::Webhook),
    };
    Ok(Seen {
        delivery: delivery_id(&record)?,
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
