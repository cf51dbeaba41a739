//! Append: events and their deliveries, durable together.

use std::sync::Arc;

use rusqlite::{Connection, params};
use tidings_model::{DeliveryId, EventId, TenantId, Timestamp};
use tidings_store::{AppendRefusal, Appended, NewEvent, Start, Target};

use crate::blocks::Entry;
use crate::codes::{CANCELLED, Code};
use crate::fault::{Fault, Outcome};
use crate::fresh::Held;
use crate::record::Record;
use crate::rows::{NewRow, RowState};
use crate::writer::WriteTx;
use crate::{body, environments, rows};

/// Appends each event that is not refused.
pub(crate) fn append(tx: &mut WriteTx<'_>, events: &[NewEvent]) -> Outcome<Vec<Result<Appended, AppendRefusal>>> {
    events.iter().map(|event| append_one(tx, event)).collect()
}

fn append_one(tx: &mut WriteTx<'_>, event: &NewEvent) -> Outcome<Result<Appended, AppendRefusal>> {
    let Some((environment, version)) = environment(tx, event)? else {
        return Ok(Err(AppendRefusal::NoEnvironment));
    };
    if let Some(first) = repeated(tx.connection, environment, event)? {
        return Ok(first);
    }
    if version != event.routing_version {
        return Ok(Err(AppendRefusal::StaleRouting));
    }
    let id = tx.memory.ids.next(event.at);
    insert_event(tx.connection, id, environment, event)?;
    insert_body(tx.connection, id, event)?;
    tx.memory.tail.add(Entry {
        event: id.raw(),
        environment,
        key: event.key.clone().into(),
        tenant: event.tenant.clone().map(Arc::from),
        webhooks: event.targets.iter().map(|target| target.webhook.raw()).collect(),
    });
    for (target, ordinal) in event.targets.iter().zip(0_u32..) {
        let delivery = DeliveryId { event: id, ordinal };
        match target.start {
            Start::Leased(grant) => tx.memory.fresh.add(
                delivery,
                Held {
                    webhook: target.webhook,
                    environment,
                    trigger: event.trigger,
                    due_at: event.at,
                    grant,
                },
            ),
            Start::Due => rows::insert(
                tx.connection,
                &row(delivery, environment, target, event, RowState::waiting(event.at)),
            )?,
            Start::Skipped(why) => {
                let state = RowState::ended(CANCELLED, event.at, Some(why));
                rows::insert(tx.connection, &row(delivery, environment, target, event, state))?;
            }
        }
    }
    let deliveries =
        u32::try_from(event.targets.len()).map_err(|_| Fault::Damaged(format!("event {id} has more targets than ordinals")))?;
    remember_key(tx.connection, environment, id, deliveries, event)?;
    Ok(Ok(Appended {
        event: id,
        fresh: true,
        deliveries,
    }))
}

/// The environment's short id and version, from memory when it was asked for before.
fn environment(tx: &mut WriteTx<'_>, event: &NewEvent) -> Outcome<Option<(i64, u64)>> {
    if let Some(known) = tx.memory.environments.get(&event.environment) {
        return Ok(Some(*known));
    }
    let found = environments::version(tx.connection, event.environment)?;
    if let Some(found) = found {
        tx.memory.environments.insert(event.environment, found);
    }
    Ok(found)
}

/// The answer to a request whose key was used before and has not expired.
fn repeated(connection: &Connection, environment: i64, event: &NewEvent) -> Outcome<Option<Result<Appended, AppendRefusal>>> {
    let Some(promise) = &event.idempotency else {
        return Ok(None);
    };
    connection
        .prepare_cached(
            "-- append::repeated: the first use of a key
             SELECT key, event, deliveries, fingerprint FROM idempotency WHERE environment = ?1 AND key = ?2 AND expires_at > ?3",
        )?
        .query_and_then(params![environment, promise.key, event.at.as_millis()], |row| {
            let record = Record::new(row, "idempotency", &["key"]);
            let first = record.convert("event", EventId::from_raw)?;
            if record.get::<[u8; 32]>("fingerprint")? != promise.fingerprint {
                return Ok(Err(AppendRefusal::KeyReused { event: first }));
            }
            Ok(Ok(Appended {
                event: first,
                fresh: false,
                deliveries: record.get("deliveries")?,
            }))
        })?
        .next()
        .transpose()
}

fn row(id: DeliveryId, environment: i64, target: &Target, event: &NewEvent, state: RowState) -> NewRow {
    NewRow {
        id,
        environment,
        webhook: target.webhook,
        trigger: event.trigger,
        created_at: id.event.timestamp(),
        apart: false,
        state,
    }
}

fn insert_event(connection: &Connection, id: EventId, environment: i64, event: &NewEvent) -> Outcome<()> {
    let leased_until = event.targets.iter().filter_map(|target| match target.start {
        Start::Leased(grant) => Some(grant.until),
        Start::Due | Start::Skipped(_) => None,
    });
    let mut targets = Vec::with_capacity(event.targets.len() * size_of::<i64>());
    for target in &event.targets {
        targets.extend_from_slice(&target.webhook.raw().to_le_bytes());
    }
    connection
        .prepare_cached(
            "-- append::insert_event: at the end of the table
             INSERT INTO events (id, environment, key, tenant, trigger, due_at, lease_until, targets) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        )?
        .execute(params![
            id.raw(),
            environment,
            event.key.as_str(),
            event.tenant.as_ref().map(TenantId::as_str),
            event.trigger.code(),
            Some(event.at.as_millis()).filter(|at| *at != id.timestamp().as_millis()),
            leased_until.max().map(Timestamp::as_millis),
            targets,
        ])?;
    Ok(())
}

fn insert_body(connection: &Connection, id: EventId, event: &NewEvent) -> Outcome<()> {
    connection
        .prepare_cached(
            "-- append::insert_body: at the end of the table
             INSERT INTO bodies (event, user, application, body, checksum) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            id.raw(),
            event.user,
            event.application,
            &event.body[..],
            body::checksum(&event.body)
        ])?;
    Ok(())
}

fn remember_key(connection: &Connection, environment: i64, id: EventId, deliveries: u32, event: &NewEvent) -> Outcome<()> {
    let Some(promise) = &event.idempotency else {
        return Ok(());
    };
    connection
        .prepare_cached(
            "-- append::remember_key: over one that has expired
             INSERT OR REPLACE INTO idempotency (environment, key, event, deliveries, fingerprint, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            environment,
            promise.key,
            id.raw(),
            deliveries,
            promise.fingerprint,
            promise.expires_at.as_millis()
        ])?;
    Ok(())
}
