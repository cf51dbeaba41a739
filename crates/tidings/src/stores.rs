//! The store of a node: the database in its data folder, or the PostgreSQL that it shares with others.

use std::sync::Arc;

use tidings_runtime::{Clock, Entropy, SystemClock, SystemEntropy};
use tidings_store::Store;
use tidings_store_postgres::{PostgresOptions, PostgresStore};
use tidings_store_sqlite::{FolderLock, SqliteOptions, SqliteStore};

use crate::config::ServeConfig;
use crate::data_folder::DataFolder;
use crate::node::NodeError;
use crate::telemetry::Telemetry;

/// What a command that is no node gives a database to open.
pub(crate) fn options_of_commands() -> PostgresOptions {
    PostgresOptions::new(Arc::new(SystemClock::new()), Arc::new(SystemEntropy))
}

/// A store that is open.
pub(crate) enum NodeStore {
    /// In the data folder.
    Embedded(Arc<SqliteStore>),
    /// Elsewhere. The folder is this node's alone all the same.
    Shared { store: Arc<PostgresStore>, _folder: FolderLock },
}

impl NodeStore {
    /// Opens the store that the settings name, and the data folder with it.
    pub(crate) async fn open(
        config: &ServeConfig,
        clock: &Arc<dyn Clock>,
        entropy: &Arc<dyn Entropy>,
        telemetry: &mut Telemetry,
    ) -> Result<(Self, DataFolder), NodeError> {
        let committed = telemetry.commit_observer();
        let Some(database) = &config.database else {
            let folder = DataFolder::open(config)?;
            let options = SqliteOptions {
                on_commit: Some(Arc::new(move |figures| committed(figures.verbs, figures.duration_us))),
                ..SqliteOptions::new(Arc::clone(clock))
            };
            let store = SqliteStore::open(folder.path(), options)?;
            return Ok((Self::Embedded(Arc::new(store)), folder));
        };
        let lock = FolderLock::take(&config.data)?;
        let options = PostgresOptions {
            on_commit: Some(Arc::new(move |figures| committed(figures.verbs, figures.duration_us))),
            ..PostgresOptions::new(Arc::clone(clock), Arc::clone(entropy))
        };
        let store = PostgresStore::open(database, options).await?;
        let has_secrets = !store.master_keys().await?.is_empty();
        let folder = DataFolder::open_beside(config, has_secrets)?;
        let store = Arc::new(store);
        let shared = Self::Shared { store, _folder: lock };
        Ok((shared, folder))
    }

    /// What can be asked of it.
    pub(crate) fn verbs(&self) -> Arc<dyn Store> {
        match self {
            Self::Embedded(store) => store.clone(),
            Self::Shared { store, .. } => store.clone(),
        }
    }

    /// Writes everything that was taken, and gives the folder free.
    pub(crate) async fn close(self) {
        match self {
            Self::Embedded(store) => store.close().await,
            Self::Shared { store, .. } => store.close().await,
        }
    }
}
