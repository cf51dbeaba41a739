//! A whole server in memory: the application on the in-memory store, receivers that always answer 200, and one operator. Requests go straight to the
//! router, and nothing leaves the process.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Method, Request, Uri};
use bytes::Bytes;
use data_encoding::BASE64;
use prometheus_client::registry::Registry;
use tidings_app::bootstrap::Bootstrap;
use tidings_app::keys::MasterKeys;
use tidings_app::{App, AppParts, Caller};
use tidings_engine::{Engine, EngineParts, Metrics, NodeParts};
use tidings_model::limits::PAYLOAD_BYTES_DEFAULT;
use tidings_model::{EndpointUrl, EnvironmentId, Exchange, Failure, OutboundRequest, Reply, Timestamp, Transport};
use tidings_runtime::{ManualClock, SeededEntropy, Shutdown, TaskSet};
use tidings_server::{MetricsPage, Readiness, Refresh, ServerState};
use tidings_signing::{MasterKey, Vault};
use tidings_store::MemStore;
use tokio::runtime::Runtime;
use tower::ServiceExt;

const CLIENT_ID: &str = "operator";
const CLIENT_SECRET: &str = "a-secret-for-fuzzing";
/// Requests after which a server is replaced, so that what it stored does not pile up.
const REQUESTS_MAX: u32 = 2_000;

/// Receivers: every URL may be called, and answers 200.
struct Everybody;

#[async_trait]
impl Transport for Everybody {
    async fn send(&self, _: &OutboundRequest) -> Exchange {
        Exchange {
            reply: Some(Reply {
                status: 200,
                headers: Vec::new(),
                body: Bytes::new(),
                body_truncated: false,
            }),
            ..Exchange::default()
        }
    }

    async fn vet(&self, _: EnvironmentId, _: &EndpointUrl) -> Result<(), Failure> {
        Ok(())
    }
}

struct NoFigures;

#[async_trait]
impl Refresh for NoFigures {
    async fn refresh(&self) {}
}

/// A running server and the runtime that it runs on.
pub struct Server {
    runtime: Runtime,
    running: Running,
    requests: u32,
}

struct Running {
    app: Arc<App>,
    router: Router,
    shutdown: Shutdown,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// Fails unless a request that was made up is answered as one: never as a fault of the server, and in words.
    pub fn is_no_fault(&self) {
        assert!(
            (200..500).contains(&self.status),
            "{}: {}",
            self.status,
            String::from_utf8_lossy(&self.body)
        );
        let content_type = self.headers.get("content-type").map(|value| value.as_bytes().to_vec());
        if self.status >= 400 {
            let content_type = content_type.expect("a refusal has a type");
            assert!(content_type.starts_with(b"application/"), "a refusal is for programs");
        }
        if !self.body.is_empty() {
            serde_json::from_slice::<serde::de::IgnoredAny>(&self.body).expect("every answer is JSON");
        }
    }
}

impl Default for Server {
    fn default() -> Self {
        Self::new()
    }
}

impl Server {
    /// A first start, with one webhook for everything.
    pub fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .expect("a runtime without threads starts");
        let running = runtime.block_on(Running::start());
        Self {
            runtime,
            running,
            requests: 0,
        }
    }

    /// Sends a request as the operator. `None` when no HTTP request could have this address.
    pub fn ask(&mut self, method: &Method, address: &str, body: &[u8]) -> Option<Answer> {
        let uri: Uri = address.parse().ok()?;
        self.requests += 1;
        if self.requests > REQUESTS_MAX {
            self.requests = 0;
            self.running.shutdown.begin();
            self.running = self.runtime.block_on(Running::start());
        }
        let credential = BASE64.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes());
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("authorization", format!("Basic {credential}"))
            .body(Body::from(body.to_vec()))
            .expect("a method, an address and a header make a request");
        let router = self.running.router.clone();
        Some(self.runtime.block_on(async {
            let Ok(response) = router.oneshot(request).await;
            let (parts, body) = response.into_parts();
            let body = to_bytes(body, usize::MAX).await.expect("a body in memory can be read");
            for _ in 0..8 {
                tokio::task::yield_now().await; // deliveries go on meanwhile
            }
            Answer {
                status: parts.status.as_u16(),
                headers: parts.headers,
                body,
            }
        }))
    }

    /// Runs something with the application, as the operator.
    pub fn with_app<T>(&self, work: impl AsyncFnOnce(&App, Caller) -> T) -> T {
        let app = &self.running.app;
        let caller = app.authenticate_basic(CLIENT_ID, CLIENT_SECRET).expect("the operator is known");
        self.runtime.block_on(work(app, caller))
    }
}

impl Running {
    async fn start() -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::from_seconds(1_700_000_000)));
        let store = Arc::new(MemStore::new());
        let master_key = MasterKey::from_bytes([3; 32]);
        let vault = Arc::new(Vault::new(&master_key, &[]));
        let entropy = Arc::new(SeededEntropy::new(1));
        let shutdown = Shutdown::new();
        let mut registry = Registry::default();
        let engine = Engine::start(EngineParts {
            store: store.clone(),
            transport: Arc::new(Everybody),
            vault: Arc::clone(&vault),
            clock: clock.clone(),
            entropy: entropy.clone(),
            tasks: TaskSet::new(shutdown.clone()),
            metrics: Metrics::register(&mut registry),
            node: NodeParts::named("test"),
        })
        .await
        .expect("an empty store starts");
        let app = Arc::new(
            App::new(AppParts {
                store,
                engine,
                vault,
                master_keys: MasterKeys::given(master_key),
                clock: clock.clone(),
                entropy,
                tasks: TaskSet::new(shutdown.clone()),
                payload_bytes_max: PAYLOAD_BYTES_DEFAULT,
            })
            .await
            .expect("an empty store starts"),
        );
        let bootstrap = Bootstrap {
            client_id: Some(CLIENT_ID.to_owned()),
            client_secret: Some(CLIENT_SECRET.to_owned()),
            ..Bootstrap::default()
        };
        app.bootstrap(&bootstrap).await.expect("a first start makes its operator");
        let metrics = MetricsPage::new(registry, NoFigures);
        let state = ServerState::new(Arc::clone(&app), Readiness::new(), metrics, clock);
        Self {
            app,
            router: tidings_server::router(state),
            shutdown,
        }
    }
}
