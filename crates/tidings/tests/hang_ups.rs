//! Callers that hang up before they have their answer.

use serde_json::json;
use tidings_testkit::{TestReceiver, TestServer};
use tokio::task::JoinSet;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
const CALLERS: usize = 150;
const EVENT: &str = r#"{"eventKey":"frontegg.user.created","payload":{"user":{"id":"u"}}}"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_that_was_stored_is_delivered_at_once_although_its_caller_hung_up() {
    let (server, receiver) = (TestServer::start(BINARY).await, TestReceiver::start().await);
    let draft = json!({"url": receiver.url("/"), "eventKeys": ["*"], "secret": "correct-horse"});
    assert_eq!(server.post("/v1/webhooks", &draft.to_string()).await.status, 201);
    let path = format!("/v1/deliveries?limit={}", CALLERS + 1);
    let all_are_delivered = |list: &serde_json::Value| {
        let deliveries = list["data"].as_array().unwrap();
        deliveries.iter().all(|delivery| delivery["status"] == "delivered")
    };
    let (mut answered, mut step) = (0, 20);
    // How long a caller has to wait to be heard is the machine's matter: until enough were, they wait longer.
    loop {
        for patience in 0..CALLERS {
            let client = server.client();
            let mut asking = JoinSet::new();
            asking.spawn(async move { client.post("/v1/events", EVENT).await });
            for _ in 0..patience * step {
                tokio::task::yield_now().await;
            }
            asking.abort_all();
            answered += asking.join_next().await.map_or(0, |asked| usize::from(asked.is_ok()));
        }
        assert_eq!(server.post("/v1/events", EVENT).await.status, 202);
        answered += 1;
        server.until(&path, all_are_delivered).await;
        let heard = receiver.received().len() - answered;
        if heard > 5 {
            return;
        }
        assert!(step < 10_000, "only {heard} callers were heard before they hung up");
        step *= 2;
    }
}
