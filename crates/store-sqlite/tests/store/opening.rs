//! Opening what is there, and refusing what should not be.

use std::fs;

use rusqlite::Connection;
use tempfile::TempDir;
use tidings_model::{DisableReason, EventId, Timestamp};
use tidings_store::{Start, Store, StoreError};
use tidings_store_sqlite::{OpenError, SqliteStore, check};

use crate::world::{World, at, database, grant, open, options};

/// A folder whose store has been closed, with some events in it.
async fn closed_folder() -> World {
    let (world, store) = World::new().await;
    for second in 0..50 {
        world.append(&store, world.event(second, Start::Due)).await;
    }
    store.close().await;
    world
}

fn refusal(folder: &TempDir) -> OpenError {
    SqliteStore::open(folder.path(), options()).unwrap_err()
}

#[tokio::test]
async fn a_store_that_is_dropped_keeps_everything() {
    let (world, store) = World::new().await;
    let event = world.append(&store, world.event(1, Start::Leased(grant(7, 1)))).await;
    let before = store.event(world.environment, event).await.unwrap().unwrap();
    drop(store);

    let store = open(world.path());
    assert_eq!(store.event(world.environment, event).await.unwrap(), Some(before));
    assert_eq!(store.routing(world.environment).await.unwrap().unwrap().webhooks.len(), 1);
    let again = store.lease_due(world.webhook, at(2), 10, grant(8, 2)).await.unwrap();
    assert_eq!(
        again.deliveries[0].id.event, event,
        "nobody who held a lease on a locked folder can be alive"
    );
}

#[tokio::test]
async fn event_ids_go_on_after_a_restart_even_when_the_log_is_empty() {
    let (world, store) = World::new().await;
    let first = world.append(&store, world.event(5, Start::Due)).await;
    store.disable_webhook(world.webhook, DisableReason::Operator, at(5)).await.unwrap();
    store.cancel_pending(world.webhook, at(5), 10).await.unwrap();
    assert_eq!(store.prune(world.environment, at(6), 10).await.unwrap().events, 1);
    drop(store);

    let store = open(world.path());
    let next = world.append_for_current_routes(&store, world.event(0, Start::Due)).await;
    assert_eq!(next, EventId::from_raw(first.raw() + 1).unwrap());
}

#[tokio::test]
async fn a_second_store_in_the_same_folder_is_refused_by_name() {
    let (world, store) = World::new().await;
    let error = refusal(&world.folder);
    assert!(matches!(&error, OpenError::InUse { folder } if folder == world.path()));
    assert!(error.to_string().contains(&world.path().display().to_string()));
    store.close().await;
    open(world.path());
}

#[tokio::test]
async fn a_closed_store_answers_that_it_is_not_available() {
    let (world, store) = World::new().await;
    store.close().await;
    let closed = StoreError::Unavailable("it is closed".to_owned());
    assert_eq!(store.append(vec![world.event(1, Start::Due)]).await, Err(closed.clone()));
    assert_eq!(store.environments().await, Err(closed));
    store.close().await;
}

#[tokio::test]
async fn a_truncated_database_is_refused_with_advice() {
    for keep in [0, 100, 8_192, 3 * 8_192 + 17] {
        let world = closed_folder().await;
        let file = fs::File::options().write(true).open(database(world.path())).unwrap();
        file.set_len(keep).unwrap();
        let error = refusal(&world.folder);
        assert!(matches!(error, OpenError::Damaged { .. }), "{keep} bytes: {error}");
        assert!(error.to_string().contains("tidings backup"), "{error}");
    }
}

#[tokio::test]
async fn garbage_and_foreign_databases_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(database(folder.path()), "These bytes were never a database. ".repeat(1_000)).unwrap();
    assert!(matches!(refusal(&folder), OpenError::Damaged { .. }));

    let folder = tempfile::tempdir().unwrap();
    let foreign = Connection::open(database(folder.path())).unwrap();
    foreign.execute_batch("CREATE TABLE other (thing TEXT)").unwrap();
    drop(foreign);
    assert!(refusal(&folder).to_string().contains("not a database of Tidings"));
}

#[tokio::test]
async fn a_log_without_its_database_is_not_started_anew() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tidings.db-wal"), "accepted events").unwrap();
    assert!(refusal(&folder).to_string().contains("write-ahead log"));
    assert!(!database(folder.path()).exists());
}

#[tokio::test]
async fn a_database_that_was_never_finished_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("tidings.db.new"), "half a database").unwrap();
    open(folder.path());
    assert!(database(folder.path()).exists() && !folder.path().join("tidings.db.new").exists());
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused() {
    let world = closed_folder().await;
    let connection = Connection::open(database(world.path())).unwrap();
    let sql = "INSERT INTO migrations (version, name, checksum, applied_at) VALUES (999, 'later', zeroblob(32), 0)";
    connection.execute(sql, []).unwrap();
    drop(connection);
    assert!(matches!(refusal(&world.folder), OpenError::Newer { found: 999, .. }));
}

#[tokio::test]
async fn a_migration_that_is_not_the_one_of_this_binary_is_refused() {
    let world = closed_folder().await;
    let connection = Connection::open(database(world.path())).unwrap();
    let sql = "UPDATE migrations SET checksum = zeroblob(32) WHERE version = 1";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    drop(connection);
    assert!(matches!(refusal(&world.folder), OpenError::Changed { version: 1, .. }));
}

#[tokio::test]
async fn a_value_that_cannot_be_is_named_by_table_column_and_row() {
    let world = closed_folder().await;
    let connection = Connection::open(database(world.path())).unwrap();
    let event: i64 = connection.query_row("SELECT max(id) FROM events", [], |row| row.get(0)).unwrap();
    connection
        .execute("UPDATE events SET key = 'not a key' WHERE id = ?1", [event])
        .unwrap();
    drop(connection);

    let store = open(world.path());
    let id = EventId::from_raw(event).unwrap();
    let Err(StoreError::Damaged(what)) = store.event(world.environment, id).await else {
        panic!("the key cannot be read");
    };
    assert!(what.starts_with(&format!("table events, column key, row {event}: ")), "{what}");
}

#[tokio::test]
async fn illegal_states_cannot_be_stored() {
    let world = closed_folder().await;
    let connection = Connection::open(database(world.path())).unwrap();
    for change in [
        "UPDATE deliveries SET due_at = NULL",
        "UPDATE deliveries SET state = 1",
        "UPDATE deliveries SET state = 3, due_at = NULL, ended_at = 1",
        "UPDATE deliveries SET state = 4, due_at = NULL, ended_at = 1",
        "UPDATE deliveries SET lease_token = 1",
        "UPDATE deliveries SET last_status = 200",
        "UPDATE webhooks SET disabled_at = 1",
        "UPDATE webhooks SET old_secret = x'00'",
        "UPDATE webhooks SET deleted_at = 1, secret = x'00'",
        "UPDATE environments SET uuid = x'00'",
        "UPDATE events SET key = x'00'",
    ] {
        let error = connection.execute(change, []).unwrap_err();
        assert_eq!(
            error.sqlite_error_code(),
            Some(rusqlite::ErrorCode::ConstraintViolation),
            "{change}: {error}"
        );
    }
}

#[tokio::test]
async fn a_check_tells_which_master_key_is_needed() {
    let (world, store) = World::new().await;
    assert_eq!(check(world.path()).unwrap().master_keys, [[0; 4]; 0]);
    store.keep_master_key([1, 2, 3, 4], Timestamp::from_millis(7)).await.unwrap();
    assert_eq!(check(world.path()).unwrap().master_keys, [[1, 2, 3, 4]]);
}

#[tokio::test]
async fn a_check_reads_a_store_in_use_and_finds_the_page_that_was_overwritten() {
    let (world, store) = World::new().await;
    for second in 0..50 {
        world.append(&store, world.event(second, Start::Due)).await;
    }
    let report = check(world.path()).unwrap();
    assert_eq!((report.schema, report.faults), (report.known_schema, Vec::new()));
    store.close().await;

    let file = database(world.path());
    let mut bytes = fs::read(&file).unwrap();
    let connection = Connection::open(&file).unwrap();
    let sql = "SELECT rootpage FROM sqlite_schema WHERE name = 'events'";
    let root: usize = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    drop(connection);
    bytes[(root - 1) * 8_192..root * 8_192].fill(0xaa);
    fs::write(&file, bytes).unwrap();
    assert!(check(world.path()).map_or(true, |report| !report.faults.is_empty()));
}

#[tokio::test]
async fn the_time_of_a_migration_is_the_clocks() {
    let world = closed_folder().await;
    let connection = Connection::open(database(world.path())).unwrap();
    let sql = "SELECT applied_at FROM migrations";
    let applied: i64 = connection.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(Timestamp::from_millis(applied), at(0));
}
