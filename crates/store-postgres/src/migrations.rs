//! The schema's history: numbered files, applied once each and never changed afterwards.
//!
//! Nodes of two versions may run beside one database while one after the other is replaced: a step adds what the new version needs and takes nothing
//! away that the one before needs (that is for a later step). So each step says which schema a binary has to know at least to go on working; a binary
//! that knows less is refused.

use aws_lc_rs::digest::{SHA256, digest};
use deadpool_postgres::Transaction;

use crate::fault::{Fault, Outcome};
use crate::locks::{self, Turn};
use crate::record::{Record, row, rows, run};
use crate::store::OpenError;

struct Migration {
    name: &'static str,
    sql: &'static str,
    /// The oldest schema whose binaries can work with this one.
    works_from: i32,
}

/// In order; the first has the version 1.
const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "first",
        sql: include_str!("../migrations/0001_first.sql"),
        works_from: 1,
    },
    Migration {
        name: "moved",
        sql: include_str!("../migrations/0002_moved.sql"),
        works_from: 2, // who does not look there would serve a store that was moved away
    },
];

/// The newest schema of this binary.
pub(crate) const KNOWN: i32 = MIGRATIONS.len() as i32;

/// What was applied, so that a database can be told from one of a newer or of another build.
const HISTORY: &str = "-- migrations: the history itself
    CREATE TABLE IF NOT EXISTS migrations (
        version    integer PRIMARY KEY CHECK (version > 0),
        name       text    NOT NULL,
        works_from integer NOT NULL CHECK (works_from BETWEEN 1 AND version),
        checksum   bytea   NOT NULL CHECK (length(checksum) = 32),
        applied_at bigint  NOT NULL
    )";

/// Brings a database to the newest schema, all of it or nothing, while other nodes that want to wait. They may go on serving.
pub(crate) async fn apply(db: &Transaction<'_>, at_millis: i64) -> Outcome<Result<(), OpenError>> {
    locks::take(db, Turn::Schema).await?;
    // Making a schema may wait for nodes that serve, and rewrite a table.
    db.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '30s'")
        .await?;
    if !has_history(db).await? {
        db.batch_execute(HISTORY).await?;
    }
    let have = match version(db).await? {
        Ok(have) => have,
        Err(refused) => return Ok(Err(refused)),
    };
    for (migration, version) in MIGRATIONS.iter().zip(1_i32..).skip(have) {
        db.batch_execute(migration.sql).await?;
        run(
            db,
            "-- migrations: one more was applied
             INSERT INTO migrations (version, name, works_from, checksum, applied_at) VALUES ($1, $2, $3, $4, $5)",
            &[&version, &migration.name, &migration.works_from, &checksum(migration), &at_millis],
        )
        .await?;
        tracing::info!(version, name = migration.name, "the database has a new schema");
    }
    Ok(Ok(()))
}

/// Asked first, because a role that may not make tables can still serve.
async fn has_history(db: &Transaction<'_>) -> Outcome<bool> {
    let found = row(
        db,
        "-- migrations: is there a history\n SELECT 1 WHERE to_regclass('migrations') IS NOT NULL",
        &[],
    )
    .await?;
    Ok(found.is_some())
}

/// How many steps a database has had, when this binary can work with what came of them.
async fn version(db: &Transaction<'_>) -> Outcome<Result<usize, OpenError>> {
    let applied = rows(
        db,
        "-- migrations: what was applied
         SELECT version, works_from, checksum FROM migrations ORDER BY version",
        &[],
    )
    .await?;
    for (row, expected) in applied.iter().zip(1_i32..) {
        let record = Record::new(row, "migrations", &["version"]);
        let (version, works_from): (i32, i32) = (record.get("version")?, record.get("works_from")?);
        if version != expected {
            return Err(Fault::Damaged(format!("table migrations: step {expected} is missing")));
        }
        match MIGRATIONS.get(expected as usize - 1) {
            Some(migration) if record.get::<&[u8]>("checksum")? != checksum(migration) => {
                return Ok(Err(OpenError::Changed { version }));
            }
            None if works_from > KNOWN => {
                return Ok(Err(OpenError::Newer {
                    found: version,
                    known: KNOWN,
                }));
            }
            Some(_) | None => {}
        }
    }
    Ok(Ok(applied.len()))
}

fn checksum(migration: &Migration) -> Vec<u8> {
    digest(&SHA256, migration.sql.as_bytes()).as_ref().to_vec()
}
