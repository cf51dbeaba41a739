//! Putting a backup into a data folder that has no database: copied under another name, looked through there, and given its name as the last thing.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write as _};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OptionalExtension};
use tidings_model::{EventId, Timestamp};
use tidings_store::MasterKeyId;

use crate::backup::{self, CheckReport};
use crate::folder::{self, DATABASE, FolderLock, OpenError};
use crate::owner::FolderOwner;
use crate::{connection, keys, migrations};

/// Bytes copied between two reports of progress.
const STEP_BYTES: usize = 8 * 1024 * 1024;
/// How every database begins.
const FIRST_BYTES: &[u8] = b"SQLite format 3\0";
/// What this process is given to read.
const INPUT: &str = "/dev/stdin";
/// What SQLite keeps beside a database while somebody has it open.
const BESIDE: [&str; 2] = ["-wal", "-shm"];

/// A backup was not restored; the folder has no database, as before.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The data folder cannot be used, or a server has it.
    #[error(transparent)]
    Folder(OpenError),
    /// The folder has a database, or the log of one.
    #[error("{0} is there already: stop its server and move it away, or restore into another folder; nothing is overwritten")]
    Exists(PathBuf),
    /// The backup cannot be read.
    #[error("cannot read the backup {file}: {source}")]
    Unreadable {
        /// The backup.
        file: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The file was copied away from under a server, without what its log holds.
    #[error(
        "{log} lies beside it: {file} is not a backup but a database that was in use; make one with `tidings backup`, which needs no log"
    )]
    HasLog {
        /// What was to be restored.
        file: PathBuf,
        /// Its log.
        log: PathBuf,
    },
    /// The file is not what `tidings backup` made.
    #[error("the backup {file} cannot be used ({reason}): nothing was restored; take another copy")]
    Damaged {
        /// The backup.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A later version of Tidings made it.
    #[error("the backup {file} has schema {found}, made by a newer Tidings; this one knows schemas up to {known}: use the newer one")]
    Newer {
        /// The backup.
        file: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema of this binary.
        known: u32,
    },
    /// Its secrets are sealed with a master key that is not at hand.
    #[error("the secrets in the backup are sealed with the master key {}, and {}", hex(*needed), at_hand(given))]
    WrongKey {
        /// The key that is needed.
        needed: MasterKeyId,
        /// The keys at hand.
        given: Vec<MasterKeyId>,
    },
    /// The database cannot be written.
    #[error("cannot write {file}: {source}")]
    Target {
        /// The database.
        file: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
}

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// Bytes of the file.
    pub bytes: u64,
    /// Its schema.
    pub schema: u32,
    /// The newest schema of this binary: the next start brings it there.
    pub known_schema: u32,
    /// When the newest event in it was accepted; none of a backup without events.
    pub newest_event: Option<Timestamp>,
    /// Master keys that sealed a part of its secrets and are not at hand: it was made while the key was being changed.
    pub missing_keys: Vec<MasterKeyId>,
}

/// How far a restore is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestoreStep {
    /// It copies.
    Copied {
        /// So many bytes are there.
        bytes: u64,
        /// Of so many; zero when that is not known, as of a pipe.
        of: u64,
    },
    /// It reads what it has copied.
    Reading,
}

/// Restores a backup into a folder, which is made when it is not there. `keys` names the master keys that the folder's server will be started with.
/// `progress` is told often.
pub fn restore(
    from: &Path,
    folder: &Path,
    keys: &[MasterKeyId],
    mut progress: impl FnMut(RestoreStep) + Send + 'static,
) -> Result<RestoreReport, RestoreError> {
    let mut source = open_backup(from)?;
    let lock = FolderLock::take(folder).map_err(RestoreError::Folder)?;
    let to = folder.join(DATABASE);
    refuse_existing(&to)?;
    refuse_with_log(from)?;
    let unfinished = folder::unfinished(&to);
    let refused = |source| RestoreError::Target {
        file: unfinished.clone(),
        source,
    };
    remove(&unfinished).map_err(refused)?;
    let restored = copy((from, &mut source), &unfinished, lock.owner, &mut progress).and_then(|bytes| {
        let reading = move || {
            progress(RestoreStep::Reading);
            false // go on
        };
        let (check, newest_event) = look_through(from, &unfinished, reading)?;
        if let Some(needed) = check.master_keys.first().copied().filter(|needed| !keys.contains(needed)) {
            return Err(RestoreError::WrongKey {
                needed,
                given: keys.to_vec(),
            });
        }
        folder::publish(&unfinished, &to).map_err(refused)?;
        Ok(RestoreReport {
            bytes,
            schema: check.schema,
            known_schema: check.known_schema,
            newest_event,
            missing_keys: check.master_keys.into_iter().filter(|key| !keys.contains(key)).collect(),
        })
    });
    remove(&unfinished).map_err(refused)?; // also what SQLite made beside it
    restored
}

/// Neither a database is written over, nor a log whose database is gone: it holds accepted events.
fn refuse_existing(to: &Path) -> Result<(), RestoreError> {
    let log = beside(to, BESIDE[0]);
    match [to, &log].into_iter().find(|file| fs::symlink_metadata(file).is_ok()) {
        Some(file) => Err(RestoreError::Exists(file.to_owned())),
        None => Ok(()),
    }
}

fn refuse_with_log(from: &Path) -> Result<(), RestoreError> {
    let log = beside(from, BESIDE[0]);
    if fs::metadata(&log).is_ok_and(|metadata| metadata.len() > 0) {
        return Err(RestoreError::HasLog {
            file: from.to_owned(),
            log,
        });
    }
    Ok(())
}

/// Opens what is to be restored. Only what is given to this process as its input may be a pipe: whoever writes is there.
fn open_backup(from: &Path) -> Result<File, RestoreError> {
    let given = from == Path::new(INPUT) && fs::metadata(from).is_ok_and(|input| input.file_type().is_fifo());
    let opened = if given { File::open(from) } else { folder::open_file(from) };
    opened.map_err(|source| RestoreError::Unreadable {
        file: from.to_owned(),
        source,
    })
}

/// Copies the bytes, durably.
fn copy(
    (from, source): (&Path, &mut File),
    to: &Path,
    owner: FolderOwner,
    progress: &mut dyn FnMut(RestoreStep),
) -> Result<u64, RestoreError> {
    let unreadable = |source| RestoreError::Unreadable {
        file: from.to_owned(),
        source,
    };
    let refused = |source| RestoreError::Target {
        file: to.to_owned(),
        source,
    };
    let all = source.metadata().map_err(unreadable)?.len();
    let mut target = folder::create_private(to).map_err(refused)?;
    owner.give(&target).map_err(refused)?;
    let mut buffer = Vec::with_capacity(STEP_BYTES);
    let mut copied = 0;
    loop {
        buffer.clear();
        let read = source.take(STEP_BYTES as u64).read_to_end(&mut buffer).map_err(unreadable)?;
        if read == 0 {
            break;
        }
        if copied == 0 && !buffer.starts_with(FIRST_BYTES) {
            return Err(RestoreError::Damaged {
                file: from.to_owned(),
                reason: "it is not a database".to_owned(), // before all of it is copied: what comes through a pipe may never end
            });
        }
        target.write_all(&buffer).map_err(refused)?;
        copied += read as u64;
        progress(RestoreStep::Copied { bytes: copied, of: all });
    }
    target.sync_all().map_err(refused)?;
    Ok(copied)
}

/// Reads every page of the copy, holds its indexes and references, and says what it needs and what its newest event is.
fn look_through(
    from: &Path,
    copy: &Path,
    reading: impl FnMut() -> bool + Send + 'static,
) -> Result<(CheckReport, Option<Timestamp>), RestoreError> {
    let of_open = |error| match error {
        OpenError::Newer { found, known, .. } => RestoreError::Newer {
            file: from.to_owned(),
            found,
            known,
        },
        OpenError::Damaged { reason, .. } | OpenError::Unavailable { reason, .. } => RestoreError::Damaged {
            file: from.to_owned(),
            reason,
        },
        OpenError::Changed { version, .. } => RestoreError::Damaged {
            file: from.to_owned(),
            reason: format!("its migration {version} is not the one of this binary"),
        },
        other => RestoreError::Folder(other),
    };
    let failed = |error: rusqlite::Error| of_open(OpenError::of(copy, &error));
    let mut connection = connection::open_reader(copy).map_err(failed)?;
    let told = connection.progress_handler(connection::PROGRESS_INSTRUCTIONS, Some(reading));
    told.map_err(failed)?;
    connection::check_head(&connection, copy).map_err(of_open)?;
    connection::check_mode(&connection, copy).map_err(of_open)?;
    let schema = migrations::version(&connection, copy).map_err(of_open)?;
    let faults = faults(&connection).map_err(failed)?;
    if !faults.is_empty() {
        return Err(RestoreError::Damaged {
            file: from.to_owned(),
            reason: faults.join("; "),
        });
    }
    let newest: Option<i64> = connection
        .query_row(
            "-- restore: the newest event
             SELECT max(id) FROM events",
            [],
            |row| row.get(0),
        )
        .optional()
        .map_err(failed)?
        .flatten();
    let check = CheckReport {
        schema,
        known_schema: migrations::KNOWN,
        faults,
        master_keys: keys::needed(&connection, schema).map_err(|fault| of_open(OpenError::of_fault(copy, fault)))?,
    };
    connection.close().map_err(|(_, error)| failed(error))?;
    Ok((check, newest.and_then(EventId::from_raw).map(EventId::timestamp)))
}

fn faults(connection: &Connection) -> rusqlite::Result<Vec<String>> {
    let mut faults = connection
        .prepare("-- restore: every page, every index\n PRAGMA integrity_check(10)")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    faults.retain(|fault| fault != "ok");
    let broken = connection
        .prepare("-- restore: every reference\n PRAGMA foreign_key_check")?
        .query_map([], |row| row.get::<_, String>(0))?
        .collect::<rusqlite::Result<Vec<String>>>()?;
    if let Some(table) = broken.first() {
        faults.push(format!("{} references are broken, the first in table {table}", broken.len()));
    }
    Ok(faults)
}

/// Removes what a restore that was interrupted left.
fn remove(unfinished: &Path) -> io::Result<()> {
    backup::remove(unfinished)?;
    BESIDE.iter().try_for_each(|end| backup::remove(&beside(unfinished, end)))
}

fn beside(file: &Path, end: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(end);
    name.into()
}

fn at_hand(keys: &[MasterKeyId]) -> String {
    match keys {
        [] => "there is none".to_owned(),
        keys => format!("at hand is {}", keys.iter().copied().map(hex).collect::<Vec<_>>().join(", ")),
    }
}

fn hex(key: MasterKeyId) -> String {
    key.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}"); // a string takes everything
        text
    })
}
