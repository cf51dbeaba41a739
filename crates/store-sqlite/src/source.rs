//! Opening the database of a data folder only to read it, beside the server or without one, and leaving the folder as it was found.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::config::DbConfig;

use crate::folder::{self, DATABASE, OpenError};
use crate::{connection, migrations, wal};

/// What stands beside the database, and what may be made there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    /// The log and its index are somebody's: they stay as they are.
    Shared,
    /// Nobody uses it, and its log is empty: what SQLite makes of a log for reading goes with this reader.
    Alone,
    /// Nothing can be made beside it, and nobody uses it: the file is taken as it is, without locks.
    Frozen,
}

/// A database that is read and never written, also not when this is the last to leave: then its log is not moved into it either.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) connection: Connection,
    pub(crate) schema: u32,
    pub(crate) file: PathBuf,
    folder: PathBuf,
    access: Access,
}

impl Source {
    pub(crate) fn open(folder: &Path) -> Result<Self, OpenError> {
        let file = folder.join(DATABASE);
        let failed = |error: rusqlite::Error| OpenError::of(&file, &error);
        folder::is_file(&file)?;
        let in_use = folder::is_in_use(folder);
        if !in_use {
            wal::check(&file)?; // in use, it was looked into at the start, and is being written
        }
        let access = access(folder, &file, in_use)?;
        let connection = match access {
            Access::Frozen => connection::open_frozen(&file),
            Access::Shared | Access::Alone => connection::open_reader(&file),
        };
        let connection = connection.map_err(failed)?;
        connection
            .set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)
            .map_err(failed)?;
        connection::check_head(&connection, &file)?;
        if access != Access::Frozen {
            connection::check_mode(&connection, &file)?;
        }
        let schema = migrations::version(&connection, &file)?;
        Ok(Self {
            connection,
            schema,
            file,
            folder: folder.to_owned(),
            access,
        })
    }

    /// A backup, which is a file alone that nobody changes.
    pub(crate) fn of_backup(file: &Path) -> Result<Self, OpenError> {
        let connection = connection::open_frozen(file).map_err(|error| OpenError::of(file, &error))?;
        connection::check_head(&connection, file)?;
        let schema = migrations::version(&connection, file)?;
        Ok(Self {
            connection,
            schema,
            file: file.to_owned(),
            access: Access::Shared,
            folder: PathBuf::new(),
        })
    }

    /// Whether what was read until now was read as of one moment after the other: not when a server came while the file was read without locks.
    pub(crate) fn holds(&self) -> Result<(), OpenError> {
        if self.access == Access::Frozen && (folder::is_in_use(&self.folder) || wal::has_log(&self.file)) {
            return Err(OpenError::Disturbed { file: self.file.clone() });
        }
        Ok(())
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // The last reader of an empty log takes it away; SQLite sees to it that nobody else has the database open.
        if self.access == Access::Alone && !folder::is_in_use(&self.folder) && !wal::has_log(&self.file) {
            let _ = self.connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, false); // an empty log that stays harms nobody
        }
    }
}

fn access(folder: &Path, file: &Path, in_use: bool) -> Result<Access, OpenError> {
    let log = wal::has_log(file);
    // A file without a name shows whether SQLite can keep its index there, and leaves nothing behind.
    let barred = tempfile::tempfile_in(folder).err().map(|error| error.kind());
    match barred {
        _ if in_use => Ok(Access::Shared),
        Some(ErrorKind::ReadOnlyFilesystem) if log => Err(OpenError::ReadOnly {
            folder: folder.to_owned(),
            log: wal::log_of(file),
        }),
        Some(ErrorKind::ReadOnlyFilesystem) => Ok(Access::Frozen),
        Some(ErrorKind::PermissionDenied) => Err(OpenError::NotWritable { folder: folder.to_owned() }),
        _ if log => Ok(Access::Shared),
        _ => Ok(Access::Alone),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::FolderLock;
    use crate::owner::FolderOwner;

    #[test]
    fn what_was_read_without_locks_is_not_believed_when_a_server_came_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let owner = FolderOwner::of(folder.path()).unwrap();
        connection::create(&folder.path().join(DATABASE), owner, 0).unwrap();
        let mut source = Source::open(folder.path()).unwrap();
        source.access = Access::Frozen; // as on a file system that is read only
        assert!(source.holds().is_ok());
        let _server = FolderLock::take(folder.path()).unwrap();
        assert!(matches!(source.holds(), Err(OpenError::Disturbed { .. })));
        source.access = Access::Shared;
        assert!(source.holds().is_ok(), "locks keep them apart");
    }

    #[test]
    fn a_frozen_file_is_read_whatever_its_folder_is_called() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("with ? and # and 100 % of it");
        std::fs::create_dir(&folder).unwrap();
        let file = folder.join(DATABASE);
        connection::create(&file, FolderOwner::of(&folder).unwrap(), 0).unwrap();
        let frozen = connection::open_frozen(&file).unwrap();
        assert_eq!(migrations::version(&frozen, &file).unwrap(), migrations::KNOWN);
        drop(frozen);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "nothing is made beside it");
    }
}
