//! A server on the in-memory store, with a clock that stands still and receivers that answer as they are told.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tidings_app::bootstrap::Bootstrap;
use tidings_app::keys::MasterKeys;
use tidings_app::{App, AppParts, Caller};
use tidings_engine::{Engine, EngineParts, Metrics, NodeParts};
use tidings_model::{
    EndpointUrl, EnvironmentId, Exchange, Failure, FailureKind, OutboundRequest, Reply as ReceiverReply, Scopes, Timestamp, Transport,
};
use tidings_runtime::{Clock, ManualClock, SeededEntropy, Shutdown, TaskSet};
use tidings_server::{MetricsPage, Readiness, Refresh, ServerState};
use tidings_signing::{MasterKey, Vault};
use tidings_store::MemStore;
use tower::ServiceExt;

pub(crate) const CLIENT_ID: &str = "my-client-id";
pub(crate) const SECRET: &str = "my-api-key";
/// When every world begins.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_700_000_000);
/// The same, as replies show it.
pub(crate) const START_TEXT: &str = "2023-11-14T22:13:20.000Z";
const PAYLOAD_BYTES_MAX: usize = 4 * 1024;

/// What a receiver does with every request.
#[derive(Clone)]
pub(crate) enum Does {
    Answers(u16, &'static str),
    BreaksOff(u16),
    RefusesConnections,
    NeverAnswers,
}

/// Receivers by URL; those that nobody mentioned answer 200.
#[derive(Default)]
pub(crate) struct Network {
    receivers: Mutex<BTreeMap<String, Does>>,
    got: Mutex<Vec<OutboundRequest>>,
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, request: &OutboundRequest) -> Exchange {
        let does = self.receivers.lock().get(&request.url.to_string()).cloned();
        self.got.lock().push(request.clone());
        let reply = |status, body: &'static str| {
            let body = Bytes::from_static(body.as_bytes());
            Some(ReceiverReply {
                status,
                headers: Vec::new(),
                body,
                body_truncated: false,
            })
        };
        match does.unwrap_or(Does::Answers(200, "OK")) {
            Does::Answers(status, body) => Exchange {
                reply: reply(status, body),
                ..Exchange::default()
            },
            Does::BreaksOff(status) => Exchange {
                reply: reply(status, ""),
                ..Exchange::failed(FailureKind::Disconnected, "the connection ended in the middle of the reply")
            },
            Does::RefusesConnections => Exchange::failed(FailureKind::Connect, "connection refused"),
            Does::NeverAnswers => std::future::pending().await,
        }
    }

    async fn vet(&self, _: EnvironmentId, url: &EndpointUrl) -> Result<(), Failure> {
        if url.to_string().contains("forbidden") {
            return Err(Failure::new(FailureKind::Refused, "the address is forbidden"));
        }
        Ok(())
    }
}

/// Brings no gauge up to date.
struct Nothing;

#[async_trait]
impl Refresh for Nothing {
    async fn refresh(&self) {}
}

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) environment: EnvironmentId,
    pub(crate) operator: Caller,
    router: Router,
    token: String,
    network: Arc<Network>,
    _shutdown: Shutdown,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(START));
        let entropy = Arc::new(SeededEntropy::new(1));
        let store = Arc::new(MemStore::new());
        let network = Arc::new(Network::default());
        let shutdown = Shutdown::new();
        let key = MasterKey::from_bytes([3; 32]);
        let vault = Arc::new(Vault::new(&key, &[]));
        let mut registry = Registry::default();
        let engine = EngineParts {
            store: store.clone(),
            transport: network.clone(),
            vault: vault.clone(),
            clock: clock.clone(),
            entropy: entropy.clone(),
            tasks: TaskSet::new(shutdown.clone()),
            metrics: Metrics::register(&mut registry),
            node: NodeParts::named("test"),
        };
        let engine = Engine::start(engine).await.unwrap();
        let parts = AppParts {
            store,
            engine,
            vault,
            master_keys: MasterKeys::given(key),
            clock: clock.clone(),
            entropy,
            tasks: TaskSet::new(shutdown.clone()),
            payload_bytes_max: PAYLOAD_BYTES_MAX,
        };
        let app = Arc::new(App::new(parts).await.unwrap());
        let bootstrap = Bootstrap {
            client_id: Some(CLIENT_ID.to_owned()),
            client_secret: Some(SECRET.to_owned()),
            ..Bootstrap::default()
        };
        app.bootstrap(&bootstrap).await.unwrap().unwrap();
        let metrics = MetricsPage::new(registry, Nothing);
        let state = ServerState::new(app.clone(), Readiness::new(), metrics, clock);
        let operator = app.authenticate_basic(CLIENT_ID, SECRET).unwrap();
        Self {
            environment: operator.environment(),
            token: app.vendor_token(CLIENT_ID, SECRET).unwrap().token,
            router: tidings_server::router(state),
            operator,
            app,
            network,
            _shutdown: shutdown,
        }
    }

    /// A request with the vendor's token.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask<'_> {
        Ask {
            world: self,
            request: Request::builder().method(method).uri(path),
            token: Some(self.token.clone()),
            body: Body::empty(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.ask("GET", path).send().await
    }

    /// The token of a tenant that may read and write.
    pub(crate) fn tenant_token(&self, tenant: &str) -> String {
        self.app
            .tenant_token(&self.operator, tenant.parse().unwrap(), None, None)
            .unwrap()
            .token
    }

    /// The token of a credential that may do only that.
    pub(crate) async fn token_with(&self, scopes: Scopes) -> String {
        let made = self
            .app
            .create_credential(&self.operator, self.environment, "another", Some(scopes))
            .await
            .unwrap();
        self.app.vendor_token(made.credential.id.as_str(), &made.secret).unwrap().token
    }

    /// Makes an event type of the environment's own, in the category Orders.
    pub(crate) async fn event_type(&self, key: &str) {
        let reply = self
            .ask("POST", "/event/resources/configurations/v1")
            .json(&serde_json::json!({"key": key, "category": "Orders"}))
            .send()
            .await;
        assert_eq!(reply.status, 201, "{}", reply.text);
    }

    /// Makes a webhook for everything, and gives its id.
    pub(crate) async fn webhook(&self, name: &str, tenant: Option<&str>) -> String {
        let body = serde_json::json!({"displayName": name, "url": format!("https://{name}.test/"), "eventKeys": ["*"]});
        let reply = self
            .ask("POST", "/webhook/custom")
            .with("frontegg-tenant-id", tenant.unwrap_or_default())
            .json(&body)
            .send()
            .await;
        assert_eq!(reply.status, 201, "{}", reply.text);
        reply.body["_id"].as_str().unwrap().to_owned()
    }

    /// Triggers a built-in event, lets it be delivered, and gives its id.
    pub(crate) async fn trigger(&self, tenant: Option<&str>) -> String {
        let body = serde_json::json!({"eventKey": "frontegg.user.created", "data": {"title": "T", "description": "D"}});
        let ask = self
            .ask("POST", "/event/resources/triggers/v3")
            .with("frontegg-tenant-id", tenant.unwrap_or_default());
        let reply = ask.json(&body).send().await;
        assert_eq!(reply.status, 202, "{}", reply.text);
        reply.body["eventId"].as_str().unwrap().to_owned()
    }

    /// From now on a receiver does that.
    pub(crate) fn receiver(&self, name: &str, does: Does) {
        self.network.receivers.lock().insert(format!("https://{name}.test/"), does);
    }

    /// The bodies that a receiver got.
    pub(crate) fn received(&self, name: &str) -> Vec<String> {
        let url = format!("https://{name}.test/");
        let got = self.network.got.lock();
        let bodies = got
            .iter()
            .filter(|request| request.url.to_string() == url)
            .map(|request| request.body.to_vec());
        bodies.map(|body| String::from_utf8(body).unwrap()).collect()
    }
}

/// Lets every task run until all of them wait: they share this thread, and none of them waits for the outside world.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

/// A request in the making.
pub(crate) struct Ask<'a> {
    world: &'a World,
    request: axum::http::request::Builder,
    token: Option<String>,
    body: Body,
}

impl Ask<'_> {
    pub(crate) fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    pub(crate) fn text(self, body: &str) -> Self {
        Self {
            body: Body::from(body.to_owned()),
            request: self.request.header("content-type", "application/json"),
            ..self
        }
    }

    pub(crate) fn with(self, name: &str, value: &str) -> Self {
        Self {
            request: self.request.header(name, value),
            ..self
        }
    }

    pub(crate) fn token(self, token: &str) -> Self {
        Self {
            token: Some(token.to_owned()),
            ..self
        }
    }

    pub(crate) fn no_token(self) -> Self {
        Self { token: None, ..self }
    }

    /// Sends it, and lets what follows from it happen.
    pub(crate) async fn send(self) -> Reply {
        let request = match self.token {
            Some(token) => self.request.header("authorization", format!("Bearer {token}")),
            None => self.request,
        };
        let response = self.world.router.clone().oneshot(request.body(self.body).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(to_bytes(body, usize::MAX).await.unwrap().to_vec()).unwrap();
        settle().await;
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: serde_json::from_str(&text).unwrap_or(Value::Null),
            text,
        }
    }
}

/// An answer. `body` is null when it is not JSON.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) text: String,
}

impl Reply {
    /// An error in the shape that every client reads, with that text in it.
    #[track_caller]
    pub(crate) fn is_error(&self, status: u16, expected: &str) {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.body["statusCode"], status, "{}", self.text);
        assert!(self.body["error"].is_string(), "{}", self.text);
        assert!(
            self.body["errors"]
                .as_array()
                .is_some_and(|errors| !errors.is_empty() && errors.iter().all(Value::is_string)),
            "{}",
            self.text
        );
        let message = self.body["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
    }
}
