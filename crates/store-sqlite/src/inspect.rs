//! Verifying the store of a data folder from outside the process that serves it, if any does. It only reads, and does not ask for the folder's lock.

use std::path::Path;

use tidings_store::{AsOf, Place, StoreError, Verified};

use crate::folder::OpenError;
use crate::source::Source;
use crate::{connection, migrations, readers, verify};

/// The database of a data folder, or a backup of one, opened to be verified.
#[derive(Debug)]
pub struct Inspection {
    source: Source,
}

impl Inspection {
    /// Opens the database of a folder.
    ///
    /// # Errors
    /// When there is none, when it cannot be read, and when its schema is not the newest of this binary: what is always true is said of that one.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        Self::of(Source::open(folder)?)
    }

    /// Opens a backup that was made by [`backup`](crate::backup()).
    ///
    /// # Errors
    /// Those of [`open`](Self::open).
    pub fn of_backup(file: &Path) -> Result<Self, OpenError> {
        Self::of(Source::of_backup(file)?)
    }

    fn of(source: Source) -> Result<Self, OpenError> {
        if source.schema < migrations::KNOWN {
            return Err(OpenError::Older {
                file: source.file.clone(),
                found: source.schema,
                known: migrations::KNOWN,
            });
        }
        Ok(Self { source })
    }

    /// Has somebody told, often and from inside of steps, that reading goes on: the pages of one table can take minutes.
    ///
    /// # Errors
    /// When SQLite refuses to do so.
    pub fn on_progress(&mut self, mut tell: impl FnMut() + Send + 'static) -> Result<(), OpenError> {
        let handler = move || {
            tell();
            false // go on
        };
        let set = self
            .source
            .connection
            .progress_handler(connection::PROGRESS_INSTRUCTIONS, Some(handler));
        set.map_err(|error| OpenError::of(&self.source.file, &error))
    }

    /// Takes one step, as [`Store::verify`](tidings_store::Store::verify) does.
    ///
    /// # Errors
    /// When the database cannot be read for a reason that lies outside it.
    pub fn step(&mut self, place: &Place, as_of: AsOf, limit: usize) -> Result<Verified, StoreError> {
        let verified = readers::read(&mut self.source.connection, |connection| {
            verify::step(connection, place, as_of, limit)
        })?;
        self.source.holds().map_err(|error| StoreError::Unavailable(error.to_string()))?;
        Ok(verified)
    }
}
