//! Reading events with their deliveries and attempts. A delivery that has no row is told as its event promised it and its first attempt left it.

use std::collections::BTreeMap;

use rusqlite::{Connection, Row, params};
use tidings_model::{DeliveryId, EventId};
use tidings_store::transfer::{Chunk, ChunkSize, Kind, Position, Record, Value, event_bytes};

use super::plain;
use crate::codes::{Code, DELIVERED, PENDING};
use crate::fault::Outcome;
use crate::record::{Record as Read, sql_count};
use crate::{attempts, blocks, body, detail};

/// Event and ordinal.
pub(super) type Id = (i64, i64);

/// What an event promised, as far as its deliveries follow from it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Promise {
    /// The event.
    pub(super) event: i64,
    /// The short id of its environment.
    pub(super) environment: i64,
    /// Why its deliveries exist.
    pub(super) trigger: i64,
    /// When they were due.
    pub(super) due_at: i64,
}

/// Reads the events after a position, with what belongs to them, and what is left of events that are not there.
pub(super) fn read(connection: &Connection, from: Position, size: ChunkSize) -> Outcome<Chunk> {
    let after = from.key().first().and_then(Value::number).unwrap_or(i64::MIN);
    let end = end(connection, after, size)?;
    let until = end.unwrap_or(i64::MAX);
    let attempts = attempts(connection, after, until)?;
    let mut deliveries = rows(connection, after, until)?;
    let events = events(connection, after, until, &attempts, &mut deliveries)?;
    let next = from.next(events.last(), end.is_some());
    Ok(Chunk {
        from,
        records: vec![
            (Kind::Events, events),
            (Kind::Deliveries, deliveries.into_values().collect()),
            (Kind::Attempts, attempts.into_values().flatten().collect()),
        ],
        next,
    })
}

/// The last event of a chunk; `None` when there is none.
fn end(connection: &Connection, after: i64, size: ChunkSize) -> Outcome<Option<i64>> {
    let mut statement = connection.prepare_cached(
        "-- transfer::end: by what events take
         SELECT e.id, coalesce(length(b.body), 0), length(e.targets) / 8, (
             SELECT coalesce(sum(length(a.detail) + coalesce(length(a.reply_body), 0)), 0) FROM attempts a WHERE a.event = e.id
         ) FROM events e LEFT JOIN bodies b ON b.event = e.id
         WHERE e.id > ?1 ORDER BY e.id LIMIT ?2",
    )?;
    let mut rows = statement.query(params![after, sql_count(size.of(Kind::Events))])?;
    let (mut end, mut bytes) = (None, 0);
    while let Some(row) = rows.next()?.filter(|_| bytes < size.bytes) {
        end = Some(row.get(0)?);
        bytes += event_bytes(row.get(1)?, row.get(2)?) + row.get::<_, u64>(3)?;
    }
    Ok(end)
}

fn events(
    connection: &Connection,
    after: i64,
    until: i64,
    attempts: &BTreeMap<Id, Vec<Record>>,
    deliveries: &mut BTreeMap<Id, Record>,
) -> Outcome<Vec<Record>> {
    let mut statement = connection.prepare_cached(
        "-- transfer::events: with their bodies
         SELECT e.id, e.environment, e.trigger, e.due_at, e.targets, e.key, e.tenant, b.user, b.application, b.body, b.checksum
         FROM events e LEFT JOIN bodies b ON b.event = e.id WHERE e.id > ?1 AND e.id <= ?2 ORDER BY e.id",
    )?;
    let mut rows = statement.query([after, until])?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        let read = Read::new(row, "events", &["id"]);
        let event: i64 = read.get("id")?;
        let promise = Promise {
            event,
            environment: read.get("environment")?,
            trigger: read.get("trigger")?,
            due_at: read.get::<Option<i64>>("due_at")?.unwrap_or_else(|| made_at(event)),
        };
        let targets = blocks::targets(&read)?;
        for (webhook, ordinal) in targets.iter().zip(0..) {
            let id = (event, ordinal);
            let first = attempts.get(&id).and_then(|made| made.first());
            deliveries.entry(id).or_insert_with(|| promised(&promise, ordinal, *webhook, first));
        }
        let promised = match targets.len() {
            0 => with_event(event, deliveries),
            targets => sql_count(targets),
        };
        events.push(head(&read, &promise, promised)?);
    }
    Ok(events)
}

/// How many deliveries an event was appended with that is older than its targets: all but those of resends.
fn with_event(event: i64, deliveries: &BTreeMap<Id, Record>) -> i64 {
    let resend = Value::Number(tidings_model::Trigger::Resend.code());
    let rows = deliveries.range((event, i64::MIN)..=(event, i64::MAX));
    sql_count(rows.filter(|(_, row)| row.0.get(4) != Some(&resend)).count())
}

fn head(read: &Read<'_, '_>, promise: &Promise, promised: i64) -> Outcome<Record> {
    let Some(bytes) = read.get::<Option<Vec<u8>>>("body")? else {
        return Err(read.damaged(
            "body",
            "it has none, and cannot be moved without one: `tidings verify` says what to do",
        ));
    };
    let checksum = match read.get::<Option<i64>>("checksum")? {
        Some(checksum) => checksum,
        None => body::checksum(&bytes).into(), // older than checksums
    };
    Ok(Record(vec![
        promise.event.into(),
        promise.environment.into(),
        promise.trigger.into(),
        promised.into(),
        checksum.into(),
        read.get::<Option<String>>("key")?.into(),
        read.get::<Option<String>>("tenant")?.into(),
        read.get::<Option<String>>("user")?.into(),
        read.get::<Option<String>>("application")?.into(),
        Value::Bytes(bytes),
    ]))
}

/// The delivery of a target that has no row: delivered by its first attempt, or due.
pub(super) fn promised(promise: &Promise, ordinal: i64, webhook: i64, first: Option<&Record>) -> Record {
    let made = first.map(|attempt| (attempt.0[4].clone(), attempt.0[5].clone()));
    let (state, due_at, attempts, ended_at, status) = match made {
        Some((ended_at, status)) => (DELIVERED, Value::Empty, 1, ended_at, status),
        None => (PENDING, promise.due_at.into(), 0, Value::Empty, Value::Empty),
    };
    Record(vec![
        promise.event.into(),
        ordinal.into(),
        webhook.into(),
        promise.environment.into(),
        promise.trigger.into(),
        state.into(),
        due_at,
        attempts.into(),
        status,
        ended_at,
        Value::Empty,
        made_at(promise.event).into(),
    ])
}

/// When an event was accepted, by its id.
fn made_at(event: i64) -> i64 {
    EventId::from_raw(event).map_or(0, |id| id.timestamp().as_millis())
}

fn rows(connection: &Connection, after: i64, until: i64) -> Outcome<BTreeMap<Id, Record>> {
    connection
        .prepare_cached(
            "-- transfer::rows: deliveries that have one
             SELECT event, ordinal, webhook, environment, trigger, state, due_at, attempts, last_status, ended_at, why, created_at
             FROM deliveries WHERE event > ?1 AND event <= ?2 ORDER BY event, ordinal",
        )?
        .query_and_then([after, until], |row| {
            let id = (row.get(0)?, row.get(1)?);
            Ok((id, plain::record(Kind::Deliveries, row)?))
        })?
        .collect()
}

/// The attempts of deliveries, oldest first.
fn attempts(connection: &Connection, after: i64, until: i64) -> Outcome<BTreeMap<Id, Vec<Record>>> {
    let mut statement = connection.prepare_cached(
        "-- transfer::attempts: by their deliveries
         SELECT event, ordinal, number, started_at, ended_at, status, verdict, retry_at, why, detail, reply_body, typeof(detail) = 'text' AS older
         FROM attempts INDEXED BY attempts_of_delivery WHERE event > ?1 AND event <= ?2 ORDER BY event, ordinal, number",
    )?;
    let mut rows = statement.query([after, until])?;
    let mut made = BTreeMap::<Id, Vec<Record>>::new();
    while let Some(row) = rows.next()? {
        let record = if row.get("older")? {
            older(row)?
        } else {
            plain::record(Kind::Attempts, row)?
        };
        made.entry((row.get(0)?, row.get(1)?)).or_default().push(record);
    }
    Ok(made)
}

/// An attempt whose detail is in the form of an older database, in which its status was part of that.
fn older(row: &Row<'_>) -> Outcome<Record> {
    let read = Read::new(row, "attempts", &["event", "ordinal", "number"]);
    let delivery = DeliveryId {
        event: read.convert("event", EventId::from_raw)?,
        ordinal: read.get("ordinal")?,
    };
    let attempt = attempts::attempt(&read, delivery)?;
    let written = detail::write(&attempt).map_err(|error| attempts::unwritable(&attempt, &error))?;
    let number = |column| read.get::<Option<i64>>(column).map(Value::from);
    Ok(Record(vec![
        number("event")?,
        number("ordinal")?,
        number("number")?,
        number("started_at")?,
        number("ended_at")?,
        attempt.exchange.status().map(i64::from).into(),
        number("verdict")?,
        number("retry_at")?,
        number("why")?,
        Value::Bytes(written),
        read.get::<Option<Vec<u8>>>("reply_body")?.into(),
    ]))
}
