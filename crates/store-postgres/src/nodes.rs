//! The roll of nodes.

use deadpool_postgres::{GenericClient, Transaction};
use tidings_store::{NewNode, Node, NodeNumber, Pulse};
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

use crate::fault::{Fault, Outcome};
use crate::locks::{self, Turn};
use crate::migrations::Older;
use crate::record::{self, Record, rows, run};

/// Puts a node on the roll that knows the schema up to `known`, which nobody changes meanwhile. Numbers are those of a sequence: none comes back, also when a transaction is rolled back.
pub(crate) async fn join(db: &Transaction<'_>, node: &NewNode, known: i32) -> Outcome<NodeNumber> {
    locks::share(db, Turn::Schema).await?;
    let joined = record::row(
        db,
        "-- nodes::join: under the next number, unless this version cannot work with the schema, or the store goes away or is not all here
         INSERT INTO nodes (name, version, schema, joined_at, beats, at, queued, in_flight, lag_ms)
         SELECT $1, $2, $4, $3, 0, $3, 0, 0, 0
         WHERE NOT EXISTS (SELECT 1 FROM migrations WHERE works_from > $4)
           AND NOT EXISTS (SELECT 1 FROM moved WHERE role = 0 OR finished_at IS NULL) RETURNING number",
        &[&node.name, &node.version, &node.at.as_millis(), &known],
    )
    .await;
    match joined {
        Err(Fault::Sql(error)) if error.code() == Some(&SqlState::SEQUENCE_GENERATOR_LIMIT_EXCEEDED) => {
            let max = NodeNumber::MAX;
            let why =
                format!("all {max} numbers of nodes were given out: stop all nodes, run TRUNCATE nodes RESTART IDENTITY, and start them");
            Err(Fault::Away(why))
        }
        Err(fault) => Err(fault),
        Ok(Some(row)) => number(&record(&row)),
        Ok(None) => Err(Fault::Away(refusal(db, known).await?.to_owned())),
    }
}

/// Why a node was not put on the roll.
async fn refusal(db: &impl GenericClient, known: i32) -> Outcome<&'static str> {
    let newer = "-- nodes::refusal: is it the schema\n SELECT 1 FROM migrations WHERE works_from > $1 LIMIT 1";
    Ok(match record::row(db, newer, &[&known]).await? {
        Some(_) => "its schema is one that this version cannot work beside: stop this node, and start the newer version",
        None => "it is being moved, or was moved elsewhere: nobody may serve it. A start says from where to where",
    })
}

/// Says that a node lives, and reads how often something was changed.
pub(crate) async fn beat(db: &impl GenericClient, node: NodeNumber, pulse: Pulse) -> Outcome<Option<u64>> {
    let beaten = record::row(
        db,
        "-- nodes::beat: once more
         UPDATE nodes SET beats = beats + 1, at = $2, queued = $3, in_flight = $4, lag_ms = $5 WHERE number = $1
         RETURNING number, (SELECT number FROM changes) AS changes",
        &[
            &i64::from(node.0),
            &pulse.at.as_millis(),
            &sql_number(pulse.queued),
            &sql_number(pulse.in_flight),
            &sql_number(pulse.lag_ms),
        ],
    )
    .await?;
    beaten.map(|row| record(&row).number("changes")).transpose()
}

/// Those on the roll.
pub(crate) async fn all(db: &impl GenericClient) -> Outcome<Vec<Node>> {
    let found = rows(
        db,
        "-- nodes::all: by number
         SELECT number, name, version, joined_at, beats, at, queued, in_flight, lag_ms FROM nodes ORDER BY number",
        &[],
    )
    .await?;
    found.iter().map(node).collect()
}

/// Those on the roll that do not know the schema up to `least`.
pub(crate) async fn older(db: &Transaction<'_>, least: i32) -> Outcome<Vec<Older>> {
    let found = rows(
        db,
        "-- nodes::older: by number
         SELECT number, name, version, beats FROM nodes WHERE schema < $1 ORDER BY number",
        &[&least],
    )
    .await?;
    let older = found.iter().map(|row| {
        let record = record(row);
        Ok(Older {
            number: number(&record)?,
            name: record.get("name")?,
            version: record.get("version")?,
            beats: record.number("beats")?,
        })
    });
    older.collect()
}

/// Takes a node off the roll.
pub(crate) async fn strike(db: &impl GenericClient, node: NodeNumber, beats: Option<u64>) -> Outcome<bool> {
    let struck = run(
        db,
        "-- nodes::strike: unless it has beaten since
         DELETE FROM nodes WHERE number = $1 AND ($2::bigint IS NULL OR beats = $2)",
        &[&i64::from(node.0), &beats.map(sql_number)],
    )
    .await?;
    Ok(struck == 1)
}

/// Writes a row as it is.
pub(crate) async fn try_to_write(db: &Transaction<'_>) -> Outcome<()> {
    run(
        db,
        "-- nodes::try_to_write: without changing anything
         UPDATE changes SET number = number",
        &[],
    )
    .await?;
    Ok(())
}

const fn record(row: &Row) -> Record<'_> {
    Record::new(row, "nodes", &["number"])
}

fn number(record: &Record<'_>) -> Outcome<NodeNumber> {
    record.convert("number", |number: i64| u32::try_from(number).ok().map(NodeNumber))
}

fn node(row: &Row) -> Outcome<Node> {
    let record = record(row);
    Ok(Node {
        number: number(&record)?,
        joined: NewNode {
            name: record.get("name")?,
            version: record.get("version")?,
            at: record.time("joined_at")?,
        },
        beats: record.number("beats")?,
        pulse: Pulse {
            at: record.time("at")?,
            queued: record.number("queued")?,
            in_flight: record.number("in_flight")?,
            lag_ms: record.number("lag_ms")?,
        },
    })
}

/// A count as its column has it.
fn sql_number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
