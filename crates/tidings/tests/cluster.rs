//! Several nodes of the real binary beside one PostgreSQL.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;

use http::Method;
use serde_json::{Value, json};
use tidings_testkit::{EphemeralPostgres, TestDatabase, TestReceiver, TestServer};
use tokio::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A node that does not run, with the key that all of them have.
fn node(database: &str) -> TestServer {
    let mut node = keyless(database);
    node.set("TIDINGS_MASTER_KEY", MASTER_KEY);
    node
}

/// A node that does not run, and makes its own key if it may.
fn keyless(database: &str) -> TestServer {
    let mut node = TestServer::stopped(BINARY, &["--egress-allow", "127.0.0.0/8"]);
    node.set("TIDINGS_DATABASE", database);
    node
}

async fn nodes<const COUNT: usize>(database: &str) -> [TestServer; COUNT] {
    let mut nodes = std::array::from_fn(|_| node(database));
    for node in &mut nodes {
        node.restart().await;
    }
    let environment = nodes[0].environment().await;
    let path = format!("/v1/environments/{environment}");
    let allowed = nodes[0].patch(&path, r#"{"settings":{"httpAllowed":true}}"#).await;
    assert_eq!(allowed.status, 200, "{}", allowed.json);
    nodes
}

/// A webhook for everything that is sent to a receiver.
async fn subscribe(node: &TestServer, receiver: &TestReceiver) -> String {
    let draft = json!({"url": receiver.url("/"), "eventKeys": ["*"], "secret": "correct-horse"});
    let made = node.post("/v1/webhooks", &draft.to_string()).await;
    assert_eq!(made.status, 201, "{}", made.json);
    made.json["id"].as_str().unwrap().to_owned()
}

async fn publish(node: &TestServer) {
    let event = r#"{"eventKey":"frontegg.user.created","payload":{"user":{"id":"u"}}}"#;
    let answer = node.post("/v1/events", event).await;
    assert_eq!(answer.status, 202, "{}", answer.json);
}

/// A command, the status that it ended with, and all that it said.
async fn command(arguments: &[&str], data: &Path, database: &str) -> (Option<i32>, String) {
    let ended = Command::new(BINARY)
        .env_clear()
        .env("TIDINGS_DATABASE", database)
        .args(arguments)
        .arg("--data")
        .arg(data)
        .output()
        .await
        .unwrap();
    let said = [ended.stdout, ended.stderr].concat();
    (ended.status.code(), String::from_utf8(said).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_changed_something_at_one_node_may_ask_any() {
    let (database, receiver) = (TestDatabase::new().await, TestReceiver::start().await);
    let [one, two, three] = nodes(&database.url()).await;
    let webhook = subscribe(&one, &receiver).await;
    publish(&two).await;
    publish(&three).await;
    receiver.wait_for(2).await;
    let stopped = three.patch(&format!("/v1/webhooks/{webhook}"), r#"{"active":false}"#).await;
    assert_eq!(stopped.status, 200, "{}", stopped.json);
    publish(&two).await;
    let listed = one.get("/v1/deliveries?status=cancelled").await.json;
    assert_eq!(listed["data"][0]["cancelReason"], "webhookDisabled", "{listed:#}");
    assert_eq!(
        receiver.received().len(),
        2,
        "what was switched off at one node gets nothing from another"
    );

    let made = one.post("/v1/environments", r#"{"name":"Production"}"#).await;
    assert_eq!(made.status, 201, "{}", made.json);
    let id = made.json["id"].as_str().unwrap().to_owned();
    let seen = two.get(&format!("/v1/environments/{id}")).await;
    assert_eq!(seen.json["name"], "Production");
    let kind = r#"{"key":"order.placed","category":"Orders"}"#;
    let made = three.post("/v1/event-types", kind).await;
    assert_eq!(made.status, 201, "{}", made.json);
    let event = two.post("/v1/events", r#"{"eventKey":"order.placed","payload":{}}"#).await;
    assert_eq!(event.status, 202, "{}", event.json);
    let made = one
        .post(
            &format!("/v1/environments/{id}/credentials"),
            r#"{"name":"another","scopes":["read"]}"#,
        )
        .await;
    assert_eq!(made.status, 201, "{}", made.json);
    let (id, secret) = (made.json["clientId"].as_str().unwrap(), made.json["clientSecret"].as_str().unwrap());
    let token = two
        .post("/auth/vendor", &json!({"clientId": id, "secret": secret}).to_string())
        .await;
    assert_eq!(token.status, 200, "{}", token.json);
    let asked = three.with_token(token.json["token"].as_str().unwrap()).get("/v1/event-types").await;
    assert_eq!(asked.status, 200, "{}", asked.json);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_on_an_empty_database_at_once_make_one_environment_and_one_credential() {
    let database = TestDatabase::new().await;
    let (mut one, mut two, mut three) = (node(&database.url()), node(&database.url()), node(&database.url()));
    tokio::join!(one.restart(), two.restart(), three.restart());
    for node in [&one, &two, &three] {
        let is_one = |answer: &Value| answer["data"].as_array().is_some_and(|environments| environments.len() == 1);
        node.until("/v1/environments", is_one).await; // once the credential is there
    }
    let on_the_roll = |answer: &Value| answer["data"].as_array().is_some_and(|nodes| nodes.len() == 3);
    one.until("/v1/nodes", on_the_roll).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_nodes_that_make_a_key_at_once_those_that_lose_keep_none() {
    let database = TestDatabase::new().await;
    let (mut one, mut two, mut three) = (keyless(&database.url()), keyless(&database.url()), keyless(&database.url()));
    let started = tokio::join!(one.try_restart(), two.try_restart(), three.try_restart());
    let started = [started.0.is_ok(), started.1.is_ok(), started.2.is_ok()];
    let keys = [&one, &two, &three].map(|node| node.data().join("master.key").exists());
    assert_eq!((started.iter().filter(|started| **started).count(), keys), (1, started));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_key_is_not_that_of_the_others_is_refused_and_makes_none() {
    let database = TestDatabase::new().await;
    let mut first = keyless(&database.url());
    first.restart().await;
    let mut second = keyless(&database.url());
    let refused = second.try_restart().await.unwrap_err();
    assert_eq!(refused.status, Some(78), "{}", refused.said);
    assert!(
        refused.said.contains("copy master.key of a node that serves it"),
        "{}",
        refused.said
    );
    assert!(!second.data().join("master.key").exists());
    let (status, said) = command(&["doctor", "--listen", "127.0.0.1:0"], second.data(), &database.url()).await;
    assert_eq!(status, Some(1), "{said}");
    assert!(
        said.contains("copy master.key of a node") && said.contains("schema 2; 1 nodes on its roll"),
        "{said}"
    );

    std::fs::copy(first.data().join("master.key"), second.data().join("master.key")).unwrap();
    second.restart().await;
    let (status, said) = command(&["keys", "rotate", "--discard-old-key"], first.data(), &database.url()).await;
    assert_eq!(status, Some(78), "{said}");
    assert!(said.contains("shared by the nodes of a database"), "{said}");

    let mut misspelt = keyless("");
    misspelt.set("TIDINGS_DATABSE", &database.url());
    misspelt.restart().await;
    assert!(misspelt.log().iter().any(|line| line.contains("did you mean TIDINGS_DATABASE?")));

    let mut other = keyless(&database.url());
    other.set("TIDINGS_MASTER_KEY", MASTER_KEY);
    let refused = other.try_restart().await.unwrap_err();
    assert_eq!(refused.status, Some(78), "{}", refused.said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_credential_that_was_revoked_at_one_node_reads_and_changes_nothing_at_another() {
    let database = TestDatabase::new().await;
    let [one, two] = nodes(&database.url()).await;
    let credentials = format!("/v1/environments/{}/credentials", one.environment().await);
    for _ in 0..20 {
        let made = one
            .post(&credentials, r#"{"name":"leaver","scopes":["read","write","operator"]}"#)
            .await;
        let (id, secret) = (made.json["clientId"].as_str().unwrap(), made.json["clientSecret"].as_str().unwrap());
        let token = two
            .post("/auth/vendor", &json!({"clientId": id, "secret": secret}).to_string())
            .await;
        let leaver = two.with_token(token.json["token"].as_str().unwrap());
        assert_eq!(leaver.get("/v1/nodes").await.status, 200);
        let revoked = one.ask(Method::DELETE, &format!("{credentials}/{id}"), "").await.unwrap();
        assert_eq!(revoked.status, 204, "{}", revoked.json);
        assert_eq!(leaver.get("/v1/nodes").await.status, 401);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tables_of_somebody_else_are_left_alone_and_said_by_every_command() {
    let database = TestDatabase::new().await;
    database
        .connect()
        .await
        .batch_execute("CREATE TABLE events (mine text)")
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["migrate", "--check"][..], &["serve", "--listen", "127.0.0.1:0"]] {
        let (status, said) = command(arguments, folder.path(), &database.url()).await;
        assert_eq!(
            (status, said.contains("a table 'events' in it that is somebody else's")),
            (Some(78), true),
            "{said}"
        );
    }
    let (status, said) = command(&["doctor", "--listen", "127.0.0.1:0"], folder.path(), &database.url()).await;
    assert_eq!((status, said.contains("somebody else's")), (Some(1), true), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_not_make_tables_is_told_so_with_a_status_that_no_restart_mends() {
    let database = TestDatabase::new().await;
    let admin = database.connect().await;
    let role = format!("{}_guest", database.name());
    admin
        .batch_execute(&format!("CREATE ROLE {role} LOGIN; REVOKE CREATE ON SCHEMA public FROM PUBLIC"))
        .await
        .unwrap();
    let url = database.url().replacen("postgres@", &format!("{role}@"), 1);
    let folder = tempfile::tempdir().unwrap();
    let (status, said) = command(&["serve", "--listen", "127.0.0.1:0"], folder.path(), &url).await;
    assert_eq!((status, said.contains("See to the role")), (Some(78), true), "{said}");
    admin
        .batch_execute(&format!("DROP OWNED BY {role}; DROP ROLE {role}"))
        .await
        .unwrap();
}

/// Starts a node again with these keys.
async fn restart_with(node: &mut TestServer, key: &str, old: &str) {
    node.terminate().await;
    node.set("TIDINGS_MASTER_KEY", key);
    node.set("TIDINGS_OLD_MASTER_KEY", old);
    node.restart().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_key_is_changed_node_by_node_while_they_serve() {
    let (database, receiver) = (TestDatabase::new().await, TestReceiver::start().await);
    let [mut one, mut two] = nodes(&database.url()).await;
    subscribe(&one, &receiver).await;
    let next = "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=";
    // First every node can open what the next key will seal, then one after the other seals with it.
    for node in [&mut one, &mut two] {
        restart_with(node, MASTER_KEY, next).await;
    }
    restart_with(&mut one, next, MASTER_KEY).await;
    subscribe(&one, &receiver).await; // sealed with the new key, by the node that has gone over
    publish(&two).await;
    receiver.wait_for(2).await;
    restart_with(&mut two, next, MASTER_KEY).await;
    subscribe(&two, &receiver).await;
    publish(&one).await;
    receiver.wait_for(5).await;
    let is_done = |keys: &Value| {
        let keys = keys["masterKeys"].as_array().unwrap();
        keys.iter().all(|key| key["state"] == "current" || key["sealed"] == 0) && keys.iter().any(|key| key["state"] == "retired")
    };
    one.until("/v1/keys", is_done).await;
    for node in [&mut one, &mut two] {
        restart_with(node, next, "").await;
        publish(node).await;
    }
    receiver.wait_for(11).await;
    assert!(
        receiver
            .received()
            .iter()
            .all(|received| received.header("x-webhook-secret").is_some())
    );
}

/// What a move does to a node that stands still, and wakes without knowing it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_was_taken_for_dead_accepts_nothing_into_a_store_that_is_moved() {
    let database = TestDatabase::new().await;
    let [node] = nodes(&database.url()).await;
    publish(&node).await;
    let client = database.connect().await;
    let moved =
        "BEGIN; DELETE FROM nodes; INSERT INTO moved (place, id, role, other) VALUES (0, gen_random_uuid(), 0, '/elsewhere'); COMMIT";
    client.batch_execute(moved).await.unwrap();
    let event = r#"{"eventKey":"frontegg.user.created","payload":{}}"#;
    let refused = node.post("/v1/events", event).await;
    assert_eq!(refused.status, 503, "{}", refused.json);
    client.batch_execute("DELETE FROM moved").await.unwrap();
    while node.post("/v1/events", event).await.status != 202 {
        tokio::task::yield_now().await;
    }
    let stored = client.query_one("SELECT count(*) FROM events", &[]).await.unwrap();
    assert_eq!(stored.get::<_, i64>(0), 2, "what was refused is not there");
}

/// What a failover does that loses what was answered last.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_forget_what_the_database_has_lost() {
    let (database, receiver) = (TestDatabase::new().await, TestReceiver::start().await);
    let [_one, two] = nodes(&database.url()).await;
    subscribe(&two, &receiver).await;
    publish(&two).await;
    receiver.wait_for(1).await;
    let lost = "BEGIN; DELETE FROM webhooks; UPDATE environments SET routing_version = routing_version - 1; UPDATE changes SET number = number - 1; COMMIT";
    database.connect().await.batch_execute(lost).await.unwrap();
    let listed = two.get("/v1/webhooks").await.json; // which hears of it first
    assert_eq!(listed["data"], json!([]), "{listed:#}");
    let event = r#"{"eventKey":"frontegg.user.created","payload":{}}"#;
    let accepted = two.post("/v1/events", event).await;
    assert_eq!(
        (accepted.status, &accepted.json["deliveries"]),
        (202, &json!(0)),
        "{}",
        accepted.json
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_do_not_share_a_data_folder() {
    let database = TestDatabase::new().await;
    let [one] = nodes(&database.url()).await;
    let (status, said) = command(&["serve", "--listen", "127.0.0.1:0"], one.data(), &database.url()).await;
    assert_eq!(status, Some(75), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_look_at_the_database_that_nodes_share() {
    let database = TestDatabase::new().await;
    let nothing = tempfile::tempdir().unwrap();
    let url = database.url();
    let (status, said) = command(&["migrate", "--check"], nothing.path(), &url).await;
    assert_eq!((status, said.contains("the first start makes schema 2")), (Some(0), true), "{said}");
    let (status, said) = command(&["verify"], nothing.path(), &url).await;
    assert_eq!((status, said.contains("run `tidings migrate`")), (Some(65), true), "{said}");
    let (status, said) = command(&["migrate"], nothing.path(), &url).await;
    assert_eq!((status, said.contains("has 2 now")), (Some(0), true), "{said}");

    let receiver = TestReceiver::start().await;
    let [one] = nodes(&url).await;
    subscribe(&one, &receiver).await;
    publish(&one).await;
    receiver.wait_for(1).await;
    let (status, said) = command(&["verify", "--output", "json"], nothing.path(), &url).await;
    let report: Value = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    assert_eq!(
        (status, &report["served"], &report["lookedAt"]["events"]),
        (Some(0), &json!(true), &json!(1))
    );
    let (status, said) = command(&["backup", "--to", "copy.db"], one.data(), &url).await;
    assert_eq!((status, said.contains("pg_dump")), (Some(64), true), "{said}");
    assert_eq!(
        std::fs::read_dir(nothing.path()).unwrap().count(),
        0,
        "to look leaves nothing behind"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_newer_version_widens_the_schema_a_node_goes_on_and_one_that_it_leaves_behind_is_refused() {
    let (database, receiver) = (TestDatabase::new().await, TestReceiver::start().await);
    let [mut one, two] = nodes(&database.url()).await;
    subscribe(&two, &receiver).await;
    publish(&one).await;
    let admin = database.connect().await;
    let step = |version: i32, works_from: i32| {
        format!("INSERT INTO migrations SELECT {version}, 'later', {works_from}, checksum, 0 FROM migrations WHERE version = 1")
    };
    let wider = "ALTER TABLE events ADD COLUMN later text; ALTER TABLE deliveries ADD COLUMN later bigint NOT NULL DEFAULT 0; \
                 ALTER TABLE webhooks ADD COLUMN later text;";
    admin.batch_execute(&format!("{wider} {}", step(3, 1))).await.unwrap();
    publish(&one).await;
    publish(&two).await;
    receiver.wait_for(3).await;
    one.terminate().await;
    one.restart().await;
    let (status, said) = command(&["migrate", "--check"], one.data(), &database.url()).await;
    assert_eq!(
        (status, said.contains("newer than this version (2), and works beside it")),
        (Some(0), true),
        "{said}"
    );
    one.terminate().await;
    admin.batch_execute(&step(4, 3)).await.unwrap();
    let refused = one.try_restart().await.unwrap_err();
    assert_eq!(refused.status, Some(65), "{}", refused.said);
    assert!(
        refused.said.contains("cannot work beside it: use the newer version"),
        "{}",
        refused.said
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_a_node_says_so_and_goes_on_by_itself_when_it_is_back() {
    let server = EphemeralPostgres::start(&[]);
    let url = server.url_of(&server.database().await);
    let receiver = TestReceiver::start().await;
    let [one, two] = nodes(&url).await;
    subscribe(&one, &receiver).await;
    publish(&two).await;
    receiver.wait_for(1).await;
    server.stop();
    let event = r#"{"eventKey":"frontegg.user.created","payload":{"user":{"id":"u"}}}"#;
    let refused = two.post("/v1/events", event).await;
    assert_eq!(refused.status, 503, "{}", refused.json);
    assert!(refused.headers.contains_key("retry-after"));
    two.until("/readyz", |_| true).await;
    assert_eq!(two.get("/readyz").await.status, 503);
    let mut late = node(&url);
    assert_eq!(late.try_restart().await.unwrap_err().status, Some(69));
    server.start_again();
    two.until("/v1/nodes", |answer| {
        answer["data"].as_array().is_some_and(|nodes| nodes.len() == 2)
    })
    .await;
    publish(&two).await;
    publish(&one).await;
    receiver.wait_for(3).await;
}
