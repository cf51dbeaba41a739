//! Asking the processes of a report over HTTP, in the few places where the typed client of Tidings does not.
//!
//! Never knows: what the answers mean.

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// See the module. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Web(Client<HttpConnector, Full<Bytes>>);

impl Web {
    /// Nobody has been asked yet.
    pub(crate) fn new() -> Self {
        Self(Client::builder(TokioExecutor::new()).build_http())
    }

    /// The text at a URL.
    pub(crate) async fn get(&self, url: &str) -> anyhow::Result<String> {
        self.ask(Method::GET, url, String::new()).await
    }

    /// What is answered to that JSON.
    pub(crate) async fn post(&self, url: &str, json: String) -> anyhow::Result<String> {
        self.ask(Method::POST, url, json).await
    }

    async fn ask(&self, method: Method, url: &str, json: String) -> anyhow::Result<String> {
        let request = Request::builder()
            .method(method)
            .uri(url)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::from(json))?;
        let response = self.0.request(request).await.with_context(|| format!("{url} does not answer"))?;
        let status = response.status();
        let bytes = response.into_body().collect().await?.to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        ensure!(status.is_success(), "{url} answered {status}: {text}");
        Ok(text)
    }
}
