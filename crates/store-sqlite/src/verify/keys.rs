//! Idempotency keys: what they promise is there, or was pruned.

use rusqlite::{OptionalExtension, Row, params};
use tidings_model::{EnvironmentId, EventId};
use tidings_store::{Finding, Thing};
use uuid::Uuid;

use super::Look;
use crate::blocks;
use crate::fault::{Fault, Outcome};
use crate::record::{Record, sql_count};

/// A key, and what is there of its event.
struct Seen {
    environment: i64,
    environment_id: Option<EnvironmentId>,
    key: String,
    event: EventId,
    told: u32,
    event_environment: Option<i64>,
    targets: usize,
}

pub(super) fn look(look: &mut Look<'_>, after: &str) -> Outcome<Option<String>> {
    let (environment, key) = place(after)?;
    let connection = look.connection;
    let mut statement = connection.prepare_cached(
        "-- verify::keys: by environment
         SELECT i.environment, i.key, i.event, i.deliveries, e.environment AS event_environment, coalesce(e.targets, x'') AS targets, n.uuid
         FROM idempotency i LEFT JOIN events e ON e.id = i.event LEFT JOIN environments n ON n.id = i.environment
         WHERE (i.environment, i.key) > (?1, ?2) ORDER BY i.environment, i.key LIMIT ?3",
    )?;
    let mut rows = statement.query(params![environment, key, sql_count(look.limit)])?;
    let newest_pruned = newest_pruned(look)?;
    let (mut read, mut last) = (0, None);
    while let Some(row) = rows.next()? {
        read += 1;
        last = Some((row.get::<_, i64>("environment")?, row.get::<_, String>("key")?));
        if let Some(seen) = look.readable(seen(row))? {
            judge(look, seen, newest_pruned)?;
        }
    }
    look.looked_at = read as u64;
    Ok(look.next(read, last, |(environment, key)| format!("{environment}/{key}")))
}

fn place(after: &str) -> Outcome<(i64, &str)> {
    if after.is_empty() {
        return Ok((i64::MIN, ""));
    }
    let parts = after.split_once('/');
    parts
        .and_then(|(environment, key)| Some((environment.parse().ok()?, key)))
        .ok_or_else(|| Fault::Damaged(format!("'{after}' is no place of this store")))
}

fn newest_pruned(look: &Look<'_>) -> Outcome<i64> {
    let newest = look
        .connection
        .query_row(
            "-- verify::newest_pruned
             SELECT event FROM pruned",
            [],
            |row| row.get(0),
        )
        .optional()?;
    Ok(newest.unwrap_or(0))
}

fn seen(row: &Row<'_>) -> Outcome<Seen> {
    let record = Record::new(row, "idempotency", &["key"]);
    Ok(Seen {
        environment: record.get("environment")?,
        environment_id: record
            .get::<Option<[u8; 16]>>("uuid")?
            .map(|bytes| EnvironmentId::from_uuid(Uuid::from_bytes(bytes))),
        key: record.get("key")?,
        event: record.convert("event", EventId::from_raw)?,
        told: record.get("deliveries")?,
        event_environment: record.get("event_environment")?,
        targets: blocks::targets(&record)?.len(),
    })
}

fn judge(look: &mut Look<'_>, seen: Seen, newest_pruned: i64) -> Outcome<()> {
    let Seen { event, told, .. } = seen;
    match seen.event_environment {
        None if event.raw() <= newest_pruned => {}
        None => look.found(Finding::KeyWithoutEvent {
            environment: seen.environment_id,
            key: seen.key,
            event,
        }),
        Some(other) if other != seen.environment => look.found(Finding::OtherEnvironment {
            thing: Thing::IdempotencyKey(seen.key),
            into: Thing::Event(event),
        }),
        Some(_) => {
            let found = deliveries(look, event, seen.targets)?;
            if told != found {
                look.found(Finding::KeyDisagrees {
                    environment: seen.environment_id,
                    key: seen.key,
                    event,
                    told,
                    found,
                });
            }
        }
    }
    Ok(())
}

/// How many deliveries an event was appended with. One that is older than its targets has a row for each, beside those of resends.
fn deliveries(look: &Look<'_>, event: EventId, targets: usize) -> Outcome<u32> {
    if targets > 0 {
        return Ok(u32::try_from(targets).unwrap_or(u32::MAX));
    }
    let rows = look
        .connection
        .prepare_cached(
            "-- verify::deliveries: with the event
             SELECT count(*) FROM deliveries WHERE event = ?1 AND trigger <> 1",
        )?
        .query_row([event.raw()], |row| row.get(0))?;
    Ok(rows)
}
