//! Opening and closing the store.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use rusqlite::{Connection, TransactionBehavior};
use tidings_runtime::Clock;
use tidings_store::{EventIdSequence, Roll, StoreError};

use crate::fault::Outcome;
use crate::folder::{DATABASE, FolderLock, OpenError};
use crate::readers::Readers;
use crate::trouble::Trouble;
use crate::writer::{Memory, WriteTx, Writer};
use crate::{checkpoint, connection, folder, migrations, recover, transfer, upkeep, wal};

/// What a commit of the writer did, for the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitFigures {
    /// Verbs that shared it.
    pub verbs: usize,
    /// How long it took, the work of the verbs and the fsync, in microseconds.
    pub duration_us: u64,
}

/// What the store needs from outside.
#[derive(Clone)]
pub struct SqliteOptions {
    /// Measures commits and dates migrations; never decides anything.
    pub clock: Arc<dyn Clock>,
    /// Called by the writer after every commit, so it has to be quick.
    pub on_commit: Option<Arc<dyn Fn(CommitFigures) + Send + Sync>>,
}

impl SqliteOptions {
    /// With that clock, and nobody who wants to know of commits.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, on_commit: None }
    }
}

impl fmt::Debug for SqliteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteOptions").finish_non_exhaustive()
    }
}

/// The store in a data folder. It is for one process: the folder is locked while it is open.
///
/// Verbs have to be called inside a Tokio runtime. Dropping it finishes what was queued and blocks until the files are closed;
/// [`close`](Self::close) does so without blocking.
#[derive(Debug)]
pub struct SqliteStore {
    /// Dropped before the writer, whose last checkpoint they would be in the way of.
    pub(crate) readers: Readers,
    pub(crate) writer: Writer,
    /// As long as the process: leases end when the store is opened, and with them what they say of nodes.
    pub(crate) roll: Mutex<Roll>,
}

impl SqliteStore {
    /// Opens the store in a data folder, which is made when it is not there, and brings its schema up to date.
    /// Leases end here: the folder is locked, so whoever held one is gone. Refused when it was moved elsewhere, and while it is being moved.
    pub fn open(folder: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        Self::open_unless(folder, options, transfer::refuse)
    }

    /// Opens the store as [`open`](Self::open) does, to be moved elsewhere or to have another moved into it, whatever is noted of moves.
    pub fn open_to_move(folder: &Path, options: SqliteOptions) -> Result<Self, OpenError> {
        Self::open_unless(folder, options, |_, _| Ok(()))
    }

    fn open_unless(
        folder: &Path,
        options: SqliteOptions,
        refuse: impl FnOnce(&Connection, &Path) -> Result<(), OpenError>,
    ) -> Result<Self, OpenError> {
        let lock = FolderLock::take(folder)?;
        let file = folder.join(DATABASE);
        let now = options.clock.now().as_millis();
        if !file.try_exists().map_err(|error| OpenError::io(&file, &error))? {
            refuse_orphaned_log(&file)?;
            connection::create(&file, lock.owner, now)?;
        }
        folder::is_file(&file)?;
        wal::check(&file)?;
        let crashed = wal::has_log(&file);
        let failed = |error: rusqlite::Error| OpenError::of(&file, &error);
        let mut writer = connection::open_writer(&file).map_err(failed)?;
        connection::check_head(&writer, &file)?;
        connection::check_mode(&writer, &file)?;
        migrations::apply(&mut writer, &file, now)?;
        refuse(&writer, folder)?;
        let ids = upkeep::event_ids(&writer).map_err(failed)?;
        let memory = take_over(&mut writer, ids).map_err(|fault| OpenError::of_fault(&file, fault))?;
        if crashed {
            checkpoint::finish(&writer); // a log that begins anew holds nothing of what this crash cut short when the next one is looked into
        }
        let reading = Trouble::new(Arc::clone(&options.clock), "what is stored cannot be read at the moment");
        Ok(Self {
            readers: Readers::new(file.clone(), reading),
            writer: Writer::start(writer, &file, lock, memory, options)?,
            roll: Mutex::default(),
        })
    }

    /// Writes something that nodes keep in memory.
    pub(crate) async fn change<T: Send + 'static>(
        &self,
        verb: impl FnMut(&mut WriteTx<'_>) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let done = self.writer.run(verb).await?;
        self.roll.lock().changed();
        Ok(done)
    }

    /// Takes nothing new, finishes what is queued, and gives the data folder free. Verbs answer from then on that the store is not available.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Takes back what the last process had in its hands, and reads what the writer keeps in memory.
fn take_over(writer: &mut Connection, ids: EventIdSequence) -> Outcome<Memory> {
    let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
    recover::recover(&transaction)?;
    transaction.commit()?;
    Memory::read(writer, ids)
}

/// A write-ahead log whose database is gone holds accepted events: starting anew beside it would lose them silently.
fn refuse_orphaned_log(file: &Path) -> Result<(), OpenError> {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    if PathBuf::from(log).exists() {
        return Err(OpenError::Damaged {
            file: file.to_owned(),
            reason: "it is missing, though its write-ahead log is there".to_owned(),
        });
    }
    Ok(())
}
