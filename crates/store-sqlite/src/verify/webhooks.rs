//! Webhooks: whose they are, whether they can be read, and whether somebody works on what they have due.

use rusqlite::{OptionalExtension, Row, params};
use tidings_model::{DeliveryId, Timestamp, WebhookId};
use tidings_store::{Finding, Thing};

use super::{Look, numbers};
use crate::fault::Outcome;
use crate::lease::delivery_id;
use crate::record::{Record, sql_count};
use crate::{blocks, environments, webhooks};

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

pub(super) fn look(look: &mut Look<'_>, after: &str) -> Outcome<Option<String>> {
    let [after] = numbers(after)?;
    let connection = look.connection;
    let mut statement = connection.prepare_cached(
        "-- verify::webhooks: by id
         SELECT w.*, e.uuid AS home, e.deleted AS home_deleted, coalesce(e.routing_version, 0) AS version, h.last_attempt_at
         FROM webhooks w LEFT JOIN environments e ON e.id = w.environment LEFT JOIN webhook_health h ON h.webhook = w.id
         WHERE w.id > ?1 ORDER BY w.id LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, sql_count(look.limit)])?;
    let (mut read, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        read += 1;
        last = Some(row.get::<_, i64>("id")?);
        if let Some(seen) = look.readable(seen(row))? {
            judge(look, &seen)?;
        }
    }
    look.looked_at = read as u64;
    Ok(look.next(read, last, |last| last.to_string()))
}

fn seen(row: &Row<'_>) -> Outcome<Seen> {
    let record = Record::new(row, "webhooks", &["id"]);
    let home_deleted: Option<bool> = record.get("home_deleted")?;
    let deleted = record.optional_time("deleted_at")?.is_some();
    if home_deleted.is_some() {
        webhooks::webhook(row, environments::uuid(&record, "home")?)?;
    }
    Ok(Seen {
        webhook: record.convert("id", WebhookId::from_raw)?,
        has_home: home_deleted.is_some_and(|gone| deleted || !gone),
        changed: record.get("changed")?,
        version: record.get("version")?,
        last_attempt_at: record.optional_time("last_attempt_at")?,
    })
}

fn judge(look: &mut Look<'_>, seen: &Seen) -> Outcome<()> {
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
    if let Some((delivery, free_at)) = oldest_free(look, webhook, since)?
        && !is_worked_on(look, webhook)?
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
fn oldest_free(look: &Look<'_>, webhook: WebhookId, by: Timestamp) -> Outcome<Option<(DeliveryId, Timestamp)>> {
    look.connection
        .prepare_cached(
            "-- verify::oldest_free: the first that waits, or whose lease ended first
             SELECT event, ordinal, free_at FROM (
                 SELECT * FROM (
                     SELECT event, ordinal, due_at AS free_at FROM deliveries INDEXED BY deliveries_waiting
                     WHERE webhook = ?1 AND state = 0 AND lease_token IS NULL AND due_at <= ?2 ORDER BY due_at, event, ordinal LIMIT 1)
                 UNION ALL
                 SELECT * FROM (
                     SELECT event, ordinal, max(due_at, lease_until) AS free_at FROM deliveries INDEXED BY deliveries_leased
                     WHERE webhook = ?1 AND lease_token IS NOT NULL AND max(due_at, lease_until) <= ?2 ORDER BY max(due_at, lease_until) LIMIT 1))
             ORDER BY free_at, event, ordinal LIMIT 1",
        )?
        .query_and_then(params![webhook.raw(), by.as_millis()], |row| {
            let record = Record::new(row, "deliveries", &["event", "ordinal"]);
            Ok((delivery_id(&record)?, record.time("free_at")?))
        })?
        .next()
        .transpose()
}

/// Whether somebody has one of its deliveries in hand.
fn is_worked_on(look: &Look<'_>, webhook: WebhookId) -> Outcome<bool> {
    let leased = look
        .connection
        .prepare_cached(
            "-- verify::is_worked_on: by a lease
             SELECT 1 FROM deliveries INDEXED BY deliveries_leased
             WHERE webhook = ?1 AND lease_token IS NOT NULL AND max(due_at, lease_until) > ?2 AND lease_until > ?2",
        )?
        .exists(params![webhook.raw(), look.as_of.at.as_millis()])?;
    Ok(leased || is_in_hand(look, webhook)?)
}

/// Whether it is among the targets of an event whose deliveries were leased with its append, and is not settled.
fn is_in_hand(look: &Look<'_>, webhook: WebhookId) -> Outcome<bool> {
    let mut statement = look.connection.prepare_cached(
        "-- verify::is_in_hand: where something may be
         SELECT id, targets FROM events WHERE id >= ?1 AND lease_until > ?2",
    )?;
    let mut rows = statement.query(params![blocks::settled_before(look.connection)?, look.as_of.at.as_millis()])?;
    while let Some(row) = rows.next()? {
        let targets = blocks::targets(&Record::new(row, "events", &["id"]))?;
        for (target, ordinal) in targets.iter().zip(0_u32..) {
            if *target == webhook.raw() && !is_spoken_of(look, row.get(0)?, ordinal)? {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// Whether a row or an attempt tells what became of a delivery.
fn is_spoken_of(look: &Look<'_>, event: i64, ordinal: u32) -> Outcome<bool> {
    let found = look
        .connection
        .prepare_cached(
            "-- verify::is_spoken_of: by its row or its first attempt
             SELECT 1 FROM deliveries WHERE event = ?1 AND ordinal = ?2
             UNION ALL SELECT 1 FROM attempts WHERE event = ?1 AND ordinal = ?2 LIMIT 1",
        )?
        .query_row(params![event, ordinal], |_| Ok(()))
        .optional()?;
    Ok(found.is_some())
}
