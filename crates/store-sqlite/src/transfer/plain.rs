//! Everything but events: the tables, column by column, and the two kinds that are no table here, master keys and counters.

use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use tidings_store::transfer::{Chunk, ChunkSize, Holds, Kind, Position, Record, Value};

use super::{Parameter, unlike};
use crate::fault::{Fault, Outcome};

/// The tables that a new store has nothing in.
const TABLES: [&str; 18] = [
    "environments",
    "credentials",
    "people",
    "sessions",
    "audit",
    "activity",
    "master_key",
    "former_master_keys",
    "server_keys",
    "event_types",
    "webhooks",
    "webhook_health",
    "events",
    "bodies",
    "deliveries",
    "attempts",
    "idempotency",
    "pruned",
];

/// Whether there is nothing but the schema.
pub(super) fn is_empty(connection: &Connection) -> Outcome<bool> {
    for table in TABLES {
        let mut any = connection.prepare(&format!("-- transfer::is_empty\n SELECT 1 FROM {table} LIMIT 1"))?;
        if any.exists([])? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Where a kind is read from: a table, or what makes one of others.
const fn source(kind: Kind) -> &'static str {
    match kind {
        Kind::WebhookHealth => {
            "(SELECT h.* FROM webhook_health h JOIN webhooks w ON w.id = h.webhook WHERE w.deleted_at IS NULL)" // others have none any more
        }
        Kind::MasterKeys => {
            "(SELECT row_number() OVER (ORDER BY number) AS turn, id, state, since FROM (
                 SELECT number, id, 1 + retired AS state, since FROM former_master_keys
                 UNION ALL SELECT 9223372036854775807, id, 0, since FROM master_key))"
        }
        Kind::Counters => {
            "(SELECT 'pruned' AS name, coalesce((SELECT event FROM pruned), 0) AS number
              UNION ALL
              SELECT n.column1, coalesce(s.seq, 0) FROM (VALUES ('audit'), ('environments'), ('server_keys')) n
              LEFT JOIN sqlite_sequence s ON s.name = n.column1)"
        }
        other => other.name(),
    }
}

/// Reads the records of a kind after a position.
pub(super) fn read(connection: &Connection, from: Position, size: ChunkSize) -> Outcome<Chunk> {
    let kind = from.kind;
    let names = |columns: &[(&'static str, Holds)]| columns.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
    let (columns, key) = (names(kind.columns()), names(kind.key()));
    let places: Vec<_> = (1..=kind.key().len()).map(|place| format!("?{place}")).collect();
    let (source, places, limit) = (source(kind), places.join(", "), size.of(kind));
    let mut statement = connection.prepare_cached(&format!(
        "-- transfer::read: by key
         SELECT {columns} FROM {source} WHERE ({key}) > ({places}) ORDER BY {key} LIMIT {limit}"
    ))?;
    let after = from.key();
    let records = statement
        .query_and_then(params_from_iter(after.iter().map(Parameter)), |row| record(kind, row))?
        .collect::<Outcome<Vec<_>>>()?;
    let next = from.next(records.last(), records.len() == limit);
    Ok(Chunk {
        from,
        records: vec![(kind, records)],
        next,
    })
}

/// A row that has the columns of a kind.
pub(super) fn record(kind: Kind, row: &Row<'_>) -> Outcome<Record> {
    let values = kind.columns().iter().zip(0..).map(|((name, holds), place)| {
        let value = match holds {
            Holds::Number | Holds::Flag => row.get::<_, Option<i64>>(place).map(Value::from),
            Holds::Text => row.get::<_, Option<String>>(place).map(Value::from),
            Holds::Bytes | Holds::Uuid => row.get::<_, Option<Vec<u8>>>(place).map(Value::from),
        };
        value.map_err(|error| Fault::Damaged(format!("{kind}, column {name}: {error}")))
    });
    values.collect::<Outcome<_>>().map(Record)
}

/// Writes records of a kind.
pub(super) fn write(connection: &Connection, kind: Kind, records: &[Record]) -> Outcome<()> {
    for record in records {
        match kind {
            Kind::MasterKeys => write_master_key(connection, record)?,
            Kind::Counters => write_counter(connection, record)?,
            _ => insert(connection, kind, record)?,
        }
    }
    Ok(())
}

/// Writes a record into the table of its kind.
pub(super) fn insert(connection: &Connection, kind: Kind, record: &Record) -> Outcome<()> {
    let (names, places): (Vec<_>, Vec<_>) = kind
        .columns()
        .iter()
        .zip(1..)
        .map(|((name, _), place)| (*name, format!("?{place}")))
        .unzip();
    let sql = format!(
        "-- transfer::insert: as it was
         INSERT INTO {} ({}) VALUES ({})",
        kind.name(),
        names.join(", "),
        places.join(", ")
    );
    connection
        .prepare_cached(&sql)?
        .execute(params_from_iter(record.0.iter().map(Parameter)))?;
    Ok(())
}

fn write_master_key(connection: &Connection, record: &Record) -> Outcome<()> {
    let [turn, id, Value::Number(state), since] = record.0.as_slice() else {
        return Err(unlike(Kind::MasterKeys, record));
    };
    let (id, since) = (Parameter(id), Parameter(since));
    if *state == 0 {
        let sql = "-- transfer::write_master_key: the one that seals\n INSERT INTO master_key (only, id, since) VALUES (0, ?1, ?2)";
        connection.execute(sql, params![id, since])?;
    } else {
        let sql = "-- transfer::write_master_key: one before it\n INSERT INTO former_master_keys (number, id, since, retired) VALUES (?1, ?2, ?3, ?4)";
        connection.execute(sql, params![Parameter(turn), id, since, state - 1])?;
    }
    Ok(())
}

/// Numbers go on behind those that were given out, also where what had the last of them is gone.
fn write_counter(connection: &Connection, record: &Record) -> Outcome<()> {
    let [Value::Text(name), Value::Number(number)] = record.0.as_slice() else {
        return Err(unlike(Kind::Counters, record));
    };
    if *number == 0 {
        return Ok(());
    }
    if name == "pruned" {
        connection.execute(
            "-- transfer::write_counter: of events\n INSERT INTO pruned (only, event) VALUES (0, ?1)",
            [number],
        )?;
        return Ok(());
    }
    let known: Option<i64> = connection
        .query_row(
            "-- transfer::write_counter: there from its first row on
             UPDATE sqlite_sequence SET seq = ?2 WHERE name = ?1 RETURNING seq",
            params![name, number],
            |row| row.get(0),
        )
        .optional()?;
    if known.is_none() {
        let sql = "-- transfer::write_counter: of a table without a row\n INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)";
        connection.execute(sql, params![name, number])?;
    }
    Ok(())
}
