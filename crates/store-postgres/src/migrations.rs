//! The schema's history: numbered files, applied once each and never changed afterwards.
//!
//! Nodes of two versions may run beside one database while one after the other is replaced: a step adds what the new version needs and takes nothing
//! away that the one before needs (that is for a later step). So each step says which schema a binary has to know at least to go on working; a binary
//! that knows less is refused.

use aws_lc_rs::digest::{SHA256, digest};
use deadpool_postgres::Transaction;
use tidings_store::NodeNumber;

use crate::fault::{Fault, Outcome};
use crate::locks::{self, Turn};
use crate::nodes;
use crate::record::{Record, row, rows, run};
use crate::store::OpenError;

/// One step of the schema.
#[derive(Debug)]
pub(crate) struct Migration {
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    /// The oldest schema whose binaries can work with this one.
    pub(crate) works_from: i32,
}

/// The steps that a binary knows, in order; the first has the version 1.
pub(crate) type Steps = &'static [Migration];

/// Those of this one.
pub(crate) const STEPS: Steps = &[
    Migration {
        name: "first",
        sql: include_str!("../migrations/0001_first.sql"),
        works_from: 1,
    },
    Migration {
        name: "recovered",
        sql: include_str!("../migrations/0002_recovered.sql"),
        works_from: 1,
    },
];

/// The newest schema that a binary of these steps knows.
pub(crate) const fn known(steps: Steps) -> i32 {
    steps.len() as i32
}

/// How the schema of a database stands to what a version knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Steps that the database has had; 0: there is nothing in it yet.
    pub found: i32,
    /// The newest that this version knows.
    pub known: i32,
    /// The steps that opening the store would make, by name.
    pub missing: Vec<&'static str>,
    /// Nodes on the roll that could not go on when these were made.
    pub in_the_way: Vec<Older>,
}

/// A node of an older version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Older {
    /// Its number on the roll.
    pub number: NodeNumber,
    /// Where people find it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How often it has beaten.
    pub beats: u64,
}

/// The tables of the newest schema.
const TABLES: [&str; 20] = [
    "activity",
    "attempts",
    "audit",
    "changes",
    "credentials",
    "deliveries",
    "environments",
    "event_types",
    "events",
    "idempotency",
    "master_keys",
    "migrations",
    "moved",
    "nodes",
    "people",
    "pruned",
    "server_keys",
    "sessions",
    "webhook_health",
    "webhooks",
];

/// What was applied, so that a database can be told from one of a newer or of another build.
const HISTORY: &str = "-- migrations: the history itself
    CREATE TABLE migrations (
        version    integer PRIMARY KEY CHECK (version > 0),
        name       text    NOT NULL,
        works_from integer NOT NULL CHECK (works_from BETWEEN 1 AND version),
        checksum   bytea   NOT NULL CHECK (length(checksum) = 32),
        applied_at bigint  NOT NULL
    )";

/// Brings a database to the newest schema, all of it or nothing, while other nodes that want to wait. They may go on serving: it is refused while one is
/// on the roll that could not.
pub(crate) async fn apply(db: &Transaction<'_>, steps: Steps, at_millis: i64) -> Outcome<Result<(), OpenError>> {
    locks::take(db, Turn::Schema).await?;
    // Making a schema may wait for nodes that serve, and rewrite a table.
    db.batch_execute("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = '30s'")
        .await?;
    let found = match look(db, steps).await? {
        Ok(schema) if schema.in_the_way.is_empty() => schema.found,
        Ok(schema) => return Ok(Err(OpenError::InUse { nodes: schema.in_the_way })),
        Err(refused) => return Ok(Err(refused)),
    };
    if found == 0 {
        db.batch_execute(HISTORY).await?;
    }
    for (step, version) in steps.iter().zip(1_i32..).skip(found.unsigned_abs() as usize) {
        db.batch_execute(step.sql).await?;
        run(
            db,
            "-- migrations: one more was applied
             INSERT INTO migrations (version, name, works_from, checksum, applied_at) VALUES ($1, $2, $3, $4, $5)",
            &[&version, &step.name, &step.works_from, &checksum(step), &at_millis],
        )
        .await?;
        tracing::info!(version, name = step.name, "the database has a new schema");
    }
    Ok(Ok(()))
}

/// Looks how a database's schema stands to these steps, and changes nothing.
pub(crate) async fn look(db: &Transaction<'_>, steps: Steps) -> Outcome<Result<Schema, OpenError>> {
    let found = match owner(db).await? {
        Owner::Nobody => 0,
        Owner::Us => match version(db, steps).await? {
            Ok(found) => found,
            Err(refused) => return Ok(Err(refused)),
        },
        Owner::Other(table) => {
            let why = format!("there is a table '{table}' in it that is somebody else's: give Tidings a database or a schema of its own");
            return Ok(Err(OpenError::Unfit { why }));
        }
    };
    let missing = &steps[found.min(steps.len())..];
    let works_from = missing.iter().map(|step| step.works_from).max().unwrap_or_default();
    let in_the_way = if found == 0 {
        Vec::new()
    } else {
        nodes::older(db, works_from).await?
    };
    Ok(Ok(Schema {
        found: found as i32,
        known: known(steps),
        missing: missing.iter().map(|step| step.name).collect(),
        in_the_way,
    }))
}

/// Whose the tables of a database are.
enum Owner {
    /// There are none with a name of ours.
    Nobody,
    /// Ours, with their history.
    Us,
    /// Somebody else's, who has one of that name.
    Other(String),
}

/// Asked in one statement, because another node may make all of them meanwhile. Others call a table `migrations`, too: ours is told by its columns.
async fn owner(db: &Transaction<'_>) -> Outcome<Owner> {
    let found = row(
        db,
        "-- migrations: whose tables are these, as of now: a name that this connection did not find before it would not find again
         SELECT relname::text AS name, relname = 'migrations' AND 5 = (
             SELECT count(*) FROM pg_attribute a WHERE a.attrelid = c.oid AND NOT attisdropped
             AND attname IN ('version', 'name', 'works_from', 'checksum', 'applied_at')) AS is_history
         FROM pg_class c WHERE relname = ANY ($1) AND pg_table_is_visible(oid) ORDER BY is_history DESC, relname LIMIT 1",
        &[&TABLES.as_slice()],
    )
    .await?;
    let Some(found) = found else { return Ok(Owner::Nobody) };
    let record = Record::new(&found, "pg_class", &["name"]);
    Ok(if record.get("is_history")? {
        Owner::Us
    } else {
        Owner::Other(record.get("name")?)
    })
}

/// How many steps a database has had, when this binary can work with what came of them.
async fn version(db: &Transaction<'_>, steps: Steps) -> Outcome<Result<usize, OpenError>> {
    let known = known(steps);
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
        match steps.get(expected.unsigned_abs() as usize - 1) {
            Some(migration) if record.get::<&[u8]>("checksum")? != checksum(migration) => {
                return Ok(Err(OpenError::Changed { version }));
            }
            None if works_from > known => {
                return Ok(Err(OpenError::Newer { found: version, known }));
            }
            Some(_) | None => {}
        }
    }
    Ok(Ok(applied.len()))
}

fn checksum(migration: &Migration) -> Vec<u8> {
    digest(&SHA256, migration.sql.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use async_trait::async_trait;
    use tidings_model::Timestamp;
    use tidings_runtime::{Clock, SystemClock, SystemEntropy};
    use tidings_store::{NewNode, Pulse, Store, StoreError};
    use tidings_testkit::TestDatabase;

    use super::*;
    use crate::{PostgresConfig, PostgresOptions, PostgresStore};

    const FIRST: Migration = Migration {
        name: "first",
        sql: include_str!("../migrations/0001_first.sql"),
        works_from: 1,
    };
    const SECOND: Migration = Migration {
        name: "recovered",
        sql: include_str!("../migrations/0002_recovered.sql"),
        works_from: 1,
    };
    /// A version later: something new, which nobody of the version before has to know.
    const LATER: Migration = Migration {
        name: "wider",
        sql: "ALTER TABLE events ADD COLUMN later text; ALTER TABLE deliveries ADD COLUMN later bigint NOT NULL DEFAULT 0",
        works_from: 1,
    };
    const WIDER: Steps = &[FIRST, SECOND, LATER];
    /// Two versions later: something is taken away that the first version reads.
    const NARROWER: Steps = &[
        FIRST,
        SECOND,
        LATER,
        Migration {
            name: "narrower",
            sql: "ALTER TABLE webhooks DROP COLUMN description",
            works_from: 3,
        },
    ];

    /// Time that passes at once, and in which the others beat if they live.
    struct Quick(SystemClock);

    #[async_trait]
    impl Clock for Quick {
        fn now(&self) -> Timestamp {
            self.0.now()
        }

        fn monotonic_us(&self) -> u64 {
            self.0.monotonic_us()
        }

        async fn sleep(&self, duration: Duration) {
            self.0.sleep(duration / 100).await;
        }
    }

    fn connect(database: &TestDatabase, steps: Steps) -> PostgresStore {
        let options = PostgresOptions::new(Arc::new(Quick(SystemClock::new())), Arc::new(SystemEntropy));
        PostgresStore::connect(&PostgresConfig::new(database.url()), options, steps).unwrap()
    }

    async fn open(database: &TestDatabase, steps: Steps) -> Result<PostgresStore, OpenError> {
        let store = connect(database, steps);
        store.bring_up().await?;
        Ok(store)
    }

    #[tokio::test]
    async fn the_tables_of_the_schema_are_those_that_are_known_as_ours() {
        let database = TestDatabase::new().await;
        open(&database, STEPS).await.unwrap();
        let made = database.connect().await;
        let made = made.query(
            "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename",
            &[],
        );
        let made: Vec<String> = made.await.unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(made, TABLES);
    }

    #[tokio::test]
    async fn whatever_of_somebody_elses_has_a_name_of_ours_is_named_and_left_alone() {
        for (statement, named) in [
            (
                "CREATE TABLE migrations (id serial PRIMARY KEY, name text, version integer)",
                "a table 'migrations'",
            ),
            (
                "CREATE TABLE migrations (id integer); CREATE TABLE sessions (token text)",
                "a table 'migrations'",
            ),
            ("CREATE TABLE credentials (mine text)", "a table 'credentials'"),
            ("CREATE VIEW idempotency AS SELECT 1", "a table 'idempotency'"),
            (
                "CREATE TABLE other (at int); CREATE INDEX audit_by_time ON other (at)",
                "audit_by_time",
            ),
        ] {
            let database = TestDatabase::new().await;
            let admin = database.connect().await;
            admin.batch_execute(statement).await.unwrap();
            let refused = open(&database, STEPS).await.unwrap_err();
            let OpenError::Unfit { why } = &refused else {
                panic!("{statement}: {refused}")
            };
            assert!(
                why.contains(named) && why.contains("a database or a schema of its own"),
                "{statement}: {why}"
            );
            let deliveries = "SELECT 1 FROM pg_class WHERE relname = 'deliveries'";
            assert!(admin.query(deliveries, &[]).await.unwrap().is_empty(), "{statement}");
        }
    }

    async fn join(store: &PostgresStore) -> Result<NodeNumber, StoreError> {
        let node = NewNode {
            name: "one:8080".to_owned(),
            version: "0.1.0".to_owned(),
            at: Timestamp::from_seconds(1_700_000_000),
        };
        store.join(&node).await
    }

    fn pulse() -> Pulse {
        Pulse {
            at: Timestamp::from_seconds(1_700_000_001),
            queued: 0,
            in_flight: 0,
            lag_ms: 0,
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn nodes_of_two_versions_serve_one_database_until_the_older_are_stopped() {
        let database = TestDatabase::new().await;
        let old = open(&database, STEPS).await.unwrap();
        let number = join(&old).await.unwrap();
        let new = open(&database, WIDER).await.unwrap();
        assert_eq!(new.look().await.unwrap().unwrap().found, 3);
        drop(open(&database, STEPS).await.unwrap()); // it may also be started again

        let mut beating = tokio::task::JoinSet::new();
        let node = old.clone();
        beating.spawn(async move { while node.beat(number, pulse()).await.unwrap().is_some() {} });
        let refused = open(&database, NARROWER).await.unwrap_err().to_string();
        assert!(refused.contains("stop one:8080 (0.1.0), and start this again"), "{refused}");
        old.strike_node(number, None).await.unwrap();
        beating.join_next().await.unwrap().unwrap();
        drop(open(&database, NARROWER).await.unwrap());
        assert!(join(&new).await.is_ok(), "the version in between works beside it");
        let late = join(&old).await.unwrap_err().to_string();
        assert!(late.contains("start the newer version"), "{late}");
        assert!(matches!(
            open(&database, STEPS).await.unwrap_err(),
            OpenError::Newer { found: 4, known: 2 }
        ));
    }

    async fn old_beside_new() -> (Arc<dyn Store>, TestDatabase) {
        let database = TestDatabase::new().await;
        open(&database, WIDER).await.unwrap();
        (Arc::new(open(&database, STEPS).await.unwrap()), database)
    }

    #[tokio::test]
    async fn on_the_schema_of_the_next_version_a_node_answers_as_the_model_does() {
        tidings_store::conformance::agrees_with_model(old_beside_new, 8).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_node_that_was_killed_does_not_stand_in_the_way_of_a_newer_version() {
        let database = TestDatabase::new().await;
        let old = open(&database, STEPS).await.unwrap();
        join(&old).await.unwrap();
        let schema = connect(&database, NARROWER).look().await.unwrap().unwrap();
        assert_eq!((schema.found, schema.known, schema.missing), (2, 4, vec!["wider", "narrower"]));
        assert_eq!(schema.in_the_way[0].name, "one:8080");
        let new = open(&database, NARROWER).await.unwrap();
        assert!(new.nodes().await.unwrap().is_empty());
    }
}
