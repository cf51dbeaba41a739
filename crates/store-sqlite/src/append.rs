//! Append: events and their deliveries, durable together.

use rusqlite::{Connection, params};
use tidings_model::{EventId, TenantId};
use tidings_store::{AppendRefusal, Appended, NewEvent, Start, Target};

use crate::codes::{CANCELLED, Code, PENDING};
use crate::environments;
use crate::fault::{Fault, Outcome};
use crate::record::{Record, sql_count};
use crate::writer::WriteTx;

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
    for (ordinal, target) in event.targets.iter().enumerate() {
        insert_delivery(tx.connection, id, environment, ordinal, target, event)?;
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

fn insert_event(connection: &Connection, id: EventId, environment: i64, event: &NewEvent) -> Outcome<()> {
    connection
        .prepare_cached(
            "-- append::insert_event: at the end of the table
             INSERT INTO events (id, environment, key, tenant, user, application, body) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            id.raw(),
            environment,
            event.key.as_str(),
            event.tenant.as_ref().map(TenantId::as_str),
            event.user,
            event.application,
            &event.body[..],
        ])?;
    Ok(())
}

fn insert_delivery(
    connection: &Connection,
    id: EventId,
    environment: i64,
    ordinal: usize,
    target: &Target,
    event: &NewEvent,
) -> Outcome<()> {
    let at = event.at.as_millis();
    let (state, due_at, lease, ended_at, why) = match target.start {
        Start::Leased(grant) => (PENDING, Some(at), Some(grant), None, None),
        Start::Due => (PENDING, Some(at), None, None, None),
        Start::Skipped(why) => (CANCELLED, None, None, Some(at), Some(why)),
    };
    connection
        .prepare_cached(
            "-- append::insert_delivery: pending, in the caller's hands or not, or cancelled from the start
             INSERT INTO deliveries (event, ordinal, webhook, trigger, state, due_at, lease_token, lease_until, attempts, ended_at, why,
                                     created_at, environment)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            id.raw(),
            sql_count(ordinal),
            target.webhook.raw(),
            event.trigger.code(),
            state,
            due_at,
            lease.map(|grant| grant.token.0),
            lease.map(|grant| grant.until.as_millis()),
            ended_at,
            why.map(Code::code),
            id.timestamp().as_millis(),
            environment,
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
