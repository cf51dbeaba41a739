//! Reading events.

use std::ops::Range;

use rusqlite::{Connection, Row, params};
use tidings_model::id::LOW_BITS;
use tidings_model::{EnvironmentId, Event, EventId, TenantId, Timestamp};
use tidings_store::{EventFilter, Page};

use crate::environments;
use crate::fault::Outcome;
use crate::record::{Record, sql_count};

/// One event.
pub(crate) fn one(connection: &Connection, environment: EnvironmentId, id: EventId) -> Outcome<Option<Event>> {
    let Some(short) = environments::logged_id(connection, environment)? else {
        return Ok(None);
    };
    connection
        .prepare_cached(
            "-- events::one: only in its environment
             SELECT id, key, tenant, user, application, body FROM events WHERE id = ?1 AND environment = ?2",
        )?
        .query_and_then(params![id.raw(), short], |row| event(row, environment))?
        .next()
        .transpose()
}

/// Events of an environment, newest first.
pub(crate) fn list(connection: &Connection, filter: &EventFilter, page: Page<EventId>) -> Outcome<Vec<Event>> {
    let Some(short) = environments::logged_id(connection, filter.environment)? else {
        return Ok(Vec::new());
    };
    let ids = ids_between(filter.from, filter.until);
    let end = page.before.map_or(ids.end, |before| ids.end.min(before.raw()));
    connection
        .prepare_cached(
            "-- events::list: newest first
             SELECT id, key, tenant, user, application, body FROM events INDEXED BY events_by_environment
             WHERE environment = ?1 AND id >= ?2 AND id < ?3 AND (?4 IS NULL OR key = ?4) AND (?5 IS NULL OR tenant = ?5)
             ORDER BY id DESC LIMIT ?6 OFFSET ?7",
        )?
        .query_and_then(
            params![
                short,
                ids.start,
                end,
                filter.key.as_ref().map(tidings_model::EventKey::as_str),
                filter.tenant.as_ref().map(TenantId::as_str),
                sql_count(page.limit),
                sql_count(page.skip),
            ],
            |row| event(row, filter.environment),
        )?
        .collect()
}

/// The event after so many others, newest first.
pub(crate) fn at(connection: &Connection, environment: EnvironmentId, before: Option<EventId>, places: usize) -> Outcome<Option<EventId>> {
    let Some(short) = environments::logged_id(connection, environment)? else {
        return Ok(None);
    };
    connection
        .prepare_cached(
            "-- events::at: steps along the index alone
             SELECT id FROM events INDEXED BY events_by_environment
             WHERE environment = ?1 AND id < ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3",
        )?
        .query_and_then(params![short, before.map_or(i64::MAX, EventId::raw), sql_count(places)], |row| {
            Record::new(row, "events", &["id"]).convert("id", EventId::from_raw)
        })?
        .next()
        .transpose()
}

/// The stored ids of events that were accepted between two times: an id begins with the time.
pub(crate) fn ids_between(from: Option<Timestamp>, until: Option<Timestamp>) -> Range<i64> {
    let first = |at: Timestamp| at.as_millis() << LOW_BITS;
    from.map_or(0, first)..until.map_or(i64::MAX, first)
}

fn event(row: &Row<'_>, environment: EnvironmentId) -> Outcome<Event> {
    let record = Record::new(row, "events", &["id"]);
    Ok(Event {
        id: record.convert("id", EventId::from_raw)?,
        environment,
        key: record.parse("key")?,
        tenant: record.optional_parse("tenant")?,
        user: record.get("user")?,
        application: record.get("application")?,
        body: record.get::<Vec<u8>>("body")?.into(),
    })
}
