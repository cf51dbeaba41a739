//! Environments.

use deadpool_postgres::{GenericClient, Transaction};
use futures::join;
use tidings_model::{Environment, EnvironmentId, Settings, Timestamp};
use tidings_store::{CopyReport, DeleteEnvironmentError, EnvironmentChange, EnvironmentHolds, NameTaken, Routing};
use tokio_postgres::Row;

use crate::fault::{Fault, Outcome, exactly_one};
use crate::locks::{self, Turn};
use crate::record::{self, Parameters, Record, count, rows, run};
use crate::{changes, event_types, webhooks};

/// Events are counted up to this when somebody wants to delete an environment: more would not change the answer.
const EVENTS_COUNTED: i64 = 1_000;

/// Adds an environment.
pub(crate) async fn create(db: &Transaction<'_>, environment: &Environment) -> Outcome<Result<(), NameTaken>> {
    locks::take(db, Turn::Names).await?;
    if name_is_taken(db, &environment.name, environment.id).await? {
        return Ok(Err(NameTaken));
    }
    run(
        db,
        "-- environments::create: the environment
         INSERT INTO environments (uuid, name, folded_name, settings, routing_version, created_at) VALUES ($1, $2, $3, $4, 1, $5)",
        &[
            environment.id.as_uuid(),
            &environment.name,
            &folded(&environment.name),
            &json(&environment.settings)?,
            &environment.created_at.as_millis(),
        ],
    )
    .await?;
    changes::tell(db).await?;
    Ok(Ok(()))
}

/// All that are not deleted, by creation.
pub(crate) async fn all(db: &impl GenericClient) -> Outcome<Vec<Environment>> {
    let found = rows(
        db,
        "-- environments::all: the living
         SELECT id, uuid, name, settings, created_at FROM environments WHERE NOT deleted ORDER BY id",
        &[],
    )
    .await?;
    found.iter().map(environment).collect()
}

/// Changes name or settings.
pub(crate) async fn change(
    db: &Transaction<'_>,
    id: EnvironmentId,
    change: &EnvironmentChange,
) -> Outcome<Result<Option<Environment>, NameTaken>> {
    if change.name.is_some() {
        locks::take(db, Turn::Names).await?;
    }
    let Some(locked) = lock(db, id).await? else {
        return Ok(Ok(None));
    };
    if let Some(name) = &change.name
        && name_is_taken(db, name, id).await?
    {
        return Ok(Err(NameTaken));
    }
    let changed = record::row(
        db,
        "-- environments::change: what is given
         UPDATE environments SET name = coalesce($2, name), folded_name = coalesce($3, folded_name), settings = coalesce($4, settings)
         WHERE id = $1
         RETURNING id, uuid, name, settings, created_at",
        &[
            &locked.row,
            &change.name,
            &change.name.as_deref().map(folded),
            &change.settings.as_ref().map(json).transpose()?,
        ],
    )
    .await?;
    let changed = changed.as_ref().map(environment).transpose()?;
    locked.raise(db).await?;
    Ok(Ok(changed))
}

/// What an environment holds.
pub(crate) async fn what_it_holds(db: &impl GenericClient, id: EnvironmentId) -> Outcome<Option<EnvironmentHolds>> {
    match short_id(db, id).await? {
        Some(row) => holds(db, row).await.map(Some),
        None => Ok(None),
    }
}

/// Deletes an environment: at once when it has no events, otherwise pruning finishes it.
pub(crate) async fn delete(db: &Transaction<'_>, id: EnvironmentId, force: bool) -> Outcome<Result<(), DeleteEnvironmentError>> {
    let Some(Locked { row, .. }) = lock(db, id).await? else {
        return Ok(Err(DeleteEnvironmentError::NotFound));
    };
    locks::take(db, Turn::Road).await?; // no event is appended any more
    let holds = holds(db, row).await?;
    if !force && !holds.is_empty() {
        return Ok(Err(DeleteEnvironmentError::Holds(holds)));
    }
    for sql in [
        "-- environments::delete: its credentials
         DELETE FROM credentials WHERE environment = $1",
        "-- environments::delete: its event types
         DELETE FROM event_types WHERE environment = $1",
        "-- environments::delete: its name and settings
         UPDATE environments SET deleted = true WHERE id = $1",
    ] {
        run(db, sql, &[&row]).await?;
    }
    webhooks::delete_all(db, row).await?;
    if holds.events == 0 {
        forget(db, row).await?;
    }
    changes::tell(db).await?;
    Ok(Ok(()))
}

/// Removes the last traces of a deleted environment that has no events left.
pub(crate) async fn forget(db: &Transaction<'_>, row: i64) -> Outcome<()> {
    run(
        db,
        "-- environments::forget: its webhooks, with their health
         DELETE FROM webhooks WHERE environment = $1",
        &[&row],
    )
    .await?;
    let removed = run(
        db,
        "-- environments::forget: the environment
         DELETE FROM environments WHERE id = $1 AND deleted",
        &[&row],
    )
    .await?;
    exactly_one(removed, "environments", row)
}

/// Copies settings and event types.
pub(crate) async fn copy(db: &Transaction<'_>, from: EnvironmentId, to: EnvironmentId, at: Timestamp) -> Outcome<Option<CopyReport>> {
    let Some(from) = short_id(db, from).await? else {
        return Ok(None);
    };
    let Some(locked) = lock(db, to).await? else {
        return Ok(None);
    };
    let to = locked.row;
    let left = holds(db, from).await?;
    let have = event_types::of(db, to).await?;
    let mut report = CopyReport {
        webhooks_left: left.webhooks,
        credentials_left: left.credentials,
        ..CopyReport::default()
    };
    for mut event_type in event_types::of(db, from).await? {
        if have.iter().any(|own| own.key == event_type.key) {
            report.event_types_kept.push(event_type.key);
        } else {
            event_type.created_at = at;
            event_types::insert(db, to, &event_type).await?;
            report.event_types_copied.push(event_type.key);
        }
    }
    run(
        db,
        "-- environments::copy: the settings
         UPDATE environments SET settings = (SELECT settings FROM environments WHERE id = $1) WHERE id = $2",
        &[&from, &to],
    )
    .await?;
    locked.raise(db).await?;
    Ok(Some(report))
}

/// A living environment that nobody else changes until the transaction ends.
pub(crate) struct Locked {
    /// Its short id.
    pub(crate) row: i64,
    /// The routing version that its next change raises.
    pub(crate) next_version: i64,
}

/// Locks a living environment. Who changes something of an environment does so before anything else.
pub(crate) async fn lock(db: &Transaction<'_>, id: EnvironmentId) -> Outcome<Option<Locked>> {
    let found = record::row(
        db,
        "-- environments::lock: against other changes
         SELECT id, routing_version FROM environments WHERE uuid = $1 AND NOT deleted FOR NO KEY UPDATE",
        &[id.as_uuid()],
    )
    .await?;
    let locked = found.map(|row| {
        let record = Record::new(&row, "environments", &["id"]);
        Ok(Locked {
            row: record.get("id")?,
            next_version: record.get::<i64>("routing_version")? + 1,
        })
    });
    locked.transpose()
}

impl Locked {
    /// Makes every routing that was read so far stale, and tells other nodes. It is the last thing that a transaction does: from here to its end no
    /// node appends, so that an append either was before all of the change or sees the new version. So all of it is sent at once.
    pub(crate) async fn raise(self, db: &Transaction<'_>) -> Outcome<()> {
        let raise = "-- environments::raise: by one
            UPDATE environments SET routing_version = $2 WHERE id = $1";
        let (take, raise) = (db.prepare_cached(locks::TAKE).await?, db.prepare_cached(raise).await?);
        let (lock, tell) = (Turn::Road.lock(), db.prepare_cached(changes::TELL).await?);
        let (of_take, of_raise): (Parameters<'_>, Parameters<'_>) = (&[&lock], &[&self.row, &self.next_version]);
        let (taken, raised, told) = join!(db.execute(&take, of_take), db.execute(&raise, of_raise), db.execute(&tell, &[]));
        taken?;
        exactly_one(raised?, "environments", self.row)?;
        exactly_one(told?, "changes", 0)
    }
}

/// The short id of a living environment.
pub(crate) async fn short_id(db: &impl GenericClient, id: EnvironmentId) -> Outcome<Option<i64>> {
    let sql = "-- environments::short_id: of one that lives
        SELECT id FROM environments WHERE uuid = $1 AND NOT deleted";
    let found = record::row(db, sql, &[id.as_uuid()]).await?;
    Ok(found.map(|row| row.try_get(0)).transpose()?)
}

/// The short id of an environment that is there, or was and still has a log.
pub(crate) async fn logged_id(db: &impl GenericClient, id: EnvironmentId) -> Outcome<Option<i64>> {
    let sql = "-- environments::logged_id: also of a deleted one
        SELECT id FROM environments WHERE uuid = $1";
    let found = record::row(db, sql, &[id.as_uuid()]).await?;
    Ok(found.map(|row| row.try_get(0)).transpose()?)
}

/// The routing versions of all living environments.
pub(crate) async fn versions(db: &impl GenericClient) -> Outcome<Vec<(EnvironmentId, u64)>> {
    let found = rows(
        db,
        "-- environments::versions: of all
         SELECT id, uuid, routing_version FROM environments WHERE NOT deleted ORDER BY id",
        &[],
    )
    .await?;
    let versions = found.iter().map(|row| {
        let record = record(row);
        Ok((record.environment("uuid")?, record.number("routing_version")?))
    });
    versions.collect()
}

/// The routing of a living environment but its webhooks, with its short id.
pub(crate) async fn routing(db: &impl GenericClient, id: EnvironmentId) -> Outcome<Option<(i64, Routing)>> {
    let found = record::row(
        db,
        "-- environments::routing: by its id
         SELECT id, uuid, name, settings, routing_version, created_at FROM environments WHERE uuid = $1 AND NOT deleted",
        &[id.as_uuid()],
    )
    .await?;
    let Some(row) = found else { return Ok(None) };
    let short = record(&row).get("id")?;
    let routing = Routing {
        environment: id,
        version: record(&row).number("routing_version")?,
        settings: environment(&row)?.settings,
        event_types: event_types::of(db, short).await?,
        webhooks: Vec::new(),
    };
    Ok(Some((short, routing)))
}

async fn holds(db: &impl GenericClient, row: i64) -> Outcome<EnvironmentHolds> {
    let webhooks = "-- environments::holds: webhooks
        SELECT count(*) FROM webhooks WHERE environment = $1 AND deleted_at IS NULL";
    let event_types = "-- environments::holds: event types
        SELECT count(*) FROM event_types WHERE environment = $1";
    let credentials = "-- environments::holds: credentials
        SELECT count(*) FROM credentials WHERE environment = $1";
    let events = "-- environments::holds: events, up to a number
        SELECT count(*) FROM (SELECT 1 FROM events WHERE environment = $1 LIMIT $2) e";
    Ok(EnvironmentHolds {
        webhooks: count(db, webhooks, &[&row]).await?,
        event_types: count(db, event_types, &[&row]).await?,
        credentials: count(db, credentials, &[&row]).await?,
        events: count(db, events, &[&row, &EVENTS_COUNTED]).await?,
    })
}

async fn name_is_taken(db: &Transaction<'_>, name: &str, but_by: EnvironmentId) -> Outcome<bool> {
    let taken = record::row(
        db,
        "-- environments::name_is_taken: by another
         SELECT 1 FROM environments WHERE folded_name = $1 AND NOT deleted AND uuid <> $2",
        &[&folded(name), but_by.as_uuid()],
    )
    .await?;
    Ok(taken.is_some())
}

fn environment(row: &Row) -> Outcome<Environment> {
    let record = record(row);
    Ok(Environment {
        id: record.environment("uuid")?,
        name: record.get("name")?,
        settings: record.json("settings")?,
        created_at: record.time("created_at")?,
    })
}

const fn record(row: &Row) -> Record<'_> {
    Record::new(row, "environments", &["id"])
}

/// Names are compared in this form, without regard to ASCII case.
fn folded(name: &str) -> String {
    name.to_ascii_lowercase()
}

fn json(settings: &Settings) -> Outcome<String> {
    serde_json::to_string(settings).map_err(|error| Fault::Damaged(format!("settings cannot be written: {error}")))
}
