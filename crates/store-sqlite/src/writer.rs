//! The one thread that writes. What queued while it committed shares the next commit, so that many callers pay for one fsync.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rusqlite::{Connection, TransactionBehavior};
use tidings_model::{EnvironmentId, EventId};
use tidings_runtime::Stopwatch;
use tidings_store::{EventIdSequence, StoreError};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot, watch};

use crate::blocks::Tail;
use crate::checkpoint::{self, Checkpointer};
use crate::fault::{Fault, Outcome};
use crate::folder::{FolderLock, OpenError};
use crate::fresh::{Fresh, FreshView};
use crate::health::Health;
use crate::lease;
use crate::store::{CommitFigures, SqliteOptions};
use crate::trouble::Trouble;

/// Verbs that can wait for the writer; beyond them callers wait for room.
const QUEUE: usize = 1_024;
/// Verbs that share one commit at most: bounds how long the first of them waits for the last.
const BATCH: usize = 256;

/// What the writer keeps in memory. All of it can be read again from the database.
pub(crate) struct Memory {
    /// Gives events their ids. A transaction that is rolled back only skips some.
    pub(crate) ids: EventIdSequence,
    /// Short id and routing version of environments that were looked up. Forgotten whenever a transaction fails.
    pub(crate) environments: HashMap<EnvironmentId, (i64, u64)>,
    /// Deliveries in the hands of the node since their append.
    pub(crate) fresh: Fresh,
    /// Events that are in no block yet.
    pub(crate) tail: Tail,
    /// How webhooks have been doing.
    pub(crate) health: Health,
}

impl Memory {
    /// What a database says that nobody has written to yet.
    pub(crate) fn read(connection: &Connection, ids: EventIdSequence) -> Outcome<Self> {
        Ok(Self {
            ids,
            environments: HashMap::new(),
            fresh: Fresh::default(),
            tail: Tail::read(connection)?,
            health: Health::default(),
        })
    }

    fn committed(&mut self) {
        self.fresh.committed();
        self.tail.committed();
    }

    fn rolled_back(&mut self) {
        self.environments.clear();
        self.fresh.rolled_back();
        self.tail.rolled_back();
        self.health.forget();
    }
}

/// The open transaction, as a verb sees it.
pub(crate) struct WriteTx<'a> {
    /// The connection inside the transaction.
    pub(crate) connection: &'a Connection,
    /// What the writer remembers.
    pub(crate) memory: &'a mut Memory,
}

impl WriteTx<'_> {
    /// Has the database say what the writer knows of health, because it is going to be looked at or changed there.
    pub(crate) fn settle_health(&mut self) -> Outcome<()> {
        self.memory.health.write(self.connection)?;
        self.memory.health.forget();
        Ok(())
    }

    /// What has to be written once a transaction, after its verbs.
    fn finish(&mut self) -> Outcome<()> {
        lease::keep_up(self)?;
        self.memory.health.write(self.connection)?;
        while self.memory.tail.is_full() {
            let settled_before = self.memory.fresh.oldest().or_else(|| self.memory.ids.last());
            self.memory.tail.write(self.connection, settled_before.map_or(0, EventId::raw))?;
        }
        Ok(())
    }
}

/// A verb on its way to the writer.
trait Job: Send {
    /// Does the work in the open transaction. It may be done again, after a rollback.
    fn run(&mut self, tx: &mut WriteTx<'_>) -> Outcome<()>;

    /// Tells the caller, once it is durable or has failed.
    fn answer(self: Box<Self>, committed: Result<(), StoreError>);

    /// Where the caller waits.
    fn runtime(&self) -> &Handle;
}

struct Verb<W, T> {
    work: W,
    done: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
    runtime: Handle,
}

impl<W, T> Job for Verb<W, T>
where
    W: FnMut(&mut WriteTx<'_>) -> Outcome<T> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut WriteTx<'_>) -> Outcome<()> {
        self.done = Some((self.work)(tx)?);
        Ok(())
    }

    fn answer(self: Box<Self>, committed: Result<(), StoreError>) {
        let Self { done, reply, .. } = *self;
        let answer = committed.and_then(|()| done.ok_or_else(|| unavailable("the verb was not run")));
        let _ = reply.send(answer); // a caller that is gone needs no answer
    }

    fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

/// The way to the writer thread.
#[derive(Debug)]
pub(crate) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Box<dyn Job>>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    ended: watch::Receiver<()>,
    fresh: FreshView,
    /// Whether writing fails.
    pub(crate) trouble: Arc<Trouble>,
    /// Where the database is.
    pub(crate) folder: PathBuf,
}

impl std::fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Job")
    }
}

impl Writer {
    /// Starts the thread. It owns the connection and the folder's lock, and gives both up when it ends.
    pub(crate) fn start(
        mut connection: Connection,
        file: &Path,
        lock: FolderLock,
        memory: Memory,
        options: SqliteOptions,
    ) -> Result<Self, OpenError> {
        let checkpointer = Checkpointer::start(file, &mut connection, &options.clock)?;
        let trouble = Arc::new(Trouble::new(
            Arc::clone(&options.clock),
            "nothing is stored at the moment: callers are told to try again, and it goes on by itself when it can",
        ));
        let fresh = memory.fresh.view();
        let mut desk = Desk {
            connection,
            memory,
            checkpointer,
            options,
            trouble: Arc::clone(&trouble),
        };
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (ending, ended) = watch::channel(());
        let thread = std::thread::Builder::new()
            .name("tidings-writer".to_owned())
            .spawn(move || {
                desk.serve(jobs);
                desk.close();
                drop(lock);
                drop(ending);
            })
            .map_err(|error| OpenError::io(file, &error))?;
        Ok(Self {
            queue: Mutex::new(Some(queue)),
            thread: Mutex::new(Some(thread)),
            ended,
            fresh,
            trouble,
            folder: file.parent().unwrap_or(file).to_owned(),
        })
    }

    /// What was leased with its append and is not settled, as of the last commit.
    pub(crate) fn fresh(&self) -> FreshView {
        self.fresh.clone()
    }

    /// Does the work in a transaction and answers when that is durable. Waits for room when the queue is full. A caller that stops waiting does not
    /// stop the work.
    pub(crate) async fn run<W, T>(&self, work: W) -> Result<T, StoreError>
    where
        W: FnMut(&mut WriteTx<'_>) -> Outcome<T> + Send + 'static,
        T: Send + 'static,
    {
        let queue = self.queue.lock().clone().ok_or_else(closed)?;
        let (reply, answer) = oneshot::channel();
        let verb = Verb {
            work,
            done: None,
            reply,
            runtime: Handle::current(),
        };
        queue.send(Box::new(verb)).await.map_err(|_| closed())?;
        drop(queue); // the writer ends when nobody can reach it any more
        answer.await.map_err(|_| closed())?
    }

    /// Takes nothing new, finishes what is queued, and waits until the thread has given up its connection and the lock.
    pub(crate) async fn close(&self) {
        self.queue.lock().take();
        let mut ended = self.ended.clone();
        while ended.changed().await.is_ok() {}
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.queue.lock().take();
        if let Some(thread) = self.thread.lock().take()
            && thread.join().is_err()
        {
            tracing::error!("the writer thread panicked");
        }
    }
}

/// The writer's side.
struct Desk {
    connection: Connection,
    memory: Memory,
    checkpointer: Checkpointer,
    options: SqliteOptions,
    trouble: Arc<Trouble>,
}

/// Why a batch was not committed.
enum Failed {
    /// One of its verbs failed: the others may well be done without it.
    Verb(Fault),
    /// The transaction itself did not begin or did not end.
    Transaction(rusqlite::Error),
}

impl Desk {
    fn serve(&mut self, mut jobs: mpsc::Receiver<Box<dyn Job>>) {
        let mut batch = Vec::with_capacity(BATCH);
        while jobs.blocking_recv_many(&mut batch, BATCH) > 0 {
            self.work(&mut batch);
            self.checkpointer.after_commit(&self.connection);
        }
    }

    /// Commits a batch and answers each of its verbs. When one verb fails the others are done again, each in a transaction of its own.
    fn work(&mut self, batch: &mut Vec<Box<dyn Job>>) {
        match self.commit(batch) {
            Ok(()) => answer(std::mem::replace(batch, Vec::with_capacity(BATCH))),
            Err(Failed::Verb(_)) if batch.len() > 1 => {
                for mut job in batch.drain(..) {
                    let committed = self.commit(std::slice::from_mut(&mut job));
                    let committed = committed.map_err(|failed| self.tell(failed, 1));
                    job.answer(committed);
                }
            }
            Err(failed) => {
                let error = self.tell(failed, batch.len());
                batch.drain(..).for_each(|job| job.answer(Err(error.clone())));
            }
        }
    }

    /// Tells of a transaction that failed. What it says is for the callers.
    fn tell(&self, failed: Failed, verbs: usize) -> StoreError {
        let error = StoreError::from(failed);
        match &error {
            StoreError::Unavailable(reason) => self.trouble.failed(reason, verbs),
            StoreError::Damaged(_) => tracing::error!(%error, verbs, "a transaction failed"),
        }
        error
    }

    fn commit(&mut self, jobs: &mut [Box<dyn Job>]) -> Result<(), Failed> {
        let watch = Stopwatch::start(&*self.options.clock);
        let committed = transact(&mut self.connection, &mut self.memory, jobs);
        match &committed {
            Ok(()) => {
                self.memory.committed();
                self.trouble.done();
            }
            Err(_) => self.memory.rolled_back(),
        }
        if let (Ok(()), Some(tell)) = (&committed, &self.options.on_commit) {
            tell(CommitFigures {
                verbs: jobs.len(),
                duration_us: watch.elapsed_us(&*self.options.clock),
            });
        }
        committed
    }

    /// Leaves a database without a write-ahead log, as far as readers let it.
    fn close(self) {
        self.checkpointer.stop();
        checkpoint::finish(&self.connection);
        if let Err((_, error)) = self.connection.close() {
            tracing::warn!(%error, "the writer's connection did not close");
        }
    }
}

impl From<Failed> for StoreError {
    fn from(failed: Failed) -> Self {
        match failed {
            Failed::Verb(fault) => fault.into(),
            Failed::Transaction(error) => unavailable(&error.to_string()),
        }
    }
}

/// Tells all callers of a batch. They are woken where they run: one by one from this thread would cost a system call each.
fn answer(batch: Vec<Box<dyn Job>>) {
    let Some(runtime) = batch.first().map(|job| job.runtime().clone()) else {
        return;
    };
    let alone = batch.len() == 1;
    let tell = move || {
        for job in batch {
            job.answer(Ok(()));
        }
    };
    if alone {
        tell();
    } else {
        runtime.spawn(async move { tell() });
    }
}

/// Runs the jobs in one transaction. Whatever fails, nothing of any of them stays in the database.
fn transact(connection: &mut Connection, memory: &mut Memory, jobs: &mut [Box<dyn Job>]) -> Result<(), Failed> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(Failed::Transaction)?;
    let mut tx = WriteTx {
        connection: &transaction,
        memory,
    };
    for job in jobs {
        job.run(&mut tx).map_err(Failed::Verb)?;
    }
    tx.finish().map_err(Failed::Verb)?;
    transaction.commit().map_err(Failed::Transaction)
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned())
}

fn closed() -> StoreError {
    unavailable("it is closed")
}
