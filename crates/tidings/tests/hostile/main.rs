//! The hostile world against the real binary: receivers that answer in every wrong way, addresses that nobody may be sent to, and callers that flood.
//!
//! Each of them is a line of a table, and beside each of them everybody else is served as if nothing were wrong. What it costs is read from `/proc`.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod addresses;
mod callers;
mod receivers;

use serde_json::Value;
use tidings_testkit::TestServer;

/// The program under test.
const BINARY: &str = env!("CARGO_BIN_EXE_tidings");
/// An event that every webhook of these tests is subscribed to.
const EVENT: &str = r#"{"eventKey":"frontegg.user.created","tenantId":"acme","payload":{"user":{"id":"u-1"}}}"#;

/// Makes a webhook that takes every event; its id.
async fn webhook(server: &TestServer, url: &str) -> String {
    let created = server
        .post("/v1/webhooks", &format!(r#"{{"url":"{url}","eventKeys":["*"]}}"#))
        .await;
    assert_eq!(created.status, 201, "{url}: {}", created.json);
    created.json["id"].as_str().unwrap().to_owned()
}

/// The first attempt of the first delivery of a webhook, once there is one.
async fn first_attempt(server: &TestServer, webhook: &str) -> Value {
    let path = format!("/v1/deliveries?webhookId={webhook}");
    let list = server.until(&path, |list| list["data"][0]["attempts"].as_u64() >= Some(1)).await;
    let path = format!("/v1/deliveries/{}", list["data"][0]["id"].as_str().unwrap());
    server.get(&path).await.json["attemptLog"][0].clone()
}
