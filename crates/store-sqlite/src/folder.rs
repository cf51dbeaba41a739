//! The data folder: who may use it, and what the files in it are called.

use std::fs::{DirBuilder, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};

use crate::fault::{Fault, is_damage};
use crate::owner::FolderOwner;

/// The database in the data folder.
pub(crate) const DATABASE: &str = "tidings.db";
const LOCK: &str = "tidings.lock";
/// Behind the name of a database that is not whole yet.
const UNFINISHED: &str = ".new";

/// The store could not be opened; the message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The folder or its lock file could not be made or opened.
    #[error("cannot use the data folder {folder}: {source}")]
    Folder {
        /// The data folder.
        folder: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// What this process makes in it would lock its owner out.
    #[error(
        "the data folder {folder} belongs to the user with the id {owner}, and this process is the user {user}, whose files a server of that one could not \
         use: run it as that user"
    )]
    NotOwner {
        /// The data folder.
        folder: PathBuf,
        /// Who owns it.
        owner: u32,
        /// Who this is.
        user: u32,
    },
    /// Reading the database takes an index beside it, which this user cannot make.
    #[error(
        "this user may not write in the data folder {folder}, as reading its database takes while no server runs: run it as the user that owns the folder"
    )]
    NotWritable {
        /// The data folder.
        folder: PathBuf,
    },
    /// What was accepted last is in a log that has to be read by somebody who can write.
    #[error(
        "the data folder {folder} can only be read, and {log} holds what is not in the database yet: copy the whole folder to where it can be written, and \
         name the copy"
    )]
    ReadOnly {
        /// The data folder.
        folder: PathBuf,
        /// The log.
        log: PathBuf,
    },
    /// A server came while the file was read without locks.
    #[error("a server was started on the database {file} while it was read: run this again")]
    Disturbed {
        /// The database.
        file: PathBuf,
    },
    /// Another process has it.
    #[error("the data folder {folder} is in use by another process: stop that one first, or choose another folder")]
    InUse {
        /// The data folder.
        folder: PathBuf,
    },
    /// The file is not what it should be.
    #[error("the database {file} is damaged ({reason}): restore it from a copy made by `tidings backup`")]
    Damaged {
        /// The database.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A later version of Tidings wrote it.
    #[error("the database {file} has schema {found}, written by a newer Tidings; this one knows schemas up to {known}: use the newer one")]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema of this binary.
        known: u32,
    },
    /// An earlier version of Tidings wrote it, and it was asked for something that only the newest schema has.
    #[error(
        "the database {file} has schema {found}, and this Tidings works with {known}: start `tidings serve` on it once, which brings it there"
    )]
    Older {
        /// The database.
        file: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema of this binary.
        known: u32,
    },
    /// Its schema came about in another way than this binary's.
    #[error("the database {file} was made by another build: its migration {version} is not the one of this binary")]
    Changed {
        /// The database.
        file: PathBuf,
        /// The migration.
        version: u32,
    },
    /// It was moved elsewhere, or is being moved.
    #[error("{why}")]
    Moved {
        /// From where to where, and what to do.
        why: String,
    },
    /// SQLite cannot open it for a reason that lies outside the file.
    #[error("cannot open the database {file}: {reason}")]
    Unavailable {
        /// The database.
        file: PathBuf,
        /// What SQLite or the operating system says.
        reason: String,
    },
}

impl OpenError {
    /// What an error of SQLite means for opening that file.
    pub(crate) fn of(file: &Path, error: &rusqlite::Error) -> Self {
        let (file, reason) = (file.to_owned(), error.to_string());
        if is_damage(error) {
            Self::Damaged { file, reason }
        } else {
            Self::Unavailable { file, reason }
        }
    }

    /// What a fault means for opening that file.
    pub(crate) fn of_fault(file: &Path, fault: Fault) -> Self {
        match fault {
            Fault::Sql(error) => Self::of(file, &error),
            Fault::Damaged(reason) => Self::Damaged {
                file: file.to_owned(),
                reason,
            },
        }
    }

    /// That the operating system refused something about that file.
    pub(crate) fn io(file: &Path, error: &io::Error) -> Self {
        Self::Unavailable {
            file: file.to_owned(),
            reason: error.to_string(),
        }
    }
}

/// The right to use a data folder, held until it is dropped; the operating system takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct FolderLock {
    _file: File,
    /// Who gets what is made in the folder.
    pub(crate) owner: FolderOwner,
}

impl FolderLock {
    /// Takes the folder, which is made when it is not there.
    ///
    /// # Errors
    /// The folder cannot be made or used, belongs to somebody else, or another process has it.
    pub fn take(folder: &Path) -> Result<Self, OpenError> {
        let refused = |source| OpenError::Folder {
            folder: folder.to_owned(),
            source,
        };
        make_private(folder).map_err(refused)?;
        let owner = FolderOwner::of(folder)?;
        let file = lock_file(&folder.join(LOCK), owner).map_err(refused)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file, owner }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(source)) => Err(refused(source)),
        }
    }
}

/// Opens a file to read it. What is no file is refused: opening a pipe waits for somebody to write, and reading a device may never end.
///
/// # Errors
/// Those of the operating system, and that it is no file.
pub fn open_file(path: &Path) -> io::Result<File> {
    regular(&std::fs::metadata(path)?)?; // before it is opened, which may wait
    let file = File::open(path)?;
    regular(&file.metadata()?)?; // and of what was opened
    Ok(file)
}

/// Refuses what is no file in the place of the database, without opening it: SQLite's locks on a file end when anybody in this process closes it.
pub(crate) fn is_file(database: &Path) -> Result<(), OpenError> {
    match std::fs::metadata(database) {
        Ok(metadata) => regular(&metadata).map_err(|error| OpenError::io(database, &error)),
        Err(_) => Ok(()), // whoever opens it says why that is not possible
    }
}

fn regular(metadata: &Metadata) -> io::Result<()> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::InvalidInput,
        "it is not a file, but a folder, a pipe or a device",
    ))
}

/// Whether a store uses that name in its data folder.
pub fn is_store_file(name: &str) -> bool {
    let kept_beside = ["", "-wal", "-shm", "-journal"];
    let database = name
        .strip_prefix(DATABASE)
        .map(|rest| rest.strip_prefix(UNFINISHED).unwrap_or(rest));
    name == LOCK || database.is_some_and(|rest| kept_beside.contains(&rest))
}

/// Opens the lock, which is made when it is not there.
fn lock_file(path: &Path, owner: FolderOwner) -> io::Result<File> {
    let mut options = OpenOptions::new();
    match options.write(true).create_new(true).open(path) {
        Ok(made) => owner.give(&made).map(|()| made),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            regular(&std::fs::metadata(path)?).map_err(|error| io::Error::new(error.kind(), format!("{LOCK}: {error}")))?;
            options.create_new(false).open(path)
        }
        Err(error) => Err(error),
    }
}

/// Whether a process has the store of that folder open at this moment. A folder that cannot be looked into counts as free.
pub fn is_in_use(folder: &Path) -> bool {
    // Shared, so that those who only ask do not take each other for a server; it ends with this function.
    open_file(&folder.join(LOCK)).is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
}

/// Makes the folder when it is not there, for nobody else to read: events carry what customers do.
fn make_private(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Makes an empty file that nobody else can read, for a database to be written into; its log and its index take the same permissions and owner.
pub(crate) fn create_private(file: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.write(true).create_new(true).open(file)
}

/// What a database is called until it is whole. Whoever makes the next one removes it.
pub(crate) fn unfinished(database: &Path) -> PathBuf {
    let mut name = database.as_os_str().to_owned();
    name.push(UNFINISHED);
    name.into()
}

/// Gives a whole file its name, durably.
pub(crate) fn publish(unfinished: &Path, to: &Path) -> io::Result<()> {
    File::open(unfinished)?.sync_all()?;
    std::fs::rename(unfinished, to)?;
    match to.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync_folder(parent),
        _ => sync_folder(Path::new(".")),
    }
}

/// Makes the entries of a folder durable: a new or renamed file is only there after a crash when its folder was synced.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
