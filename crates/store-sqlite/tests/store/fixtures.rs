//! Data folders of every schema: each comes to the newest one, is sound there, and has everything that it held. See `tests/fixtures/README.md`.

use std::fs;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use tempfile::TempDir;
use tidings_model::{DeliveryId, EnvironmentId, EventId, WebhookId};
use tidings_signing::Vault;
use tidings_store::{AsOf, Store};
use tidings_store_sqlite::{SqliteStore, check};
use uuid::Uuid;

use crate::lives::{ENVIRONMENT, SECRET, context, dump, live_to, master_key};
use crate::story::verify;
use crate::world::{START, at, database, open};

/// What a fixture holds, read with its own schema's words.
struct Held {
    events: Vec<(i64, Vec<u8>)>,
    /// Event, ordinal, webhook, and how many attempts there are.
    deliveries: Vec<(i64, u32, i64, usize)>,
    webhooks: Vec<i64>,
}

fn file(version: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/fixtures/schema-{version}.sql"))
}

/// The folder of a fixture.
fn folder(version: u32) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let connection = Connection::open(database(folder.path())).unwrap();
    let text =
        fs::read_to_string(file(version)).unwrap_or_else(|_| panic!("schema {version} has no fixture: see tests/fixtures/README.md"));
    connection.execute_batch(&text).unwrap();
    connection.query_row("PRAGMA journal_mode = wal", [], |_| Ok(())).unwrap();
    folder
}

fn held(folder: &Path, version: u32) -> Held {
    let connection = Connection::open(database(folder)).unwrap();
    let bodies = if version < 4 {
        "SELECT id, body FROM events"
    } else {
        "SELECT event, body FROM bodies"
    };
    let pairs = |sql: &str| -> Vec<(i64, Vec<u8>)> {
        let mut statement = connection.prepare(sql).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let mut targets: Vec<(i64, u32, i64)> = connection
        .prepare("SELECT event, ordinal, webhook FROM deliveries")
        .unwrap()
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let promised = if version < 4 {
        Vec::new()
    } else {
        pairs("SELECT id, targets FROM events")
    };
    for (event, bytes) in promised {
        let webhooks = bytes.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes));
        targets.extend((0..).zip(webhooks).map(|(ordinal, webhook)| (event, ordinal, webhook)));
    }
    targets.sort_unstable();
    targets.dedup();
    let attempts = |event: i64, ordinal: u32| {
        let sql = "SELECT count(*) FROM attempts WHERE event = ?1 AND ordinal = ?2";
        connection.query_row(sql, (event, ordinal), |row| row.get(0)).unwrap()
    };
    Held {
        events: pairs(bodies),
        deliveries: targets
            .into_iter()
            .map(|(event, ordinal, webhook)| (event, ordinal, webhook, attempts(event, ordinal)))
            .collect(),
        webhooks: pairs("SELECT id, x'' FROM webhooks WHERE deleted_at IS NULL")
            .into_iter()
            .map(|(id, _)| id)
            .collect(),
    }
}

async fn has_everything(store: &SqliteStore, held: &Held) {
    let environment = EnvironmentId::from_uuid(Uuid::from_bytes(ENVIRONMENT));
    for (event, body) in &held.events {
        let found = store.event(environment, EventId::from_raw(*event).unwrap()).await.unwrap().unwrap();
        assert_eq!(&found.body.whole().unwrap()[..], body);
    }
    for (event, ordinal, webhook, attempts) in &held.deliveries {
        let id = DeliveryId {
            event: EventId::from_raw(*event).unwrap(),
            ordinal: *ordinal,
        };
        let found = store.delivery(environment, id, at(1_000)).await.unwrap().unwrap();
        assert_eq!((found.delivery.webhook.raw(), found.attempts.len()), (*webhook, *attempts), "{id}");
    }
    let vault = Vault::new(&master_key(), &[]);
    for webhook in &held.webhooks {
        let found = store
            .webhook(environment, WebhookId::from_raw(*webhook).unwrap())
            .await
            .unwrap()
            .unwrap();
        let secret = found.webhook.secrets.current.unwrap().0;
        assert_eq!(&vault.open(&secret, &context(&ENVIRONMENT)).unwrap()[..], SECRET);
    }
    let pending = store.due_webhooks().await.unwrap();
    assert!(!pending.is_empty(), "something waits in every one of them");
}

/// The newest schema of this build.
fn newest() -> u32 {
    let folder = tempfile::tempdir().unwrap();
    drop(open(folder.path()));
    check(folder.path()).unwrap().known_schema
}

/// Writes the fixtures that are missing, when it is told to.
async fn write_missing(newest: u32) {
    if std::env::var_os("UPDATE").is_none() {
        return;
    }
    for version in (1..=newest).filter(|version| !file(*version).exists()) {
        let folder = tempfile::tempdir().unwrap();
        live_to(version, newest, folder.path()).await;
        fs::write(file(version), dump(&database(folder.path()))).unwrap();
    }
}

#[tokio::test]
async fn a_folder_of_every_schema_there_has_been_is_brought_to_the_newest_with_everything_in_it() {
    let newest = newest();
    write_missing(newest).await;
    for version in 1..=newest {
        let folder = folder(version);
        let held = held(folder.path(), version);
        assert!(
            held.events.len() >= 3 && held.deliveries.len() >= 6 && held.webhooks.len() == 2,
            "schema {version}"
        );
        let store = open(folder.path());
        has_everything(&store, &held).await;
        store.close().await;
        let report = check(folder.path()).unwrap();
        assert_eq!((report.schema, report.faults), (newest, Vec::new()));
        let as_of = AsOf {
            at: START,
            served_since: None,
        };
        assert_eq!(verify(folder.path(), as_of, 100), [], "schema {version}");
    }
}
