//! Pruning, forgetting, counting.

use deadpool_postgres::{GenericClient, Transaction};
use tidings_model::{EnvironmentId, Timestamp};
use tidings_store::{Pruned, StoreStats};

use crate::environments;
use crate::fault::Outcome;
use crate::record::{self, Record, count, rows, run, sql_count};
use crate::search::first_id;

/// From then on a delivery that nobody leased counts as overdue, in milliseconds.
const OVERDUE_MS: i64 = 10_000;

/// Finds events to prune. The conditions are written so that only one way to find them is left, whatever the tables are like when it is planned: along the
/// index of the environment, and of each event its deliveries by their key. Asked whether its state is pending, the planner may look an event up among all
/// that is pending, or walk all deliveries there are beside the events.
const OLDEST: &str = "-- upkeep::prune: the oldest; nobody sends one of them again meanwhile, and another node prunes others
    SELECT e.id FROM events e
    WHERE (e.environment, e.id) > ($1, 0) AND (e.environment, e.id) < ($1, $2)
      AND (SELECT 1 FROM deliveries d WHERE d.event = e.id AND d.due_at IS NOT NULL LIMIT 1) IS NULL
    ORDER BY e.environment, e.id LIMIT $3 FOR UPDATE OF e SKIP LOCKED";

/// Removes them, and what belongs to them.
const REMOVE: &str = "-- upkeep::prune: but for what was sent again just before; their ids are not given out again
    WITH gone AS (
        DELETE FROM events e
        WHERE e.id = ANY ($1) AND (SELECT 1 FROM deliveries d WHERE d.event = e.id AND d.due_at IS NOT NULL LIMIT 1) IS NULL
        RETURNING e.id
    ), attempts_gone AS (
        DELETE FROM attempts a USING gone g WHERE a.event = g.id
    ), deliveries_gone AS (
        DELETE FROM deliveries d USING gone g WHERE d.event = g.id
    ), noted AS (
        UPDATE pruned SET event = greatest(event, $2)
    )
    SELECT count(*) FROM gone";

/// Removes old events that have nothing pending.
pub(crate) async fn prune(db: &Transaction<'_>, id: EnvironmentId, before: Timestamp, limit: usize) -> Outcome<Pruned> {
    let Some(environment) = environments::logged_id(db, id).await? else {
        return Ok(Pruned::default());
    };
    let found = rows(db, OLDEST, &[&environment, &first_id(before), &sql_count(limit.saturating_add(1))]).await?;
    let mut ids = found
        .iter()
        .map(|row| Record::new(row, "events", &["id"]).get::<i64>("id"))
        .collect::<Outcome<Vec<_>>>()?;
    let more = ids.len() > limit;
    ids.truncate(limit);
    let removed = match ids.last() {
        Some(newest) => count(db, REMOVE, &[&ids, newest]).await?,
        None => 0,
    };
    finish_deletion(db, environment).await?;
    Ok(Pruned {
        events: usize::try_from(removed).unwrap_or(usize::MAX),
        more,
    })
}

/// Removes the last traces of a deleted environment whose last event is gone.
async fn finish_deletion(db: &Transaction<'_>, environment: i64) -> Outcome<()> {
    let empty = record::row(
        db,
        "-- upkeep::finish_deletion: deleted, and without events
         SELECT id FROM environments n
         WHERE id = $1 AND deleted AND NOT EXISTS (SELECT 1 FROM events e WHERE e.environment = n.id) FOR UPDATE SKIP LOCKED",
        &[&environment],
    )
    .await?;
    if empty.is_some() {
        environments::forget(db, environment).await?;
    }
    Ok(())
}

/// Forgets idempotency keys that have expired.
pub(crate) async fn forget_keys(db: &impl GenericClient, at: Timestamp, limit: usize) -> Outcome<usize> {
    let forgotten = run(
        db,
        "-- upkeep::forget_keys: those that expired first
         DELETE FROM idempotency WHERE (environment, key) IN (
             SELECT environment, key FROM idempotency WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        &[&at.as_millis(), &sql_count(limit)],
    )
    .await?;
    Ok(usize::try_from(forgotten).unwrap_or(usize::MAX))
}

/// Environments that were deleted and still have events.
pub(crate) async fn deleted_environments(db: &impl GenericClient) -> Outcome<Vec<EnvironmentId>> {
    let found = rows(
        db,
        "-- upkeep::deleted_environments: with events, or without where two nodes pruned the last of them at once
         SELECT id, uuid FROM environments WHERE deleted ORDER BY uuid",
        &[],
    )
    .await?;
    found
        .iter()
        .map(|row| Record::new(row, "environments", &["id"]).environment("uuid"))
        .collect()
}

/// What is pending, and since when.
pub(crate) async fn stats(db: &impl GenericClient, at: Timestamp) -> Outcome<StoreStats> {
    let found = record::row(
        db,
        "-- upkeep::stats: of all that is pending
         SELECT count(*) AS pending, count(*) FILTER (WHERE greatest(due_at, lease_until) <= $1) AS overdue FROM deliveries WHERE state = 0",
        &[&at.as_millis().saturating_sub(OVERDUE_MS)],
    )
    .await?;
    let Some(row) = found else {
        return Ok(StoreStats::default());
    };
    let record = Record::new(&row, "deliveries", &[]);
    Ok(StoreStats {
        pending: record.number("pending")?,
        overdue: record.number("overdue")?,
    })
}
