//! One running node: every room wired to its neighbours, started in order and stopped in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tidings_app::bootstrap::FirstStart;
use tidings_app::{App, AppParts, Code, Problem};
use tidings_egress::{AddressPolicies, Egress, EgressConfig, EgressError, SystemResolver};
use tidings_engine::{Engine, EngineParts, Metrics, NodeParts, StartError};
use tidings_portal::PortalParts;
use tidings_runtime::{Clock, Entropy, OnError, Shutdown, SystemClock, SystemEntropy, TaskSet};
use tidings_server::{Readiness, ServeLimits, ServerState};
use tidings_store::StoreError;
use tidings_store_postgres::OpenError as DatabaseError;
use tidings_store_sqlite::OpenError;

use crate::commands::people::set_up_link;
use crate::config::ServeConfig;
use crate::data_folder::{DataFolder, DataFolderError};
use crate::listen::{ListenError, listen};
use crate::routes;
use crate::stores::NodeStore;
use crate::telemetry::Telemetry;

/// A node could not start; the message says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NodeError {
    /// Its address cannot be had.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Its data folder or its master key cannot be used.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// The database cannot be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The database that several nodes share cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The way out to receivers could not be set up.
    #[error("the way out to receivers could not be set up: {0}")]
    Egress(#[from] EgressError),
    /// The engine did not start.
    #[error(transparent)]
    Engine(#[from] StartError),
    /// The store failed after it was opened.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The first start could not be finished.
    #[error(transparent)]
    FirstStart(#[from] Problem),
}

impl NodeError {
    /// The same of a node whose store is elsewhere: what stands in its way is no disk of this machine.
    fn of_shared(self) -> Self {
        match self {
            Self::Engine(StartError::Store(StoreError::Unavailable(why))) | Self::Store(StoreError::Unavailable(why)) => {
                DatabaseError::Away { why }.into()
            }
            Self::FirstStart(problem) if problem.code == Code::Unavailable => DatabaseError::Away { why: problem.detail }.into(),
            other => other,
        }
    }
}

/// See the module.
pub(crate) struct Node {
    /// Where it listens.
    pub(crate) url: String,
    /// Where people and programs find it: its public URL, or else where it listens.
    pub(crate) base: String,
    /// What the first start of the data folder made.
    pub(crate) first_start: Option<FirstStart>,
    /// The link with which the first owner is set up, while nobody can sign in.
    pub(crate) setup_link: Option<String>,
    /// Ends everything.
    pub(crate) shutdown: Shutdown,
    clock: Arc<dyn Clock>,
    engine: Arc<Engine>,
    store: NodeStore,
    readiness: Readiness,
    http: TaskSet,
    /// The tasks that end with it.
    pub(crate) tasks: TaskSet,
    folder: DataFolder,
}

impl Node {
    /// Opens the store, starts the engine, and listens.
    pub(crate) async fn start(config: &ServeConfig) -> Result<Self, NodeError> {
        let started = Self::begin(config).await;
        started.map_err(|error| if config.database.is_some() { error.of_shared() } else { error })
    }

    async fn begin(config: &ServeConfig) -> Result<Self, NodeError> {
        // First, because a start that cannot listen must not make a credential that nobody sees.
        let (listener, address) = listen(config.listen).await?;
        let url = format!("http://{address}");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
        let shutdown = Shutdown::new();
        let tasks = TaskSet::new(shutdown.clone());
        let mut telemetry = Telemetry::new();
        let (store, folder) = NodeStore::open(config, &clock, &entropy, &mut telemetry).await?;
        let vault = Arc::new(folder.master_keys().vault());
        let engine = Engine::start(EngineParts {
            store: store.verbs(),
            transport: Arc::new(Egress::new(egress(config), Arc::clone(&clock))?),
            vault: Arc::clone(&vault),
            clock: Arc::clone(&clock),
            entropy: Arc::clone(&entropy),
            tasks: tasks.clone(),
            metrics: Metrics::register(telemetry.registry()),
            node: NodeParts::named(name(address)),
        })
        .await
        .inspect_err(|error| {
            if matches!(error, StartError::WrongMasterKey { .. }) {
                folder.forget_made_key();
            }
        })?;
        let app = Arc::new(
            App::new(AppParts {
                store: store.verbs(),
                engine: Arc::clone(&engine),
                vault,
                master_keys: folder.master_keys().clone(),
                clock: Arc::clone(&clock),
                entropy,
                tasks: tasks.clone(),
                payload_bytes_max: config.payload_bytes_max,
            })
            .await?,
        );
        // Before the bootstrap: a folder that takes no more must not make a credential that nobody sees.
        folder.announce(&url)?;
        let first_start = app.bootstrap(&config.bootstrap).await?;
        let base = config.public_url.as_ref().map_or(url.as_str(), url::Url::as_str);
        let base = base.trim_end_matches('/').to_owned();
        let setup_link = app.setup_token().await?.map(|token| set_up_link(&base, &token));
        let readiness = Readiness::new();
        let http = TaskSet::new(Shutdown::new());
        let state = ServerState::new(
            Arc::clone(&app),
            readiness.clone(),
            telemetry.into_page(store.verbs(), Arc::clone(&clock)),
            Arc::clone(&clock),
        );
        let people = PortalParts {
            app,
            clock: Arc::clone(&clock),
            shutdown: http.shutdown().clone(),
            https: config.public_url.as_ref().is_some_and(|url| url.scheme() == "https"),
        };
        let serving = tidings_server::serve(
            listener,
            routes::router(state, people),
            Arc::clone(&clock),
            ServeLimits {
                connections_max: config.max_connections,
            },
            http.shutdown().clone(),
            config.shutdown_grace / 2, // the rest, and what requests leave of it, is for attempts
        );
        http.spawn("http", OnError::StopProcess, serving);
        readiness.set(true);
        Ok(Self {
            url,
            base,
            first_start,
            setup_link,
            shutdown,
            clock,
            engine,
            store,
            readiness,
            http,
            tasks,
            folder,
        })
    }

    /// Stops in order, and waits for requests and attempts at most `grace` in all. False: a task without which nothing works had failed.
    pub(crate) async fn stop(self, grace: Duration) -> bool {
        let begun_us = self.clock.monotonic_us();
        self.readiness.set(false); // 1. no new traffic is sent here
        self.http.shutdown().begin(); // 2. the listener stops, 3. what is being answered is answered
        self.http.ended().await;
        let passed = Duration::from_micros(self.clock.monotonic_us() - begun_us);
        self.engine.stop(grace.saturating_sub(passed)).await; // 4. attempts under way end, 5. leases go back
        self.shutdown.begin();
        self.tasks.ended().await;
        let failed = self.tasks.has_failed() || self.http.has_failed();
        self.folder.withdraw(); // 6. nobody is sent here by the folder, which is this node's until the store is closed
        self.store.close().await; // 7. the writer has written everything
        !failed
    }
}

/// What a node is called among the others: where people find it.
fn name(address: SocketAddr) -> String {
    let machine = rustix::system::uname();
    format!("{}:{}", machine.nodename().to_string_lossy(), address.port())
}

fn egress(config: &ServeConfig) -> EgressConfig {
    let policies = AddressPolicies::new(&config.egress_allow, config.egress_environments.clone());
    let resolver = match config.egress_resolvers.as_slice() {
        [] => SystemResolver::new(),
        servers => SystemResolver::asking(servers),
    };
    EgressConfig {
        policies,
        resolver: Arc::new(resolver),
        extra_roots: config.egress_roots.clone(),
    }
}
