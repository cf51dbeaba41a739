//! The embedded default store: one SQLite database in the data folder.
//!
//! Owns: the data folder's lock and database file, the schema and its migrations, the one writer thread with its group commit, the readers, checkpoints,
//! backups, restoring them, and verification. One verb is one function with its SQL beside it, in the file of its group.
//!
//! Never knows: the engine, HTTP, or what time it is: verbs are told, and the clock that it is given only measures commits and dates migrations.

mod append;
mod assemble;
mod attempts;
mod backup;
mod blocks;
mod body;
mod checkpoint;
mod connection;
mod credentials;
mod deliveries;
mod environments;
mod event_types;
mod events;
mod fault;
mod folder;
mod fresh;
mod health;
mod history;
mod inspect;
mod keys;
mod lease;
mod migrations;
mod owner;
mod people;
#[cfg(test)]
mod plan;
mod readers;
mod record;
mod recover;
mod restore;
mod room;
mod rows;
mod settle;
#[cfg(test)]
mod small_blocks;
mod source;
mod store;
mod transfer;
mod trouble;
mod upkeep;
mod verbs;
mod verify;
mod wal;
mod webhooks;
mod writer;

use tidings_store::{codes, detail};

pub use backup::{BackupError, BackupReport, CheckReport, backup, check};
pub use folder::{FolderLock, OpenError, is_in_use, is_store_file, open_file};
pub use inspect::Inspection;
pub use migrations::KNOWN as KNOWN_SCHEMA;
pub use owner::FolderOwner;
pub use restore::{RestoreError, RestoreReport, RestoreStep, restore};
pub use room::try_room;
pub use store::{CommitFigures, SqliteOptions, SqliteStore};
