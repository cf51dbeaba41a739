//! Whether a store says that it can be written, while it cannot and afterwards.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::Connection;
use tidings_runtime::ManualClock;
use tidings_store::{Start, Store, StoreError};
use tidings_store_sqlite::SqliteOptions;

use crate::world::{START, World, database};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_cannot_be_written_says_so_and_notices_by_itself_when_it_can() {
    let clock = Arc::new(ManualClock::at(START));
    let (world, store) = World::with(SqliteOptions::new(clock.clone())).await;
    assert_eq!(store.writable().await, Ok(()));

    // Somebody else writes, and does not end.
    let other = Connection::open(database(world.path())).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.append(vec![world.event(1, Start::Due)]).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let said = store.writable().await;
    assert!(
        matches!(&said, Err(StoreError::Unavailable(why)) if why.contains("locked")),
        "{said:?}"
    );

    other.execute_batch("ROLLBACK").unwrap();
    assert!(store.writable().await.is_err(), "it was not tried again yet");
    clock.advance(Duration::from_secs(1));
    assert!(store.writable().await.is_err(), "it failed just now");
    clock.advance(Duration::from_secs(1));
    assert_eq!(store.writable().await, Ok(()));
}
