//! Trying a URL before anything depends on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Answer, Client, Error, Exchange, Secret};

/// A test of a URL that is not saved.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TestRequest {
    /// Where to.
    pub url: String,
    /// The secret to sign with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// Custom headers.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
    /// The event to send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_key: Option<String>,
    /// Its payload; the catalogue's example otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
}

/// A test of a webhook with its own secret and headers.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SavedTest {
    /// The event to send.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event_key: Option<String>,
    /// Its payload; the catalogue's example otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Box<RawValue>>,
}

/// How a test went.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TestReport {
    /// True when the receiver answered 200.
    pub passed: bool,
    /// In one sentence.
    pub summary: String,
    /// What came of it.
    #[serde(flatten)]
    pub exchange: Exchange,
    /// What was sent.
    #[serde(default)]
    pub request: Option<TestedRequest>,
}

/// What a test sent.
#[derive(Clone, Debug, Deserialize)]
pub struct TestedRequest {
    /// The headers.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Box<RawValue>,
}

impl Client {
    /// Sends a test to a URL, signed and guarded like a delivery.
    pub async fn test_url(&self, test: &TestRequest) -> Result<Answer<TestReport>, Error> {
        self.post(&["v1", "webhooks", "test"], test).await
    }

    /// Sends a test to a webhook.
    pub async fn test_webhook(&self, id: &str, test: &SavedTest) -> Result<Answer<TestReport>, Error> {
        self.post(&["v1", "webhooks", id, "test"], test).await
    }
}
