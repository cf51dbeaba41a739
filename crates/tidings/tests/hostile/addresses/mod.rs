//! Addresses that nobody may be sent to, tried at every door of the real binary: creation, test, delivery, redirects, names and names for names.

mod names;
mod trap;

use serde_json::Value;
use tidings_testkit::TestServer;

/// Creation and the test button both refuse that URL with those words, and nothing is stored.
async fn both_doors_refuse(server: &TestServer, url: &str, words: &str) {
    let created = server
        .post("/v1/webhooks", &format!(r#"{{"url":"{url}","eventKeys":["*"]}}"#))
        .await;
    assert_eq!(
        (created.status, created.json["errors"][0]["field"].as_str()),
        (422, Some("url")),
        "{url}: {}",
        created.json
    );
    let reason = created.json["errors"][0]["message"].as_str().unwrap();
    assert!(reason.contains(words), "{url}: {reason}");
    let tested = server.post("/v1/webhooks/test", &format!(r#"{{"url":"{url}"}}"#)).await;
    refused(&tested.json, words).unwrap_or_else(|wrong| panic!("{url}: {wrong}"));
}

/// Whether a try was refused with those words before anything was sent; why not, if not.
fn refused(attempt: &Value, words: &str) -> Result<(), String> {
    let said = attempt["failure"]["message"].as_str().unwrap_or_default();
    let sent_nothing = attempt["reply"].is_null() && attempt["address"].is_null();
    if attempt["failure"]["kind"] == "refused" && said.contains(words) && sent_nothing {
        Ok(())
    } else {
        Err(attempt.to_string())
    }
}
