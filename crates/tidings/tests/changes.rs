//! Events and changes of what they are matched against, at the same time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use http::Method;
use tidings_testkit::TestServer;
use tidings_testkit::server::TestClient;
use tokio::task::JoinSet;

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
const CHANGERS: usize = 16;
const EVENTS: usize = 100;

/// Changes a webhook of its own again and again.
async fn change(client: TestClient) {
    let draft = r#"{"url":"https://receiver.example/","eventKeys":[],"active":false}"#;
    let made = client.ask(Method::POST, "/v1/webhooks", draft).await.unwrap();
    assert_eq!(made.status, 201, "{}", made.json);
    let path = format!("/v1/webhooks/{}", made.json["id"].as_str().unwrap());
    for number in 0.. {
        let body = format!(r#"{{"description":"{number}"}}"#);
        let changed = client.ask(Method::PATCH, &path, &body).await.unwrap();
        assert_eq!(changed.status, 200, "{}", changed.json);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_accepted_however_fast_others_change_their_webhooks() {
    let server = TestServer::start(BINARY).await;
    let mut changers = JoinSet::new();
    for _ in 0..CHANGERS {
        changers.spawn(change(server.client()));
    }
    for _ in 0..EVENTS {
        let event = r#"{"eventKey":"frontegg.user.created","payload":{"user":{"id":"u"}}}"#;
        let answer = server.post("/v1/events", event).await;
        assert_eq!(answer.status, 202, "{}", answer.json);
    }
    changers.abort_all();
    while let Some(changer) = changers.join_next().await {
        assert!(changer.unwrap_err().is_cancelled(), "a change was refused");
    }
}
