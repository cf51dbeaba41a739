//! Moving a store with the real binary: into a database, killed in the middle and gone on with, and back into a folder that is served.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::process::Stdio;

use serde_json::{Value, json};
use tidings_signing::{Secret, frontegg};
use tidings_testkit::{Behaviour, TestDatabase, TestReceiver, TestServer};
use tokio::process::Command;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
const SECRET: &str = "correct-horse-battery";
/// Of 60 KB each: several chunks.
const EVENTS: usize = 300;
/// Seconds since 1970 by which no signature has been made.
const LONG_AGO: u64 = 1_700_000_000;

/// What a command ended with: its status, what it printed, and what it said.
struct Ended {
    status: Option<i32>,
    printed: String,
    said: String,
}

fn migrate(arguments: &[&str]) -> Command {
    let mut command = Command::new(BINARY);
    command.env_clear().arg("migrate-store").args(arguments).kill_on_drop(true);
    command
}

async fn run(arguments: &[&str]) -> Ended {
    let ended = migrate(arguments).output().await.unwrap();
    Ended {
        status: ended.status.code(),
        printed: String::from_utf8(ended.stdout).unwrap(),
        said: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// A server that was killed with much pending, and the ids of the events that it answered 202.
async fn killed_server(receiver: &TestReceiver) -> (TestServer, BTreeSet<String>) {
    receiver.at("/stalls", Behaviour::Stall);
    let mut server = TestServer::start(BINARY).await;
    for path in ["/takes", "/stalls"] {
        let webhook = json!({ "url": receiver.url(path), "eventKeys": ["*"], "secret": SECRET }).to_string();
        assert_eq!(server.post("/v1/webhooks", &webhook).await.status, 201);
    }
    let payload = json!({ "eventKey": "frontegg.user.created", "payload": { "text": "x".repeat(60_000) } }).to_string();
    let mut accepted = BTreeSet::new();
    for _ in 0..EVENTS {
        let answer = server.post("/v1/events", &payload).await;
        assert_eq!(answer.status, 202, "{}", answer.json);
        accepted.insert(answer.json["id"].as_str().unwrap().to_owned());
    }
    receiver.wait_for(EVENTS).await;
    server.kill().await;
    (server, accepted)
}

/// Starts a move and kills it once something has arrived.
async fn kill_in_the_middle(from: &str, to: &str, database: &TestDatabase) {
    let mut moving = migrate(&["--from", from, "--to", to]).stderr(Stdio::null()).spawn().unwrap();
    let admin = database.connect().await;
    let arrived = "SELECT count(*) FROM events";
    while admin.query_one(arrived, &[]).await.map_or(0, |row| row.get::<_, i64>(0)) == 0 {
        tokio::task::yield_now().await;
    }
    moving.kill().await.unwrap();
    let unfinished = "SELECT finished_at IS NULL FROM moved";
    assert!(
        admin.query_one(unfinished, &[]).await.unwrap().get::<_, bool>(0),
        "it was killed too late"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_goes_into_a_database_and_back_and_is_served_with_what_was_pending() {
    let receiver = TestReceiver::start().await;
    let (mut server, accepted) = killed_server(&receiver).await;
    let database = TestDatabase::new().await;
    let folder = server.data().to_str().unwrap().to_owned();
    let url = database.url();

    kill_in_the_middle(&folder, &url, &database).await;
    let refused = server.try_restart().await.unwrap_err();
    assert!(
        refused.status == Some(78) && refused.said.contains("is being moved"),
        "{}",
        refused.said
    );

    let gone = run(&["--from", &folder, "--to", &url, "--output", "json"]).await;
    assert_eq!(gone.status, Some(0), "{}", gone.said);
    assert!(
        gone.said.contains("Next:") && gone.said.contains("TIDINGS_MASTER_KEY"),
        "{}",
        gone.said
    );
    let gone: Value = serde_json::from_str(&gone.printed).unwrap();
    assert_eq!(
        (&gone["kinds"]["events"]["records"], &gone["sound"]),
        (&json!(EVENTS), &json!(true))
    );
    let refused = server.try_restart().await.unwrap_err();
    assert!(
        refused.status == Some(78) && refused.said.contains("was moved to"),
        "{}",
        refused.said
    );
    let again = run(&["--from", &folder, "--to", &url]).await;
    assert!(
        again.status == Some(0) && again.said.contains("nothing is left to do"),
        "{}",
        again.said
    );

    let mut back = TestServer::stopped(BINARY, &["--egress-allow", "127.0.0.0/8"]);
    let target = back.data().to_str().unwrap().to_owned();
    let came = run(&["--from", &url, "--to", &target, "--output", "json"]).await;
    assert_eq!(came.status, Some(0), "{}", came.said);
    let next = format!("{target}/master.key");
    assert!(
        came.said.contains(&next) && came.said.contains("tidings serve --data"),
        "{}",
        came.said
    );
    let came: Value = serde_json::from_str(&came.printed).unwrap();
    assert_eq!(came["kinds"], gone["kinds"]);

    fs::copy(server.data().join("master.key"), next).unwrap();
    let before = receiver.received().len();
    receiver.at("/stalls", Behaviour::status(200));
    back.restart().await;
    let key = Secret::new(SECRET).unwrap();
    loop {
        let received = receiver.received();
        let mut arrived = BTreeSet::new();
        for request in received[before..].iter().filter(|request| request.path == "/stalls") {
            let token = request.header("x-webhook-secret").unwrap();
            frontegg::verify(&key, token, Some(&request.body), LONG_AGO, u64::MAX / 4).unwrap();
            arrived.insert(request.header("webhook-id").unwrap().to_owned());
        }
        if arrived == accepted {
            break;
        }
        receiver.wait_for(received.len() + 1).await; // panics when nothing more comes
    }
    assert_eq!(back.terminate().await, Some(0));
}

#[tokio::test]
async fn a_folder_in_use_is_not_moved_and_a_move_is_taken_back() {
    let mut server = TestServer::start(BINARY).await;
    let (folder, database) = (server.data().to_str().unwrap().to_owned(), TestDatabase::new().await);
    let url = database.url();
    let refused = run(&["--from", &folder, "--to", &url]).await;
    assert!(refused.status == Some(75) && refused.said.contains("in use"), "{}", refused.said);
    assert_eq!(server.terminate().await, Some(0));

    assert_eq!(run(&["--from", &folder, "--to", &url]).await.status, Some(0));
    assert_eq!(server.try_restart().await.unwrap_err().status, Some(78));
    let doctor = Command::new(BINARY)
        .env_clear()
        .args(["doctor", "--data", &folder])
        .output()
        .await
        .unwrap();
    let found = String::from_utf8(doctor.stdout).unwrap();
    assert!(doctor.status.code() == Some(1) && found.contains("was moved to"), "{found}");
    let taken = run(&["--take-back", "--from", &folder]).await;
    assert!(
        taken.status == Some(0) && taken.said.contains("can be served again"),
        "{}",
        taken.said
    );
    server.restart().await;
    assert_eq!(server.terminate().await, Some(0));
    let nothing = run(&["--take-back", "--from", &folder]).await;
    assert!(
        nothing.status == Some(73) && nothing.said.contains("nothing to take back"),
        "{}",
        nothing.said
    );
    let full = run(&["--from", &folder, "--to", &url]).await;
    assert!(full.status == Some(73) && full.said.contains("is not empty"), "{}", full.said);

    let nowhere = run(&["--from", "/nowhere", "--to", &url]).await;
    assert!(nowhere.status == Some(66) && nowhere.said.contains("/nowhere"), "{}", nowhere.said);
    let strangers = tempfile::tempdir().unwrap();
    fs::write(strangers.path().join("diary.txt"), "").unwrap();
    let refused = run(&["--from", &folder, "--to", &strangers.path().display().to_string()]).await;
    assert!(
        refused.status == Some(73) && refused.said.contains("holds diary.txt"),
        "{}",
        refused.said
    );
    let away = run(&["--from", "postgres://somebody:hunter2@127.0.0.1:1/none", "--to", "/nowhere"]).await;
    assert!(
        away.status == Some(64) && away.said.contains("--database-password-file") && !away.said.contains("hunter2"),
        "{}",
        away.said
    );
    let away = run(&["--from", "postgres://somebody@127.0.0.1:1/none", "--to", "/nowhere"]).await;
    assert_eq!(away.status, Some(69), "{}", away.said);
}

#[tokio::test]
async fn a_database_with_nothing_in_it_is_not_moved_and_has_nothing_afterwards() {
    let (database, folder) = (TestDatabase::new().await, tempfile::tempdir().unwrap());
    let (url, target) = (database.url(), folder.path().join("target"));

    let refused = run(&["--from", &url, "--to", target.to_str().unwrap()]).await;
    assert!(
        refused.status == Some(66) && refused.said.contains("there is nothing of Tidings in postgres://"),
        "{}",
        refused.said
    );
    let tables = "SELECT count(*) FROM pg_class JOIN pg_namespace ON relnamespace = pg_namespace.oid WHERE nspname = 'public'";
    let made: i64 = database.connect().await.query_one(tables, &[]).await.unwrap().get(0);
    assert_eq!(made, 0);
    assert!(!target.exists());
}
