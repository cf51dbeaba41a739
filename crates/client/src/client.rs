//! The client itself: where the server is, as whom to ask, and one request after the other.

use std::fmt;
use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::client::legacy;
use hyper_util::rt::TokioExecutor;
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::connector::Connector;
use crate::{Answer, Error, Secret};

/// Names the environment that an operator acts in; its value is the environment's id.
pub const ENVIRONMENT_HEADER: &str = "tidings-environment";
/// Makes sending an event again harmless.
const IDEMPOTENCY_HEADER: HeaderName = HeaderName::from_static("idempotency-key");
/// Largest reply that is read: a full page of the largest events fits.
const REPLY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// As whom to ask.
#[derive(Clone, Debug)]
pub enum Auth {
    /// A client id and its secret (HTTP Basic).
    Basic {
        /// The client id.
        client_id: String,
        /// The client secret.
        secret: Secret,
    },
    /// An access token.
    Token(Secret),
    /// Nobody: enough to see whether the server is up.
    Nobody,
}

/// A client of one server. Clones share their connections.
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    base: Url,
    authorization: Option<HeaderValue>,
    environment: Option<HeaderValue>,
}

impl Client {
    /// A client of the server at `url` (http or https; a path in it goes before every path of the API), in the credential's own environment.
    pub fn new(url: &str, auth: &Auth) -> Result<Self, Error> {
        let base = server(url)?;
        let connector = Connector::new(base.scheme() == "https");
        Ok(Self {
            http: legacy::Client::builder(TokioExecutor::new()).build(connector),
            base,
            authorization: authorization(auth)?,
            environment: None,
        })
    }

    /// The same client, acting in the environment of that id. Only operators may leave their own.
    pub fn in_environment(mut self, id: &str) -> Result<Self, Error> {
        let value = HeaderValue::from_str(id).map_err(|_| Error::Unsendable {
            what: format!("the environment id '{}'", id.escape_debug()),
            reason: "it holds characters that no id has",
        })?;
        self.environment = Some(value);
        Ok(self)
    }

    /// The server.
    pub const fn url(&self) -> &Url {
        &self.base
    }

    /// Asks whether the server takes requests; nobody has to be signed in for it.
    pub async fn ready(&self) -> Result<(), Error> {
        self.send(Method::GET, &["readyz"], Query::default(), Payload::None).await.map(drop)
    }

    /// What the server counts, in the text form of Prometheus.
    pub async fn figures(&self) -> Result<String, Error> {
        let text = self.send(Method::GET, &["metrics"], Query::default(), Payload::None).await?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &[&str], query: Query) -> Result<Answer<T>, Error> {
        Answer::read(&self.send(Method::GET, path, query, Payload::None).await?)
    }

    pub(crate) async fn post<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<Answer<T>, Error> {
        let payload = Payload::json(body)?;
        Answer::read(&self.send(Method::POST, path, Query::default(), payload).await?)
    }

    /// A POST that the server carries out once per key.
    pub(crate) async fn post_once<T: DeserializeOwned>(
        &self,
        path: &[&str],
        body: &impl Serialize,
        idempotency_key: Option<&str>,
    ) -> Result<Answer<T>, Error> {
        let key = idempotency_key.map(HeaderValue::from_str).transpose();
        let key = key.map_err(|_| Error::Unsendable {
            what: "the idempotency key".to_owned(),
            reason: "it may hold only visible ASCII characters",
        })?;
        let payload = match (Payload::json(body)?, key) {
            (Payload::Json(bytes), Some(key)) => Payload::JsonOnce(bytes, key),
            (payload, _) => payload,
        };
        Answer::read(&self.send(Method::POST, path, Query::default(), payload).await?)
    }

    pub(crate) async fn patch<T: DeserializeOwned>(&self, path: &[&str], body: &impl Serialize) -> Result<Answer<T>, Error> {
        let payload = Payload::json(body)?;
        Answer::read(&self.send(Method::PATCH, path, Query::default(), payload).await?)
    }

    pub(crate) async fn delete(&self, path: &[&str], query: Query) -> Result<(), Error> {
        self.send(Method::DELETE, path, query, Payload::None).await.map(drop)
    }

    async fn send(&self, method: Method, path: &[&str], query: Query, payload: Payload) -> Result<Bytes, Error> {
        let url = self.address(path, query)?;
        let mut request = Request::builder()
            .method(method)
            .uri(url.as_str())
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("tidings-client/", env!("CARGO_PKG_VERSION")));
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        if let Some(value) = &self.environment {
            request = request.header(ENVIRONMENT_HEADER, value);
        }
        let body = match payload {
            Payload::None => Bytes::new(),
            Payload::Json(bytes) => {
                request = request.header(CONTENT_TYPE, "application/json");
                bytes
            }
            Payload::JsonOnce(bytes, key) => {
                request = request.header(CONTENT_TYPE, "application/json").header(IDEMPOTENCY_HEADER, key);
                bytes
            }
        };
        let request = request.body(Full::new(body)).map_err(|_| Error::Unsendable {
            what: format!("a request for {url}"),
            reason: "it is too long",
        })?;
        let response = self.http.request(request).await.map_err(|error| self.unanswered(&error))?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, REPLY_BYTES_MAX).collect().await.map_err(|error| Error::Broken {
            url: self.base.clone(),
            reason: innermost(&*error).to_string(),
        })?;
        let body = body.to_bytes();
        if head.status.is_success() {
            return Ok(body);
        }
        Err(Error::refusal(url, &head, &body))
    }

    /// The URL of a path below the server's, with ids as they are: none of them can lead to another path.
    fn address(&self, path: &[&str], query: Query) -> Result<Url, Error> {
        if let Some(id) = path.iter().find(|part| matches!(**part, "" | "." | "..")) {
            return Err(Error::Unsendable {
                what: format!("'{id}'"),
                reason: "it is not an id",
            });
        }
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.0.is_empty() {
            url.query_pairs_mut().extend_pairs(query.0);
        }
        Ok(url)
    }

    fn unanswered(&self, error: &legacy::Error) -> Error {
        let cause = innermost(error);
        let (url, reason) = (self.base.clone(), cause.to_string());
        if !error.is_connect() {
            return Error::Broken { url, reason };
        }
        let refused = cause
            .downcast_ref::<io::Error>()
            .is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused);
        Error::Unreachable { url, reason, refused }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.base.as_str())
            .field("environment", &self.environment)
            .finish_non_exhaustive()
    }
}

/// What goes with a request.
enum Payload {
    None,
    Json(Bytes),
    JsonOnce(Bytes, HeaderValue),
}

impl Payload {
    fn json(body: &impl Serialize) -> Result<Self, Error> {
        let bytes = serde_json::to_vec(body).map_err(|_| Error::Unsendable {
            what: "the request".to_owned(),
            reason: "it cannot be written as JSON",
        })?;
        Ok(Self::Json(bytes.into()))
    }
}

/// The parameters of a URL; what is not given is not in it.
#[derive(Default)]
pub(crate) struct Query(Vec<(&'static str, String)>);

impl Query {
    pub(crate) fn put(&mut self, name: &'static str, value: Option<impl ToString>) {
        self.0.extend(value.map(|value| (name, value.to_string())));
    }
}

fn server(text: &str) -> Result<Url, Error> {
    let refused = |reason: String| Error::Address {
        url: text.to_owned(),
        reason,
    };
    let mut url = Url::parse(text).map_err(|error| refused(error.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refused("it has to begin with http:// or https://".to_owned()));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Error::Address {
            url: url.host_str().unwrap_or_default().to_owned(),
            reason: "credentials do not belong in a URL".to_owned(),
        });
    }
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

fn authorization(auth: &Auth) -> Result<Option<HeaderValue>, Error> {
    let (text, what) = match auth {
        Auth::Nobody => return Ok(None),
        Auth::Token(token) => (format!("Bearer {}", token.expose()), "the access token"),
        Auth::Basic { client_id, secret } => {
            let pair = format!("{client_id}:{}", secret.expose());
            (format!("Basic {}", STANDARD.encode(pair)), "the credential")
        }
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| Error::Unsendable {
        what: what.to_owned(),
        reason: "it may hold only visible ASCII characters",
    })?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// The error that started it: what wraps it says less.
fn innermost<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause
}
