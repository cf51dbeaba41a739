//! A whole server in memory: the application on the in-memory store, a clock that stands still, a network that does as it is told. Requests go straight
//! to the router.

mod ask;
mod network;

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tidings_app::bootstrap::Bootstrap;
use tidings_app::environments::SettingsChange;
use tidings_app::keys::MasterKeys;
use tidings_app::{App, AppParts, Caller};
use tidings_engine::{Engine, EngineParts, Metrics, NodeParts};
use tidings_model::limits::PAYLOAD_BYTES_DEFAULT;
use tidings_model::{EnvironmentId, Timestamp};
use tidings_runtime::{ManualClock, SeededEntropy, Shutdown, TaskSet};
use tidings_server::{MetricsPage, Readiness, Refresh, ServerState};
use tidings_signing::{MasterKey, Vault};
use tidings_store::MemStore;

pub(crate) use ask::{Answer, Ask};
pub(crate) use network::{Does, Network};

/// When every world begins.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_700_000_000);
/// The first credential of every world: an operator's, of the first environment.
pub(crate) const CLIENT_ID: &str = "operator";
/// Its secret.
pub(crate) const CLIENT_SECRET: &str = "a-secret-for-tests";

/// See the module.
pub(crate) struct World {
    pub(crate) state: ServerState,
    router: Router,
    pub(crate) clock: ManualClock,
    pub(crate) network: Arc<Network>,
    /// The first environment.
    pub(crate) environment: EnvironmentId,
}

/// Counts how often it was asked.
struct Refreshed(Gauge);

#[async_trait]
impl Refresh for Refreshed {
    async fn refresh(&self) {
        self.0.inc();
    }
}

impl World {
    /// A first start: one environment, one credential.
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::at(START);
        let store = Arc::new(MemStore::new());
        let network = Arc::new(Network::default());
        let master_key = MasterKey::from_bytes([3; 32]);
        let vault = Arc::new(Vault::new(&master_key, &[]));
        let entropy = Arc::new(SeededEntropy::new(1));
        let mut registry = Registry::default();
        let engine = Engine::start(EngineParts {
            store: store.clone(),
            transport: network.clone(),
            vault: Arc::clone(&vault),
            clock: Arc::new(clock.clone()),
            entropy: entropy.clone(),
            tasks: TaskSet::new(Shutdown::new()),
            metrics: Metrics::register(&mut registry),
            node: NodeParts::named("test"),
        })
        .await
        .unwrap();
        let parts = AppParts {
            store,
            engine,
            vault,
            master_keys: MasterKeys::given(master_key),
            clock: Arc::new(clock.clone()),
            entropy,
            tasks: TaskSet::new(Shutdown::new()),
            payload_bytes_max: PAYLOAD_BYTES_DEFAULT,
        };
        let app = Arc::new(App::new(parts).await.unwrap());
        let bootstrap = Bootstrap {
            client_id: Some(CLIENT_ID.to_owned()),
            client_secret: Some(CLIENT_SECRET.to_owned()),
            ..Bootstrap::default()
        };
        app.bootstrap(&bootstrap).await.unwrap().unwrap();
        let environment = app.authenticate_basic(CLIENT_ID, CLIENT_SECRET).unwrap().environment();
        let refreshed = Gauge::default();
        registry.register("refreshed", "How often the figures were read", refreshed.clone());
        let metrics = MetricsPage::new(registry, Refreshed(refreshed));
        let state = ServerState::new(app, Readiness::new(), metrics, Arc::new(clock.clone()));
        let router = tidings_server::router(state.clone());
        Self {
            state,
            router,
            clock,
            network,
            environment,
        }
    }

    /// The first credential's caller, for asking the application directly.
    pub(crate) fn operator(&self) -> Caller {
        self.state.app.authenticate_basic(CLIENT_ID, CLIENT_SECRET).unwrap()
    }

    /// A request with the first credential. Its path may have a query.
    pub(crate) fn ask(&self, method: &str, path: &str) -> Ask {
        Ask::new(self.router.clone(), method, path).basic(CLIENT_ID, CLIENT_SECRET)
    }

    /// Lets every task run until all of them wait: they share this thread, and none of them waits for the outside world.
    pub(crate) async fn settle(&self) {
        for _ in 0..200 {
            tokio::task::yield_now().await;
        }
    }

    /// A webhook for everything at that URL, with a secret: its id.
    pub(crate) async fn webhook(&self, url: &str) -> String {
        let body = serde_json::json!({"url": url, "eventKeys": ["*"], "secret": "eight-or-more"});
        let created = self.ask("POST", "/v1/webhooks").json(&body).send().await.expect(201);
        created.text_at("/id").to_owned()
    }

    /// Publishes an event with that payload: its id.
    pub(crate) async fn publish(&self, payload: &str) -> String {
        let body = format!(r#"{{"eventKey":"frontegg.user.created","payload":{payload}}}"#);
        self.ask("POST", "/v1/events")
            .body(body)
            .send()
            .await
            .expect(202)
            .text_at("/id")
            .to_owned()
    }

    /// The ids of a list, page by page.
    pub(crate) async fn pages(&self, path: &str) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        let mut next = path.to_owned();
        loop {
            let answer = self.ask("GET", &next).send().await.expect(200);
            let rows = answer.json["data"].as_array().unwrap();
            pages.push(rows.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect());
            let Some(cursor) = answer.json["nextCursor"].as_str() else {
                return pages;
            };
            next = format!("{path}{}cursor={cursor}", if path.contains('?') { '&' } else { '?' });
        }
    }

    /// How many rows a list has.
    pub(crate) async fn count(&self, path: &str) -> usize {
        self.pages(path).await.concat().len()
    }

    /// Another environment and a credential of its own: client id and secret.
    pub(crate) async fn neighbour(&self, scopes: tidings_model::Scopes) -> (EnvironmentId, String, String) {
        let operator = self.operator();
        let environment = self
            .state
            .app
            .create_environment(&operator, "Neighbour", SettingsChange::default())
            .await
            .unwrap();
        let credential = self
            .state
            .app
            .create_credential(&operator, environment.id, "Its own", Some(scopes))
            .await
            .unwrap();
        (environment.id, credential.credential.id.to_string(), credential.secret)
    }

    /// A credential of the first environment with those scopes: client id and secret.
    pub(crate) async fn credential(&self, scopes: tidings_model::Scopes) -> (String, String) {
        let app = &self.state.app;
        let new = app
            .create_credential(&self.operator(), self.environment, "Another", Some(scopes))
            .await
            .unwrap();
        (new.credential.id.to_string(), new.secret)
    }

    /// A token of a tenant of the first environment.
    pub(crate) fn tenant_token(&self, tenant: &str) -> String {
        self.state
            .app
            .tenant_token(&self.operator(), tenant.parse().unwrap(), None, None)
            .unwrap()
            .token
    }
}
