//! When the database is away, or connections to it break.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tidings_runtime::ManualClock;
use tidings_store::{EventFilter, Page, Store, StoreError};
use tidings_testkit::{EphemeralPostgres, TestDatabase};
use tokio::task::JoinSet;

use crate::world::{append, at, event, furnish, keyed, open, open_with, options, with_clock};

/// Longer than anybody waits before the next try.
const LONG: Duration = Duration::from_secs(60);

/// While the server is stopped, verbs fail at once and leave it in peace; when it is back, they are done again, and nothing that was stored is gone.
#[tokio::test]
async fn a_server_that_is_back_is_used_again() {
    let server = EphemeralPostgres::start(&[("fsync", "on")]);
    let clock = Arc::new(ManualClock::at(at(0)));
    let store = open_with(&server.url_of(&server.database().await), with_clock(clock.clone())).await;
    let (environment, webhook) = furnish(&store).await;
    let event = event(&store, environment, &[webhook]).await;
    let first = append(&store, event.clone()).await;

    server.stop();
    let why = |done: Result<_, StoreError>| match done {
        Err(StoreError::Unavailable(why)) => why,
        other => panic!("the server is stopped, and the answer was {other:?}"),
    };
    let mut said = Vec::new();
    for _ in 0..20 {
        said.push(why(store.environments().await.map(|_| ())));
    }
    assert!(said.last().unwrap().starts_with("PostgreSQL is away: "), "{said:?}");
    why(store.append(vec![event.clone()]).await.map(|_| ()));

    server.start_again();
    clock.advance(LONG);
    assert_eq!(store.event(environment, first).await.unwrap().unwrap().id, first);
    append(&store, event).await;
    assert_eq!(store.events(&EventFilter::of(environment), Page::first(9)).await.unwrap().len(), 2);
}

/// Connections are broken all the time while many append under keys and try again what failed: in the end each is there once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_tried_again_after_a_broken_connection_is_there_once() {
    const WRITERS: usize = 8;
    const EVENTS: usize = 30;
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let (environment, webhook) = furnish(&store).await;
    let event = event(&store, environment, &[webhook]).await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        let (store, event) = (store.clone(), event.clone());
        writers.spawn(async move {
            let mut failed = 0;
            for number in 0..EVENTS {
                let event = keyed(&event, format!("{writer}/{number}"));
                while store.append(vec![event.clone()]).await.is_err() {
                    failed += 1;
                    tokio::task::yield_now().await;
                }
            }
            failed
        });
    }
    let (done, admin) = (Arc::new(AtomicBool::new(false)), database.connect().await);
    let over = Arc::clone(&done);
    let mut killer = JoinSet::new();
    killer.spawn(async move {
        let others =
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
        let mut killed = 0;
        while !over.load(Ordering::Acquire) {
            killed += admin.query_one(others, &[]).await.unwrap().get::<_, i64>(0);
            admin.batch_execute("SELECT pg_sleep(0.02)").await.unwrap();
        }
        killed
    });
    let failed: usize = writers.join_all().await.into_iter().sum();
    done.store(true, Ordering::Release);
    let killed: i64 = killer.join_all().await.into_iter().sum();
    assert!(killed > 0 && failed > 0, "connections were to be broken");
    let mut events = store.events(&EventFilter::of(environment), Page::first(10_000)).await;
    while events.is_err() {
        events = store.events(&EventFilter::of(environment), Page::first(10_000)).await;
    }
    assert_eq!(events.unwrap().len(), WRITERS * EVENTS);
}

/// A server that does not write any more, as one that has become a standby. Connections to it are given up, and the store looks for one that writes.
#[tokio::test]
async fn connections_to_a_server_that_does_not_write_any_more_are_given_up() {
    let server = EphemeralPostgres::start(&[]);
    let database = server.database().await;
    let store = open_with(&server.url_of(&database), options()).await;
    let (environment, _) = furnish(&store).await;
    let event = event(&store, environment, &[]).await;
    let admin = server.connect(&database).await;
    admin.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    let read_only = async |setting: &str| {
        let sql = format!("ALTER SYSTEM SET default_transaction_read_only = {setting}");
        admin.batch_execute(&sql).await.unwrap();
        admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    };
    let connections = async || {
        let sql = "SELECT pid FROM pg_stat_activity WHERE datname = current_database()";
        let rows = admin.query(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.get::<_, i32>(0)).collect::<BTreeSet<_>>()
    };
    append(&store, event.clone()).await;
    let last = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY state_change DESC LIMIT 1";
    let appending = BTreeSet::from([admin.query_one(last, &[]).await.unwrap().get(0)]);
    read_only("on").await;
    while store.append(vec![event.clone()]).await.is_ok() {
        tokio::task::yield_now().await;
    }
    read_only("off").await;
    while store.append(vec![event.clone()]).await.is_err() {
        tokio::task::yield_now().await;
    }
    while !connections().await.is_disjoint(&appending) {
        tokio::task::yield_now().await;
    }
}

/// While writing fails, that is the answer to who asks whether it works, though reading does; once a second it is tried whether it would go on.
#[tokio::test]
async fn whether_it_can_be_written_is_tried_once_a_second() {
    let server = EphemeralPostgres::start(&[]);
    let database = server.database().await;
    let clock = Arc::new(ManualClock::at(at(0)));
    let store = open_with(&server.url_of(&database), with_clock(clock.clone())).await;
    let (environment, _) = furnish(&store).await;
    let event = event(&store, environment, &[]).await;
    let admin = server.connect(&database).await;
    admin.batch_execute("SET default_transaction_read_only = off").await.unwrap();
    let read_only = async |setting: &str| {
        let sql = format!("ALTER SYSTEM SET default_transaction_read_only = {setting}");
        admin.batch_execute(&sql).await.unwrap();
        admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    };
    append(&store, event.clone()).await;
    assert_eq!(store.writable().await, Ok(()));
    read_only("on").await;
    while store.append(vec![event.clone()]).await.is_ok() {
        tokio::task::yield_now().await;
    }
    let read = store.environments().await;
    assert!(read.is_ok(), "what only reads goes on: {read:?}");
    let why = store.writable().await;
    assert!(
        matches!(&why, Err(StoreError::Unavailable(why)) if why.contains("read-only")),
        "{why:?}"
    );
    clock.advance(Duration::from_secs(1));
    while store.writable().await.is_ok() {
        // The connection that it was tried with may not have heard of it yet.
        assert!(store.append(vec![event.clone()]).await.is_err());
        clock.advance(Duration::from_secs(1));
    }

    read_only("off").await;
    while is_read_only(&server, &database).await {
        tokio::task::yield_now().await;
    }
    assert!(store.writable().await.is_err(), "it was not tried again yet");
    while store.writable().await.is_err() {
        clock.advance(Duration::from_secs(1)); // a connection may not have heard of it yet
    }
    append(&store, event).await;
}

/// What a new connection is told.
async fn is_read_only(server: &EphemeralPostgres, database: &str) -> bool {
    let sql = "SELECT current_setting('default_transaction_read_only')::boolean";
    server.connect(database).await.query_one(sql, &[]).await.unwrap().get(0)
}

/// A store that was closed says so.
#[tokio::test]
async fn a_closed_store_says_so() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    let (environment, _) = furnish(&store).await;
    let event = event(&store, environment, &[]).await;
    store.close().await;
    for refused in [store.append(vec![event]).await.map(|_| ()), store.environments().await.map(|_| ())] {
        assert!(matches!(refused, Err(StoreError::Unavailable(why)) if why.contains("closed")));
    }
}
