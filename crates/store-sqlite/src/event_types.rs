//! Event types that environments added.

use rusqlite::{Connection, params};
use tidings_model::{EnvironmentId, EventKey};
use tidings_store::{CreateEventTypeError, CustomEventType};

use crate::environments;
use crate::fault::{Fault, Outcome};
use crate::record::Record;
use crate::writer::WriteTx;

/// Adds an event type.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    environment: EnvironmentId,
    event_type: &CustomEventType,
) -> Outcome<Result<(), CreateEventTypeError>> {
    let Some(environment) = environments::short_id(tx.connection, environment)? else {
        return Ok(Err(CreateEventTypeError::NoEnvironment));
    };
    if !insert(tx.connection, environment, event_type)? {
        return Ok(Err(CreateEventTypeError::KeyTaken));
    }
    environments::raise_version(tx, environment)?;
    Ok(Ok(()))
}

/// Writes an event type unless the environment has its key: then false.
pub(crate) fn insert(connection: &Connection, environment: i64, event_type: &CustomEventType) -> Outcome<bool> {
    let rows = connection
        .prepare_cached(
            "-- event_types::insert: unless the key is taken
             INSERT INTO event_types (environment, key, category, display_name, description, example, schema, created_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (environment, key) DO NOTHING",
        )?
        .execute(params![
            environment,
            event_type.key.as_str(),
            event_type.category,
            event_type.display_name,
            event_type.description,
            event_type.example,
            event_type.schema,
            event_type.created_at.as_millis(),
        ])?;
    Ok(rows == 1)
}

/// Removes an event type.
pub(crate) fn delete(tx: &mut WriteTx<'_>, environment: EnvironmentId, key: &EventKey) -> Outcome<bool> {
    let Some(environment) = environments::short_id(tx.connection, environment)? else {
        return Ok(false);
    };
    let rows = tx
        .connection
        .prepare_cached(
            "-- event_types::delete: by its key
             DELETE FROM event_types WHERE environment = ?1 AND key = ?2",
        )?
        .execute(params![environment, key.as_str()])?;
    if rows == 1 {
        environments::raise_version(tx, environment)?;
    }
    Ok(rows == 1)
}

/// Those of an environment, by their keys.
pub(crate) fn of(connection: &Connection, environment: i64) -> Outcome<Vec<CustomEventType>> {
    connection
        .prepare_cached(
            "-- event_types::of: an environment
             SELECT id, key, category, display_name, description, example, schema, created_at
             FROM event_types WHERE environment = ?1 ORDER BY key",
        )?
        .query_and_then([environment], |row| {
            let record = Record::new(row, "event_types", &["id"]);
            Ok::<_, Fault>(CustomEventType {
                key: record.parse("key")?,
                category: record.get("category")?,
                display_name: record.get("display_name")?,
                description: record.get("description")?,
                example: record.get("example")?,
                schema: record.get("schema")?,
                created_at: record.time("created_at")?,
            })
        })?
        .collect()
}
