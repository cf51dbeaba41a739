//! After a crash: what the last process had in its hands is due again.

use rusqlite::{Connection, params};
use tidings_model::{DeliveryId, EventId, Timestamp, Trigger, WebhookId};

use crate::blocks;
use crate::fault::{Fault, Outcome};
use crate::record::{Record, sql_count};
use crate::rows::{self, NewRow, RowState};

/// Events that one step looks through.
const STEP: usize = 1_024;

/// Ends every lease, when the process that held them cannot be alive any more, and gives a row to what it had in hand without one. They are as many as
/// an engine has in memory, at most.
pub(crate) fn recover(connection: &Connection) -> Outcome<()> {
    connection.execute(
        "-- recover: leases of rows
         UPDATE deliveries INDEXED BY deliveries_leased SET lease_token = NULL, lease_until = NULL WHERE lease_token IS NOT NULL",
        [],
    )?;
    let mut from = blocks::settled_before(connection)?;
    loop {
        let promises = promises(connection, from)?;
        for promise in &promises {
            keep(connection, promise)?;
        }
        match promises.last() {
            Some(last) => from = last.event.raw() + 1,
            None => return Ok(()),
        }
    }
}

/// What an event promised.
struct Promise {
    event: EventId,
    environment: i64,
    trigger: Trigger,
    due_at: Timestamp,
    targets: Vec<i64>,
}

fn promises(connection: &Connection, from: i64) -> Outcome<Vec<Promise>> {
    connection
        .prepare_cached(
            "-- recover::promises: from where something may be in hand
             SELECT id, environment, trigger, due_at, targets FROM events WHERE id >= ?1 AND targets <> x'' ORDER BY id LIMIT ?2",
        )?
        .query_and_then(params![from, sql_count(STEP)], |row| {
            let record = Record::new(row, "events", &["id"]);
            let event = record.convert("id", EventId::from_raw)?;
            Ok(Promise {
                event,
                environment: record.get("environment")?,
                trigger: record.code("trigger")?,
                due_at: record.optional_time("due_at")?.unwrap_or(event.timestamp()),
                targets: blocks::targets(&record)?,
            })
        })?
        .collect()
}

/// Gives rows to those of its deliveries of which neither a row nor an attempt speaks.
fn keep(connection: &Connection, promise: &Promise) -> Outcome<()> {
    let spoken_of = connection
        .prepare_cached(
            "-- recover::keep: has a row, or was delivered at the first try
             SELECT ordinal FROM deliveries WHERE event = ?1 UNION SELECT ordinal FROM attempts WHERE event = ?1 ORDER BY ordinal",
        )?
        .query_map([promise.event.raw()], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<u32>>>()?;
    for (target, ordinal) in promise.targets.iter().zip(0_u32..) {
        if spoken_of.binary_search(&ordinal).is_ok() {
            continue;
        }
        let webhook = WebhookId::from_raw(*target).ok_or_else(|| {
            Fault::Damaged(format!(
                "table events, column targets, row {}: {target} is no webhook",
                promise.event.raw()
            ))
        })?;
        let row = NewRow {
            id: DeliveryId {
                event: promise.event,
                ordinal,
            },
            environment: promise.environment,
            webhook,
            trigger: promise.trigger,
            created_at: promise.event.timestamp(),
            apart: false,
            state: RowState::waiting(promise.due_at),
        };
        rows::insert(connection, &row)?;
    }
    Ok(())
}
