//! Moving pages from the write-ahead log into the database, beside the road.
//!
//! A thread does it once the log has grown to [`START_BYTES`]; when it cannot keep up, the writer waits for it and does the rest itself, from
//! [`BACKSTOP_BYTES`] on. Both are passive: they never wait for a reader.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use parking_lot::Mutex;
use rusqlite::Connection;
use tidings_runtime::Clock;

use crate::connection;
use crate::folder::OpenError;
use crate::trouble::Trouble;

/// From this size of the log on, the thread moves pages.
const START_BYTES: u64 = 32 * 1024 * 1024;
/// From this size on, the writer does it too.
const BACKSTOP_BYTES: u64 = 64 * 1024 * 1024;

const PASSIVE: &str = "
    -- checkpoint: what no reader needs any more
    PRAGMA wal_checkpoint(PASSIVE)";
const TRUNCATE: &str = "
    -- checkpoint: everything, and cut the log
    PRAGMA wal_checkpoint(TRUNCATE)";

/// The thread, and how it learns that there is something to do.
#[derive(Debug)]
pub(crate) struct Checkpointer {
    wal_pages: Arc<AtomicU32>,
    page_bytes: u64,
    /// Held during a checkpoint: SQLite would turn the writer away, instead of having it wait, while the thread is at it.
    turn: Arc<Mutex<()>>,
    nudge: SyncSender<()>,
    trouble: Arc<Trouble>,
    thread: JoinHandle<()>,
}

impl Checkpointer {
    /// Starts the thread, and has the writer's connection count the pages of the log.
    pub(crate) fn start(file: &Path, writer: &mut Connection, clock: &Arc<dyn Clock>) -> Result<Self, OpenError> {
        let failed = |error: rusqlite::Error| OpenError::of(file, &error);
        let wal_pages = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&wal_pages);
        let count = move |_: &mut rusqlite::hooks::Wal, pages: i32| {
            counted.store(pages.unsigned_abs(), Ordering::Relaxed);
            Ok(())
        };
        writer.wal_hook(Some(count)).map_err(failed)?;
        let page_bytes = writer.pragma_query_value(None, "page_size", |row| row.get(0)).map_err(failed)?;
        let connection = connection::open_checkpointer(file).map_err(failed)?;
        let (nudge, nudges) = sync_channel(1);
        let turn = Arc::new(Mutex::new(()));
        let turn_of_thread = Arc::clone(&turn);
        let meaning = "the write-ahead log cannot be moved into the database, and grows";
        let trouble = Arc::new(Trouble::new(Arc::clone(clock), meaning));
        let trouble_of_thread = Arc::clone(&trouble);
        let thread = std::thread::Builder::new()
            .name("tidings-checkpoint".to_owned())
            .spawn(move || serve(&connection, &nudges, &turn_of_thread, &trouble_of_thread))
            .map_err(|error| OpenError::io(file, &error))?;
        Ok(Self {
            wal_pages,
            page_bytes,
            turn,
            nudge,
            trouble,
            thread,
        })
    }

    /// Sees to the log after a commit.
    pub(crate) fn after_commit(&self, writer: &Connection) {
        let bytes = u64::from(self.wal_pages.load(Ordering::Relaxed)) * self.page_bytes;
        if bytes >= BACKSTOP_BYTES {
            let _turn = self.turn.lock();
            move_pages(writer, &self.trouble);
        } else if bytes >= START_BYTES {
            let _ = self.nudge.try_send(()); // full: the thread will look anyway
        }
    }

    /// Ends the thread.
    pub(crate) fn stop(self) {
        drop(self.nudge);
        if self.thread.join().is_err() {
            tracing::error!("the checkpoint thread panicked");
        }
    }
}

fn serve(connection: &Connection, nudges: &Receiver<()>, turn: &Mutex<()>, trouble: &Trouble) {
    while nudges.recv().is_ok() {
        let _turn = turn.lock();
        move_pages(connection, trouble);
    }
}

fn move_pages(connection: &Connection, trouble: &Trouble) {
    match connection.query_row(PASSIVE, [], |_| Ok(())) {
        Ok(()) => trouble.done(),
        Err(error) => trouble.failed(&error, 1),
    }
}

/// Moves everything into the database and cuts the log, while the writer has nothing to do. What a reader still holds stays in the log, which is as
/// durable.
pub(crate) fn finish(writer: &Connection) {
    if let Err(error) = writer.query_row(TRUNCATE, [], |_| Ok(())) {
        tracing::warn!(%error, "the write-ahead log could not be moved into the database; it stays, and is as durable");
    }
}
