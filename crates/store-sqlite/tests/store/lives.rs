//! How a data folder comes to be that has lived through schemas: the migrations, and after each what its schema could hold.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};
use rusqlite::{Connection, params};
use tidings_model::{EventId, Subscription, Timestamp, WebhookId};
use tidings_signing::{MasterKey, Vault};
use tidings_store::{LeaseGrant, LeaseToken, NewEvent, Settlement, Start, Store, Target};

use crate::story::settlement;
use crate::world::{at, database, open};

/// What every webhook of these folders signs with.
pub(crate) const SECRET: &[u8] = b"correct-horse-battery";

/// The master key of these folders: known to everybody, and used for nothing else.
pub(crate) fn master_key() -> MasterKey {
    MasterKey::from_bytes([7; 32])
}

/// What a webhook's secret is bound to.
pub(crate) fn context(environment: &[u8; 16]) -> Vec<u8> {
    [&environment[..], b"webhook secret"].concat()
}

/// The id of the only environment.
pub(crate) const ENVIRONMENT: [u8; 16] = [1, 1, 1, 1, 1, 1, 0x41, 1, 0x81, 1, 1, 1, 1, 1, 1, 1];

fn event(second: i64) -> i64 {
    EventId::new(at(second), 0).raw()
}

fn webhook(number: u16) -> i64 {
    WebhookId::new(at(0), number).raw()
}

/// The migration of a version: its name and its statements.
fn migration(version: u32) -> (String, String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let is_it = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(&format!("{version:04}_"));
    let path = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(is_it)
        .unwrap();
    let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
    (stem[5..].to_owned(), fs::read_to_string(path).unwrap())
}

/// Writes the folder of a schema: all migrations up to it, each followed by something of its own.
pub(crate) async fn live_to(version: u32, newest: u32, folder: &Path) {
    let connection = Connection::open(database(folder)).unwrap();
    let prepared = "PRAGMA page_size = 8192; PRAGMA application_id = 0x54696469;
        CREATE TABLE migrations (
            version    INTEGER PRIMARY KEY CHECK (version > 0),
            name       TEXT    NOT NULL,
            checksum   BLOB    NOT NULL CHECK (length(checksum) = 32),
            applied_at INTEGER NOT NULL
        ) STRICT";
    connection.execute_batch(prepared).unwrap();
    for version in 1..=version {
        let (name, sql) = migration(version);
        connection.execute_batch(&sql).unwrap();
        let checksum = digest(&SHA256, sql.as_bytes());
        let applied = params![version, name, checksum.as_ref(), at(i64::from(version)).as_millis()];
        connection
            .execute("INSERT INTO migrations VALUES (?1, ?2, ?3, ?4)", applied)
            .unwrap();
        connection.execute_batch(&added_in(version)).unwrap();
    }
    let wal: String = connection.query_row("PRAGMA journal_mode = wal", [], |row| row.get(0)).unwrap();
    assert_eq!(wal, "wal");
    drop(connection);
    if version == newest {
        go_on(folder).await;
    }
}

/// What a store of that schema had written by the time of the next.
fn added_in(version: u32) -> String {
    match version {
        1 => configured() + &went_every_way(),
        2 => format!("INSERT INTO master_key VALUES (0, x'{}')", hex(&master_key().id().bytes())),
        3 => with_people(),
        4 => with_promises(),
        5 => format!("UPDATE webhooks SET changed = 4 WHERE id = {}", webhook(1)),
        6 => with_a_block(),
        7 => with_keys(),
        8 => format!("UPDATE bodies SET checksum = {} WHERE event = {}", crc32fast::hash(b"{}"), event(4)),
        9 => given_up(),
        // Of a move, which is over, the store keeps the last word.
        10 => "INSERT INTO moved VALUES (0, x'0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a', 1, 'postgres://database.example:5432/tidings', NULL, 1700000009000)".to_owned(),
        11 => format!("UPDATE people SET recovered_until = {}", at(10).as_millis()),
        newer => panic!("say here what a store of schema {newer} writes that an older one does not"),
    }
}

fn configured() -> String {
    let vault = Vault::new(&master_key(), &[]);
    let sealed = |nonce: u8| hex(&vault.seal(SECRET, [nonce; 12], &context(&ENVIRONMENT)));
    let subscription = serde_json::to_string(&Subscription::parse(["*"]).unwrap()).unwrap();
    let settings = serde_json::to_string(&tidings_model::Settings::default()).unwrap();
    let (created, environment) = (at(0).as_millis(), hex(&ENVIRONMENT));
    let mut sql = format!(
        "INSERT INTO environments (id, uuid, name, folded_name, settings, routing_version, created_at)
             VALUES (1, x'{environment}', 'Development', 'development', '{settings}', 4, {created});
         INSERT INTO credentials (client_id, environment, name, scopes, secret_hash, created_at)
             VALUES ('6a1f6a38-6f0a-4a39-9a0e-5f0f6a3e2c11', 1, 'Producer', 3, x'{}', {created});
         INSERT INTO people (email, role, password_hash, created_at) VALUES ('owner@example.com', 0, 'no password opens this', {created});
         INSERT INTO event_types (environment, key, category, display_name, description, created_at)
             VALUES (1, 'order.placed', 'Orders', 'An order', 'Somebody ordered something.', {created});",
        hex(&[7; 32])
    );
    for (number, rest) in [
        (1, format!("x'{}', NULL, NULL, NULL, NULL, NULL", sealed(1))),
        (2, format!("x'{}', x'{}', {created}, {created}, 0, NULL", sealed(2), sealed(3))),
        (3, format!("NULL, NULL, NULL, NULL, NULL, {created}")),
    ] {
        let tenant = if number == 2 { "'acme'" } else { "NULL" };
        let _ = write!(
            sql,
            "INSERT INTO webhooks (id, environment, tenant, name, description, url, subscription, created_at, updated_at,
                                   secret, old_secret, old_until, disabled_at, disabled_why, deleted_at)
                 VALUES ({}, 1, {tenant}, 'Webhook {number}', '', 'https://receiver.example/{number}', '{subscription}', {created}, {created}, {rest});",
            webhook(number)
        );
    }
    sql + &format!(
        "INSERT INTO webhook_health VALUES ({}, 3, 2, {}, {});",
        webhook(1),
        at(3).as_millis(),
        at(2).as_millis()
    )
}

/// Delivered, cancelled, to be retried, exhausted, leased, resent.
fn went_every_way() -> String {
    let detail = |status: u16| {
        let reply = format!(r#"{{"status":{status},"headers":[],"body_truncated":false}}"#);
        format!(
            r#"{{"url":"https://receiver.example/1","request_headers":[["webhook-id","1"]],"reply":{reply},"address":"192.0.2.1:443","timings":{{"totalUs":1000}}}}"#
        )
    };
    let (one, two, gone) = (webhook(1), webhook(2), webhook(3));
    let mut sql = String::new();
    for second in 1..=3 {
        let tenant = if second == 1 { "'acme'" } else { "NULL" };
        let _ = write!(
            sql,
            "INSERT INTO events (id, environment, key, tenant, body) VALUES ({}, 1, 'order.placed', {tenant}, CAST('{{\"order\":{second}}}' AS BLOB));",
            event(second)
        );
    }
    let columns =
        "(event, ordinal, webhook, trigger, state, due_at, lease_token, lease_until, attempts, last_status, ended_at, why, created_at)";
    for (second, rest) in [
        (1, format!("0, {one}, 0, 1, NULL, NULL, NULL, 1, 200, {}, NULL", at(1).as_millis())),
        (1, format!("1, {two}, 0, 3, NULL, NULL, NULL, 0, NULL, {}, 1", at(1).as_millis())),
        (1, format!("2, {one}, 1, 0, {}, NULL, NULL, 0, NULL, NULL, NULL", at(9).as_millis())),
        (2, format!("0, {one}, 0, 0, {}, NULL, NULL, 1, 503, NULL, NULL", at(60).as_millis())),
        (2, format!("1, {gone}, 0, 2, NULL, NULL, NULL, 1, 503, {}, NULL", at(2).as_millis())),
        (
            3,
            format!(
                "0, {one}, 0, 0, {}, 11, {}, 0, NULL, NULL, NULL",
                at(3).as_millis(),
                at(180).as_millis()
            ),
        ),
    ] {
        let _ = write!(
            sql,
            "INSERT INTO deliveries {columns} VALUES ({}, {rest}, {});",
            event(second),
            at(second).as_millis()
        );
    }
    let retry_at = at(60).as_millis().to_string();
    for (second, ordinal, status, verdict, retry_at) in [(1, 0, 200, 0, "NULL"), (2, 0, 503, 1, retry_at.as_str()), (2, 1, 503, 2, "NULL")]
    {
        let _ = write!(
            sql,
            "INSERT INTO attempts (event, ordinal, number, started_at, verdict, retry_at, detail, reply_body)
                 VALUES ({}, {ordinal}, 1, {}, {verdict}, {retry_at}, '{}', x'');",
            event(second),
            at(second).as_millis(),
            detail(status)
        );
    }
    sql + &format!(
        "INSERT INTO idempotency VALUES (1, 'order 1', {}, 2, x'{}', {});",
        event(1),
        hex(&[1; 32]),
        at(90_000).as_millis()
    )
}

fn with_people() -> String {
    let (then, fourth) = (at(4).as_millis(), event(4));
    format!(
        "INSERT INTO sessions VALUES (x'{}', 1, {then}, {then}, {}, 'a browser', '192.0.2.1');
         INSERT INTO audit (at, actor, action, environment, target, detail)
             VALUES ({then}, 'person owner@example.com', 'webhook.create', x'{}', 'Webhook 1', '');
         INSERT INTO activity VALUES (1, 0, {then}, 3, 1, 2);
         INSERT INTO events (id, environment, key, body) VALUES ({fourth}, 1, 'order.placed', CAST('{{}}' AS BLOB));
         INSERT INTO deliveries (event, ordinal, webhook, trigger, state, due_at, attempts, created_at, environment)
             VALUES ({fourth}, 0, {}, 0, 0, {then}, 0, {then}, 1);",
        hex(&[5; 32]),
        at(90_000).as_millis(),
        hex(&ENVIRONMENT),
        webhook(1)
    )
}

/// A delivery in hand, which has no row, beside one that was skipped; and the first of the blocks of that schema.
fn with_promises() -> String {
    let (fifth, then, one, two) = (event(5), at(5).as_millis(), webhook(1), webhook(2));
    let targets = hex(&[one.to_le_bytes(), two.to_le_bytes()].concat());
    format!(
        "INSERT INTO events VALUES ({fifth}, 1, 'order.placed', NULL, 0, NULL, {}, x'{targets}');
         INSERT INTO bodies VALUES ({fifth}, 'somebody', NULL, CAST('{{}}' AS BLOB));
         INSERT INTO deliveries (event, ordinal, webhook, trigger, state, attempts, ended_at, why, created_at, environment, apart)
             VALUES ({fifth}, 1, {two}, 0, 3, 0, {then}, 1, {then}, 1, 0);
         INSERT INTO blocks VALUES ({first}, {first}, {first});
         INSERT INTO environment_blocks VALUES ({first}, 1, x'00');",
        at(185).as_millis(),
        first = event(1)
    )
}

fn with_a_block() -> String {
    format!(
        "INSERT INTO blocks VALUES ({first}, {first}, {first});
         INSERT INTO parts VALUES ({first}, 0, 1, '', x'00'), ({first}, 2, 1, 'order.placed', x'00'), ({first}, 3, 1, 'acme', x'00');",
        first = event(1)
    )
}

/// A master key before the one of today, and a key of the server's own. What it is sealed for, the store does not ask.
fn with_keys() -> String {
    let sealed = hex(&Vault::new(&master_key(), &[]).seal(&[8; 32], [8; 12], b"a server key"));
    let then = at(10).as_millis();
    format!(
        "INSERT INTO former_master_keys (id, since, retired) VALUES (x'01020304', {then}, 1);
         INSERT INTO server_keys (purpose, sealed, made_at) VALUES (0, x'{sealed}', {then});"
    )
}

/// A resend that was given up, for a reason that an older schema does not have.
fn given_up() -> String {
    let (fourth, then, one) = (event(4), at(11).as_millis(), webhook(1));
    format!(
        "INSERT INTO deliveries (event, ordinal, webhook, trigger, state, attempts, ended_at, why, created_at, environment, apart)
             VALUES ({fourth}, 1, {one}, 1, 3, 0, {then}, 3, {then}, 1, 1);"
    )
}

/// What the store itself writes, in the newest schema.
async fn go_on(folder: &Path) {
    let store = open(folder);
    let environment = tidings_model::EnvironmentId::from_uuid(uuid::Uuid::from_bytes(ENVIRONMENT));
    let webhook = WebhookId::from_raw(webhook(1)).unwrap();
    let version = store.routing(environment).await.unwrap().unwrap().version;
    let event = |second: i64, start| NewEvent {
        environment,
        routing_version: version,
        key: "order.placed".parse().unwrap(),
        tenant: Some("acme".parse().unwrap()),
        user: None,
        application: Some("shop".to_owned()),
        body: bytes::Bytes::from_static(b"{}"),
        at: at(second),
        idempotency: None,
        trigger: tidings_model::Trigger::Event,
        targets: vec![Target { webhook, start }],
    };
    let lease = |token, until: Timestamp| {
        Start::Leased(LeaseGrant {
            token: LeaseToken(token),
            until,
        })
    };
    let appended = store
        .append(vec![
            event(6, lease(21, at(186))),
            event(7, lease(22, at(187))),
            event(8, lease(23, at(188))),
            event(9, Start::Due),
        ])
        .await
        .unwrap();
    let first = |place: usize| tidings_model::DeliveryId {
        event: appended[place].unwrap().event,
        ordinal: 0,
    };
    let settled: Vec<Settlement> = vec![
        settlement(first(0), webhook, 21, tidings_model::Verdict::Delivered),
        settlement(first(1), webhook, 22, tidings_model::Verdict::RetryAt(at(70))),
    ];
    store.settle(settled.into()).await.unwrap();
    store.resend(environment, first(0), at(10)).await.unwrap().unwrap();
    store.close().await;
}

/// The schema and the rows of a database, as statements.
pub(crate) fn dump(file: &Path) -> String {
    let connection = Connection::open(file).unwrap();
    let made = connection
        .prepare("SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY type DESC, rowid")
        .unwrap()
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let tables = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY rowid")
        .unwrap()
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap()
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let mut text = "PRAGMA page_size = 8192;\nPRAGMA application_id = 0x54696469;\nBEGIN;\n".to_owned();
    text.extend(made.iter().map(|sql| format!("{sql}\n")));
    for table in tables {
        rows(&connection, &table, &mut text);
    }
    text + "COMMIT;\n"
}

fn rows(connection: &Connection, table: &str, text: &mut String) {
    let columns: Vec<String> = connection
        .prepare(&format!(
            "SELECT 'quote(\"' || name || '\")' FROM pragma_table_info('{table}') ORDER BY cid"
        ))
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    let mut statement = connection
        .prepare(&format!("SELECT {} FROM \"{table}\"", columns.join(", ")))
        .unwrap();
    let mut found = statement.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let values: Vec<String> = (0..columns.len()).map(|place| row.get(place).unwrap()).collect();
        let _ = writeln!(text, "INSERT INTO \"{table}\" VALUES ({});", values.join(", "));
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02X}");
        text
    })
}
