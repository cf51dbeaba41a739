//! Writing events with their deliveries and attempts, as this store lays them out: a delivery that its first attempt delivered gets no row.

use std::collections::BTreeMap;
use std::sync::Arc;

use rusqlite::{Connection, params};
use tidings_model::EventId;
use tidings_store::EventIdSequence;
use tidings_store::transfer::{Chunk, Kind, Record, Value};

use super::read_road::{Id, Promise, promised};
use super::{Parameter, plain, unlike};
use crate::blocks::Entry;
use crate::fault::Outcome;
use crate::writer::WriteTx;

/// What of an event decides how its deliveries are kept.
struct Kept {
    promise: Promise,
    /// The webhooks of the deliveries that it was appended with.
    targets: Vec<i64>,
}

/// Writes a chunk of events.
pub(super) fn write(tx: &mut WriteTx<'_>, chunk: &Chunk) -> Outcome<()> {
    let (deliveries, attempts) = (by_id(chunk, Kind::Deliveries)?, by_id(chunk, Kind::Attempts)?);
    let mut events = BTreeMap::new();
    for record in chunk.of(Kind::Events) {
        let kept = event(tx, record, &deliveries)?;
        events.insert(kept.promise.event, kept);
    }
    for (id, records) in &deliveries {
        let made = attempts.get(id).map_or(&[][..], Vec::as_slice);
        for record in records {
            delivery(tx.connection, events.get(&id.0), *id, record, made)?;
        }
    }
    for record in chunk.of(Kind::Attempts) {
        plain::insert(tx.connection, Kind::Attempts, record)?;
    }
    if let Some(last) = events.keys().next_back().copied().and_then(EventId::from_raw) {
        tx.memory.ids = EventIdSequence::after(Some(last)); // what is not settled before it has a row
    }
    Ok(())
}

fn by_id(chunk: &Chunk, kind: Kind) -> Outcome<BTreeMap<Id, Vec<&Record>>> {
    let mut by_id = BTreeMap::<Id, Vec<&Record>>::new();
    for record in chunk.of(kind) {
        let [Value::Number(event), Value::Number(ordinal), ..] = record.0.as_slice() else {
            return Err(unlike(kind, record));
        };
        by_id.entry((*event, *ordinal)).or_default().push(record);
    }
    Ok(by_id)
}

fn event(tx: &mut WriteTx<'_>, record: &Record, deliveries: &BTreeMap<Id, Vec<&Record>>) -> Outcome<Kept> {
    let [
        Value::Number(id),
        Value::Number(environment),
        Value::Number(trigger),
        Value::Number(promised),
        checksum,
        Value::Text(key),
        tenant,
        user,
        application,
        body,
    ] = record.0.as_slice()
    else {
        return Err(unlike(Kind::Events, record));
    };
    let webhook = |ordinal: i64| deliveries.get(&(*id, ordinal)).and_then(|rows| rows.first()?.0.get(2)?.number());
    let targets: Vec<i64> = (0..*promised).map_while(webhook).collect();
    let packed: Vec<u8> = targets.iter().flat_map(|webhook| webhook.to_le_bytes()).collect();
    tx.connection
        .prepare_cached(
            "-- transfer::event: at the end of the table
             INSERT INTO events (id, environment, key, tenant, trigger, targets) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![id, environment, key, Parameter(tenant), trigger, packed])?;
    tx.connection
        .prepare_cached(
            "-- transfer::event: its body
             INSERT INTO bodies (event, user, application, body, checksum) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            id,
            Parameter(user),
            Parameter(application),
            Parameter(body),
            Parameter(checksum)
        ])?;
    tx.memory.tail.add(Entry {
        event: *id,
        environment: *environment,
        key: Arc::from(key.as_str()),
        tenant: match tenant {
            Value::Text(tenant) => Some(Arc::from(tenant.as_str())),
            Value::Empty | Value::Number(_) | Value::Bytes(_) => None,
        },
        webhooks: targets.clone(),
    });
    let promise = Promise {
        event: *id,
        environment: *environment,
        trigger: *trigger,
        due_at: 0, // what is pending has a row
    };
    Ok(Kept { promise, targets })
}

fn delivery(connection: &Connection, event: Option<&Kept>, (_, ordinal): Id, record: &Record, made: &[&Record]) -> Outcome<()> {
    let place = usize::try_from(ordinal).unwrap_or(usize::MAX);
    let target = event.and_then(|event| Some((event, *event.targets.get(place)?)));
    if let (Some((event, webhook)), [only]) = (target, made)
        && delivered(only)
        && promised(&event.promise, ordinal, webhook, Some(only)) == *record
    {
        return Ok(());
    }
    let values: Vec<_> = record.0.iter().map(Parameter).collect();
    let [
        event,
        ordinal,
        webhook,
        environment,
        trigger,
        state,
        due_at,
        attempts,
        status,
        ended_at,
        why,
        created_at,
    ] = values.as_slice()
    else {
        return Err(unlike(Kind::Deliveries, record));
    };
    connection
        .prepare_cached(
            "-- transfer::delivery: in nobody's hands
             INSERT INTO deliveries (event, ordinal, webhook, environment, trigger, state, due_at, attempts, last_status, ended_at, why, created_at, apart)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .execute(params![
            event,
            ordinal,
            webhook,
            environment,
            trigger,
            state,
            due_at,
            attempts,
            status,
            ended_at,
            why,
            created_at,
            target.is_none()
        ])?;
    Ok(())
}

/// Whether an attempt is a first one that delivered.
fn delivered(attempt: &Record) -> bool {
    matches!(attempt.0.as_slice(), [_, _, Value::Number(1), _, _, _, Value::Number(0), ..])
}
