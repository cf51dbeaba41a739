//! Records as rows of their tables, column by column: read by key, written as arrays, one statement for all of a chunk.

use deadpool_postgres::{GenericClient, Transaction};
use tidings_store::transfer::{Chunk, ChunkSize, Column, Holds, Kind, Position, Record, Value};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;

use crate::fault::{Fault, Outcome};
use crate::record::{row, rows, run, storable};

/// A parameter of any type.
type Parameter<'a> = Box<dyn ToSql + Sync + Send + 'a>;

/// Whether there is nothing but the schema.
pub(super) async fn is_empty(db: &impl GenericClient) -> Outcome<bool> {
    let tables = Kind::ALL.into_iter().filter(|kind| *kind != Kind::Counters);
    let any: Vec<_> = tables.map(|kind| format!("EXISTS (SELECT 1 FROM {})", kind.name())).collect();
    let sql = format!(
        "-- transfer::is_empty\n SELECT NOT ({} OR (SELECT event FROM pruned) > 0) AS empty",
        any.join(" OR ")
    );
    let found = row(db, &sql, &[]).await?;
    Ok(found.map(|row| row.try_get("empty")).transpose()?.unwrap_or(false))
}

/// Where a kind is read from: a table, or what makes one of others.
const fn source(kind: Kind) -> &'static str {
    match kind {
        Kind::WebhookHealth => "(SELECT * FROM webhook_health WHERE attempts > 0)",
        Kind::MasterKeys => "(SELECT row_number() OVER (ORDER BY number) AS turn, id, state, since FROM master_keys)",
        Kind::Counters => {
            "(SELECT n.name COLLATE \"C\" AS name, coalesce(pg_sequence_last_value(pg_get_serial_sequence(n.name, n.identity)::regclass), 0) AS number
              FROM (VALUES ('audit', 'number'), ('environments', 'id'), ('server_keys', 'number')) AS n(name, identity)
              UNION ALL SELECT 'pruned', event FROM pruned)"
        }
        other => other.name(),
    }
}

/// Reads the records of a kind after a position.
pub(super) async fn read(db: &impl GenericClient, from: Position, size: ChunkSize) -> Outcome<Chunk> {
    let kind = from.kind;
    let places: Vec<_> = kind.key().iter().zip(1..).map(|((_, holds), place)| after(*holds, place)).collect();
    let (columns, source, limit, key) = (columns(kind), source(kind), size.of(kind), in_order(kind));
    let sql = format!(
        "-- transfer::read: by key
         SELECT {columns} FROM {source} AS t WHERE ({key}) > ({}) ORDER BY {key} LIMIT {limit}",
        places.join(", ")
    );
    let key = from.key();
    let values: Vec<_> = key.iter().map(parameter).collect();
    let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect();
    let records = rows(db, &sql, &values).await?;
    let records = records.iter().map(|row| record(kind, row)).collect::<Outcome<Vec<_>>>()?;
    let next = from.next(records.last(), records.len() == limit);
    Ok(Chunk {
        from,
        records: vec![(kind, records)],
        next,
    })
}

/// The key of a kind, by which an index has its table in order.
pub(super) fn in_order(kind: Kind) -> String {
    let key = kind.key().iter().map(|(name, _)| format!("t.{name}"));
    key.collect::<Vec<_>>().join(", ")
}

fn after(holds: Holds, place: u32) -> String {
    let of = match holds {
        Holds::Number | Holds::Flag => "bigint",
        Holds::Text => "text COLLATE \"C\"",
        Holds::Bytes | Holds::Uuid => "bytea",
    };
    format!("${place}::{of}")
}

fn parameter(value: &Value) -> Parameter<'_> {
    match value {
        Value::Empty => Box::new(None::<i64>),
        Value::Number(number) => Box::new(*number),
        Value::Text(text) => Box::new(text.as_str()),
        Value::Bytes(bytes) => Box::new(bytes.as_slice()),
    }
}

/// The columns of a kind as its records have them.
pub(super) fn columns(kind: Kind) -> String {
    let columns = kind.columns().iter().map(|(name, holds)| match holds {
        Holds::Number => format!("{name}::bigint AS {name}"),
        Holds::Flag => format!("{name}::int::bigint AS {name}"),
        Holds::Uuid => format!("uuid_send({name}) AS {name}"),
        Holds::Text | Holds::Bytes => (*name).to_owned(),
    });
    columns.collect::<Vec<_>>().join(", ")
}

/// A row that has the columns of a kind.
pub(super) fn record(kind: Kind, row: &Row) -> Outcome<Record> {
    let values = kind.columns().iter().map(|(name, holds)| {
        let value = match holds {
            Holds::Number | Holds::Flag => row.try_get::<_, Option<i64>>(*name).map(Value::from),
            Holds::Text => row.try_get::<_, Option<String>>(*name).map(Value::from),
            Holds::Bytes | Holds::Uuid => row.try_get::<_, Option<Vec<u8>>>(*name).map(Value::from),
        };
        value.map_err(|error| Fault::Damaged(format!("{kind}, column {name}: {error}")))
    });
    values.collect::<Outcome<_>>().map(Record)
}

/// Writes records into the table of their kind.
pub(super) async fn write(db: &Transaction<'_>, kind: Kind, records: &[Record]) -> Outcome<()> {
    if records.is_empty() {
        return Ok(());
    }
    let columns = kind.columns();
    let arrays = columns.iter().zip(0..).map(|(column, place)| array(kind, *column, place, records));
    let arrays = arrays.collect::<Outcome<Vec<_>>>()?;
    let arrays: Vec<&(dyn ToSql + Sync)> = arrays.iter().map(|array| &**array as &(dyn ToSql + Sync)).collect();
    let names: Vec<_> = columns
        .iter()
        .map(|(name, _)| if *name == "turn" { "number" } else { name })
        .collect();
    let types: Vec<_> = columns
        .iter()
        .zip(1..)
        .map(|((_, holds), place)| format!("${place}::{}[]", element(*holds)))
        .collect();
    let values: Vec<_> = columns.iter().map(|(name, holds)| stored(name, *holds)).collect();
    let given: Vec<_> = columns.iter().map(|(name, _)| *name).collect();
    let sql = format!(
        "-- transfer::write: as they were
         INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM unnest({}) AS g({})",
        kind.name(),
        names.join(", "),
        values.join(", "),
        types.join(", "),
        given.join(", ")
    );
    run(db, &sql, &arrays).await?;
    Ok(())
}

const fn element(holds: Holds) -> &'static str {
    match holds {
        Holds::Number | Holds::Flag => "bigint",
        Holds::Text => "text",
        Holds::Bytes | Holds::Uuid => "bytea",
    }
}

fn stored(name: &str, holds: Holds) -> String {
    match holds {
        Holds::Flag => format!("g.{name} <> 0"),
        Holds::Uuid => format!("encode(g.{name}, 'hex')::uuid"),
        Holds::Number | Holds::Text | Holds::Bytes => format!("g.{name}"),
    }
}

/// A column of many records.
fn array(kind: Kind, (name, holds): Column, place: usize, records: &[Record]) -> Outcome<Parameter<'_>> {
    let unlike = || Fault::Damaged(format!("{kind}, column {name}: not a value that it can have"));
    let values = records.iter().map(|record| record.0.get(place).ok_or_else(unlike));
    Ok(match holds {
        Holds::Number | Holds::Flag => {
            let numbers = values.map(|value| match value? {
                Value::Empty => Ok(None),
                Value::Number(number) => Ok(Some(*number)),
                Value::Text(_) | Value::Bytes(_) => Err(unlike()),
            });
            Box::new(numbers.collect::<Outcome<Vec<_>>>()?)
        }
        Holds::Text => {
            let texts = values.zip(records).map(|(value, record)| match value? {
                Value::Empty => Ok(None),
                Value::Text(text) if storable(text) => Ok(Some(text.as_str())),
                Value::Text(_) => Err(Fault::Damaged(format!(
                    "{kind}, column {name}, row {:?}: the text has a zero in it, which PostgreSQL cannot hold",
                    record.key(kind)
                ))),
                Value::Number(_) | Value::Bytes(_) => Err(unlike()),
            });
            Box::new(texts.collect::<Outcome<Vec<_>>>()?)
        }
        Holds::Bytes | Holds::Uuid => {
            let bytes = values.map(|value| match value? {
                Value::Empty => Ok(None),
                Value::Bytes(bytes) => Ok(Some(bytes.as_slice())),
                Value::Number(_) | Value::Text(_) => Err(unlike()),
            });
            Box::new(bytes.collect::<Outcome<Vec<_>>>()?)
        }
    })
}

/// Numbers go on behind those that were given out, also where what had the last of them is gone. These come last, so what only this store writes is
/// written with them.
pub(super) async fn write_counters(db: &Transaction<'_>, records: &[Record]) -> Outcome<()> {
    for record in records {
        let [Value::Text(name), Value::Number(number)] = record.0.as_slice() else {
            return Err(Fault::Damaged(format!("{record:?} is no record of counters")));
        };
        if name == "pruned" {
            run(
                db,
                "-- transfer::write_counters: of events\n UPDATE pruned SET event = $1",
                &[number],
            )
            .await?;
        } else {
            let identity = if name == "environments" { "id" } else { "number" };
            go_on_behind(db, name, identity, *number).await?;
        }
    }
    for (table, identity) in [("credentials", "id"), ("people", "id"), ("master_keys", "number")] {
        go_on_behind(db, table, identity, 0).await?;
    }
    run(
        db,
        "-- transfer::write_counters: a webhook that is there has a health
         INSERT INTO webhook_health (webhook, attempts, failures) SELECT id, 0, 0 FROM webhooks WHERE deleted_at IS NULL
         ON CONFLICT (webhook) DO NOTHING",
        &[],
    )
    .await?;
    Ok(())
}

/// Has a table number its next row higher than that, and than any that it has.
async fn go_on_behind(db: &Transaction<'_>, table: &str, identity: &str, number: i64) -> Outcome<()> {
    let sql = format!(
        "-- transfer::go_on_behind: of one table
         SELECT setval(pg_get_serial_sequence('{table}', '{identity}')::regclass, greatest(last, 1), last > 0)
         FROM (SELECT greatest($1::bigint, (SELECT max({identity}) FROM {table})) AS last) m"
    );
    run(db, &sql, &[&number]).await?;
    Ok(())
}
