//! Webhooks: whose they are, whether they can be read, and whether somebody works on what they have due.

use tidings_model::{DeliveryId, Timestamp, WebhookId};
use tidings_store::{Finding, Thing};
use tokio_postgres::Row;

use super::{Look, numbers};
use crate::fault::Outcome;
use crate::record::{self, Record, rows, sql_count};
use crate::webhooks::{self, COLUMNS};

/// What is asked of a webhook.
struct Seen {
    webhook: WebhookId,
    /// Whether its environment is there, and lives unless the webhook is deleted.
    has_home: bool,
    /// The routing versions of its last change, and of its environment.
    changed: u64,
    version: u64,
    last_attempt_at: Option<Timestamp>,
}

pub(super) async fn look(look: &mut Look<'_>, after: &str) -> Outcome<Option<String>> {
    let [after] = numbers(after)?;
    let found = rows(
        look.db,
        &format!(
            "-- verify::webhooks: by id
             SELECT {COLUMNS}, w.deleted_at, w.changed, e.uuid, e.deleted AS home_deleted, coalesce(e.routing_version, 0) AS version, h.last_attempt_at
             FROM webhooks w LEFT JOIN environments e ON e.id = w.environment LEFT JOIN webhook_health h ON h.webhook = w.id
             WHERE w.id > $1 ORDER BY w.id LIMIT $2"
        ),
        &[&after, &sql_count(look.limit)],
    )
    .await?;
    look.looked_at = found.len() as u64;
    let mut last = None;
    for row in &found {
        last = Some(Record::new(row, "webhooks", &[]).get::<i64>("id")?.to_string());
        if let Some(seen) = look.readable(seen(row))? {
            judge(look, &seen).await?;
        }
    }
    Ok(look.next(found.len(), last))
}

fn seen(row: &Row) -> Outcome<Seen> {
    let record = Record::new(row, "webhooks", &["id"]);
    let home_deleted: Option<bool> = record.get("home_deleted")?;
    let deleted = record.optional_time("deleted_at")?.is_some();
    if home_deleted.is_some() {
        webhooks::webhook(row, record.environment("uuid")?)?;
    }
    Ok(Seen {
        webhook: record.convert("id", WebhookId::from_raw)?,
        has_home: home_deleted.is_some_and(|gone| deleted || !gone),
        changed: record.number("changed")?,
        version: record.number("version")?,
        last_attempt_at: record.optional_time("last_attempt_at")?,
    })
}

async fn judge(look: &mut Look<'_>, seen: &Seen) -> Outcome<()> {
    let webhook = seen.webhook;
    if !seen.has_home {
        look.found(Finding::NoEnvironment {
            thing: Thing::Webhook(webhook),
        });
    } else if seen.changed > seen.version {
        look.found(Finding::ChangeAhead {
            webhook,
            changed: seen.changed,
            version: seen.version,
        });
    }
    let Some(since) = look.as_of.overdue_since().filter(|since| seen.last_attempt_at <= Some(*since)) else {
        return Ok(());
    };
    if let Some((delivery, free_at)) = oldest_free(look, webhook, since).await?
        && !is_worked_on(look, webhook).await?
    {
        look.found(Finding::Overdue {
            webhook,
            delivery,
            since: free_at,
        });
    }
    Ok(())
}

/// What anybody could have leased by then, the oldest.
async fn oldest_free(look: &Look<'_>, webhook: WebhookId, by: Timestamp) -> Outcome<Option<(DeliveryId, Timestamp)>> {
    let found = record::row(
        look.db,
        "-- verify::oldest_free: the first that waits, or whose lease ended first
         SELECT event, ordinal, free_at FROM (
             (SELECT event, ordinal, due_at AS free_at FROM deliveries
              WHERE webhook = $1 AND state = 0 AND lease_token IS NULL AND due_at <= $2 ORDER BY due_at, event, ordinal LIMIT 1)
             UNION ALL
             (SELECT event, ordinal, greatest(due_at, lease_until) AS free_at FROM deliveries
              WHERE webhook = $1 AND state = 0 AND lease_token IS NOT NULL AND greatest(due_at, lease_until) <= $2
              ORDER BY greatest(due_at, lease_until), event, ordinal LIMIT 1)
         ) f
         ORDER BY free_at, event, ordinal LIMIT 1",
        &[&webhook.raw(), &by.as_millis()],
    )
    .await?;
    let oldest = found.map(|row| {
        let record = Record::new(&row, "deliveries", &["event", "ordinal"]);
        Ok((record.delivery_id()?, record.time("free_at")?))
    });
    oldest.transpose()
}

/// Whether somebody has one of its deliveries in hand.
async fn is_worked_on(look: &Look<'_>, webhook: WebhookId) -> Outcome<bool> {
    let leased = record::row(
        look.db,
        "-- verify::is_worked_on: by a lease
         SELECT 1 FROM deliveries
         WHERE webhook = $1 AND state = 0 AND lease_token IS NOT NULL AND greatest(due_at, lease_until) > $2 AND lease_until > $2 LIMIT 1",
        &[&webhook.raw(), &look.as_of.at.as_millis()],
    )
    .await?;
    Ok(leased.is_some())
}
