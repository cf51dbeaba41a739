//! One request and its answer.

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use data_encoding::BASE64;
use serde_json::Value;
use tower::ServiceExt;

/// A request that is being put together.
#[derive(Clone)]
pub(crate) struct Ask {
    router: Router,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    /// Null when it is not JSON.
    pub(crate) json: Value,
}

impl Ask {
    pub(crate) fn new(router: Router, method: &str, path: &str) -> Self {
        Self {
            router,
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: Vec::new(),
        }
    }

    /// Without any credential.
    pub(crate) fn anonymous(mut self) -> Self {
        self.headers.retain(|(name, _)| name != "authorization");
        self
    }

    /// With that client id and secret instead.
    pub(crate) fn basic(self, client_id: &str, secret: &str) -> Self {
        let encoded = BASE64.encode(format!("{client_id}:{secret}").as_bytes());
        self.anonymous().header("authorization", &format!("Basic {encoded}"))
    }

    /// With that token instead.
    pub(crate) fn bearer(self, token: &str) -> Self {
        self.anonymous().header("authorization", &format!("Bearer {token}"))
    }

    /// With one more header.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// With those bytes, whatever they are.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// With that JSON.
    pub(crate) fn json(self, body: &Value) -> Self {
        self.header("content-type", "application/json").body(body.to_string())
    }

    pub(crate) async fn send(self) -> Answer {
        let mut request = Request::builder().method(self.method.as_str()).uri(&self.path);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let response = self.router.oneshot(request.body(Body::from(self.body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.into()).unwrap();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            json: serde_json::from_str(&text).unwrap_or_default(),
            text,
        }
    }
}

impl Answer {
    /// Fails unless the status is that one.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// The value at a JSON pointer as text; fails when it is none.
    #[track_caller]
    pub(crate) fn text_at(&self, pointer: &str) -> &str {
        self.json
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("no text at {pointer} of {}", self.text))
    }
}
