//! A world in which every address of the internet leads to one listener: a network namespace of its own, where it may be had. What the server calls
//! there, it calls; so a forbidden address is one that the listener never hears of, by whatever door.

use std::env;
use std::net::IpAddr;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use tidings_testkit::{LOOPBACK_SPELLINGS, TestNameServer, TestServer, forbidden_ends};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use super::{both_doors_refuse, refused};
use crate::{BINARY, EVENT, first_attempt};

/// Set in the namespace.
const INSIDE: &str = "TIDINGS_TEST_EVERY_ADDRESS_LEADS_HERE";
/// What the listener answers; nobody may ever read it.
const INTERNAL: &str = "the inside of an internal service";
/// Makes every address one of this machine's, as far as the namespace reaches, and goes on with the test.
const EVERYTHING_IS_HERE: &str =
    "ip link set lo up && ip route add local 0.0.0.0/0 dev lo && ip -6 route add local ::/0 dev lo && exec \"$0\" \"$@\"";

/// Listens on every address.
struct Trap {
    port: u16,
    connections: Arc<AtomicUsize>,
    _accepting: JoinSet<()>,
}

impl Trap {
    async fn set() -> Self {
        let listener = match TcpListener::bind("[::]:0").await {
            Ok(both_families) => both_families,
            Err(_) => TcpListener::bind("0.0.0.0:0").await.unwrap(),
        };
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let seen = Arc::clone(&connections);
        let mut accepting = JoinSet::new();
        accepting.spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                seen.fetch_add(1, Ordering::SeqCst);
                let length = INTERNAL.len();
                let answer = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{INTERNAL}");
                let _ = stream.write_all(answer.as_bytes()).await; // whoever called has left
            }
        });
        Self {
            port,
            connections,
            _accepting: accepting,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// Plays the test with that name in a namespace; false where there is none to be had.
fn played_inside(test: &str) -> bool {
    let program = env::current_exe().unwrap();
    let namespaces: [&[&str]; 2] = [&["--net"], &["--user", "--map-root-user", "--net"]];
    for namespace in namespaces {
        let mut inside = Command::new("unshare");
        inside.args(namespace).args(["--", "sh", "-c", EVERYTHING_IS_HERE]);
        let there_is_one = inside.arg("true").status().is_ok_and(|status| status.success());
        if there_is_one {
            let mut inside = Command::new("unshare");
            inside.args(namespace).args(["--", "sh", "-c", EVERYTHING_IS_HERE]).arg(&program);
            let played = inside.args(["--exact", test, "--nocapture"]).env(INSIDE, "1").status().unwrap();
            assert!(played.success(), "it failed in the namespace");
            return true;
        }
    }
    false
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_forbidden_address_is_ever_called_by_any_door() {
    if env::var_os(INSIDE).is_none() && played_inside("addresses::trap::no_forbidden_address_is_ever_called_by_any_door") {
        return;
    }
    let everywhere = env::var_os(INSIDE).is_some();
    if !everywhere {
        println!("no network namespace can be had here: only what spells the loopback is tried");
    }
    let (trap, names) = (Trap::set().await, TestNameServer::start().await);
    let loopbacks = LOOPBACK_SPELLINGS
        .iter()
        .map(|spelling| ((*spelling).to_owned(), "refused by policy"));
    let mut hosts: Vec<(String, &str)> = loopbacks.collect();
    if everywhere {
        for (number, (address, word)) in forbidden_ends().into_iter().enumerate() {
            hosts.extend([(host(address), word), (named(&names, number, address), word)]);
        }
    }
    let resolver = names.address().to_string();
    let strict = ["--egress-resolver", resolver.as_str()];
    let lenient = [&strict[..], &["--egress-allow", "0.0.0.0/0", "--egress-allow", "::/0"]].concat();

    let mut server = TestServer::start_with(BINARY, &strict).await;
    allow_http(&server).await;
    for (host, words) in &hosts {
        both_doors_refuse(&server, &format!("http://{host}:{}/", trap.port), words).await;
    }
    assert_eq!(trap.connections(), 0, "by a door that is asked before anything is stored");

    server.terminate().await;
    server.argue(&lenient);
    server.restart().await;
    let mut webhooks = Vec::new();
    for (host, words) in &hosts {
        webhooks.push((
            crate::webhook(&server, &format!("http://{host}:{}/", trap.port)).await,
            host,
            *words,
        ));
    }
    assert_eq!(trap.connections(), 0, "while webhooks are made");
    server.terminate().await;
    server.argue(&strict);
    server.restart().await;
    assert_eq!(server.post("/v1/events", EVENT).await.json["deliveries"], webhooks.len());
    for (webhook, host, words) in &webhooks {
        let attempt = first_attempt(&server, webhook).await;
        refused(&attempt, words).unwrap_or_else(|wrong| panic!("{host}: {wrong}"));
        let tested = server.post(&format!("/v1/webhooks/{webhook}/test"), "").await;
        refused(&tested.json, words).unwrap_or_else(|wrong| panic!("{host}: {wrong}"));
        assert!(!tested.json.to_string().contains(INTERNAL));
    }
    assert_eq!(trap.connections(), 0, "by a delivery or by a test");

    server.terminate().await;
    server.argue(&lenient);
    server.restart().await;
    for (webhook, ..) in &webhooks {
        server.ask(Method::POST, &format!("/v1/webhooks/{webhook}/test"), "").await.unwrap();
    }
    println!(
        "{} targets refused; once allowed, {} of them are called",
        hosts.len(),
        trap.connections()
    );
    assert!(
        trap.connections() * 2 > hosts.len(),
        "the trap hears whoever calls: {} of {}",
        trap.connections(),
        hosts.len()
    );
}

/// An address as the host of a URL.
fn host(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    }
}

/// A name that leads to an address.
fn named(names: &TestNameServer, number: usize, address: IpAddr) -> String {
    let name = format!("n{number}.test");
    names.answer(&name, &[&address.to_string()]);
    name
}

async fn allow_http(server: &TestServer) {
    let path = format!("/v1/environments/{}", server.environment().await);
    let settings = r#"{"settings":{"httpAllowed":true,"timeoutMs":1000,"retrySchedule":[0,3600]}}"#;
    let set = server.patch(&path, settings).await;
    assert_eq!(set.status, 200, "{}", set.json);
}
