//! Pruning, forgetting, counting.

use std::ops::ControlFlow;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use tidings_model::{DeliveryId, EnvironmentId, EventId, Timestamp, WebhookId};
use tidings_store::{EventIdSequence, Pruned, StoreStats};

use crate::assemble::{self, EventHead};
use crate::blocks::Entry;
use crate::fault::Outcome;
use crate::fresh::FreshView;
use crate::record::{Record, sql_count};
use crate::writer::WriteTx;
use crate::{blocks, environments, events};

/// A delivery that could have been leased for so long is overdue.
const OVERDUE_MS: i64 = 10_000;

/// Goes on with the numbering of events where it stopped.
pub(crate) fn event_ids(connection: &Connection) -> rusqlite::Result<EventIdSequence> {
    let newest: Option<i64> = connection
        .query_row(
            "-- upkeep::event_ids: the newest that was ever given out
             SELECT max(id) FROM (SELECT max(id) AS id FROM events UNION ALL SELECT event FROM pruned)",
            [],
            |row| row.get(0),
        )
        .optional()?
        .flatten();
    Ok(EventIdSequence::after(newest.and_then(EventId::from_raw)))
}

/// Removes old events of an environment that have nothing pending, oldest first.
pub(crate) fn prune(tx: &mut WriteTx<'_>, environment: EnvironmentId, before: Timestamp, limit: usize) -> Outcome<Pruned> {
    let Some(environment) = environments::logged_id(tx.connection, environment)? else {
        return Ok(Pruned::default());
    };
    let (events, more) = finished(tx, environment, before, limit)?;
    for event in &events {
        remove(tx.connection, event.event)?;
    }
    tx.memory.tail.prune(tx.connection, &events)?;
    if let Some(newest) = events.last().map(|event| event.event) {
        tx.connection
            .prepare_cached(
                "-- upkeep::prune: remember the newest, so that its id is not given out again
                 INSERT INTO pruned (only, event) VALUES (0, ?1) ON CONFLICT (only) DO UPDATE SET event = max(event, ?1)",
            )?
            .execute([newest])?;
    }
    if !more && is_gone(tx.connection, environment)? {
        environments::forget(tx, environment)?;
    }
    Ok(Pruned {
        events: events.len(),
        more,
    })
}

/// The oldest that have nothing pending, and whether there are more of them.
fn finished(tx: &WriteTx<'_>, environment: i64, before: Timestamp, limit: usize) -> Outcome<(Vec<Entry>, bool)> {
    let end = events::ids_between(None, Some(before)).end;
    let (mut found, mut more) = (Vec::new(), false);
    blocks::climb(tx.connection, environment, end, |event| {
        let Some(head) = assemble::head(tx.connection, event)?.filter(|head| !is_in_hand(tx, head)) else {
            return Ok(ControlFlow::Continue(()));
        };
        if has_pending_row(tx.connection, event)? {
            return Ok(ControlFlow::Continue(()));
        }
        more = found.len() == limit;
        if more {
            return Ok(ControlFlow::Break(()));
        }
        found.push(Entry {
            event,
            environment,
            key: head.key.into(),
            tenant: head.tenant.map(Arc::from),
            webhooks: head.targets,
        });
        Ok(ControlFlow::Continue(()))
    })?;
    Ok((found, more))
}

/// True when a sender has one of its deliveries since the append.
fn is_in_hand(tx: &WriteTx<'_>, head: &EventHead) -> bool {
    head.targets.iter().zip(0_u32..).any(|(target, ordinal)| {
        let id = DeliveryId { event: head.id, ordinal };
        WebhookId::from_raw(*target).is_some_and(|webhook| tx.memory.fresh.get(webhook, id).is_some())
    })
}

fn has_pending_row(connection: &Connection, event: i64) -> Outcome<bool> {
    let pending = connection
        .prepare_cached(
            "-- upkeep::has_pending_row: of an event
             SELECT 1 FROM deliveries WHERE event = ?1 AND state = 0",
        )?
        .exists([event])?;
    Ok(pending)
}

fn remove(connection: &Connection, event: i64) -> Outcome<()> {
    let run = |sql: &str| connection.prepare_cached(sql)?.execute([event]);
    run("-- upkeep::remove: its attempts
         DELETE FROM attempts WHERE event = ?1")?;
    run("-- upkeep::remove: its deliveries
         DELETE FROM deliveries WHERE event = ?1")?;
    run("-- upkeep::remove: its body
         DELETE FROM bodies WHERE event = ?1")?;
    run("-- upkeep::remove: the event
         DELETE FROM events WHERE id = ?1")?;
    Ok(())
}

/// True for a deleted environment of which nothing is left.
fn is_gone(connection: &Connection, environment: i64) -> Outcome<bool> {
    let deleted = connection
        .prepare_cached(
            "-- upkeep::is_gone: deleted
             SELECT 1 FROM environments WHERE id = ?1 AND deleted = 1",
        )?
        .exists([environment])?;
    Ok(deleted && events::count(connection, environment, 1)? == 0)
}

/// Forgets idempotency keys that have expired.
pub(crate) fn forget_keys(tx: &WriteTx<'_>, at: Timestamp, limit: usize) -> Outcome<usize> {
    let forgotten = tx
        .connection
        .prepare_cached(
            "-- upkeep::forget_keys: the oldest first
             DELETE FROM idempotency WHERE (environment, key) IN (
                 SELECT environment, key FROM idempotency INDEXED BY idempotency_by_expiry
                 WHERE expires_at <= ?1 ORDER BY expires_at LIMIT ?2)",
        )?
        .execute(params![at.as_millis(), sql_count(limit)])?;
    Ok(forgotten)
}

/// Deleted environments that still have events.
pub(crate) fn deleted_environments(connection: &Connection) -> Outcome<Vec<EnvironmentId>> {
    let deleted = connection
        .prepare_cached(
            "-- upkeep::deleted_environments: with events or without
             SELECT id, uuid FROM environments WHERE deleted = 1 ORDER BY uuid",
        )?
        .query_and_then([], |row| {
            let record = Record::new(row, "environments", &["id"]);
            Ok((record.get("id")?, environments::uuid(&record, "uuid")?))
        })?
        .collect::<Outcome<Vec<(i64, EnvironmentId)>>>()?;
    let mut found = Vec::new();
    for (short, id) in deleted {
        if events::count(connection, short, 1)? > 0 {
            found.push(id);
        }
    }
    Ok(found)
}

/// Figures of the whole store.
pub(crate) fn stats(connection: &Connection, fresh: &FreshView, at: Timestamp) -> Outcome<StoreStats> {
    let overdue_since = at.as_millis() - OVERDUE_MS;
    let count = |sql: &str| -> rusqlite::Result<StoreStats> {
        connection.prepare_cached(sql)?.query_row([overdue_since], |row| {
            Ok(StoreStats {
                pending: row.get(0)?,
                overdue: row.get(1)?,
            })
        })
    };
    let in_hand = fresh.list(None);
    let waiting = count(
        "-- upkeep::stats: what waits
         SELECT count(*), count(*) FILTER (WHERE due_at <= ?1)
         FROM deliveries INDEXED BY deliveries_waiting WHERE state = 0 AND lease_token IS NULL",
    )?;
    let leased = count(
        "-- upkeep::stats: what is in somebody's hands
         SELECT count(*), count(*) FILTER (WHERE max(due_at, lease_until) <= ?1)
         FROM deliveries INDEXED BY deliveries_leased WHERE lease_token IS NOT NULL",
    )?;
    let overdue = in_hand.iter().filter(|(_, held)| held.free_at().as_millis() <= overdue_since);
    Ok(StoreStats {
        pending: waiting.pending + leased.pending + in_hand.len() as u64,
        overdue: waiting.overdue + leased.overdue + overdue.count() as u64,
    })
}
