//! Group commit: what many callers share, and what they do not.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use parking_lot::Mutex;
use tidings_model::{EventId, WebhookId};
use tidings_store::{AppendRefusal, CustomEventType, Idempotency, NewEvent, Start, Store, StoreError, Target};
use tidings_store_sqlite::{CommitFigures, SqliteOptions, SqliteStore};
use tokio::sync::mpsc;

use crate::world::{COMMITS_OF_A_WORLD, START, World, at, database, options};

/// The append in whose commit the writer is stopped.
type First = Pin<Box<dyn Future<Output = EventId>>>;

/// Holds the writer at the end of a commit, before it answers, until it is opened.
struct Gate {
    options: SqliteOptions,
    commits: mpsc::UnboundedReceiver<CommitFigures>,
    pass: Option<std::sync::mpsc::Sender<()>>,
}

impl Gate {
    /// A gate that lets the commits pass that make the world.
    fn new() -> Self {
        let (seen, commits) = mpsc::unbounded_channel();
        let (pass, passes) = std::sync::mpsc::channel();
        let passes = Mutex::new(passes);
        for _ in 0..COMMITS_OF_A_WORLD {
            pass.send(()).unwrap();
        }
        let on_commit = move |figures| {
            seen.send(figures).unwrap();
            let _ = passes.lock().recv(); // an error: the gate is open for good
        };
        Self {
            options: SqliteOptions {
                on_commit: Some(Arc::new(on_commit)),
                ..options()
            },
            commits,
            pass: Some(pass),
        }
    }

    /// Makes the world, and stops the writer in the commit of its first event. Whatever is asked of the store from now on queues.
    async fn stop_the_writer(&mut self) -> (Arc<World>, Arc<SqliteStore>, First) {
        let (world, store) = World::with(self.options.clone()).await;
        let (world, store) = (Arc::new(world), Arc::new(store));
        for _ in 0..COMMITS_OF_A_WORLD {
            self.commits.recv().await.unwrap();
        }
        let mut first: First = Box::pin({
            let (world, store) = (Arc::clone(&world), Arc::clone(&store));
            async move { world.append(&store, world.event(0, Start::Due)).await }
        });
        assert!(poll_once(first.as_mut()).await.is_none(), "it is on its way");
        assert_eq!(self.commits.recv().await.unwrap().verbs, 1);
        (world, store, first)
    }

    fn open(&mut self) {
        self.pass.take();
    }
}

/// Asks for each, in their order, and then opens the gate: they queue behind the writer and share its next transaction.
async fn together<F: Future>(gate: &mut Gate, verbs: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut verbs: Vec<_> = verbs.into_iter().map(Box::pin).collect();
    for verb in &mut verbs {
        assert!(poll_once(verb.as_mut()).await.is_none(), "the writer is stopped");
    }
    gate.open();
    let mut outputs = Vec::new();
    for verb in verbs {
        outputs.push(verb.await);
    }
    outputs
}

/// Polls once, and gives the output when it is there.
async fn poll_once<F: Future + ?Sized>(mut future: Pin<&mut F>) -> Option<F::Output> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

#[tokio::test]
async fn what_queued_during_a_commit_shares_the_next_and_each_caller_gets_its_own_answer() {
    let mut gate = Gate::new();
    let (world, store, first) = gate.stop_the_writer().await;
    let appends = (1..=100).map(|second| world.append(&store, world.event(second, Start::Due)));
    let answers = together(&mut gate, appends).await;
    first.await;
    assert_eq!(gate.commits.recv().await.unwrap().verbs, 100);
    for (second, id) in (1..=100).zip(answers) {
        let event = store.event(world.environment, id).await.unwrap().unwrap();
        assert_eq!(event.body.whole().unwrap(), &format!(r#"{{"second":{second}}}"#));
    }
}

#[tokio::test]
async fn more_callers_than_the_queue_holds_wait_and_are_all_served() {
    let mut gate = Gate::new();
    let (world, store, first) = gate.stop_the_writer().await;
    let appends = (1..=1_500).map(|second| world.append(&store, world.event(second, Start::Due)));
    assert_eq!(together(&mut gate, appends).await.len(), 1_500);
    first.await;
    assert_eq!(store.stats(at(0)).await.unwrap().pending, 1_501);
}

#[tokio::test]
async fn a_verb_whose_caller_went_away_is_done_all_the_same() {
    let (world, store) = World::new().await;
    {
        let mut append = std::pin::pin!(store.append(vec![world.event(1, Start::Due)]));
        assert!(poll_once(append.as_mut()).await.is_none(), "it is on its way");
    }
    store.close().await;
    let store = crate::world::open(world.path());
    assert_eq!(store.stats(at(1)).await.unwrap().pending, 1);
}

/// Has the database itself refuse the deliveries of one webhook, in place of a page that cannot be written in the middle of a verb. `how` says
/// what becomes of the transaction, as SQLite's own errors differ in that.
fn break_deliveries(world: &World, webhook: WebhookId, how: &str) {
    let connection = rusqlite::Connection::open(database(world.path())).unwrap();
    let refuse = format!(
        "CREATE TRIGGER fault BEFORE INSERT ON deliveries WHEN new.webhook = {} BEGIN SELECT raise({how}, 'unwritable'); END",
        webhook.raw()
    );
    connection.execute_batch(&refuse).unwrap();
}

#[tokio::test]
async fn a_verb_that_fails_midway_leaves_nothing_and_takes_nobody_with_it() {
    for how in ["ABORT", "FAIL", "ROLLBACK"] {
        let mut gate = Gate::new();
        let (world, store, first) = gate.stop_the_writer().await;
        let broken = WebhookId::new(START, 99);
        break_deliveries(&world, broken, how);
        let promise = |fingerprint| Idempotency {
            key: "once".to_owned(),
            fingerprint: [fingerprint; 32],
            expires_at: at(100),
        };
        let mut bad = world.event(2, Start::Due);
        bad.idempotency = Some(promise(1));
        bad.targets.push(Target {
            webhook: broken,
            start: Start::Due,
        });
        let events = [world.event(1, Start::Due), bad, world.event(3, Start::Due)];
        let answers = together(&mut gate, events.map(|event| store.append(vec![event]))).await;
        first.await;

        assert!(answers[1].is_err(), "{how}");
        for good in [&answers[0], &answers[2]] {
            let event = good.as_ref().unwrap()[0].unwrap().event;
            assert!(store.event(world.environment, event).await.unwrap().is_some(), "{how}");
        }
        assert_eq!(
            store.stats(at(3)).await.unwrap().pending,
            3,
            "{how}: nothing of the bad one is there"
        );
        let mut again = world.event(4, Start::Due);
        again.idempotency = Some(promise(2));
        assert!(store.append(vec![again]).await.unwrap()[0].unwrap().fresh, "{how}: nor its key");
    }
}

#[tokio::test]
async fn a_change_of_routing_is_seen_by_the_append_behind_it() {
    let mut gate = Gate::new();
    let (world, store, first) = gate.stop_the_writer().await;
    let mut delete = Box::pin(store.delete_webhook(world.environment, world.webhook, at(2)));
    assert!(poll_once(delete.as_mut()).await.is_none(), "the writer is stopped");
    let appended = together(&mut gate, [store.append(vec![world.event(2, Start::Due)])]).await;
    assert_eq!(appended, [Ok(vec![Err(AppendRefusal::StaleRouting)])]);
    assert!(delete.await.unwrap());
    first.await;
}

#[tokio::test]
async fn a_commit_that_fails_fails_all_its_verbs_and_nothing_of_them_is_remembered() {
    let mut gate = Gate::new();
    let (world, store, first) = gate.stop_the_writer().await;
    // A foreign key that is only checked at the end stands in for a disk that is full by then.
    let connection = rusqlite::Connection::open(database(world.path())).unwrap();
    let refuse_commits = "
        CREATE TABLE fault (webhook INTEGER REFERENCES webhooks (id) DEFERRABLE INITIALLY DEFERRED);
        CREATE TRIGGER fault AFTER INSERT ON event_types BEGIN INSERT INTO fault VALUES (1); END";
    connection.execute_batch(refuse_commits).unwrap();
    let event_type = CustomEventType {
        key: "order.shipped".parse().unwrap(),
        category: "Orders".to_owned(),
        display_name: String::new(),
        description: String::new(),
        example: None,
        schema: None,
        created_at: START,
    };

    let mut create = Box::pin(store.create_event_type(world.environment, &event_type));
    assert!(poll_once(create.as_mut()).await.is_none(), "the writer is stopped");
    let appends = together(&mut gate, [store.append(vec![world.event(1, Start::Due)])]).await;
    first.await;
    assert!(matches!(create.await, Err(StoreError::Unavailable(_))));
    assert!(matches!(appends[0], Err(StoreError::Unavailable(_))));

    connection.execute_batch("DROP TRIGGER fault").unwrap();
    world.append(&store, world.event(2, Start::Due)).await; // under the version of before: the raise was rolled back
    assert_eq!(store.stats(at(2)).await.unwrap().pending, 2);
}

#[tokio::test]
async fn the_write_ahead_log_stays_small_however_much_is_written() {
    const MEBIBYTE: usize = 1024 * 1024;
    let (world, store) = World::new().await;
    for second in 0..160 {
        let body = vec![b'x'; MEBIBYTE].into();
        world
            .append(
                &store,
                NewEvent {
                    body,
                    ..world.event(second, Start::Due)
                },
            )
            .await;
    }
    let log = std::fs::metadata(world.path().join("tidings.db-wal")).unwrap().len();
    assert!(log < 80 * MEBIBYTE as u64, "{log} bytes");
    store.close().await;
    assert!(!world.path().join("tidings.db-wal").exists(), "nothing is left in it");
}
