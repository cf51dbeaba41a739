//! Environments.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_model::{Environment, EnvironmentId, EventKey, Timestamp};
use tidings_store::{CopyReport, DeleteEnvironmentError, EnvironmentChange, EnvironmentHolds, NameTaken, Routing};
use uuid::Uuid;

use crate::fault::{Fault, Outcome, exactly_one};
use crate::record::Record;
use crate::writer::WriteTx;
use crate::{event_types, events, webhooks};

/// Events are counted up to this when somebody wants to delete an environment: more would not change the answer.
const EVENTS_COUNTED: usize = 1_000;

/// Adds an environment.
pub(crate) fn create(tx: &WriteTx<'_>, environment: &Environment) -> Outcome<Result<(), NameTaken>> {
    if name_is_taken(tx.connection, &environment.name, environment.id)? {
        return Ok(Err(NameTaken));
    }
    tx.connection
        .prepare_cached(
            "-- environments::create: the environment
             INSERT INTO environments (uuid, name, folded_name, settings, routing_version, created_at) VALUES (?1, ?2, ?3, ?4, 1, ?5)",
        )?
        .execute(params![
            environment.id.as_uuid().as_bytes(),
            environment.name,
            folded(&environment.name),
            json(&environment.settings)?,
            environment.created_at.as_millis(),
        ])?;
    Ok(Ok(()))
}

/// All that are not deleted, by creation.
pub(crate) fn all(connection: &Connection) -> Outcome<Vec<Environment>> {
    connection
        .prepare_cached(
            "-- environments::all: the living
             SELECT id, uuid, name, settings, created_at FROM environments WHERE deleted = 0 ORDER BY id",
        )?
        .query_and_then([], environment)?
        .collect()
}

/// Changes name or settings.
pub(crate) fn change(
    tx: &mut WriteTx<'_>,
    id: EnvironmentId,
    change: &EnvironmentChange,
) -> Outcome<Result<Option<Environment>, NameTaken>> {
    let Some(row) = short_id(tx.connection, id)? else {
        return Ok(Ok(None));
    };
    if let Some(name) = &change.name
        && name_is_taken(tx.connection, name, id)?
    {
        return Ok(Err(NameTaken));
    }
    let changed = tx
        .connection
        .prepare_cached(
            "-- environments::change: what is given
             UPDATE environments
             SET name = coalesce(?2, name), folded_name = coalesce(?3, folded_name), settings = coalesce(?4, settings)
             WHERE id = ?1
             RETURNING id, uuid, name, settings, created_at",
        )?
        .query_row(
            params![
                row,
                change.name,
                change.name.as_deref().map(folded),
                change.settings.as_ref().map(json).transpose()?
            ],
            |row| Ok(environment(row)),
        )??;
    raise_version(tx, row)?;
    Ok(Ok(Some(changed)))
}

/// What an environment holds.
pub(crate) fn what_it_holds(connection: &Connection, id: EnvironmentId) -> Outcome<Option<EnvironmentHolds>> {
    let row = short_id(connection, id)?;
    row.map(|row| holds(connection, row)).transpose()
}

/// Deletes an environment: at once when it has no events, otherwise pruning finishes it.
pub(crate) fn delete(tx: &mut WriteTx<'_>, id: EnvironmentId, force: bool) -> Outcome<Result<(), DeleteEnvironmentError>> {
    let Some(row) = short_id(tx.connection, id)? else {
        return Ok(Err(DeleteEnvironmentError::NotFound));
    };
    let holds = holds(tx.connection, row)?;
    if !force && !holds.is_empty() {
        return Ok(Err(DeleteEnvironmentError::Holds(holds)));
    }
    tx.memory.environments.clear();
    let run = |sql: &str| tx.connection.prepare_cached(sql)?.execute([row]);
    run("-- environments::delete: its credentials
         DELETE FROM credentials WHERE environment = ?1")?;
    run("-- environments::delete: its event types
         DELETE FROM event_types WHERE environment = ?1")?;
    let marked = run("-- environments::delete: its name and settings
         UPDATE environments SET deleted = 1 WHERE id = ?1")?;
    exactly_one(marked, "environments", row)?;
    tx.settle_health()?;
    webhooks::delete_all(tx.connection, row)?;
    if holds.events == 0 {
        forget(tx, row)?;
    }
    Ok(Ok(()))
}

/// Removes the last traces of a deleted environment that has no events left.
pub(crate) fn forget(tx: &mut WriteTx<'_>, row: i64) -> Outcome<()> {
    tx.memory.environments.clear();
    tx.settle_health()?;
    let run = |sql: &str| tx.connection.prepare_cached(sql)?.execute([row]);
    run("-- environments::forget: its webhooks, with their health
         DELETE FROM webhooks WHERE environment = ?1")?;
    let removed = run("-- environments::forget: the environment
         DELETE FROM environments WHERE id = ?1 AND deleted = 1")?;
    exactly_one(removed, "environments", row)
}

/// Copies settings and event types.
pub(crate) fn copy(tx: &mut WriteTx<'_>, from: EnvironmentId, to: EnvironmentId, at: Timestamp) -> Outcome<Option<CopyReport>> {
    let (Some(from), Some(to)) = (short_id(tx.connection, from)?, short_id(tx.connection, to)?) else {
        return Ok(None);
    };
    let left = holds(tx.connection, from)?;
    let have = event_types::of(tx.connection, to)?;
    let mut report = CopyReport {
        webhooks_left: left.webhooks,
        credentials_left: left.credentials,
        ..CopyReport::default()
    };
    for mut event_type in event_types::of(tx.connection, from)? {
        let key: EventKey = event_type.key.clone();
        if have.iter().any(|own| own.key == key) {
            report.event_types_kept.push(key);
        } else {
            event_type.created_at = at;
            event_types::insert(tx.connection, to, &event_type)?;
            report.event_types_copied.push(key);
        }
    }
    let copied = tx
        .connection
        .prepare_cached(
            "-- environments::copy: the settings
             UPDATE environments SET settings = (SELECT settings FROM environments WHERE id = ?1) WHERE id = ?2",
        )?
        .execute([from, to])?;
    exactly_one(copied, "environments", to)?;
    raise_version(tx, to)?;
    Ok(Some(report))
}

/// The short id of a living environment.
pub(crate) fn short_id(connection: &Connection, id: EnvironmentId) -> Outcome<Option<i64>> {
    Ok(version(connection, id)?.map(|(row, _)| row))
}

/// The short id and the routing version of a living environment.
pub(crate) fn version(connection: &Connection, id: EnvironmentId) -> Outcome<Option<(i64, u64)>> {
    let found = connection
        .prepare_cached(
            "-- environments::version: of one
             SELECT id, routing_version FROM environments WHERE uuid = ?1 AND deleted = 0",
        )?
        .query_row([id.as_uuid().as_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found)
}

/// The short id of an environment that is there, or was and still has a log.
pub(crate) fn logged_id(connection: &Connection, id: EnvironmentId) -> Outcome<Option<i64>> {
    let found = connection
        .prepare_cached(
            "-- environments::logged_id: also of a deleted one
             SELECT id FROM environments WHERE uuid = ?1",
        )?
        .query_row([id.as_uuid().as_bytes()], |row| row.get(0))
        .optional()?;
    Ok(found)
}

/// The routing versions of all living environments.
pub(crate) fn versions(connection: &Connection) -> Outcome<Vec<(EnvironmentId, u64)>> {
    connection
        .prepare_cached(
            "-- environments::versions: of all
             SELECT id, uuid, routing_version FROM environments WHERE deleted = 0 ORDER BY id",
        )?
        .query_and_then([], |row| {
            let record = record(row);
            Ok((uuid(&record, "uuid")?, record.get("routing_version")?))
        })?
        .collect()
}

/// Makes every routing that was read so far stale.
pub(crate) fn raise_version(tx: &mut WriteTx<'_>, row: i64) -> Outcome<()> {
    tx.memory.environments.clear();
    let raised = tx
        .connection
        .prepare_cached(
            "-- environments::raise_version: by one
             UPDATE environments SET routing_version = routing_version + 1 WHERE id = ?1",
        )?
        .execute([row])?;
    exactly_one(raised, "environments", row)
}

/// The routing of a living environment but its webhooks, with its short id.
pub(crate) fn routing(connection: &Connection, id: EnvironmentId) -> Outcome<Option<(i64, Routing)>> {
    let found = connection
        .prepare_cached(
            "-- environments::routing: by its id
             SELECT id, uuid, name, settings, routing_version, created_at FROM environments WHERE uuid = ?1 AND deleted = 0",
        )?
        .query_and_then([id.as_uuid().as_bytes()], |row| {
            let record = record(row);
            Ok::<(i64, u64, Environment), Fault>((record.get("id")?, record.get("routing_version")?, environment(row)?))
        })?
        .next()
        .transpose()?;
    let Some((short, version, environment)) = found else {
        return Ok(None);
    };
    let routing = Routing {
        environment: id,
        version,
        settings: environment.settings,
        event_types: event_types::of(connection, short)?,
        webhooks: Vec::new(),
    };
    Ok(Some((short, routing)))
}

/// A column that holds the UUID of an environment.
pub(crate) fn uuid(record: &Record<'_, '_>, column: &str) -> Outcome<EnvironmentId> {
    record.convert(column, |bytes: [u8; 16]| Some(EnvironmentId::from_uuid(Uuid::from_bytes(bytes))))
}

fn holds(connection: &Connection, row: i64) -> Outcome<EnvironmentHolds> {
    let count = |sql: &str| -> rusqlite::Result<u64> { connection.prepare_cached(sql)?.query_row([row], |row| row.get(0)) };
    Ok(EnvironmentHolds {
        webhooks: count(
            "-- environments::holds: webhooks
             SELECT count(*) FROM webhooks WHERE environment = ?1 AND deleted_at IS NULL",
        )?,
        event_types: count(
            "-- environments::holds: event types
             SELECT count(*) FROM event_types WHERE environment = ?1",
        )?,
        credentials: count(
            "-- environments::holds: credentials
             SELECT count(*) FROM credentials WHERE environment = ?1",
        )?,
        events: events::count(connection, row, EVENTS_COUNTED)? as u64,
    })
}

fn name_is_taken(connection: &Connection, name: &str, but_by: EnvironmentId) -> Outcome<bool> {
    let taken = connection
        .prepare_cached(
            "-- environments::name_is_taken: by another
             SELECT 1 FROM environments WHERE folded_name = ?1 AND deleted = 0 AND uuid <> ?2",
        )?
        .exists(params![folded(name), but_by.as_uuid().as_bytes()])?;
    Ok(taken)
}

fn environment(row: &Row<'_>) -> Outcome<Environment> {
    let record = record(row);
    Ok(Environment {
        id: uuid(&record, "uuid")?,
        name: record.get("name")?,
        settings: record.json("settings")?,
        created_at: record.time("created_at")?,
    })
}

const fn record<'row, 'statement>(row: &'row Row<'statement>) -> Record<'row, 'statement> {
    Record::new(row, "environments", &["id"])
}

/// Names are compared in this form, without regard to ASCII case.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn json(settings: &tidings_model::Settings) -> Outcome<String> {
    serde_json::to_string(settings).map_err(|error| Fault::Damaged(format!("settings cannot be written: {error}")))
}
