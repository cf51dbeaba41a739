//! Databases, and nodes beside them.

use std::sync::Arc;

use tidings_runtime::{SystemClock, SystemEntropy};
use tidings_store_postgres::{PostgresConfig, PostgresOptions, PostgresStore};
use tidings_testkit::TestDatabase;

/// A node beside a database.
pub(crate) async fn open(database: &TestDatabase) -> PostgresStore {
    open_at(&database.url()).await
}

/// A node beside the database of a URL.
pub(crate) async fn open_at(url: &str) -> PostgresStore {
    let config = PostgresConfig {
        connections: 4,
        ..PostgresConfig::new(url)
    };
    PostgresStore::open(&config, options()).await.unwrap()
}

/// What every node is given.
pub(crate) fn options() -> PostgresOptions {
    PostgresOptions::new(Arc::new(SystemClock::new()), Arc::new(SystemEntropy))
}
