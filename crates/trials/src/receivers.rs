//! The receivers of a trial: on one port, each on a path of its own, well-behaved or not. What they get goes into the ledger.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use tidings_runtime::{Clock, OnError, Shutdown, SystemClock, TaskSet};
use tokio::net::TcpListener;

use crate::ledger::Ledger;

/// How long a slow receiver takes.
const SLOW: Duration = Duration::from_millis(150);
/// A flapping receiver fails for the first part of each of these spans, in milliseconds.
const FLAP_MS: (i64, i64) = (2_000, 6_000);
/// Keys that the events of a trial have, in turns; a manner is subscribed to some of them.
pub(crate) const KEYS: u64 = 50;

/// How a receiver behaves. Each has a webhook of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Manner {
    /// Answers 200 at once.
    Healthy,
    /// Answers 200 after a while.
    Slow,
    /// Answers 500.
    Failing,
    /// Never answers.
    Hanging,
    /// Answers 500 for two seconds of six, and 200 otherwise.
    Flapping,
}

impl Manner {
    /// All of them.
    pub(crate) const ALL: [Self; 5] = [Self::Healthy, Self::Slow, Self::Failing, Self::Hanging, Self::Flapping];

    const fn name(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Slow => "slow",
            Self::Failing => "failing",
            Self::Hanging => "hanging",
            Self::Flapping => "flapping",
        }
    }

    /// Whether it is subscribed to the event with that number. What moves slowly gets little.
    pub(crate) const fn gets(self, number: u64) -> bool {
        let key = number % KEYS;
        match self {
            Self::Healthy => true,
            Self::Slow => key < 4,
            Self::Failing => key < 2,
            Self::Hanging => key == 7,
            Self::Flapping => key >= 40,
        }
    }

    /// Whether the event with that number has to arrive there and be answered 2xx.
    pub(crate) const fn must_get(self, number: u64) -> bool {
        matches!(self, Self::Healthy | Self::Slow | Self::Flapping) && self.gets(number)
    }
}

/// See the module. They end when this is dropped.
pub(crate) struct Receivers {
    address: SocketAddr,
    shutdown: Shutdown,
}

#[derive(Clone)]
struct Desk {
    ledger: Arc<Ledger>,
    clock: SystemClock,
}

impl Receivers {
    /// Listens on a port of its own of this machine.
    pub(crate) async fn start(ledger: Arc<Ledger>) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("loopback has no free port")?;
        let address = listener.local_addr()?;
        let shutdown = Shutdown::new();
        let tasks = TaskSet::new(shutdown.clone());
        let desk = Desk {
            ledger,
            clock: SystemClock::new(),
        };
        let routes = Router::new().route("/{manner}", post(receive)).with_state(desk);
        tasks.spawn("receivers", OnError::Log, async move { axum::serve(listener, routes).await });
        Ok(Self { address, shutdown })
    }

    /// The URL of one of them.
    pub(crate) fn url(&self, manner: Manner) -> String {
        format!("http://{}/{}", self.address, manner.name())
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.shutdown.force();
    }
}

async fn receive(State(desk): State<Desk>, Path(name): Path<String>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Some(manner) = Manner::ALL.into_iter().find(|manner| manner.name() == name) else {
        desk.ledger.broken(format!("a delivery came to /{name}, where there is no webhook"));
        return StatusCode::NOT_FOUND;
    };
    match manner {
        Manner::Slow => desk.clock.sleep(SLOW).await,
        Manner::Hanging => std::future::pending().await,
        Manner::Healthy | Manner::Failing | Manner::Flapping => {}
    }
    let flaps = desk.clock.now().as_millis() % FLAP_MS.1 < FLAP_MS.0;
    let well = manner != Manner::Failing && !(manner == Manner::Flapping && flaps);
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok());
    desk.ledger.arrived(manner, id, &body, well);
    if well { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}
