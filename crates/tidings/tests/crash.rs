//! What was answered 202 is delivered, whatever happens to the process.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use parking_lot::Mutex;
use tidings_testkit::server::TestClient;
use tidings_testkit::{Behaviour, TestReceiver, TestServer};
use tokio::sync::Notify;
use tokio::task::JoinSet;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
const ROUNDS: usize = 20;
const PRODUCERS: usize = 6;

/// The client's own ledger: what was answered 202.
#[derive(Default)]
struct Ledger {
    accepted: Mutex<BTreeSet<String>>,
    count: AtomicUsize,
    grown: Notify,
}

impl Ledger {
    fn add(&self, id: String) {
        self.accepted.lock().insert(id);
        self.count.fetch_add(1, Ordering::SeqCst);
        self.grown.notify_waiters();
    }

    async fn reaches(&self, count: usize) {
        loop {
            let grown = self.grown.notified();
            if self.count.load(Ordering::SeqCst) >= count {
                return;
            }
            grown.await;
        }
    }
}

/// Publishes until the server does not answer any more.
async fn produce(client: TestClient, ledger: Arc<Ledger>) {
    while let Some(answer) = client
        .ask(
            Method::POST,
            "/v1/events",
            r#"{"eventKey":"frontegg.user.created","payload":{"user":{"id":"u"}}}"#,
        )
        .await
    {
        assert_eq!(answer.status, 202, "{}", answer.json);
        ledger.add(answer.json["id"].as_str().unwrap().to_owned());
    }
}

fn arrived(receiver: &TestReceiver) -> BTreeSet<String> {
    receiver
        .received()
        .iter()
        .filter_map(|request| request.header("webhook-id").map(str::to_owned))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_kill_9_in_the_middle_of_accepting_and_delivering_every_accepted_event_is_delivered() {
    let receiver = TestReceiver::start().await;
    let mut server = TestServer::start(BINARY).await;
    let created = server
        .post(
            "/v1/webhooks",
            &format!(r#"{{"url":"{}","eventKeys":["*"],"secret":"correct-horse"}}"#, receiver.url("/")),
        )
        .await;
    assert_eq!(created.status, 201, "{}", created.json);
    let ledger = Arc::new(Ledger::default());

    for round in 0..ROUNDS {
        let enough = ledger.count.load(Ordering::SeqCst) + 15 + 11 * (round % 7);
        let mut producers = JoinSet::new();
        for _ in 0..PRODUCERS {
            producers.spawn(produce(server.client(), Arc::clone(&ledger)));
        }
        ledger.reaches(enough).await;
        server.kill().await;
        producers.join_all().await;
        server.restart().await;
    }

    let accepted = ledger.accepted.lock().clone();
    loop {
        let here = receiver.received().len();
        let missing = accepted.difference(&arrived(&receiver)).count();
        if missing == 0 {
            break;
        }
        receiver.wait_for(here + 1).await; // panics when nothing more comes
    }
    let total = receiver
        .received()
        .iter()
        .filter(|request| accepted.contains(request.header("webhook-id").unwrap_or_default()))
        .count();
    println!(
        "{ROUNDS} kills, {} events accepted, 0 lost, {} duplicates",
        accepted.len(),
        total - accepted.len()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sigterm_finishes_what_is_under_way_and_keeps_the_rest() {
    let receiver = TestReceiver::start().await;
    receiver.always(Behaviour::status(500));
    let mut server = TestServer::start(BINARY).await;
    server
        .post("/v1/webhooks", &format!(r#"{{"url":"{}","eventKeys":["*"]}}"#, receiver.url("/")))
        .await;
    let accepted = server
        .post("/v1/events", r#"{"eventKey":"frontegg.user.created","payload":{}}"#)
        .await;
    receiver.wait_for(1).await;

    assert_eq!(server.terminate().await, Some(0));
    receiver.always(Behaviour::status(200));
    server.restart().await;
    let received = receiver.wait_for(2).await;

    assert_eq!(received[1].header("webhook-id"), accepted.json["id"].as_str());
}
