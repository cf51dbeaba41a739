//! The schema's history: numbered files, applied once each and never changed afterwards.

use std::path::Path;

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::{Connection, TransactionBehavior, params};

use crate::folder::OpenError;

/// What was applied, so that a database can be told from one of a newer or of another build.
const HISTORY: &str = "
    -- migrations: the history itself
    CREATE TABLE IF NOT EXISTS migrations (
        version    INTEGER PRIMARY KEY CHECK (version > 0),
        name       TEXT    NOT NULL,
        checksum   BLOB    NOT NULL CHECK (length(checksum) = 32),
        applied_at INTEGER NOT NULL
    ) STRICT";

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// In order; the first has the version 1.
const MIGRATIONS: &[Migration] = &[
    Migration {
        name: "first",
        sql: include_str!("../migrations/0001_first.sql"),
    },
    Migration {
        name: "master_key",
        sql: include_str!("../migrations/0002_master_key.sql"),
    },
    Migration {
        name: "portal",
        sql: include_str!("../migrations/0003_portal.sql"),
    },
    Migration {
        name: "road",
        sql: include_str!("../migrations/0004_road.sql"),
    },
    Migration {
        name: "changes",
        sql: include_str!("../migrations/0005_changes.sql"),
    },
    Migration {
        name: "parts",
        sql: include_str!("../migrations/0006_parts.sql"),
    },
    Migration {
        name: "keys",
        sql: include_str!("../migrations/0007_keys.sql"),
    },
    Migration {
        name: "checksums",
        sql: include_str!("../migrations/0008_checksums.sql"),
    },
    Migration {
        name: "altered",
        sql: include_str!("../migrations/0009_altered.sql"),
    },
    Migration {
        name: "moved",
        sql: include_str!("../migrations/0010_moved.sql"),
    },
    Migration {
        name: "recovered",
        sql: include_str!("../migrations/0011_recovered.sql"),
    },
];

/// The newest schema of this binary.
pub const KNOWN: u32 = MIGRATIONS.len() as u32;

/// Brings a database to the newest schema, each step in a transaction of its own, after checking that what it has is what this binary would have made.
pub(crate) fn apply(connection: &mut Connection, file: &Path, at_millis: i64) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of(file, &error);
    connection.execute_batch(HISTORY).map_err(failed)?;
    let have = version(connection, file)?;
    for (migration, version) in MIGRATIONS.iter().zip(1_u32..).skip(have as usize) {
        let tx = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(failed)?;
        tx.execute_batch(migration.sql).map_err(failed)?;
        tx.execute(
            "-- migrations: one more was applied
             INSERT INTO migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, ?4)",
            params![version, migration.name, checksum(migration), at_millis],
        )
        .map_err(failed)?;
        tx.commit().map_err(failed)?;
        tracing::info!(version, name = migration.name, "the database has a new schema");
    }
    Ok(())
}

/// The schema that a database has, when its history is a beginning of this binary's.
pub(crate) fn version(connection: &Connection, file: &Path) -> Result<u32, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of(file, &error);
    let mut statement = connection
        .prepare(
            "-- migrations: what was applied
             SELECT version, checksum FROM migrations ORDER BY version",
        )
        .map_err(failed)?;
    let applied: Vec<(u32, Vec<u8>)> = statement
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .and_then(Iterator::collect)
        .map_err(failed)?;
    if let Some((found, _)) = applied.last()
        && *found > KNOWN
    {
        return Err(OpenError::Newer {
            file: file.to_owned(),
            found: *found,
            known: KNOWN,
        });
    }
    for ((version, sum), (expected, migration)) in applied.iter().zip((1_u32..).zip(MIGRATIONS)) {
        if *version != expected || sum.as_slice() != checksum(migration) {
            return Err(OpenError::Changed {
                file: file.to_owned(),
                version: expected,
            });
        }
    }
    Ok(applied.len() as u32)
}

fn checksum(migration: &Migration) -> Vec<u8> {
    digest(&SHA256, migration.sql.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use tidings_model::delivery::StatusFilter;
    use tidings_model::{EnvironmentId, EventId, Timestamp, WebhookId};
    use tidings_store::{DeliveryFilter, Page};

    use super::*;
    use crate::fresh::FreshView;
    use crate::{deliveries, events};

    /// A database as the first so many migrations left it.
    fn older(versions: usize) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(HISTORY).unwrap();
        for (migration, version) in MIGRATIONS[..versions].iter().zip(1_u32..) {
            connection.execute_batch(migration.sql).unwrap();
            connection
                .execute(
                    "INSERT INTO migrations (version, name, checksum, applied_at) VALUES (?1, ?2, ?3, 0)",
                    params![version, migration.name, checksum(migration)],
                )
                .unwrap();
        }
        connection
    }

    #[test]
    fn deliveries_of_an_older_database_are_told_their_environment() {
        let mut connection = older(2);
        connection
            .execute_batch(
                "INSERT INTO events (id, environment, key, body) VALUES (1, 7, 'order.placed', x'');
                 INSERT INTO deliveries (event, ordinal, webhook, trigger, state, ended_at, attempts, created_at) VALUES (1, 0, 1, 0, 2, 0, 1, 0)",
            )
            .unwrap();

        apply(&mut connection, Path::new("tidings.db"), 0).unwrap();

        let environment: i64 = connection
            .query_row("SELECT environment FROM deliveries", [], |row| row.get(0))
            .unwrap();
        assert_eq!(environment, 7);
    }

    #[test]
    fn what_an_older_database_had_is_listed_as_it_was() {
        let mut connection = older(3);
        connection
            .execute_batch(
                "INSERT INTO environments (id, uuid, name, folded_name, settings, routing_version, created_at)
                 VALUES (7, x'01010101010101010101010101010101', 'Production', 'production', '{}', 1, 0);
                 INSERT INTO events (id, environment, key, tenant, body) VALUES (1, 7, 'order.placed', 'acme', x'7b7d'), (2, 7, 'order.placed', NULL, x'7b7d');
                 INSERT INTO deliveries (event, ordinal, webhook, trigger, state, due_at, ended_at, attempts, created_at, environment)
                 VALUES (1, 0, 5, 0, 1, NULL, 9, 1, 0, 7), (1, 1, 6, 0, 2, NULL, 9, 1, 0, 7), (2, 0, 5, 0, 0, 4, NULL, 0, 0, 7)",
            )
            .unwrap();

        apply(&mut connection, Path::new("tidings.db"), 0).unwrap();

        let environment = EnvironmentId::from_chance([1; 16]);
        let environment_uuid = environment.as_uuid().as_bytes().to_vec();
        connection.execute("UPDATE environments SET uuid = ?1", [environment_uuid]).unwrap();
        let list = |filter: DeliveryFilter| {
            let found = deliveries::list(
                &connection,
                &FreshView::default(),
                &filter,
                Page::first(10),
                Timestamp::from_millis(9),
            )
            .unwrap();
            found
                .iter()
                .map(|delivery| (delivery.id.event.raw(), delivery.id.ordinal))
                .collect::<Vec<_>>()
        };
        let all = DeliveryFilter::of(environment);
        let of = |webhook| DeliveryFilter {
            webhook: WebhookId::from_raw(webhook),
            ..all.clone()
        };
        assert_eq!(list(all.clone()), [(2, 0), (1, 1), (1, 0)]);
        assert_eq!(list(of(5)), [(2, 0), (1, 0)]);
        assert_eq!(list(of(6)), [(1, 1)]);
        let delivered = Some(StatusFilter::Delivered);
        assert_eq!(
            list(DeliveryFilter {
                status: delivered,
                ..of(5)
            }),
            [(1, 0)]
        );
        let event = events::one(&connection, environment, EventId::from_raw(1).unwrap())
            .unwrap()
            .unwrap();
        assert_eq!(
            (event.tenant.unwrap().as_str(), &event.body.whole().unwrap()[..]),
            ("acme", &b"{}"[..])
        );
    }
}
