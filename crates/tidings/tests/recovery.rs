//! Backup, restore and verification with the real binary: what was answered 202 survives, and what is wrong is said with a status.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::Method;
use parking_lot::Mutex;
use serde_json::Value;
use tidings_runtime::{SystemClock, within};
use tidings_testkit::server::TestClient;
use tidings_testkit::{Behaviour, TestReceiver, TestServer};
use tokio::process::Command;
use tokio::task::JoinSet;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
const PRODUCERS: usize = 3;
/// How long something may take that comes by itself.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOPBACK: [&str; 2] = ["--egress-allow", "127.0.0.0/8"];

/// What a command ended with: its status, what it printed, and what it said.
struct Ended {
    status: Option<i32>,
    printed: String,
    said: String,
}

async fn run(arguments: &[&str], data: &Path) -> Ended {
    let ended = Command::new(BINARY)
        .env_clear()
        .args(arguments)
        .arg("--data")
        .arg(data)
        .output()
        .await
        .unwrap();
    Ended {
        status: ended.status.code(),
        printed: String::from_utf8(ended.stdout).unwrap(),
        said: String::from_utf8(ended.stderr).unwrap(),
    }
}

/// Verifies a folder in which nothing is wrong, and gives the report.
async fn sound(data: &Path) -> Value {
    let ended = run(&["verify", "--output", "json"], data).await;
    let report: Value = serde_json::from_str(&ended.printed).unwrap_or_else(|_| panic!("{}", ended.said));
    assert!(ended.status == Some(0) && report["sound"] == true, "{report:#}");
    report
}

/// What was answered 202, until somebody says that it is enough.
#[derive(Default)]
struct Ledger {
    accepted: Mutex<BTreeSet<String>>,
    enough: AtomicBool,
}

async fn produce(client: TestClient, ledger: Arc<Ledger>) {
    let event = r#"{"eventKey":"frontegg.user.created","payload":{"user":{"id":"u"}}}"#;
    while !ledger.enough.load(Ordering::SeqCst) {
        let Some(answer) = client.ask(Method::POST, "/v1/events", event).await else {
            return;
        };
        assert_eq!(answer.status, 202, "{}", answer.json);
        ledger.accepted.lock().insert(answer.json["id"].as_str().unwrap().to_owned());
    }
}

async fn webhook(server: &TestServer, url: &str) -> String {
    let body = format!(r#"{{"url":"{url}","eventKeys":["*"],"secret":"correct-horse"}}"#);
    let created = server.post("/v1/webhooks", &body).await;
    assert_eq!(created.status, 201, "{}", created.json);
    created.json["id"].as_str().unwrap().to_owned()
}

/// The events that came to a path after so many requests.
fn arrived(receiver: &TestReceiver, path: &str, after: usize) -> BTreeSet<String> {
    let received = receiver.received();
    let here = received[after..].iter().filter(|request| request.path == path);
    here.filter_map(|request| request.header("webhook-id").map(str::to_owned)).collect()
}

/// One webhook takes everything, and one never answers, so that its deliveries are under way or wait.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_made_under_load_is_restored_sound_with_every_event_and_delivers_what_was_pending() {
    let receiver = TestReceiver::start().await;
    receiver.at("/stalls", Behaviour::Stall);
    let mut server = TestServer::start(BINARY).await;
    let environment = format!("/v1/environments/{}", server.environment().await);
    // So long that none of them comes to its end while the test runs, and is retried minutes later.
    let patient = server.patch(&environment, r#"{"settings":{"timeoutMs":60000}}"#).await;
    assert_eq!(patient.status, 200, "{}", patient.json);
    webhook(&server, &receiver.url("/takes")).await;
    webhook(&server, &receiver.url("/stalls")).await;
    let ledger = Arc::new(Ledger::default());
    let mut producers = JoinSet::new();
    for _ in 0..PRODUCERS {
        producers.spawn(produce(server.client(), Arc::clone(&ledger)));
    }
    receiver.wait_for(100).await;

    let kept = tempfile::tempdir().unwrap();
    let copy = kept.path().join("backup.db");
    let before = ledger.accepted.lock().clone();
    let backup = run(&["backup", "--to", copy.to_str().unwrap()], server.data()).await;
    assert!(
        backup.status == Some(0) && backup.said.contains("keep a copy of master.key"),
        "{}",
        backup.said
    );
    sound(server.data()).await;
    ledger.enough.store(true, Ordering::SeqCst);
    producers.join_all().await;
    let accepted = ledger.accepted.lock().len();
    server.kill().await;
    let lost = receiver.received().len();

    let mut restored = TestServer::stopped(BINARY, &LOOPBACK);
    fs::copy(server.data().join("master.key"), restored.data().join("master.key")).unwrap();
    let restore = run(&["restore", "--from", copy.to_str().unwrap()], restored.data()).await;
    assert!(
        restore.status == Some(0) && restore.said.contains("delivered again"),
        "{}",
        restore.said
    );
    let report = sound(restored.data()).await;
    let events = report["lookedAt"]["events"].as_u64().unwrap();
    assert!(events as usize >= before.len(), "{report:#}");

    receiver.at("/stalls", Behaviour::status(200));
    restored.restart().await;
    for id in &before {
        assert_eq!(
            restored.get(&format!("/v1/events/{id}")).await.status,
            200,
            "{id} was answered 202 before the backup"
        );
    }
    loop {
        let here = receiver.received().len();
        if before.is_subset(&arrived(&receiver, "/stalls", lost)) {
            break;
        }
        receiver.wait_for(here + 1).await; // panics when nothing more comes
    }
    assert_eq!(restored.terminate().await, Some(0));
    sound(restored.data()).await;
    println!(
        "{accepted} events accepted, {} of them before the backup, {events} restored, 0 lost",
        before.len()
    );
}

/// A server that accepts, delivers, fails, resends, and whose webhooks come and go, is verified again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_under_load_is_sound_whenever_it_is_looked_at() {
    let receiver = TestReceiver::start().await;
    receiver.at("/fails", Behaviour::status(500));
    let mut server = TestServer::start(BINARY).await;
    webhook(&server, &receiver.url("/takes")).await;
    webhook(&server, &receiver.url("/fails")).await;
    let ledger = Arc::new(Ledger::default());
    let mut producers = JoinSet::new();
    producers.spawn(produce(server.client(), Arc::clone(&ledger)));
    for round in 0..4 {
        let passing = webhook(&server, &receiver.url("/passing")).await;
        receiver.wait_for(receiver.received().len() + 50).await;
        let delivered = server.get("/v1/deliveries?status=delivered&limit=1").await.json;
        let id = delivered["data"][0]["id"].as_str().unwrap().to_owned();
        assert_eq!(server.post(&format!("/v1/deliveries/{id}/resend"), "").await.status / 100, 2);
        let report = sound(server.data()).await;
        assert_eq!(report["served"], true);
        let removed = server.client().ask(Method::DELETE, &format!("/v1/webhooks/{passing}"), "").await;
        assert_eq!(removed.unwrap().status, 204, "round {round}");
        sound(server.data()).await;
    }
    ledger.enough.store(true, Ordering::SeqCst);
    producers.join_all().await;
    server.kill().await;
    assert_eq!(sound(server.data()).await["served"], false, "after kill -9, too");
}

/// The backup comes through a pipe that stands still in the middle, so that the process is killed while the database is half there.
#[tokio::test]
async fn a_restore_that_is_killed_halfway_leaves_no_database_and_is_done_again() {
    let mut server = TestServer::start(BINARY).await;
    assert_eq!(server.terminate().await, Some(0));
    let kept = tempfile::tempdir().unwrap();
    let copy = kept.path().join("backup.db");
    assert_eq!(
        run(&["backup", "--to", copy.to_str().unwrap()], server.data()).await.status,
        Some(0)
    );
    let target = TestServer::stopped(BINARY, &LOOPBACK);
    fs::copy(server.data().join("master.key"), target.data().join("master.key")).unwrap();

    let mut restoring = Command::new(BINARY)
        .env_clear()
        .args(["restore", "--from", "/dev/stdin", "--data"])
        .arg(target.data())
        .stdin(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let bytes = fs::read(&copy).unwrap();
    let mut pipe = restoring.stdin.take().unwrap();
    let half = &bytes[..bytes.len() / 2];
    tokio::io::AsyncWriteExt::write_all(&mut pipe, half).await.unwrap();
    let unfinished = target.data().join("tidings.db.new");
    while !unfinished.exists() {
        tokio::task::yield_now().await;
    }
    restoring.kill().await.unwrap();
    drop(pipe);

    assert!(!target.data().join("tidings.db").exists());
    let nothing = run(&["verify"], target.data()).await;
    assert!(
        nothing.status == Some(66) && nothing.said.contains("there is no database"),
        "{}",
        nothing.said
    );
    let again = run(&["restore", "--from", copy.to_str().unwrap()], target.data()).await;
    assert_eq!(again.status, Some(0), "{}", again.said);
    assert!(!unfinished.exists());
    sound(target.data()).await;
}

#[tokio::test]
async fn what_cannot_be_restored_is_refused_with_a_status_and_what_to_do() {
    let server = TestServer::start(BINARY).await;
    let kept = tempfile::tempdir().unwrap();
    let copy = kept.path().join("backup.db");
    let from = ["restore", "--from", copy.to_str().unwrap()];
    let missing = run(&from, kept.path()).await;
    assert!(
        missing.status == Some(66) && missing.said.contains("cannot read the backup"),
        "{}",
        missing.said
    );
    assert_eq!(
        run(&["backup", "--to", copy.to_str().unwrap()], server.data()).await.status,
        Some(0)
    );

    let in_use = run(&from, server.data()).await;
    assert!(
        in_use.status == Some(75) && in_use.said.contains("is in use by another process"),
        "{}",
        in_use.said
    );
    let folder = tempfile::tempdir().unwrap();
    let without_key = run(&from, folder.path()).await;
    assert!(
        without_key.status == Some(78) && without_key.said.contains("TIDINGS_MASTER_KEY"),
        "{}",
        without_key.said
    );
    fs::write(folder.path().join("tidings.db"), "somebody's").unwrap();
    let taken = run(&from, folder.path()).await;
    assert!(
        taken.status == Some(73) && taken.said.contains("is there already"),
        "{}",
        taken.said
    );
    fs::remove_file(folder.path().join("tidings.db")).unwrap();
    let bytes = fs::read(&copy).unwrap();
    fs::write(&copy, &bytes[..bytes.len() / 3]).unwrap();
    fs::copy(server.data().join("master.key"), folder.path().join("master.key")).unwrap();
    let cut = run(&from, folder.path()).await;
    assert!(cut.status == Some(65) && cut.said.contains("nothing was restored"), "{}", cut.said);
    assert!(!folder.path().join("tidings.db").exists());
}

/// Changes one byte of a stopped server's database, where these bytes are.
fn alter(data: &Path, bytes: &[u8]) {
    let database = data.join("tidings.db");
    let mut content = fs::read(&database).unwrap();
    let place = memchr::memmem::find(&content, bytes).unwrap();
    content[place] ^= 1;
    fs::write(&database, content).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_the_disk_altered_is_named_after_the_start_and_not_sent_and_the_others_are() {
    let receiver = TestReceiver::start().await;
    receiver.always(Behaviour::status(500));
    let mut server = TestServer::start(BINARY).await;
    webhook(&server, &receiver.url("/")).await;
    let mut events = Vec::new();
    for mark in ["as the disk has it", "as it was sent"] {
        let event = format!(r#"{{"eventKey":"frontegg.user.created","payload":{{"mark":"{mark}"}}}}"#);
        events.push(server.post("/v1/events", &event).await.json["id"].as_str().unwrap().to_owned());
    }
    let failed_once = |list: &Value| list["data"].as_array().unwrap().iter().all(|delivery| delivery["attempts"] == 1);
    server.until("/v1/deliveries", failed_once).await;
    assert_eq!(server.terminate().await, Some(0));
    alter(server.data(), b"as the disk has it");

    receiver.always(Behaviour::status(200));
    server.restart().await;
    let received = receiver.wait_for(3).await;
    assert_eq!(received[2].header("webhook-id"), Some(events[1].as_str()));
    let clock = SystemClock::new();
    let told = within(&clock, PATIENCE, async {
        while !server.get_raw("/metrics").await.text.contains("\ntidings_store_findings 1\n") {}
    });
    assert!(told.await.is_ok(), "{:?}", server.log());
    let verified = run(&["verify", "--output", "json"], server.data()).await;
    let report: Value = serde_json::from_str(&verified.printed).unwrap();
    assert_eq!(
        (verified.status, &report["findings"][0]["kind"]),
        (Some(1), &Value::from("alteredBody")),
        "{report:#}"
    );
    assert_eq!(report["findings"][0]["event"], events[0].as_str(), "{report:#}");
    let doctor = run(&["doctor"], server.data()).await;
    assert!(
        doctor.status == Some(1) && doctor.printed.contains("found 1 that is wrong: run `tidings verify`"),
        "{}",
        doctor.printed
    );
    assert_eq!(receiver.received().len(), 3, "the altered one has not come again");

    let kept = tempfile::tempdir().unwrap();
    let backup = run(&["backup", "--to", kept.path().join("copy.db").to_str().unwrap()], server.data()).await;
    assert!(
        backup.status == Some(0) && backup.said.contains("WARNING: the backup is a faithful copy"),
        "{}",
        backup.said
    );
    assert!(
        backup.said.contains(&events[0]) && backup.said.contains("1 findings"),
        "{}",
        backup.said
    );
    assert_eq!(fs::read_dir(kept.path()).unwrap().count(), 1, "nothing is left beside it");
    is_shown_as_altered(&server, &events[0]).await;
}

/// Whoever asks for the event is told, in lists beside the others and alone, and its only delivery has ended.
async fn is_shown_as_altered(server: &TestServer, event: &str) {
    let ended = |list: &Value| {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .all(|delivery| delivery["finishedAt"].is_string())
    };
    let deliveries = server.until("/v1/deliveries", ended).await;
    let delivery = deliveries["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|delivery| delivery["eventId"] == event);
    let delivery = delivery.unwrap();
    assert_eq!(
        (&delivery["status"], &delivery["cancelReason"]),
        (&"cancelled".into(), &"bodyAltered".into())
    );

    let listed = server.get("/v1/events").await.json;
    let altered: Vec<_> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["bodyAltered"].as_bool())
        .collect();
    assert_eq!(altered, [Some(false), Some(true)], "{listed:#}");
    let path = format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap());
    for (path, body) in [(format!("/v1/events/{event}"), "body"), (path.clone(), "requestBody")] {
        let shown = server.get(&path).await;
        assert_eq!(
            (shown.status, &shown.json["bodyAltered"], &shown.json[body]),
            (200, &true.into(), &Value::Null),
            "{path}"
        );
    }
    let again = server.post(&format!("{path}/resend"), "").await;
    assert_eq!(again.status, 409, "{}", again.json);
    assert!(again.json["detail"].as_str().unwrap().contains("altered"), "{}", again.json);

    let log = server.get("/frontegg/webhook/logs").await;
    let row = log.json["rows"]
        .as_array()
        .unwrap()
        .iter()
        .find(|row| row["id"] == delivery["id"])
        .unwrap();
    let body: Value = serde_json::from_str(row["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["bodyAltered"], true, "{log:?}");

    let environment = server.environment().await;
    let cookie = sign_in(server).await;
    for page in [
        "events".to_owned(),
        "deliveries".to_owned(),
        format!("events/{event}"),
        path["/v1/".len()..].to_owned(),
    ] {
        let shown = server
            .send(
                Method::GET,
                &format!("/environments/{environment}/{page}"),
                &[("cookie", &cookie)],
                "",
            )
            .await
            .unwrap();
        assert_eq!(shown.status, 200, "{page}: {}", shown.text);
        assert_eq!(
            shown.text.contains("The disk altered this body"),
            page.contains('/'),
            "{page}: {}",
            shown.text
        );
    }
    for command in [["events", "show", event], ["deliveries", "show", delivery["id"].as_str().unwrap()]] {
        let told = run(&command, server.data()).await;
        assert!(told.printed.contains("The disk altered this body"), "{}{}", told.printed, told.said);
    }
    let listed = run(&["events", "list"], server.data()).await.printed;
    let marked: Vec<_> = listed.lines().filter(|line| line.contains("the disk altered its body")).collect();
    assert!(marked.len() == 1 && marked[0].contains(event), "{listed}");
}

/// Sets up the first owner with the link that the server showed. The cookie of their browser.
async fn sign_in(server: &TestServer) -> String {
    let said = server.log();
    let token = said.iter().find_map(|line| line.split("/setup?token=").nth(1)).unwrap();
    let body = format!(
        "token={}&email=owner@example.com&password=correct+horse+battery+staple",
        token.trim()
    );
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let answer = server.send(Method::POST, "/setup", &form, &body).await.unwrap();
    answer.headers["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
}
