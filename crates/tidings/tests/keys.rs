//! A new master key while the server serves: nothing is refused, nothing is lost, and `kill -9` may come at any time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use http::Method;
use parking_lot::Mutex;
use serde_json::json;
use tidings_engine::sealing::{reseal_server_key, reseal_webhook};
use tidings_runtime::{Clock, SystemClock, SystemEntropy};
use tidings_signing::{MasterKey, Secret, Vault, frontegg};
use tidings_store::Store;
use tidings_store_sqlite::{SqliteOptions, SqliteStore};
use tidings_testkit::server::TestClient;
use tidings_testkit::{TestReceiver, TestServer};
use tokio::sync::Notify;
use tokio::task::JoinSet;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
/// Webhooks with something sealed, beside those that are watched.
const WEBHOOKS: usize = 60;
const KILLS: usize = 4;
const PRODUCERS: usize = 2;
const SECRET: &str = "correct-horse-battery";
/// Seconds since 1970 by which no signature has been made.
const LONG_AGO: u64 = 1_700_000_000;

/// What was answered.
#[derive(Default)]
struct Ledger {
    accepted: Mutex<BTreeSet<String>>,
    /// The number of the last secret that was asked for, and of the last that was confirmed.
    asked: AtomicUsize,
    confirmed: AtomicUsize,
    enough: AtomicBool,
    grown: Notify,
}

impl Ledger {
    async fn grows_by(&self, more: usize) {
        let wanted = self.accepted.lock().len() + more;
        loop {
            let grown = self.grown.notified();
            if self.accepted.lock().len() >= wanted {
                return;
            }
            grown.await;
        }
    }

    fn over(&self) -> bool {
        self.enough.load(Ordering::SeqCst)
    }
}

/// Publishes until the server does not answer any more, or it is enough. Nothing is refused.
async fn produce(client: TestClient, ledger: Arc<Ledger>) {
    let event = r#"{"eventKey":"frontegg.user.created","payload":{"user":{"id":"u"}}}"#;
    while !ledger.over() {
        let Some(answer) = client.ask(Method::POST, "/v1/events", event).await else {
            return;
        };
        assert_eq!(answer.status, 202, "{}", answer.json);
        ledger.accepted.lock().insert(answer.json["id"].as_str().unwrap().to_owned());
        ledger.grown.notify_waiters();
    }
}

/// Gives a webhook one secret after the other. Nothing is refused.
async fn change(client: TestClient, webhook: String, ledger: Arc<Ledger>) {
    while !ledger.over() {
        let number = ledger.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let body = json!({"secret": format!("secret number {number}"), "headers": {"x-key": format!("header {number}")}});
        let path = format!("/v1/webhooks/{webhook}");
        let Some(answer) = client.ask(Method::PATCH, &path, &body.to_string()).await else {
            return;
        };
        assert_eq!(answer.status, 200, "{}", answer.json);
        ledger.confirmed.store(number, Ordering::SeqCst);
    }
}

async fn webhook(server: &TestServer, url: &str, key: &str, secret: &str) -> String {
    let body = json!({"url": url, "eventKeys": [key], "secret": secret, "headers": {"x-api-key": "a header"}});
    let created = server.post("/v1/webhooks", &body.to_string()).await;
    assert_eq!(created.status, 201, "{}", created.json);
    created.json["id"].as_str().unwrap().to_owned()
}

/// What a webhook's secret is.
async fn secret(server: &TestServer, webhook: &str) -> String {
    let answer = server.get(&format!("/v1/webhooks/{webhook}/secret")).await;
    answer.json["secret"]
        .as_str()
        .unwrap_or_else(|| panic!("{}", answer.json))
        .to_owned()
}

/// Waits until nothing is left that an older key sealed, and its file is gone.
async fn finished(server: &TestServer) -> Vec<String> {
    let next = server.data().join("master.key.next");
    let keys = server
        .until("/v1/keys", |keys| {
            let all = keys["masterKeys"].as_array().into_iter().flatten();
            !next.exists() && all.clone().count() > 0 && all.clone().all(|key| key["state"] != "retiring")
        })
        .await;
    let all = keys["masterKeys"].as_array().unwrap();
    assert!(all[1..].iter().all(|key| key["sealed"] == 0), "{keys}");
    all.iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

/// Runs a command of somebody who has the data folder and nothing else.
fn tidings(arguments: &[&str], data: &Path) -> Output {
    Command::new(BINARY)
        .env_clear()
        .args(arguments)
        .arg("--data")
        .arg(data)
        .output()
        .unwrap()
}

fn said(output: &Output) -> String {
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

fn key_in(file: &Path) -> String {
    fs::read_to_string(file).unwrap().parse::<MasterKey>().unwrap().id().to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_master_key_changes_under_load_and_through_kill_9_without_a_refusal_or_a_loss() {
    let receiver = TestReceiver::start().await;
    let mut server = TestServer::start(BINARY).await;
    let watched = webhook(&server, &receiver.url("/"), "frontegg.user.created", SECRET).await;
    let changing = webhook(&server, &receiver.url("/"), "frontegg.user.deleted", "secret number 0").await;
    for number in 0..WEBHOOKS {
        webhook(
            &server,
            &receiver.url("/"),
            "frontegg.user.deleted",
            &format!("quiet secret {number}"),
        )
        .await;
    }
    let first_key = key_in(&server.data().join("master.key"));
    let ledger = Arc::new(Ledger::default());
    let load = |server: &TestServer| {
        let mut load = JoinSet::new();
        for _ in 0..PRODUCERS {
            load.spawn(produce(server.client(), Arc::clone(&ledger)));
        }
        load.spawn(change(server.client(), changing.clone(), Arc::clone(&ledger)));
        load
    };

    for kill in 0..KILLS {
        let load = load(&server);
        ledger.grows_by(5).await;
        let client = server.client();
        let mut rotation = JoinSet::new();
        rotation.spawn(async move { client.ask(Method::POST, "/v1/keys/master/rotate", "{}").await });
        // Each kill comes at another time after the order to change the key.
        ledger.grows_by(1 + 4 * kill).await;
        server.kill().await;
        load.join_all().await;
        rotation.join_all().await;
        server.restart().await;
        finished(&server).await;
        assert!(secret_number(&secret(&server, &changing).await) >= ledger.confirmed.load(Ordering::SeqCst));
    }

    // And once to its end while it serves, by the command.
    let load = load(&server);
    ledger.grows_by(5).await;
    let before = key_in(&server.data().join("master.key"));
    let safe = tempfile::tempdir().unwrap();
    let copy = safe.path().join("old.key");
    rotate_by_command(&server, &copy).await;
    ledger.grows_by(5).await;
    ledger.enough.store(true, Ordering::SeqCst);
    load.join_all().await;
    let ids = finished(&server).await;
    let after = key_in(&server.data().join("master.key"));
    assert_eq!((key_in(&copy), &ids[0]), (before.clone(), &after));
    assert!(before != after && first_key != after && ids.contains(&first_key));

    // Everything that was answered is there, and signed with what was set.
    let last = secret_number(&secret(&server, &changing).await);
    assert_eq!(last, ledger.confirmed.load(Ordering::SeqCst));
    assert_eq!(secret(&server, &watched).await, SECRET);
    all_are_delivered(&receiver, &ledger).await;
    let key = Secret::new(SECRET).unwrap();
    for request in receiver.received() {
        let token = request.header("x-webhook-secret").unwrap_or_default();
        frontegg::verify(&key, token, Some(&request.body), LONG_AGO, u64::MAX / 4).unwrap();
        assert_eq!(request.header("x-api-key"), Some("a header"));
    }
    println!(
        "{KILLS} kills, {} master keys, {} events accepted, 0 refused, 0 lost, {last} changes of a secret",
        ids.len(),
        ledger.accepted.lock().len()
    );
}

/// Changes the key as an operator does, who is asked first what becomes of the old one.
async fn rotate_by_command(server: &TestServer, copy: &Path) {
    let (data, copy) = (server.data().to_owned(), copy.to_owned());
    let unsaid = tidings(&["keys", "rotate"], &data);
    assert_eq!(unsaid.status.code(), Some(64), "{}", said(&unsaid));
    assert!(said(&unsaid).contains("--save-old-key FILE"), "{}", said(&unsaid));
    let rotate = move || tidings(&["keys", "rotate", "--save-old-key", copy.to_str().unwrap()], &data);
    let rotated = tokio::task::spawn_blocking(rotate).await.unwrap();
    assert!(rotated.status.success(), "{}", said(&rotated));
    let warned = said(&rotated).contains("Backups that were made until now open only with the old key");
    assert!(warned, "{}", said(&rotated));
}

async fn all_are_delivered(receiver: &TestReceiver, ledger: &Ledger) {
    let accepted = ledger.accepted.lock().clone();
    loop {
        let received = receiver.received();
        let arrived: BTreeSet<_> = received.iter().filter_map(|request| request.header("webhook-id")).collect();
        if accepted.iter().all(|id| arrived.contains(id.as_str())) {
            return;
        }
        receiver.wait_for(received.len() + 1).await; // panics when nothing more comes
    }
}

fn secret_number(secret: &str) -> usize {
    secret.strip_prefix("secret number ").unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_keys_of_a_folder_without_a_server_are_changed_too_and_old_backups_open_with_the_old_one() {
    let receiver = TestReceiver::start().await;
    let mut server = TestServer::start(BINARY).await;
    let webhook = webhook(&server, &receiver.url("/"), "*", SECRET).await;
    let data = server.data().to_owned();
    let backup = data.join("backup.db");
    let made = tidings(&["backup", "--to", backup.to_str().unwrap()], &data);
    assert!(made.status.success(), "{}", said(&made));
    server.terminate().await;
    let safe = tempfile::tempdir().unwrap();
    let (before, copy) = (fs::read_to_string(data.join("master.key")).unwrap(), safe.path().join("old.key"));

    let rotated = tidings(&["keys", "rotate", "--save-old-key", copy.to_str().unwrap()], &data);
    assert!(rotated.status.success(), "{}", said(&rotated));
    let tokens = tidings(&["keys", "rotate", "--tokens", "--revoke-tokens"], &data);
    assert!(tokens.status.success(), "{}", said(&tokens));
    let listed = tidings(&["keys", "list"], &data);
    let rows = said(&listed);
    assert!(
        listed.status.success() && rows.contains("retired") && rows.contains("seals 0"),
        "{rows}"
    );
    assert!(!rows.contains(before.trim()), "{rows}");
    assert_ne!(fs::read_to_string(data.join("master.key")).unwrap(), before);
    assert_eq!(fs::read_to_string(&copy).unwrap(), before);
    server.restart().await;
    assert_eq!(secret(&server, &webhook).await, SECRET);
    server.terminate().await;

    // The backup in a folder of its own: with the new key it is refused, with the old one beside it is brought over.
    let restored = tempfile::tempdir().unwrap();
    fs::copy(&backup, restored.path().join("tidings.db")).unwrap();
    fs::copy(data.join("master.key"), restored.path().join("master.key")).unwrap();
    let refused = tidings(&["serve", "--listen", "127.0.0.1:0"], restored.path());
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    assert!(said(&refused).contains(&key_in(&copy)), "{}", said(&refused));
    let brought = Command::new(BINARY)
        .env_clear()
        .env("TIDINGS_OLD_MASTER_KEY", before.trim())
        .args(["keys", "list", "--data"])
        .arg(restored.path())
        .output()
        .unwrap();
    assert!(brought.status.success() && said(&brought).contains("retired"), "{}", said(&brought));
    let alone = tidings(&["keys", "list"], restored.path());
    assert!(alone.status.success() && !said(&alone).contains(before.trim()), "{}", said(&alone));
}

/// Where a change of the master key stood still.
#[derive(Clone, Copy)]
enum Half {
    /// Nothing was sealed anew.
    Begun,
    /// The server's own keys and one webhook were sealed anew.
    UnderWay,
}

/// Leaves a stopped server's folder as a process does that is killed while the master key changes; gives the next key.
async fn change_half(data: &Path, half: Half) -> MasterKey {
    let (old, next) = (read(&data.join("master.key")), MasterKey::from_bytes([7; 32]));
    let file = data.join("master.key.next");
    fs::write(&file, next.expose().as_bytes()).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let (clock, vault) = (SystemClock::new(), Vault::new(&next, &[old]));
    let store = SqliteStore::open(data, SqliteOptions::new(Arc::new(clock))).unwrap();
    assert!(store.change_master_key(next.id().bytes(), clock.now()).await.unwrap());
    if let Half::UnderWay = half {
        let mut anew = Vec::new();
        for key in store.server_keys().await.unwrap() {
            anew.extend(reseal_server_key(&vault, &SystemEntropy, &key).unwrap());
        }
        let first = store.sealed_webhooks(next.id().bytes(), None, 1).await.unwrap();
        anew.extend(reseal_webhook(&vault, &SystemEntropy, &first[0]).0);
        store.reseal(anew).await.unwrap();
    }
    store.close().await;
    next
}

fn read(file: &Path) -> MasterKey {
    fs::read_to_string(file).unwrap().parse().unwrap()
}

/// A stopped server with two webhooks, whose master key was being changed; a backup of it; the old key and the new one.
async fn backed_up_half_changed(receiver: &TestReceiver, half: Half, kept: &Path) -> (PathBuf, MasterKey, MasterKey) {
    let mut server = TestServer::start(BINARY).await;
    webhook(&server, &receiver.url("/first"), "*", SECRET).await;
    webhook(&server, &receiver.url("/second"), "*", SECRET).await;
    server.terminate().await;
    let old = read(&server.data().join("master.key"));
    let next = change_half(server.data(), half).await;
    let copy = kept.join("backup.db");
    let made = tidings(&["backup", "--to", copy.to_str().unwrap()], server.data());
    let said = said(&made);
    assert!(made.status.success() && said.contains("this backup needs both keys"), "{said}");
    for key in [&old, &next] {
        assert!(said.contains(&key.id().to_string()), "{said}");
    }
    let words = doctors_words(server.data(), &[]);
    assert!(words.starts_with("ok") && words.contains("it is being changed to"), "{words}");
    (copy, old, next)
}

fn put_key(data: &Path, key: &MasterKey) {
    let file = data.join("master.key");
    fs::write(&file, key.expose().as_bytes()).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
}

/// What the doctor says of the master key of a folder.
fn doctors_words(data: &Path, arguments: &[&str]) -> String {
    let output = tidings(&[&["doctor", "--listen", "127.0.0.1:0"], arguments].concat(), data);
    let said = said(&output);
    said.lines().find(|line| line.contains("master key")).unwrap_or(&said).to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_from_within_a_change_of_the_key_needs_both_keys_and_everybody_says_so_until_both_are_given() {
    let (receiver, kept) = (TestReceiver::start().await, tempfile::tempdir().unwrap());
    let (copy, old, next) = backed_up_half_changed(&receiver, Half::UnderWay, kept.path()).await;
    let (old_id, from) = (old.id().to_string(), ["restore", "--from", copy.to_str().unwrap()]);
    let names_it = |words: &str| words.contains(&old_id) && words.contains("TIDINGS_OLD_MASTER_KEY");

    let mut restored = TestServer::stopped(BINARY, &["--egress-allow", "127.0.0.0/8"]);
    put_key(restored.data(), &old);
    let refused = tidings(&from, restored.data());
    assert_eq!(refused.status.code(), Some(78), "{}", said(&refused));
    assert!(said(&refused).contains(&next.id().to_string()), "{}", said(&refused));
    put_key(restored.data(), &next);
    let done = tidings(&from, restored.data());
    assert!(done.status.success() && names_it(&said(&done)), "{}", said(&done));
    let words = doctors_words(restored.data(), &[]);
    assert!(words.starts_with("FAIL") && names_it(&words), "{words}");
    let rotated = tidings(&["keys", "rotate", "--discard-old-key"], restored.data());
    assert_eq!(rotated.status.code(), Some(78), "{}", said(&rotated));
    assert!(names_it(&said(&rotated)), "{}", said(&rotated));

    restored.restart().await;
    let under_way = tidings(&["keys", "rotate", "--discard-old-key"], restored.data());
    assert_eq!(under_way.status.code(), Some(75), "{}", said(&under_way));
    assert!(said(&under_way).contains("is being changed already"), "{}", said(&under_way));
    let event = r#"{"eventKey":"frontegg.user.created","payload":{"user":{"id":"u"}}}"#;
    let id = restored.post("/v1/events", event).await.json["id"].as_str().unwrap().to_owned();
    let path = format!("/v1/deliveries?eventId={id}");
    let tried = |list: &serde_json::Value| {
        let all = list["data"].as_array().into_iter().flatten();
        all.clone().count() == 2 && all.clone().all(|delivery| delivery["attempts"] != 0)
    };
    let deliveries = restored.until(&path, tried).await;
    let failed = deliveries["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|delivery| delivery["status"] != "delivered");
    let failed = failed.unwrap()["id"].as_str().unwrap();
    let told = restored.get_raw(&format!("/v1/deliveries/{failed}")).await.text;
    assert!(names_it(&told), "{told}");
    let log = restored.log();
    let line = log
        .iter()
        .find(|line| line.contains("ERROR") && line.contains("was not given"))
        .unwrap();
    assert!(names_it(line), "{line}");
    assert!(!log.iter().any(|line| line.contains("anew: set its secret")), "{log:?}");
    restored.terminate().await;

    let file = kept.path().join("tidings.toml");
    fs::write(&file, format!("old_master_key = \"{}\"", *old.expose())).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let words = doctors_words(restored.data(), &config);
    assert!(words.starts_with("ok"), "{words}");
    restored.argue(&[&["--egress-allow", "127.0.0.0/8"][..], &config].concat());
    restored.restart().await;
    finished(&restored).await;
    restored.terminate().await;
    let words = doctors_words(restored.data(), &[]);
    assert!(words.starts_with("ok") && words.contains("keep a copy"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_that_cannot_open_the_servers_own_keys_says_which_master_key_is_needed_too() {
    let (receiver, kept) = (TestReceiver::start().await, tempfile::tempdir().unwrap());
    let (copy, old, next) = backed_up_half_changed(&receiver, Half::Begun, kept.path()).await;
    let mut restored = TestServer::stopped(BINARY, &[]);
    put_key(restored.data(), &next);
    let done = tidings(&["restore", "--from", copy.to_str().unwrap()], restored.data());
    assert!(done.status.success(), "{}", said(&done));
    let refused = restored.try_restart().await.unwrap_err();
    assert_eq!(refused.status, Some(78), "{}", refused.said);
    let old_id = old.id().to_string();
    let named = refused.said.contains(&old_id) && refused.said.contains("TIDINGS_OLD_MASTER_KEY");
    assert!(named, "{}", refused.said);
}

fn tidings_given(key: &MasterKey, arguments: &[&str], data: &Path) -> Output {
    Command::new(BINARY)
        .env_clear()
        .env("TIDINGS_MASTER_KEY", key.expose().as_str())
        .args(arguments)
        .arg("--data")
        .arg(data)
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_keeps_a_key_from_being_changed_is_told_apart_by_the_status_with_a_server_and_without() {
    let mut server = TestServer::start(BINARY).await;
    let data = server.data().to_owned();
    let rotate = ["keys", "rotate", "--discard-old-key"];
    let listed = tidings(&["keys", "list", "--output", "json"], &data);
    let online: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    server.terminate().await;

    let listed = tidings(&["keys", "list", "--output", "json"], &data);
    let offline: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(offline, online);
    let rotated = tidings(&[&rotate[..], &["--output", "json"]].concat(), &data);
    let keys: serde_json::Value = serde_json::from_slice(&rotated.stdout).unwrap();
    assert_eq!(keys["masterKeys"][1]["state"], "retired", "{keys}");

    let key = read(&data.join("master.key"));
    fs::remove_file(data.join("master.key")).unwrap();
    let given = tidings_given(&key, &rotate, &data);
    assert_eq!(given.status.code(), Some(78), "{}", said(&given));
    assert!(said(&given).contains("TIDINGS_OLD_MASTER_KEY"), "{}", said(&given));
    let another = tidings_given(&MasterKey::from_bytes([9; 32]), &rotate, &data);
    assert_eq!(another.status.code(), Some(78), "{}", said(&another));
    assert!(said(&another).contains(&key.id().to_string()), "{}", said(&another));
    let config = data.join("tidings.toml");
    fs::write(&config, format!("master_key = \"{}\"", *key.expose())).unwrap();
    server.argue(&["--config", config.to_str().unwrap()]);
    server.restart().await;
    let served = tidings_given(&key, &rotate, &data);
    assert_eq!(served.status.code(), Some(78), "{}", said(&served));
    assert!(said(&served).contains("TIDINGS_OLD_MASTER_KEY"), "{}", said(&served));
    server.terminate().await;
    put_key(&data, &key);

    // Half changed, and one of the two keys is away: what is needed is said, not that it is being changed.
    change_half(&data, Half::Begun).await;
    fs::rename(data.join("master.key.next"), data.join("master.key")).unwrap();
    let missing = tidings(&rotate, &data);
    assert_eq!(missing.status.code(), Some(78), "{}", said(&missing));
    assert!(said(&missing).contains(&key.id().to_string()), "{}", said(&missing));
}
