//! Reading events with their deliveries and attempts.

use deadpool_postgres::GenericClient;
use tidings_store::transfer::{Chunk, ChunkSize, Kind, Position, Record, Value, event_bytes};

use super::plain::{columns, in_order, record};
use crate::fault::Outcome;
use crate::record::{row, rows, sql_count};

/// Reads the events after a position, with what belongs to them, and what is left of events that are not there.
pub(super) async fn read(db: &impl GenericClient, from: Position, size: ChunkSize) -> Outcome<Chunk> {
    let after = from.key().first().and_then(Value::number).unwrap_or(i64::MIN);
    let end = end(db, after, size).await?;
    let until = end.unwrap_or(i64::MAX);
    let mut records = Vec::new();
    for kind in [Kind::Events, Kind::Deliveries, Kind::Attempts] {
        records.push((kind, between(db, kind, after, until).await?));
    }
    let next = from.next(records[0].1.last(), end.is_some());
    Ok(Chunk { from, records, next })
}

/// The last event of a chunk; `None` when there is none.
async fn end(db: &impl GenericClient, after: i64, size: ChunkSize) -> Outcome<Option<i64>> {
    let each = event_bytes(0, 1) - event_bytes(0, 0);
    let sql = format!(
        "-- transfer::end: by what events take
         SELECT max(id) AS last FROM (
             SELECT id, sum(bytes) OVER (ORDER BY id) - bytes AS before FROM (
                 SELECT id, octet_length(body) + {each} * (1 + deliveries::bigint) + coalesce(
                     (SELECT sum(octet_length(a.detail) + coalesce(octet_length(a.reply_body), 0)) FROM attempts a WHERE a.event = events.id), 0
                 ) AS bytes
                 FROM events WHERE id > $1 ORDER BY id LIMIT $2
             ) e
         ) e WHERE before < $3::bigint"
    );
    let bytes = i64::try_from(size.bytes).unwrap_or(i64::MAX);
    let found = row(db, &sql, &[&after, &sql_count(size.of(Kind::Events)), &bytes]).await?;
    Ok(found.map(|row| row.try_get("last")).transpose()?.flatten())
}

async fn between(db: &impl GenericClient, kind: Kind, after: i64, until: i64) -> Outcome<Vec<Record>> {
    let event = kind.key()[0].0;
    let sql = format!(
        "-- transfer::between: of the events of a chunk
         SELECT {} FROM {} AS t WHERE t.{event} > $1 AND t.{event} <= $2 ORDER BY {}",
        columns(kind),
        kind.name(),
        in_order(kind),
    );
    let found = rows(db, &sql, &[&after, &until]).await?;
    found.iter().map(|row| record(kind, row)).collect()
}
