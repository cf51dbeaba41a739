//! Event types that environments added.

use deadpool_postgres::{GenericClient, Transaction};
use tidings_model::{EnvironmentId, EventKey};
use tidings_store::{CreateEventTypeError, CustomEventType};
use tokio_postgres::Row;

use crate::environments;
use crate::fault::Outcome;
use crate::record::{Record, rows, run};

/// Adds an event type.
pub(crate) async fn create(
    db: &Transaction<'_>,
    environment: EnvironmentId,
    event_type: &CustomEventType,
) -> Outcome<Result<(), CreateEventTypeError>> {
    let Some(locked) = environments::lock(db, environment).await? else {
        return Ok(Err(CreateEventTypeError::NoEnvironment));
    };
    if insert(db, locked.row, event_type).await? == 0 {
        return Ok(Err(CreateEventTypeError::KeyTaken));
    }
    locked.raise(db).await?;
    Ok(Ok(()))
}

/// Writes an event type where its key is free, and says how many rows that made.
pub(crate) async fn insert(db: &Transaction<'_>, environment: i64, event_type: &CustomEventType) -> Outcome<u64> {
    run(
        db,
        "-- event_types::insert: unless the key is taken
         INSERT INTO event_types (environment, key, category, display_name, description, example, schema, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (environment, key) DO NOTHING",
        &[
            &environment,
            &event_type.key.as_str(),
            &event_type.category,
            &event_type.display_name,
            &event_type.description,
            &event_type.example,
            &event_type.schema,
            &event_type.created_at.as_millis(),
        ],
    )
    .await
}

/// Removes an event type.
pub(crate) async fn delete(db: &Transaction<'_>, environment: EnvironmentId, key: &EventKey) -> Outcome<bool> {
    let Some(locked) = environments::lock(db, environment).await? else {
        return Ok(false);
    };
    let removed = run(
        db,
        "-- event_types::delete: only in its environment
         DELETE FROM event_types WHERE environment = $1 AND key = $2",
        &[&locked.row, &key.as_str()],
    )
    .await?;
    if removed == 0 {
        return Ok(false);
    }
    locked.raise(db).await?;
    Ok(true)
}

/// An environment's own, by key.
pub(crate) async fn of(db: &impl GenericClient, environment: i64) -> Outcome<Vec<CustomEventType>> {
    let found = rows(
        db,
        "-- event_types::of: by key
         SELECT key, category, display_name, description, example, schema, created_at FROM event_types WHERE environment = $1 ORDER BY key",
        &[&environment],
    )
    .await?;
    found.iter().map(event_type).collect()
}

fn event_type(row: &Row) -> Outcome<CustomEventType> {
    let record = Record::new(row, "event_types", &["key"]);
    Ok(CustomEventType {
        key: record.parse("key")?,
        category: record.get("category")?,
        display_name: record.get("display_name")?,
        description: record.get("description")?,
        example: record.get("example")?,
        schema: record.get("schema")?,
        created_at: record.time("created_at")?,
    })
}
