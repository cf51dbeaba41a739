//! How a delivery ends, and the reason that people read, against the real binary.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use serde_json::Value;
use tidings_testkit::{Behaviour, TestReceiver, TestServer};

const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
const EVENT: &str = r#"{"eventKey":"frontegg.user.created","tenantId":"acme","payload":{"user":{"id":"u-1"}}}"#;

async fn webhook(server: &TestServer, url: &str) -> String {
    let created = server
        .post("/v1/webhooks", &format!(r#"{{"url":"{url}","eventKeys":["User Management.*"]}}"#))
        .await;
    assert_eq!(created.status, 201, "{}", created.json);
    created.json["id"].as_str().unwrap().to_owned()
}

/// The first delivery of a webhook once it has been tried, with its attempts.
async fn tried(server: &TestServer, webhook: &str) -> Value {
    let list = server
        .until(&format!("/v1/deliveries?webhookId={webhook}"), |list| {
            list["data"][0]["attempts"].as_u64() >= Some(1)
        })
        .await;
    server
        .get(&format!("/v1/deliveries/{}", list["data"][0]["id"].as_str().unwrap()))
        .await
        .json
}

#[tokio::test]
async fn a_404_a_500_and_a_closed_port_are_failures_with_reasons_of_their_own() {
    let receiver = TestReceiver::start().await;
    receiver
        .at("/missing", Behaviour::status(404))
        .at("/broken", Behaviour::status(500));
    let closed = TestReceiver::start().await.url("/"); // dropped at once: nobody listens there any more
    let server = TestServer::start(BINARY).await;
    let missing = webhook(&server, &receiver.url("/missing")).await;
    let broken = webhook(&server, &receiver.url("/broken")).await;
    let nobody = webhook(&server, &closed).await;

    assert_eq!(server.post("/v1/events", EVENT).await.json["deliveries"], 3);

    for (webhook, status, kind) in [
        (missing, Some(404), None),
        (broken, Some(500), None),
        (nobody, None, Some("connect")),
    ] {
        let delivery = tried(&server, &webhook).await;
        let attempt = &delivery["attemptLog"][0];
        assert_eq!(delivery["status"], "retrying", "{delivery}");
        assert_eq!(attempt["statusCode"].as_u64(), status, "{attempt}");
        assert_eq!(attempt["failure"]["kind"].as_str(), kind, "{attempt}");
        assert!(!attempt["retryAt"].is_null(), "{attempt}");
        if kind.is_some() {
            assert!(attempt["failure"]["message"].as_str().unwrap().contains("refused"), "{attempt}");
        }
    }
}

#[tokio::test]
async fn the_log_shows_what_was_sent_and_what_came_back() {
    let receiver = TestReceiver::start().await;
    let server = TestServer::start(BINARY).await;
    let webhook = webhook(&server, &receiver.url("/hook")).await;

    server.post("/v1/events", EVENT).await;

    let received = receiver.wait_for(1).await;
    let delivery = server
        .until(&format!("/v1/deliveries?webhookId={webhook}&status=delivered"), |list| {
            list["data"].as_array().is_some_and(|rows| rows.len() == 1)
        })
        .await;
    let delivery = server
        .get(&format!("/v1/deliveries/{}", delivery["data"][0]["id"].as_str().unwrap()))
        .await
        .json;
    let sent: Value = serde_json::from_slice(&received[0].body).unwrap();
    assert_eq!(delivery["requestBody"], sent);
    assert_eq!(sent["user"]["id"], "u-1");
    assert_eq!(sent["eventKey"], "frontegg.user.created");
    assert_eq!(sent["eventContext"]["tenantId"], "acme");
    assert_eq!(sent["eventContext"]["vendorId"], server.environment().await.as_str());
    for header in delivery["attemptLog"][0]["requestHeaders"].as_array().unwrap() {
        assert_eq!(received[0].header(header[0].as_str().unwrap()), header[1].as_str());
    }
    assert_eq!(delivery["attemptLog"][0]["reply"]["statusCode"], 200);
}

#[tokio::test]
async fn an_answer_of_410_disables_the_webhook() {
    let receiver = TestReceiver::start().await;
    receiver.always(Behaviour::status(410));
    let server = TestServer::start(BINARY).await;
    let webhook = webhook(&server, &receiver.url("/")).await;

    server.post("/v1/events", EVENT).await;

    let state = server
        .until(&format!("/v1/webhooks/{webhook}"), |webhook| webhook["active"] == false)
        .await;
    assert_eq!(state["disabled"]["reason"], "gone");
}

#[tokio::test]
async fn a_delivery_is_sent_again_on_request() {
    let receiver = TestReceiver::start().await;
    let server = TestServer::start(BINARY).await;
    let webhook = webhook(&server, &receiver.url("/")).await;
    server.post("/v1/events", EVENT).await;
    receiver.wait_for(1).await;
    let delivery = tried(&server, &webhook).await;

    let resent = server
        .post(&format!("/v1/deliveries/{}/resend", delivery["id"].as_str().unwrap()), "")
        .await;

    assert_eq!((resent.status, resent.json["trigger"].as_str()), (202, Some("resend")));
    let received = receiver.wait_for(2).await;
    assert_eq!(received[0].body, received[1].body);
    assert_eq!(received[0].header("webhook-id"), received[1].header("webhook-id"));
}

#[tokio::test]
async fn loopback_and_private_addresses_are_refused_by_default_at_creation_and_test() {
    let server = TestServer::start_with(BINARY, &[]).await;
    for url in [
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.0.0.5/",
        "https://2130706433/",
        "https://localhost/",
        "https://169.254.169.254/latest",
    ] {
        let created = server
            .post("/v1/webhooks", &format!(r#"{{"url":"{url}","eventKeys":["*"]}}"#))
            .await;
        assert_eq!(created.status, 422, "{url}: {}", created.json);
        assert_eq!(created.json["errors"][0]["field"], "url");
        assert!(
            created.json["detail"].as_str().unwrap().contains("refused by policy"),
            "{}",
            created.json
        );
        let tested = server.post("/v1/webhooks/test", &format!(r#"{{"url":"{url}"}}"#)).await;
        assert_eq!(
            (tested.json["passed"].as_bool(), tested.json["failure"]["kind"].as_str()),
            (Some(false), Some("refused")),
            "{}",
            tested.json
        );
    }
    let list = server.get("/v1/webhooks").await;
    assert_eq!(list.json["data"].as_array().map(Vec::len), Some(0), "nothing was stored");
}

#[tokio::test]
async fn an_address_that_is_not_allowed_any_more_is_refused_at_delivery() {
    let receiver = TestReceiver::start().await;
    let mut server = TestServer::start(BINARY).await;
    let webhook = webhook(&server, &receiver.url("/")).await;
    server.terminate().await;
    server.argue(&[]);
    server.restart().await;

    server.post("/v1/events", EVENT).await;

    let delivery = tried(&server, &webhook).await;
    assert_eq!(delivery["attemptLog"][0]["failure"]["kind"], "refused", "{delivery}");
    assert!(receiver.received().is_empty());
}
