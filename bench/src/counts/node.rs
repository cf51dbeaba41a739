//! The node that is measured: every room that an event passes, wired as the binary wires them, on a runtime of one thread and with a clock whose sleepers
//! sleep long. It is a process of its own, so that a tool can watch it and nothing else.
//!
//! Never knows: who asks it, or what is counted.

use std::io::BufRead as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use prometheus_client::registry::Registry;
use serde::{Deserialize, Serialize};
use tidings_app::bootstrap::Bootstrap;
use tidings_app::keys::MasterKeys;
use tidings_app::{App, AppParts, Problem};
use tidings_egress::{AddressPolicies, Egress, EgressConfig};
use tidings_engine::{Engine, EngineParts, Metrics, NodeParts};
use tidings_model::limits::PAYLOAD_BYTES_DEFAULT;
use tidings_model::{EndpointUrl, EnvironmentId, Exchange, Failure, OutboundRequest, Timestamp, Transport};
use tidings_runtime::{Clock, Entropy, Shutdown, SystemClock, SystemEntropy, TaskSet};
use tidings_server::{MetricsPage, Readiness, Refresh, ServeLimits, ServerState};
use tidings_signing::{MasterKey, Vault};
use tidings_store_sqlite::{SqliteOptions, SqliteStore};
use tokio::net::TcpListener;

use crate::output::print_json;

/// The client id of its only credential.
const CLIENT_ID: &str = "counts";
/// Its secret.
const CLIENT_SECRET: &str = "a-secret-for-counting";
/// Allocated at the first mark and at no other time.
pub(super) const BEGINS_BYTES: usize = 7_654_321;
/// Allocated at the second.
pub(super) const ENDS_BYTES: usize = 7_654_323;
/// How many times longer its sleepers sleep: deadlines are armed and disarmed as ever, and no tick falls into a measurement.
const LONGER: u32 = 1_000;

/// No beat falls into a measurement, and none is missed for want of it: a node that has not beaten for a while sends nothing.
const BEAT_EVERY: Duration = Duration::from_secs(3_600);

/// What the node is told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// An empty folder for its data.
    #[arg(long)]
    pub(super) data: PathBuf,
    /// Send nothing: deliveries wait in their lanes.
    #[arg(long)]
    pub(super) hold: bool,
}

/// The first line it prints.
#[derive(Serialize, Deserialize)]
pub(super) struct Hello {
    /// Its process.
    pub(super) pid: u32,
    /// Where it listens.
    pub(super) address: String,
    /// What proves who asks.
    pub(super) token: String,
    /// Its only environment.
    pub(super) environment: String,
    /// Whether it is a build for use, whose figures say something.
    pub(super) optimised: bool,
}

/// What the application says when it refuses.
fn refused(problem: Problem) -> anyhow::Error {
    anyhow::Error::msg(problem.detail)
}

/// Serves until standard input ends. Every line there is a mark, of which the tool is told.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let clock: Arc<dyn Clock> = Arc::new(LongSleeps(SystemClock::new()));
    let shutdown = Shutdown::new();
    let tasks = TaskSet::new(shutdown.clone());
    let mut registry = Registry::default();
    let app = start(&args, &clock, &tasks, &mut registry).await?;
    let caller = app.authenticate_basic(CLIENT_ID, CLIENT_SECRET).map_err(refused)?;
    let token = app.vendor_token(CLIENT_ID, CLIENT_SECRET).map_err(refused)?.token;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let hello = Hello {
        pid: std::process::id(),
        address: listener.local_addr()?.to_string(),
        token,
        environment: caller.environment().to_string(),
        optimised: !cfg!(debug_assertions),
    };
    let state = ServerState::new(app, Readiness::new(), MetricsPage::new(registry, NoRefresh), Arc::clone(&clock));
    let router = tidings_server::router(state);
    let marks = take_marks(shutdown.clone())?;
    print_json(&hello)?;
    tidings_server::serve(listener, router, clock, ServeLimits::default(), shutdown.clone(), Duration::ZERO).await?;
    shutdown.force();
    tasks.ended().await;
    marks.join().map_err(|_| anyhow::Error::msg("the thread that takes marks panicked"))
}

/// Store, engine and application of a first start.
async fn start(args: &Args, clock: &Arc<dyn Clock>, tasks: &TaskSet, registry: &mut Registry) -> anyhow::Result<Arc<App>> {
    let entropy: Arc<dyn Entropy> = Arc::new(SystemEntropy);
    let store = Arc::new(SqliteStore::open(&args.data, SqliteOptions::new(Arc::clone(clock)))?);
    let master_key = MasterKey::from_bytes(entropy.bytes32());
    let vault = Arc::new(Vault::new(&master_key, &[]));
    let engine = Engine::start(EngineParts {
        store: store.clone(),
        transport: transport(args.hold, clock)?,
        vault: Arc::clone(&vault),
        clock: Arc::clone(clock),
        entropy: Arc::clone(&entropy),
        tasks: tasks.clone(),
        metrics: Metrics::register(registry),
        node: NodeParts {
            beat_every: BEAT_EVERY,
            ..NodeParts::named("counts")
        },
    })
    .await?;
    let parts = AppParts {
        store,
        engine,
        vault,
        master_keys: MasterKeys::given(master_key),
        clock: Arc::clone(clock),
        entropy,
        tasks: tasks.clone(),
        payload_bytes_max: PAYLOAD_BYTES_DEFAULT,
    };
    let app = Arc::new(App::new(parts).await?);
    let bootstrap = Bootstrap {
        client_id: Some(CLIENT_ID.to_owned()),
        client_secret: Some(CLIENT_SECRET.to_owned()),
        ..Bootstrap::default()
    };
    app.bootstrap(&bootstrap).await.map_err(refused)?;
    Ok(app)
}

/// Real sockets, or none.
fn transport(hold: bool, clock: &Arc<dyn Clock>) -> anyhow::Result<Arc<dyn Transport>> {
    if hold {
        return Ok(Arc::new(Held));
    }
    let policies = AddressPolicies::everywhere(vec!["127.0.0.0/8".parse()?]);
    Ok(Arc::new(Egress::new(EgressConfig::new(policies), Arc::clone(clock))?))
}

/// Reads marks on a thread of its own, which costs the others nothing.
fn take_marks(shutdown: Shutdown) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let taking = std::thread::Builder::new().name("marks".to_owned()).spawn(move || {
        let mut lines = std::io::stdin().lock().lines();
        if let Some(Ok(_)) = lines.next() {
            measuring_begins();
        }
        if let Some(Ok(_)) = lines.next() {
            measuring_ends();
        }
        while let Some(Ok(_)) = lines.next() {}
        shutdown.begin();
    });
    taking.context("cannot start a thread")
}

/// Callgrind sets its counters to zero when this is called, and Massif tells of an allocation of that size.
#[inline(never)]
fn measuring_begins() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(BEGINS_BYTES)));
}

/// Callgrind writes its counters down when this is called, and Massif tells of an allocation of that size.
#[inline(never)]
fn measuring_ends() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(ENDS_BYTES)));
}

/// The machine's time, and sleeps that are [`LONGER`].
struct LongSleeps(SystemClock);

#[async_trait]
impl Clock for LongSleeps {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn monotonic_us(&self) -> u64 {
        self.0.monotonic_us()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration * LONGER).await;
    }
}

/// A door out through which nothing goes and which never says so.
struct Held;

#[async_trait]
impl Transport for Held {
    async fn send(&self, _: &OutboundRequest) -> Exchange {
        std::future::pending().await
    }

    async fn vet(&self, _: EnvironmentId, _: &EndpointUrl) -> Result<(), Failure> {
        Ok(())
    }
}

/// Nobody reads the figures.
struct NoRefresh;

#[async_trait]
impl Refresh for NoRefresh {
    async fn refresh(&self) {}
}
