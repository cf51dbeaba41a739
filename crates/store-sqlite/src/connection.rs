//! Connections and what is set on each of them.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use crate::folder::{self, OpenError};
use crate::migrations;
use crate::owner::FolderOwner;

/// Marks the file as ours: "Tidi".
const APPLICATION_ID: i32 = 0x5469_6469;
/// Fits a typical event with its index entries in few pages; only a new file can choose.
const PAGE_BYTES: i64 = 8_192;
/// How long a statement waits for a lock before it fails: only checkpoints and backups ever hold one.
const BUSY_MS: i64 = 5_000;
/// Page cache of the writer.
const WRITER_CACHE_KIB: i64 = 16 * 1024;
/// Page cache of each reader.
const READER_CACHE_KIB: i64 = 2 * 1024;
/// How much of the file each reader sees as memory, which spares it a copy of every page.
const READER_MMAP_BYTES: i64 = 32 * 1024 * 1024;
/// More than all statements of this crate, so that each is prepared once.
const STATEMENTS: usize = 128;
/// Instructions of SQLite between two words about the progress of a long read: some milliseconds.
pub(crate) const PROGRESS_INSTRUCTIONS: i32 = 50_000;
/// What a write-ahead log that grew is cut back to once it starts anew.
const WAL_KEPT_BYTES: i64 = 64 * 1024 * 1024;

/// Opens the writer's connection to a database that exists.
pub(crate) fn open_writer(file: &Path) -> rusqlite::Result<Connection> {
    let connection = open(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    connection.pragma_update_and_check(None, "journal_size_limit", WAL_KEPT_BYTES, |_| Ok(()))?;
    Ok(connection)
}

/// Opens a connection that cannot write. It is opened for writing all the same, because a reader of a write-ahead log has to keep its index.
pub(crate) fn open_reader(file: &Path) -> rusqlite::Result<Connection> {
    set_up_reader(open(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?)
}

fn set_up_reader(connection: Connection) -> rusqlite::Result<Connection> {
    connection.pragma_update(None, "query_only", true)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    connection.pragma_update_and_check(None, "mmap_size", READER_MMAP_BYTES, |_| Ok(()))?;
    Ok(connection)
}

/// Opens a connection to a file that nobody can write, and beside which nothing can be made: without locks, and without a log.
pub(crate) fn open_frozen(file: &Path) -> rusqlite::Result<Connection> {
    let unnamed = |_| rusqlite::Error::InvalidPath(file.to_owned());
    let path = file.canonicalize().map_err(unnamed)?;
    let escaped = path.as_os_str().as_bytes().iter().fold(String::from("file:"), |mut uri, byte| {
        match byte {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => uri.push(char::from(*byte)),
            other => write!(uri, "%{other:02x}").expect("a string takes everything"),
        }
        uri
    });
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    set_up_reader(open(Path::new(&format!("{escaped}?immutable=1")), flags)?)
}

/// Opens a connection that only moves pages from the write-ahead log into the database.
pub(crate) fn open_checkpointer(file: &Path) -> rusqlite::Result<Connection> {
    open(file, OpenFlags::SQLITE_OPEN_READ_WRITE)
}

fn open(file: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(file, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.pragma_update_and_check(None, "busy_timeout", BUSY_MS, |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?; // checkpoints are made beside the road
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Makes the database of a new data folder. It comes into being under another name, so that a crash never leaves half of one.
pub(crate) fn create(file: &Path, owner: FolderOwner, at_millis: i64) -> Result<(), OpenError> {
    let unfinished = folder::unfinished(file);
    let failed = |error: rusqlite::Error| OpenError::of(&unfinished, &error);
    if unfinished.exists() {
        std::fs::remove_file(&unfinished).map_err(|error| OpenError::io(&unfinished, &error))?;
    }
    let made = folder::create_private(&unfinished).and_then(|made| owner.give(&made));
    made.map_err(|error| OpenError::io(&unfinished, &error))?;
    let mut connection = open(&unfinished, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    connection.pragma_update(None, "page_size", PAGE_BYTES).map_err(failed)?;
    connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
    migrations::apply(&mut connection, &unfinished, at_millis)?;
    connection
        .pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))
        .map_err(failed)?;
    connection.close().map_err(|(_, error)| failed(error))?;
    std::fs::rename(&unfinished, file).map_err(|error| OpenError::io(file, &error))?;
    let parent = file.parent().unwrap_or(Path::new("."));
    folder::sync_folder(parent).map_err(|error| OpenError::io(parent, &error))
}

/// Reads the head of a database and refuses what is not ours or not whole, without reading all of it.
pub(crate) fn check_head(connection: &Connection, file: &Path) -> Result<(), OpenError> {
    let damaged = |reason: &str| OpenError::Damaged {
        file: file.to_owned(),
        reason: reason.to_owned(),
    };
    let failed = |error: rusqlite::Error| OpenError::of(file, &error);
    if std::fs::metadata(file).map_err(|error| OpenError::io(file, &error))?.len() == 0 {
        return Err(damaged("it is empty"));
    }
    let application: i32 = connection
        .pragma_query_value(None, "application_id", |row| row.get(0))
        .map_err(failed)?;
    if application != APPLICATION_ID {
        return Err(damaged("it is not a database of Tidings"));
    }
    Ok(())
}

/// Refuses a database that keeps no write-ahead log. One that is frozen cannot be asked: it is read without one.
pub(crate) fn check_mode(connection: &Connection, file: &Path) -> Result<(), OpenError> {
    let mode: String = connection
        .pragma_query_value(None, "journal_mode", |row| row.get(0))
        .map_err(|error| OpenError::of(file, &error))?;
    if mode != "wal" {
        return Err(OpenError::Damaged {
            file: file.to_owned(),
            reason: "its journal mode is not wal".to_owned(),
        });
    }
    Ok(())
}
