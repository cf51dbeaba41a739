//! Reading events.

use std::ops::{ControlFlow, Range};

use rusqlite::{Connection, Row, params};
use tidings_model::id::LOW_BITS;
use tidings_model::{EnvironmentId, Event, EventId, EventKey, TenantId, Timestamp};
use tidings_store::{EventFilter, Page};

use crate::blocks::{self, Scope};
use crate::fault::{Fault, Outcome};
use crate::record::Record;
use crate::{body, environments};

/// One event.
pub(crate) fn one(connection: &Connection, environment: EnvironmentId, id: EventId) -> Outcome<Option<Event>> {
    let Some(short) = environments::logged_id(connection, environment)? else {
        return Ok(None);
    };
    by_id(connection, environment, short, id)
}

fn by_id(connection: &Connection, environment: EnvironmentId, short: i64, id: EventId) -> Outcome<Option<Event>> {
    connection
        .prepare_cached(
            "-- events::by_id: only in its environment
             SELECT e.id, e.key, e.tenant, b.user, b.application, b.body, b.checksum FROM events e JOIN bodies b ON b.event = e.id
             WHERE e.id = ?1 AND e.environment = ?2",
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
    let mut ids = ids_between(filter.from, filter.until);
    ids.end = page.before.map_or(ids.end, |before| ids.end.min(before.raw()));
    let (mut skipped, mut found) = (0, Vec::new());
    if page.limit > 0 {
        let scopes = scopes(short, Scope::Environment(short), filter.key.as_ref(), filter.tenant.as_ref());
        blocks::walk(connection, &scopes, &ids, |id| {
            if skipped < page.skip {
                skipped += 1;
                return Ok(ControlFlow::Continue(()));
            }
            let id = EventId::from_raw(id).ok_or_else(|| Fault::Damaged(format!("table blocks: {id} is no event")))?;
            found.extend(by_id(connection, filter.environment, short, id)?);
            Ok(if found.len() < page.limit {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            })
        })?;
    }
    Ok(found)
}

/// What events have in common that are in a scope of an environment and have a key and a tenant, when those are given: the rarest first.
pub(crate) fn scopes<'a>(environment: i64, whose: Scope<'a>, key: Option<&'a EventKey>, tenant: Option<&'a TenantId>) -> Vec<Scope<'a>> {
    let of_tenant = tenant.map(|tenant| Scope::Tenant(environment, tenant.as_str()));
    let narrowed = of_tenant.into_iter().chain(key.map(|key| Scope::Key(environment, key.as_str())));
    match whose {
        Scope::Environment(_) if key.is_some() || tenant.is_some() => narrowed.collect(), // which say it already
        whose => std::iter::once(whose).chain(narrowed).collect(),
    }
}

/// The event after so many others, newest first.
pub(crate) fn at(connection: &Connection, environment: EnvironmentId, before: Option<EventId>, places: usize) -> Outcome<Option<EventId>> {
    let Some(short) = environments::logged_id(connection, environment)? else {
        return Ok(None);
    };
    let (mut passed, mut found) = (0, None);
    blocks::walk(
        connection,
        &[Scope::Environment(short)],
        &(0..before.map_or(i64::MAX, EventId::raw)),
        |id| {
            if passed < places {
                passed += 1;
                return Ok(ControlFlow::Continue(()));
            }
            found = EventId::from_raw(id);
            Ok(ControlFlow::Break(()))
        },
    )?;
    Ok(found)
}

/// How many events an environment has, counted up to `cap`.
pub(crate) fn count(connection: &Connection, environment: i64, cap: usize) -> Outcome<usize> {
    let mut counted = 0;
    blocks::walk(connection, &[Scope::Environment(environment)], &(0..i64::MAX), |_| {
        counted += 1;
        Ok(if counted < cap {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        })
    })?;
    Ok(counted)
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
        body: body::read(&record)?,
    })
}
