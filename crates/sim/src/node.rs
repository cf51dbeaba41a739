//! A node: the real engine, application and router, on the shared store, behind a clock and a store of its own moods.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use data_encoding::BASE64;
use prometheus_client::registry::Registry;
use serde_json::Value;
use tidings_app::bootstrap::Bootstrap;
use tidings_app::keys::MasterKeys;
use tidings_app::{App, AppParts};
use tidings_engine::lanes::IN_FLIGHT_MAX;
use tidings_engine::metrics::{AttemptLabels, AttemptResult};
use tidings_engine::{Engine, EngineParts, Metrics, NodeParts};
use tidings_model::EnvironmentId;
use tidings_model::limits::PAYLOAD_BYTES_DEFAULT;
use tidings_runtime::{OnError, Shutdown, TaskSet};
use tidings_server::{MetricsPage, Readiness, Refresh, ServerState};
use tidings_signing::{MasterKey, Vault};
use tower::ServiceExt as _;

use crate::clock::NodeClock;
use crate::dice::entropy;
use crate::network::{Door, Network};
use crate::store::{FaultyStore, Mood};

/// Of the operator, who may do everything everywhere.
const CLIENT_ID: &str = "sim";
const CLIENT_SECRET: &str = "not-a-secret-at-all";
/// Deliveries that a lane takes into memory before it has shown that it answers.
const QUEUED_AT_FIRST: i64 = 512;
/// Deliveries that it takes more for each that was taken from it.
const QUEUED_PER_ANSWER: i64 = 64;
/// Numbers of chance that one node may use, one for each start.
const STARTS_MAX: u64 = 1_000;

/// See the module.
pub(crate) struct Node {
    /// From 0.
    pub(crate) number: usize,
    /// What time it believes it is.
    pub(crate) clock: NodeClock,
    /// Its way to the store.
    pub(crate) store: Arc<FaultyStore>,
    network: Arc<Network>,
    seed: u64,
    beat_every: Duration,
    starts: u64,
    alive: Option<Alive>,
}

struct Alive {
    router: Router,
    tasks: TaskSet,
    metrics: Metrics,
}

/// The figures are not looked at.
struct NoFigures;

#[async_trait::async_trait]
impl Refresh for NoFigures {
    async fn refresh(&self) {}
}

/// What came back.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Null when it is not JSON.
    pub(crate) json: Value,
}

/// A request to a node.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    /// The method.
    pub(crate) method: &'static str,
    /// The path.
    pub(crate) path: String,
    /// The environment.
    pub(crate) environment: EnvironmentId,
    /// The idempotency key.
    pub(crate) key: Option<String>,
    /// The body.
    pub(crate) body: Option<Value>,
}

impl Node {
    /// A node that does not run yet.
    pub(crate) fn new(
        number: usize,
        clock: NodeClock,
        store: Arc<FaultyStore>,
        network: Arc<Network>,
        seed: u64,
        beat_every: Duration,
    ) -> Self {
        Self {
            number,
            clock,
            store,
            network,
            seed,
            beat_every,
            starts: 0,
            alive: None,
        }
    }

    /// Whether it runs.
    pub(crate) const fn is_alive(&self) -> bool {
        self.alive.is_some()
    }

    /// Starts it. The store has no faults until it runs.
    pub(crate) async fn start(&mut self) -> anyhow::Result<()> {
        self.store.set_mood(Mood::default());
        let number = self.number as u64;
        let chance = Arc::new(entropy(self.seed, (1 + number) * STARTS_MAX + self.starts));
        self.starts += 1;
        let (master_key, tasks) = (MasterKey::from_bytes([3; 32]), TaskSet::new(Shutdown::new()));
        let vault = Arc::new(Vault::new(&master_key, &[]));
        let mut registry = Registry::default();
        let figures = Metrics::register(&mut registry);
        let engine = Engine::start(EngineParts {
            store: self.store.clone(),
            transport: Arc::new(Door {
                node: self.number,
                network: Arc::clone(&self.network),
            }),
            vault: Arc::clone(&vault),
            clock: Arc::new(self.clock.clone()),
            entropy: chance.clone(),
            tasks: tasks.clone(),
            metrics: figures.clone(),
            node: NodeParts {
                name: format!("n{number}"),
                beat_every: self.beat_every,
            },
        });
        let parts = AppParts {
            store: self.store.clone(),
            engine: engine.await.context("the engine did not start")?,
            vault,
            master_keys: MasterKeys::given(master_key),
            clock: Arc::new(self.clock.clone()),
            entropy: chance,
            tasks: tasks.clone(),
            payload_bytes_max: PAYLOAD_BYTES_DEFAULT,
        };
        let app = Arc::new(App::new(parts).await.context("the application did not start")?);
        let bootstrap = Bootstrap {
            client_id: Some(CLIENT_ID.to_owned()),
            client_secret: Some(CLIENT_SECRET.to_owned()),
            ..Bootstrap::default()
        };
        app.bootstrap(&bootstrap)
            .await
            .map_err(|problem| anyhow!("no first credential: {problem}"))?;
        let metrics = MetricsPage::new(registry, NoFigures);
        let state = ServerState::new(app, Readiness::new(), metrics, Arc::new(self.clock.clone()));
        self.alive = Some(Alive {
            router: tidings_server::router(state),
            tasks,
            metrics: figures,
        });
        Ok(())
    }

    /// What it has in memory since it was started, when that is more than it may be for so many webhooks.
    pub(crate) fn holds_too_much(&self, webhooks: usize) -> Option<String> {
        let metrics = &self.alive.as_ref()?.metrics;
        let delivered = AttemptLabels {
            result: AttemptResult::Delivered,
        };
        let answered = i64::try_from(metrics.attempts.get_or_create(&delivered).get()).unwrap_or(i64::MAX);
        let (queued, in_flight) = (metrics.queued.get(), metrics.in_flight.get());
        let webhooks = i64::try_from(webhooks).unwrap_or(i64::MAX);
        let may_queue = QUEUED_AT_FIRST * webhooks + QUEUED_PER_ANSWER * answered;
        let may_fly = i64::try_from(IN_FLIGHT_MAX).unwrap_or(i64::MAX);
        (queued > may_queue || in_flight > may_fly).then(|| {
            format!(
                "n{} had {queued} deliveries in memory (of {may_queue}) and {in_flight} attempts under way (of {may_fly})",
                self.number
            )
        })
    }

    /// Ends it where it stands: nothing that it was doing goes on, and nobody who asked it gets an answer.
    pub(crate) fn crash(&mut self) {
        if let Some(alive) = self.alive.take() {
            alive.tasks.shutdown().force();
        }
    }

    /// Sends a request, whose answer is given to `then` unless the node crashes before.
    pub(crate) fn ask(&self, ask: Ask, then: impl FnOnce(Answer) + Send + 'static) {
        let Some(alive) = &self.alive else {
            return;
        };
        let router = alive.router.clone();
        alive.tasks.spawn("request", OnError::Log, async move {
            let answer = answer(router, ask).await;
            then(answer.unwrap_or_else(|error| Answer {
                status: 0,
                json: Value::String(format!("{error:#}")),
            }));
            Ok::<(), Infallible>(())
        });
    }
}

async fn answer(router: Router, ask: Ask) -> anyhow::Result<Answer> {
    let credential = BASE64.encode(format!("{CLIENT_ID}:{CLIENT_SECRET}").as_bytes());
    let mut request = Request::builder()
        .method(ask.method)
        .uri(&ask.path)
        .header("authorization", format!("Basic {credential}"))
        .header("tidings-environment", ask.environment.to_string());
    if let Some(key) = &ask.key {
        request = request.header("idempotency-key", key);
    }
    let body = match &ask.body {
        Some(body) => {
            request = request.header("content-type", "application/json");
            Body::from(body.to_string())
        }
        None => Body::empty(),
    };
    let response = router.oneshot(request.body(body)?).await?;
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, usize::MAX).await?;
    Ok(Answer {
        status: parts.status.as_u16(),
        json: serde_json::from_slice(&bytes).unwrap_or_default(),
    })
}
