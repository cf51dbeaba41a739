//! Moving the whole store: what is noted of a move, and the records that go over, read and written a chunk at a time.

mod mark;
mod plain;
mod read_road;
mod write_road;

use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use rusqlite::types::{ToSqlOutput, ValueRef};
use tidings_store::StoreError;
use tidings_store::transfer::{Chunk, ChunkSize, Kind, Mark, MoveId, Position, Record, Transfer, Value};

use crate::fault::{Fault, Outcome};
use crate::store::SqliteStore;
use crate::upkeep;
use crate::writer::WriteTx;

pub(crate) use mark::refuse;

#[async_trait]
impl Transfer for SqliteStore {
    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.readers.run(mark::read).await
    }

    /// The folder is locked, so nobody serves it.
    async fn note(&self, mark: &Mark) -> Result<bool, StoreError> {
        let mark = mark.clone();
        self.writer.run(move |tx| mark::write(tx.connection, &mark)).await?;
        Ok(true)
    }

    async fn forget_mark(&self) -> Result<(), StoreError> {
        self.writer.run(|tx| mark::forget(tx.connection)).await
    }

    async fn is_empty(&self) -> Result<bool, StoreError> {
        self.readers.run(plain::is_empty).await
    }

    async fn count_events(&self) -> Result<u64, StoreError> {
        let count = |connection: &Connection| {
            let sql = "-- transfer::count_events\n SELECT count(*) FROM events";
            Ok(connection.query_row(sql, [], |row| row.get(0))?)
        };
        self.readers.run(count).await
    }

    async fn read_chunk(&self, from: &Position, size: ChunkSize) -> Result<Chunk, StoreError> {
        let from = from.clone();
        let read = move |connection: &Connection| match from.kind {
            Kind::Events => read_road::read(connection, from, size),
            _ => plain::read(connection, from, size),
        };
        self.readers.run(read).await
    }

    async fn write_chunk(&self, id: MoveId, chunk: Arc<Chunk>) -> Result<(), StoreError> {
        self.writer.run(move |tx| write(tx, id, &chunk)).await
    }
}

fn write(tx: &mut WriteTx<'_>, id: MoveId, chunk: &Chunk) -> Outcome<()> {
    mark::go_on(tx.connection, id, chunk)?;
    if chunk.from.kind == Kind::Events {
        return write_road::write(tx, chunk);
    }
    for (kind, records) in &chunk.records {
        plain::write(tx.connection, *kind, records)?;
    }
    tx.memory.environments.clear();
    tx.memory.ids = upkeep::event_ids(tx.connection)?; // those that were pruned count
    Ok(())
}

/// A value as a parameter.
struct Parameter<'a>(&'a Value);

impl rusqlite::ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Empty => ValueRef::Null,
            Value::Number(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// That a record is not one of its kind.
fn unlike(kind: Kind, record: &Record) -> Fault {
    Fault::Damaged(format!("{record:?} is no record of {kind}"))
}
