//! Copies and checks of a store, running or not: both only read, and neither asks for the folder's lock.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags};
use tidings_store::MasterKeyId;

use crate::folder::{self, OpenError};
use crate::source::Source;
use crate::{keys, migrations, transfer};

/// Pages copied between two reports of progress: 8 MiB.
const STEP_PAGES: i32 = 1_024;
/// Faults that a check names; one is enough to know that the file is damaged.
const FAULTS_NAMED: i64 = 10;

/// A backup was not made; the target is as it was.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// There is no store, or it cannot be read.
    #[error(transparent)]
    Source(#[from] OpenError),
    /// Something is at the target already.
    #[error("{0} is there already: name a file that does not exist")]
    Exists(PathBuf),
    /// The target cannot be written.
    #[error("cannot write the backup {file}: {reason}")]
    Target {
        /// The target.
        file: PathBuf,
        /// What SQLite or the operating system says.
        reason: String,
    },
    /// Pages could not be copied.
    #[error("the copy failed: {0}")]
    Copy(#[from] rusqlite::Error),
    /// Somebody else has opened the unfinished copy.
    #[error("the unfinished copy is locked by another program")]
    Locked,
}

/// What a backup holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BackupReport {
    /// Pages of the database.
    pub pages: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// The schema that it has.
    pub schema: u32,
    /// The master keys that its secrets are sealed with, the newest first: several when the key was being changed.
    pub master_keys: Vec<MasterKeyId>,
}

/// Copies the database of a data folder as it is at this moment into one new file, while it may be in use. `progress` is told how many of how many
/// pages are copied. The file appears under its name when it is whole and durable; an existing one is never overwritten.
pub fn backup(folder: &Path, to: &Path, mut progress: impl FnMut(u64, u64)) -> Result<BackupReport, BackupError> {
    if fs::symlink_metadata(to).is_ok() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    let source = Source::open(folder)?;
    let unfinished = unfinished(to);
    let refused = |error: &dyn std::fmt::Display| BackupError::Target {
        file: to.to_owned(),
        reason: error.to_string(),
    };
    remove(&unfinished).map_err(|error| refused(&error))?;
    folder::create_private(&unfinished).map_err(|error| refused(&error))?;
    let copied = copy(&source, &unfinished, &mut progress).and_then(|(pages, master_keys)| {
        folder::publish(&unfinished, to).map_err(|error| refused(&error))?;
        let bytes = fs::metadata(to).map_err(|error| refused(&error))?.len();
        Ok(BackupReport {
            pages,
            bytes,
            schema: source.schema,
            master_keys,
        })
    });
    if copied.is_err() {
        remove(&unfinished).map_err(|error| refused(&error))?;
    }
    copied
}

/// Gives how many pages were copied, and the master keys that they need.
fn copy(source: &Source, target: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(u64, Vec<MasterKeyId>), BackupError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut target = Connection::open_with_flags(target, flags)?;
    // One read transaction around all steps: without it every commit of a running store would start the copy again.
    let snapshot = source.connection.unchecked_transaction()?;
    snapshot.query_row("-- backup: take the snapshot\n SELECT count(*) FROM migrations", [], |_| Ok(()))?;
    let master_keys = keys::needed(&snapshot, source.schema).map_err(|fault| OpenError::of_fault(&source.file, fault))?;
    let pages = {
        let backup = Backup::new(&snapshot, &mut target)?;
        loop {
            let step = backup.step(STEP_PAGES)?;
            let (left, all) = (backup.progress().remaining, backup.progress().pagecount);
            let all = u64::from(all.unsigned_abs());
            progress(all - u64::from(left.unsigned_abs()), all);
            match step {
                StepResult::Done => break all,
                StepResult::More => {}
                _ => return Err(BackupError::Locked),
            }
        }
    };
    target.close().map_err(|(_, error)| error)?;
    source.holds()?;
    Ok((pages, master_keys))
}

fn unfinished(to: &Path) -> PathBuf {
    let mut name = to.as_os_str().to_owned();
    name.push(".unfinished");
    name.into()
}

/// Removes a file that may not be there.
pub(crate) fn remove(file: &Path) -> io::Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckReport {
    /// The schema of the database.
    pub schema: u32,
    /// The newest schema that this binary knows: opening the store brings it there.
    pub known_schema: u32,
    /// What is wrong with the file, in SQLite's words; empty when nothing is.
    pub faults: Vec<String>,
    /// The master keys that its secrets are sealed with, the one that seals now first; none before the first start that remembered one.
    pub master_keys: Vec<MasterKeyId>,
}

/// Reads the whole database of a data folder and says what is wrong with it. It may be in use. Refused where nobody may serve it any more.
pub fn check(folder: &Path) -> Result<CheckReport, OpenError> {
    let source = Source::open(folder)?;
    let failed = |error: rusqlite::Error| OpenError::of(&source.file, &error);
    let needed = keys::needed(&source.connection, source.schema);
    let master_keys = needed.map_err(|fault| OpenError::of_fault(&source.file, fault))?;
    let faults = source
        .connection
        .prepare(&format!("-- check: every page\n PRAGMA quick_check({FAULTS_NAMED})"))
        .and_then(|mut statement| {
            statement
                .query_map([], |row| row.get(0))?
                .collect::<rusqlite::Result<Vec<String>>>()
        })
        .map_err(failed)?;
    source.holds()?;
    if source.schema == migrations::KNOWN {
        transfer::refuse(&source.connection, folder)?;
    }
    Ok(CheckReport {
        master_keys,
        schema: source.schema,
        known_schema: migrations::KNOWN,
        faults: faults.into_iter().filter(|fault| fault != "ok").collect(),
    })
}
