//! Moving a store: from a folder into a database and back, interrupted and gone on with, and who is refused.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;
use tidings_model::{DisableReason, Environment, EnvironmentId, Settings, Timestamp, Verdict};
use tidings_runtime::{Entropy, SystemClock, SystemEntropy};
use tidings_store::transfer::{
    ChunkSize, Difference, End, Kind, MoveId, Moved, Moving, Position, Progress, Transfer, TransferError, move_store,
};
use tidings_store::{AsOf, Place, Store, StoreError};
use tidings_store_postgres::PostgresStore;
use tidings_store_sqlite::{OpenError, SqliteOptions, SqliteStore};
use tidings_testkit::TestDatabase;
use tokio::sync::Notify;
use uuid::Uuid;

use crate::world::{append, at, config, event, furnish, grant, keyed, open, options, settlement};

/// As small as chunks can be, so that a move is interrupted everywhere.
const SMALL: ChunkSize = ChunkSize { records: 2, bytes: 3_000 };

/// Where a store is.
enum Home {
    Folder(TempDir),
    Database(TestDatabase),
}

impl Home {
    fn new_folder() -> Self {
        Self::Folder(tempfile::tempdir().unwrap())
    }

    async fn new_database() -> Self {
        Self::Database(TestDatabase::new().await)
    }

    fn name(&self) -> String {
        match self {
            Self::Folder(folder) => folder.path().display().to_string(),
            Self::Database(database) => config(&database.url()).name().unwrap(),
        }
    }

    async fn open_to_move(&self) -> Box<dyn Transfer> {
        match self {
            Self::Folder(folder) => Box::new(SqliteStore::open_to_move(folder.path(), sqlite()).unwrap()),
            Self::Database(database) => Box::new(PostgresStore::open_to_move(&config(&database.url()), options()).await.unwrap()),
        }
    }

    /// As a server opens it; the error is what it says.
    async fn serve(&self) -> Result<Arc<dyn Store>, String> {
        match self {
            Self::Folder(folder) => match SqliteStore::open(folder.path(), sqlite()) {
                Ok(store) => Ok(Arc::new(store)),
                Err(OpenError::Moved { why }) => Err(why),
                Err(other) => panic!("{other}"),
            },
            Self::Database(database) => match PostgresStore::open(&config(&database.url()), options()).await {
                Ok(store) => Ok(Arc::new(store)),
                Err(tidings_store_postgres::OpenError::Moved { why }) => Err(why),
                Err(other) => panic!("{other}"),
            },
        }
    }

    async fn refusal(&self) -> String {
        self.serve().await.err().unwrap()
    }
}

fn sqlite() -> SqliteOptions {
    SqliteOptions::new(Arc::new(SystemClock::new()))
}

/// Moves as a process does that ends after so many chunks. `None`: it did not get to the end.
async fn run(from: &Home, to: &Home, size: ChunkSize, chunks: usize) -> Option<Result<Moved, TransferError>> {
    let (source, target) = (from.open_to_move().await, to.open_to_move().await);
    let (source_name, target_name) = (from.name(), to.name());
    let (left, killed) = (AtomicUsize::new(chunks), Notify::new());
    let progress = |progress: Progress| {
        if matches!(progress, Progress::Copying { .. }) && left.fetch_sub(1, Ordering::Relaxed) == 1 {
            killed.notify_one();
        }
    };
    let moving = Moving {
        source: End {
            store: &*source,
            name: &source_name,
        },
        target: End {
            store: &*target,
            name: &target_name,
        },
        id: MoveId(Uuid::from_bytes(SystemEntropy.bytes16())),
        size,
        now: &|| at(500),
        progress: &progress,
    };
    tokio::select! {
        biased;
        () = killed.notified() => None,
        moved = move_store(&moving) => Some(moved),
    }
}

/// Moves in one go.
async fn moved(from: &Home, to: &Home) -> Result<Moved, TransferError> {
    run(from, to, ChunkSize::USUAL, usize::MAX).await.unwrap()
}

/// Moves chunk by chunk, killed after each.
async fn moved_with_kills(from: &Home, to: &Home) -> Moved {
    loop {
        if let Some(moved) = run(from, to, SMALL, 1).await {
            return moved.unwrap();
        }
    }
}

async fn findings(store: &dyn Store) -> Vec<String> {
    let as_of = AsOf {
        at: Timestamp::MAX,
        served_since: None,
    };
    let (mut place, mut found) = (Some(Place::start()), Vec::new());
    while let Some(here) = place {
        let step = store.verify(&here, as_of, 100).await.unwrap();
        found.extend(step.findings.iter().map(ToString::to_string));
        place = step.next;
    }
    found
}

/// A folder with a webhook, an event that arrived, one that failed once, and one that waits.
async fn busy_folder() -> Home {
    let home = Home::new_folder();
    let store = home.serve().await.unwrap();
    let (environment, webhook) = furnish(&*store).await;
    let event = event(&*store, environment, &[webhook]).await;
    for (number, verdict) in (0..3).zip([Some(Verdict::Delivered), Some(Verdict::RetryAt(at(9))), None]) {
        append(&*store, keyed(&event, format!("key {number}"))).await;
        if let Some(verdict) = verdict {
            let leased = store.lease_due(webhook, at(2), 1, grant(at(2))).await.unwrap().deliveries.remove(0);
            let settled = settlement(leased.id, webhook, leased.lease.token, verdict);
            store.settle(Arc::new([settled])).await.unwrap();
        }
    }
    home
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_moved_again_and_again_answers_as_one_that_stays() {
    let fresh = || async {
        let home = Home::new_folder();
        (home.serve().await.unwrap(), home)
    };
    let relocate = |store: Arc<dyn Store>, from: Home| async move {
        drop(store);
        let to = match &from {
            Home::Folder(_) => Home::new_database().await,
            Home::Database(_) => Home::new_folder(),
        };
        moved(&from, &to).await.unwrap();
        let store = to.serve().await.unwrap();
        assert_eq!(findings(&*store).await, Vec::<String>::new());
        (store, to)
    };
    tidings_store::conformance::agrees_while_moving(fresh, relocate, 8).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_move_that_is_killed_after_every_chunk_comes_to_the_same_end() {
    let from = busy_folder().await;
    let (there, back, at_once) = (Home::new_database().await, Home::new_folder(), Home::new_database().await);
    let first = moved_with_kills(&from, &there).await;
    let second = moved_with_kills(&there, &back).await;
    let third = moved(&back, &at_once).await.unwrap();
    assert_eq!(first.compared, second.compared);
    assert_eq!(first.compared, third.compared);
    let counted = |kind| first.compared.iter().find(|compared| compared.kind == kind).unwrap().target.records;
    let kinds = [Kind::Events, Kind::Deliveries, Kind::Attempts, Kind::Idempotency, Kind::Webhooks];
    assert_eq!(kinds.map(counted), [3, 3, 2, 3, 1]);
    assert!(at_once.serve().await.is_ok());
}

#[tokio::test]
async fn nobody_serves_either_end_while_a_move_lasts_nor_the_source_afterwards() {
    let (from, to) = (busy_folder().await, Home::new_database().await);
    assert!(run(&from, &to, SMALL, 1).await.is_none());
    let (source, target) = (from.refusal().await, to.refusal().await);
    assert!(source.contains(&to.name()) && source.contains("--take-back"), "{source}");
    assert!(
        target.contains(&from.name()) && target.contains("goes on where it stopped"),
        "{target}"
    );

    moved(&from, &to).await.unwrap();
    let source = from.refusal().await;
    assert!(source.contains("was moved to") && source.contains(&to.name()), "{source}");
    assert!(to.serve().await.is_ok());
    assert_eq!(moved(&from, &to).await.unwrap().compared, [], "it is over");

    from.open_to_move().await.forget_mark().await.unwrap();
    assert!(from.serve().await.is_ok(), "it was taken back");
}

#[tokio::test]
async fn a_target_that_holds_anything_else_is_refused() {
    let (from, to) = (busy_folder().await, busy_folder().await);
    let refused = moved(&from, &to).await.unwrap_err();
    assert!(
        matches!(&refused, TransferError::Refused(why) if why.contains("is not empty")),
        "{refused}"
    );
    assert!(from.serve().await.is_ok() && to.serve().await.is_ok(), "nothing was noted");

    let database = Home::new_database().await;
    assert!(run(&from, &database, SMALL, 1).await.is_none());
    let refused = moved(&to, &database).await.unwrap_err();
    assert!(
        matches!(&refused, TransferError::Refused(why) if why.contains("another move")),
        "{refused}"
    );
    let elsewhere = moved(&database, &Home::new_folder()).await.unwrap_err();
    assert!(
        matches!(&elsewhere, TransferError::Refused(why) if why.contains("holds a part")),
        "{elsewhere}"
    );
}

#[tokio::test]
async fn a_move_that_was_taken_back_is_not_gone_on_with() {
    let (from, to) = (busy_folder().await, Home::new_database().await);
    assert!(run(&from, &to, SMALL, 1).await.is_none());
    from.open_to_move().await.forget_mark().await.unwrap();
    let refused = moved(&from, &to).await.unwrap_err();
    assert!(
        matches!(&refused, TransferError::Refused(why) if why.contains("taken back")),
        "{refused}"
    );
    assert!(moved(&from, &Home::new_database().await).await.is_ok());
}

#[tokio::test]
async fn what_was_changed_on_the_way_is_found_and_named() {
    let from = busy_folder().await;
    let database = TestDatabase::new().await;
    let admin = database.connect().await;
    let to = Home::Database(database);
    for (sql, kind, column) in [
        (
            "UPDATE events SET body = '[]' WHERE id = (SELECT max(id) FROM events)",
            Kind::Events,
            "body",
        ),
        ("UPDATE attempts SET verdict = 2 WHERE verdict = 0", Kind::Attempts, "verdict"),
        ("UPDATE pruned SET event = 7", Kind::Counters, "number"),
    ] {
        // Killed when everything is there, and nothing was compared yet.
        let mut chunks = 1;
        while to.open_to_move().await.mark().await.unwrap().is_none_or(|mark| is_under_way(&mark)) {
            assert!(run(&from, &to, ChunkSize::USUAL, chunks).await.is_none());
            chunks = 1;
        }
        admin
            .batch_execute("CREATE TABLE before_events AS TABLE events; CREATE TABLE before_attempts AS TABLE attempts")
            .await
            .unwrap();
        admin.batch_execute(sql).await.unwrap();
        let Err(TransferError::Differs(compared)) = moved(&from, &to).await else {
            panic!("{sql} was not found");
        };
        let different: Vec<_> = compared.iter().filter(|compared| compared.difference.is_some()).collect();
        assert_eq!(different.len(), 1, "{sql}");
        assert_eq!(different[0].kind, kind);
        assert!(matches!(&different[0].difference, Some(Difference::Other { column: found, .. }) if *found == column));
        assert!(to.serve().await.is_err(), "nobody serves it");
        let restore = "TRUNCATE events, attempts; INSERT INTO events TABLE before_events; INSERT INTO attempts TABLE before_attempts;
                       DROP TABLE before_events, before_attempts; UPDATE pruned SET event = 0";
        admin.batch_execute(restore).await.unwrap();
    }
    assert!(moved(&from, &to).await.is_ok());
}

fn is_under_way(mark: &tidings_store::transfer::Mark) -> bool {
    matches!(&mark.role, tidings_store::transfer::Role::Target { reached } if reached.is_some())
}

#[tokio::test]
async fn what_is_numbered_afterwards_has_a_number_that_nothing_ever_had() {
    let from = Home::new_folder();
    let store = from.serve().await.unwrap();
    let (environment, webhook) = furnish(&*store).await;
    let event_before = keyed(&event(&*store, environment, &[webhook]).await, "once".to_owned());
    let newest = append(&*store, event_before.clone()).await;
    store.disable_webhook(webhook, DisableReason::Operator, at(9)).await.unwrap();
    store.cancel_pending(webhook, at(9), 10).await.unwrap();
    store.delete_environment(environment, true).await.unwrap().unwrap();
    store.prune(environment, Timestamp::MAX, 10).await.unwrap();
    drop(store);

    for home in [Home::new_database().await, Home::new_folder()] {
        let source = if matches!(home, Home::Database(_)) { &from } else { continue };
        moved(source, &home).await.unwrap();
        let back = Home::new_folder();
        moved(&home, &back).await.unwrap();
        home.open_to_move().await.forget_mark().await.unwrap();
        for home in [&home, &back] {
            let store = home.serve().await.unwrap();
            let other = Environment {
                id: EnvironmentId::from_chance([2; 16]),
                name: "Other".to_owned(),
                settings: Settings::default(),
                created_at: at(10),
            };
            store.create_environment(&other).await.unwrap().unwrap();
            let again = keyed(&event(&*store, other.id, &[]).await, "once".to_owned());
            let appended = store.append(vec![again]).await.unwrap()[0].unwrap();
            assert!(appended.fresh, "the key is that of the environment that is gone");
            assert!(appended.event > newest);
        }
    }
}

#[tokio::test]
async fn a_store_that_nodes_serve_is_not_moved_and_none_joins_one_that_is() {
    let database = TestDatabase::new().await;
    let store = open(&database).await;
    furnish(&store).await;
    let node = tidings_store::NewNode {
        name: "first".to_owned(),
        version: "1".to_owned(),
        at: at(1),
    };
    let number = store.join(&node).await.unwrap();
    let (from, to) = (Home::Database(database), Home::new_folder());
    assert_eq!(moved(&from, &to).await, Err(TransferError::Served(from.name())));

    assert!(store.strike_node(number, None).await.unwrap());
    moved(&from, &to).await.unwrap();
    let refused = store.join(&node).await.unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unavailable(why) if why.contains("moved")),
        "{refused}"
    );
}

#[tokio::test]
async fn a_text_that_a_database_cannot_hold_is_named_with_its_row() {
    let from = Home::new_folder();
    let store = from.serve().await.unwrap();
    let (environment, _) = furnish(&*store).await;
    let user = Some("a zero: \0".to_owned());
    let unheld = tidings_store::NewEvent {
        user,
        ..event(&*store, environment, &[]).await
    };
    let id = append(&*store, unheld).await;
    drop(store);
    let half = Home::new_database().await;
    let failed = moved(&from, &half).await.unwrap_err().to_string();
    assert!(failed.contains("user_id") && failed.contains(&id.raw().to_string()), "{failed}");
    assert!(moved(&from, &Home::new_folder()).await.is_ok(), "it can be moved elsewhere");
    let again = moved(&from, &half).await;
    assert!(
        matches!(&again, Err(TransferError::Refused(why)) if why.contains("was moved to")),
        "what was begun there is over: {again:?}"
    );
}

#[tokio::test]
async fn what_holds_nothing_is_not_moved() {
    for from in [Home::new_folder(), Home::new_database().await] {
        let to = Home::new_folder();
        let nothing = moved(&from, &to).await;
        assert!(
            matches!(&nothing, Err(TransferError::Refused(why)) if why.contains("nothing")),
            "{nothing:?}"
        );
        assert!(from.serve().await.is_ok(), "it was not marked as moved");
    }
}

/// However often deliveries were tried, and whatever came back: what goes over at once has to be written within seconds.
#[tokio::test]
async fn a_chunk_is_as_large_as_it_may_be_with_all_that_is_kept_of_attempts() {
    for home in [Home::new_folder(), Home::new_database().await] {
        let store = home.serve().await.unwrap();
        let (environment, webhook) = furnish(&*store).await;
        for _ in 0..6 {
            append(&*store, event(&*store, environment, &[webhook]).await).await;
        }
        let mut leased = store.lease_due(webhook, at(2), 6, grant(at(2))).await.unwrap().deliveries;
        for number in 1..=3 {
            for delivery in &leased {
                let again = at(2 + 100 * i64::from(number));
                let mut attempt = settlement(delivery.id, webhook, delivery.lease.token, Verdict::RetryAt(again));
                attempt.attempt.number = number;
                if let Some(reply) = &mut attempt.attempt.exchange.reply {
                    reply.body = vec![b'x'; 16 * 1_024].into();
                }
                store.settle(vec![attempt].into()).await.unwrap();
            }
            let now = at(3 + 100 * i64::from(number));
            leased = store.lease_due(webhook, now, 6, grant(now)).await.unwrap().deliveries;
            assert_eq!(leased.len(), 6);
        }
        drop(store);
        let store = home.open_to_move().await;
        let size = ChunkSize {
            records: 100,
            bytes: 100_000,
        };
        let (mut chunks, mut next) = (Vec::new(), Some(Position::START));
        while let Some(from) = next.take() {
            let chunk = store.read_chunk(&from, size).await.unwrap();
            chunks.push(chunk.of(Kind::Events).len());
            next = chunk.next;
        }
        let most = chunks.iter().copied().max().unwrap();
        assert!(
            most <= 3 && chunks.iter().sum::<usize>() == 6,
            "{chunks:?}: each takes some 50,000 bytes"
        );
    }
}

#[tokio::test]
async fn a_folder_of_every_schema_there_has_been_is_moved_and_is_sound() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store-sqlite/tests/fixtures");
    for version in 1.. {
        let Ok(text) = std::fs::read_to_string(fixtures.join(format!("schema-{version}.sql"))) else {
            assert!(version > 9, "schema {version} has no fixture");
            break;
        };
        let folder = tempfile::tempdir().unwrap();
        let connection = rusqlite::Connection::open(folder.path().join("tidings.db")).unwrap();
        connection.execute_batch(&text).unwrap();
        connection.query_row("PRAGMA journal_mode = wal", [], |_| Ok(())).unwrap();
        drop(connection);
        let (from, there, back) = (Home::Folder(folder), Home::new_database().await, Home::new_folder());
        let first = moved(&from, &there)
            .await
            .unwrap_or_else(|error| panic!("schema {version}: {error}"));
        let second = moved(&there, &back).await.unwrap();
        assert_eq!(first.compared, second.compared, "schema {version}");
        there.open_to_move().await.forget_mark().await.unwrap();
        for home in [&there, &back] {
            assert_eq!(
                findings(&*home.serve().await.unwrap()).await,
                Vec::<String>::new(),
                "schema {version}"
            );
        }
    }
}
