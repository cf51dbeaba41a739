//! Moving the whole store: what is noted of a move, and the records that go over, read and written a chunk at a time.

mod mark;
mod plain;
mod road;

use std::sync::Arc;

use async_trait::async_trait;
use deadpool_postgres::Transaction;
use tidings_store::StoreError;
use tidings_store::transfer::{Chunk, ChunkSize, Kind, Mark, MoveId, Position, Transfer};
use tokio_postgres::config::Host;

use crate::config::{self, PostgresConfig};
use crate::fault::Outcome;
use crate::pool::{alone, change, snapshot};
use crate::record::count;
use crate::store::{OpenError, PostgresStore};

/// Counting them all would take too long where there are many; the server knows about how many there are once it has looked the table through.
const EVENTS_ABOUT: &str = "-- transfer::count_events: about
    SELECT greatest(reltuples, 0)::bigint FROM pg_class WHERE oid = 'events'::regclass";

impl PostgresConfig {
    /// The database as people name it, without anything secret: `postgres://user@host:5432/database`, with the first of several hosts.
    ///
    /// # Errors
    /// When the configuration cannot be read.
    pub fn name(&self) -> Result<String, OpenError> {
        let config = config::read(self)?.config;
        let host = match (config.get_hosts().first(), config.get_hostaddrs().first()) {
            (Some(Host::Tcp(host)), _) => host.clone(),
            (Some(Host::Unix(folder)), _) => folder.display().to_string(),
            (None, address) => address.map(ToString::to_string).unwrap_or_default(),
        };
        let port = config.get_ports().first().copied().unwrap_or(5_432);
        let database = config.get_dbname().or_else(|| config.get_user()).unwrap_or_default();
        let user = config.get_user().map(|user| format!("{user}@")).unwrap_or_default();
        Ok(format!("postgres://{user}{host}:{port}/{database}"))
    }
}

/// Refuses a store that was moved away, or is being moved.
pub(crate) async fn refusal(store: &PostgresStore, config: &PostgresConfig) -> Result<(), OpenError> {
    let mark = mark(store).await?;
    let here = config.name()?;
    match mark.and_then(|mark| mark.refusal(&here)) {
        Some(why) => Err(OpenError::Moved { why }),
        None => Ok(()),
    }
}

async fn mark(store: &PostgresStore) -> Outcome<Option<Mark>> {
    alone!(store.pool, db => mark::read(db))
}

#[async_trait]
impl Transfer for PostgresStore {
    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        Ok(mark(self).await?)
    }

    async fn note(&self, mark: &Mark) -> Result<bool, StoreError> {
        Ok(change!(self, db => mark::write(db, mark))?)
    }

    async fn forget_mark(&self) -> Result<(), StoreError> {
        Ok(change!(self, db => mark::forget(db))?)
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        Ok(alone!(self.pool, db => plain::is_empty(db))?)
    }

    async fn count_events(&self) -> Result<u64, StoreError> {
        Ok(alone!(self.pool, db => count(db, EVENTS_ABOUT, &[]))?)
    }

    async fn read_chunk(&self, from: &Position, size: ChunkSize) -> Result<Chunk, StoreError> {
        Ok(snapshot!(self, db => async {
            match from.kind {
                Kind::Events => road::read(db, from.clone(), size).await,
                _ => plain::read(db, from.clone(), size).await,
            }
        })?)
    }

    async fn write_chunk(&self, id: MoveId, chunk: Arc<Chunk>) -> Result<(), StoreError> {
        Ok(change!(self, db => write_all(db, id, &chunk))?)
    }
}

async fn write_all(db: &Transaction<'_>, id: MoveId, chunk: &Chunk) -> Outcome<()> {
    mark::go_on(db, id, chunk).await?;
    for (kind, records) in &chunk.records {
        match kind {
            Kind::Counters => plain::write_counters(db, records).await?,
            _ => plain::write(db, *kind, records).await?,
        }
    }
    Ok(())
}
