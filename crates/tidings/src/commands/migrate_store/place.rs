//! The two ends of a move: data folders and databases, as they are named and opened.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use tidings_runtime::SystemClock;
use tidings_store::transfer::{Transfer, TransferError};
use tidings_store_postgres::{PostgresConfig, PostgresStore, without_password};
use tidings_store_sqlite::{SqliteOptions, SqliteStore, is_store_file};

use crate::data_folder::DATABASE_FILE;
use crate::failure::CommandError;
use crate::key_files::KEY_FILE;
use crate::output::printable;
use crate::stores::options_of_commands;

/// Where a store is.
#[derive(Clone, Debug)]
pub(crate) enum Place {
    /// In a data folder.
    Folder(PathBuf),
    /// In a database.
    Database(PostgresConfig),
}

impl FromStr for Place {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        Ok(if is_url {
            Self::Database(PostgresConfig::new(text))
        } else {
            Self::Folder(text.into())
        })
    }
}

impl Place {
    /// The same, with the password of the database in a file. Refused where it is in the URL.
    pub(super) fn with_password(self, file: Option<&Path>) -> Result<Self, CommandError> {
        if let Self::Database(config) = &self
            && without_password(&config.url) != config.url
        {
            let why = "anybody on this machine can see the password in that URL: name a file that holds it with --database-password-file";
            return Err(CommandError::Usage(why.to_owned()));
        }
        Ok(match (self, file) {
            (Self::Database(config), Some(file)) => Self::Database(PostgresConfig {
                password_file: Some(file.to_owned()),
                ..config
            }),
            (place, _) => place,
        })
    }

    /// As people name it, without a password.
    pub(super) fn name(&self) -> Result<String, CommandError> {
        match self {
            Self::Folder(folder) => Ok(std::path::absolute(folder).unwrap_or_else(|_| folder.clone()).display().to_string()),
            Self::Database(config) => Ok(config.name()?),
        }
    }

    /// Opens a store that is there. Where there is none, none is made.
    pub(super) async fn open_source(&self) -> Result<Opened, CommandError> {
        let is_there = match self {
            Self::Folder(folder) => folder.join(DATABASE_FILE).exists(),
            Self::Database(config) => PostgresStore::schema_of(config, options_of_commands()).await?.found > 0,
        };
        if !is_there {
            return Err(CommandError::NothingToMove { place: self.name()? });
        }
        self.open_target().await
    }

    /// Refuses a folder that holds what is neither a store's nor a key.
    pub(super) fn is_for_a_store(&self) -> Result<(), CommandError> {
        let Self::Folder(folder) = self else { return Ok(()) };
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let is_ours = |name: &str| name == KEY_FILE || is_store_file(name);
        match entries
            .map(|entry| entry.file_name())
            .find(|name| !name.to_str().is_some_and(is_ours))
        {
            Some(other) => Err(TransferError::Refused(format!(
                "{} holds {}, which is not a store's: name a folder that is not there yet, or that holds the master key alone",
                folder.display(),
                printable(&other.to_string_lossy())
            ))
            .into()),
            None => Ok(()),
        }
    }

    /// Opens a store, which is made where there is none.
    pub(super) async fn open_target(&self) -> Result<Opened, CommandError> {
        Ok(match self {
            Self::Folder(folder) => {
                let options = SqliteOptions::new(Arc::new(SystemClock::new()));
                Opened::Folder(SqliteStore::open_to_move(folder, options)?)
            }
            Self::Database(config) => Opened::Database(PostgresStore::open_to_move(config, options_of_commands()).await?),
        })
    }
}

/// A store, opened to be moved.
#[derive(Debug)]
pub(super) enum Opened {
    /// Of a data folder.
    Folder(SqliteStore),
    /// Of a database.
    Database(PostgresStore),
}

impl Opened {
    /// The store itself.
    pub(super) fn transfer(&self) -> &dyn Transfer {
        match self {
            Self::Folder(store) => store,
            Self::Database(store) => store,
        }
    }

    /// Finishes what is under way.
    pub(super) async fn close(&self) {
        match self {
            Self::Folder(store) => store.close().await,
            Self::Database(store) => store.close().await,
        }
    }
}
