//! An application on the in-memory store, with a network that answers 200 to everything.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use prometheus_client::registry::Registry;
use tidings_app::bootstrap::Bootstrap;
use tidings_app::keys::MasterKeys;
use tidings_app::webhooks::WebhookDraft;
use tidings_app::{App, AppParts, Caller};
use tidings_engine::{Engine, EngineParts, Metrics, NodeParts};
use tidings_model::{EndpointUrl, EnvironmentId, Exchange, Failure, FailureKind, OutboundRequest, Reply, Timestamp, Transport};
use tidings_runtime::{ManualClock, SeededEntropy, Shutdown, TaskSet};
use tidings_signing::MasterKey;
use tidings_store::{MemStore, Store};

pub(crate) const CLIENT_ID: &str = "first-client";
pub(crate) const CLIENT_SECRET: &str = "first-client-secret";
/// The bytes of the master key.
pub(crate) const MASTER_KEY: [u8; 32] = [9; 32];

/// Answers 200, and refuses the host that no policy would allow.
#[derive(Default)]
pub(crate) struct Network {
    pub(crate) got: Mutex<Vec<OutboundRequest>>,
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, request: &OutboundRequest) -> Exchange {
        self.got.lock().push(request.clone());
        let reply = Reply {
            status: 200,
            headers: Vec::new(),
            body: Bytes::from_static(b"thanks"),
            body_truncated: false,
        };
        Exchange {
            reply: Some(reply),
            ..Exchange::default()
        }
    }

    async fn vet(&self, _: EnvironmentId, url: &EndpointUrl) -> Result<(), Failure> {
        match url.host().to_string().as_str() {
            "forbidden.test" => Err(Failure::new(FailureKind::Refused, "address refused by policy")),
            _ => Ok(()),
        }
    }
}

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    /// Where the application's long work runs.
    pub(crate) tasks: TaskSet,
    pub(crate) store: Arc<MemStore>,
    pub(crate) clock: ManualClock,
    pub(crate) network: Arc<Network>,
    /// The first credential: an operator.
    pub(crate) operator: Caller,
}

impl World {
    pub(crate) async fn new() -> Self {
        let clock = ManualClock::at(Timestamp::from_seconds(1_700_000_000));
        let store = Arc::new(MemStore::new());
        let app = app(&store, &clock, &Arc::default(), &TaskSet::new(Shutdown::new())).await;
        let given = Bootstrap {
            client_id: Some(CLIENT_ID.to_owned()),
            client_secret: Some(CLIENT_SECRET.to_owned()),
            ..Bootstrap::default()
        };
        app.bootstrap(&given).await.unwrap().unwrap();
        let network = Arc::new(Network::default());
        let tasks = TaskSet::new(Shutdown::new());
        let app = Arc::new(self::app(&store, &clock, &network, &tasks).await);
        let operator = app.authenticate_basic(CLIENT_ID, CLIENT_SECRET).unwrap();
        Self {
            app,
            tasks,
            store,
            clock,
            network,
            operator,
        }
    }

    /// Another node on the same store, and what ends its tasks.
    pub(crate) async fn other_node(&self) -> (App, TaskSet) {
        let tasks = TaskSet::new(Shutdown::new());
        (app(&self.store, &self.clock, &self.network, &tasks).await, tasks)
    }

    /// A credential of another environment, without the operator's scope.
    pub(crate) async fn stranger(&self) -> Caller {
        let other = self
            .app
            .create_environment(&self.operator, "Other", tidings_app::environments::SettingsChange::default())
            .await
            .unwrap();
        let made = self
            .app
            .create_credential(&self.operator, other.id, "stranger", None)
            .await
            .unwrap();
        self.app.authenticate_basic(made.credential.id.as_str(), &made.secret).unwrap()
    }

    pub(crate) fn tenant(&self, tenant: &str) -> Caller {
        let token = self.app.tenant_token(&self.operator, tenant.parse().unwrap(), None, None).unwrap();
        self.app.authenticate_token(&token.token).unwrap()
    }
}

/// A webhook that could be created as it is.
pub(crate) fn draft() -> WebhookDraft {
    WebhookDraft {
        name: "desk".to_owned(),
        url: "https://receiver.test/".to_owned(),
        event_keys: vec!["frontegg.user.created".to_owned()],
        active: true,
        ..WebhookDraft::default()
    }
}

async fn app(store: &Arc<MemStore>, clock: &ManualClock, network: &Arc<Network>, tasks: &TaskSet) -> App {
    let master_keys = MasterKeys::given(MasterKey::from_bytes(MASTER_KEY));
    app_with(master_keys, store, clock, network, tasks).await
}

/// An application that was started with those keys.
pub(crate) async fn app_with(
    master_keys: MasterKeys,
    store: &Arc<MemStore>,
    clock: &ManualClock,
    network: &Arc<Network>,
    tasks: &TaskSet,
) -> App {
    let vault = Arc::new(master_keys.vault());
    let entropy = Arc::new(SeededEntropy::new(store.environments().await.unwrap().len() as u64));
    let engine = Engine::start(EngineParts {
        store: store.clone(),
        transport: network.clone(),
        vault: Arc::clone(&vault),
        clock: Arc::new(clock.clone()),
        entropy: entropy.clone(),
        tasks: TaskSet::new(Shutdown::new()),
        metrics: Metrics::register(&mut Registry::default()),
        node: NodeParts::named("test"),
    })
    .await
    .unwrap();
    let parts = AppParts {
        store: store.clone(),
        engine,
        vault,
        master_keys,
        clock: Arc::new(clock.clone()),
        entropy,
        tasks: tasks.clone(),
        payload_bytes_max: 1_024,
    };
    App::new(parts).await.unwrap()
}
