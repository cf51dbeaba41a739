//! The receivers of a trial: on one port, each on a path of its own, well-behaved or not. What they get goes into the ledger.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::Router;
use axum::extract::{ConnectInfo, Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use bytes::Bytes;
use tidings_runtime::{Clock, OnError, Shutdown, SystemClock, TaskSet};
use tidings_signing::{Secret, frontegg, standard};
use tokio::net::TcpListener;

use crate::ledger::{Arrival, Ledger, Moment, number_of};

/// How long a slow receiver takes.
const SLOW: Duration = Duration::from_millis(150);
/// A flapping receiver fails for the first part of each of these spans, in milliseconds.
const FLAP_MS: (i64, i64) = (2_000, 6_000);
/// Keys that the events of a trial have, in turns; a manner is subscribed to some of them.
pub(crate) const KEYS: u64 = 50;
/// The secret of all webhooks.
pub(crate) const SECRET: &str = "correct-horse";
/// Tenants that the events of a trial belong to, in turns with none. The first has a webhook of its own.
const TENANTS: [&str; 2] = ["acme", "umbrella"];
/// Seconds that a signature may be old: a node that is paused between signing and sending sends it later.
const SIGNATURE_AGE: u64 = 60;

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
    /// Answers 200 at once; its webhook is that of a tenant.
    Tenant,
    /// Does not answer the first attempt of an event, and 200 the others. For events apart.
    Held,
    /// Answers 200 at once; its webhook is made, changed and removed. For events apart.
    Changing(u32),
}

impl Manner {
    /// Those that every server has a webhook for.
    pub(crate) const ALL: [Self; 6] = [
        Self::Healthy,
        Self::Slow,
        Self::Failing,
        Self::Hanging,
        Self::Flapping,
        Self::Tenant,
    ];

    fn path(self) -> String {
        match self {
            Self::Healthy => "healthy".to_owned(),
            Self::Slow => "slow".to_owned(),
            Self::Failing => "failing".to_owned(),
            Self::Hanging => "hanging".to_owned(),
            Self::Flapping => "flapping".to_owned(),
            Self::Tenant => "tenant".to_owned(),
            Self::Held => "held".to_owned(),
            Self::Changing(number) => format!("changing-{number}"),
        }
    }

    fn of_path(path: &str) -> Option<Self> {
        let known = Self::ALL.into_iter().chain([Self::Held]).find(|manner| manner.path() == path);
        let changing = || Some(Self::Changing(path.strip_prefix("changing-")?.parse().ok()?));
        known.or_else(changing)
    }

    /// The tenant that its webhook belongs to.
    pub(crate) fn tenant(self) -> Option<&'static str> {
        (self == Self::Tenant).then_some(TENANTS[0])
    }

    /// Whether it is subscribed to one of the keys. What moves slowly gets little.
    pub(crate) const fn subscribes(self, key: u64) -> bool {
        match self {
            Self::Healthy | Self::Tenant => true,
            Self::Slow => key < 4,
            Self::Failing => key < 2,
            Self::Hanging => key == 7,
            Self::Flapping => key >= 40,
            Self::Held | Self::Changing(_) => false,
        }
    }

    /// Whether it gets the event with that number.
    pub(crate) fn gets(self, number: u64) -> bool {
        self.subscribes(number % KEYS) && self.tenant().is_none_or(|tenant| tenant_of(number) == Some(tenant))
    }

    /// Whether the event with that number has to arrive there and be answered 2xx.
    pub(crate) fn must_get(self, number: u64) -> bool {
        !matches!(self, Self::Failing | Self::Hanging) && self.gets(number)
    }
}

/// The tenant that the event with that number belongs to.
pub(crate) fn tenant_of(number: u64) -> Option<&'static str> {
    TENANTS.get((number % (TENANTS.len() as u64 + 1)) as usize).copied()
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
    secret: Arc<Secret>,
}

impl Receivers {
    /// Listens on a port of its own of that address, which is one of this machine's.
    pub(crate) async fn start(address: IpAddr, ledger: Arc<Ledger>, clock: SystemClock) -> anyhow::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await;
        let listener = listener.with_context(|| format!("{address} has no free port"))?;
        let address = listener.local_addr()?;
        let shutdown = Shutdown::new();
        let tasks = TaskSet::new(shutdown.clone());
        let secret = Arc::new(Secret::new(SECRET)?);
        let desk = Desk { ledger, clock, secret };
        let routes = Router::new().route("/{manner}", post(receive)).with_state(desk);
        let routes = routes.into_make_service_with_connect_info::<SocketAddr>();
        tasks.spawn("receivers", OnError::Log, async move { axum::serve(listener, routes).await });
        Ok(Self { address, shutdown })
    }

    /// The URL of one of them.
    pub(crate) fn url(&self, manner: Manner) -> String {
        format!("http://{}/{}", self.address, manner.path())
    }
}

impl Drop for Receivers {
    fn drop(&mut self) {
        self.shutdown.force();
    }
}

async fn receive(
    State(desk): State<Desk>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    Path(path): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let moment = Moment {
        at_us: desk.clock.monotonic_us(),
        from: peer.ip(),
    };
    desk.ledger.hears(moment);
    let Some(manner) = Manner::of_path(&path) else {
        desk.ledger.broken(format!("a delivery came to /{path}, where there is no webhook"));
        return StatusCode::NOT_FOUND;
    };
    if let Err(why) = desk.believes(&headers, &body) {
        desk.ledger
            .broken(format!("a delivery to /{path} is not signed as it should be: {why:#}"));
    }
    match manner {
        Manner::Slow => desk.clock.sleep(SLOW).await,
        Manner::Hanging => std::future::pending().await,
        Manner::Held if number_of(&body).is_some_and(|number| desk.ledger.holds(number, moment.at_us)) => std::future::pending().await,
        _ => {}
    }
    let flaps = desk.clock.now().as_millis() % FLAP_MS.1 < FLAP_MS.0;
    let well = manner != Manner::Failing && !(manner == Manner::Flapping && flaps);
    let id = text(&headers, standard::ID_HEADER).ok();
    desk.ledger.arrived(&Arrival {
        manner,
        id,
        body: &body,
        well,
        moment,
    });
    if well { StatusCode::OK } else { StatusCode::INTERNAL_SERVER_ERROR }
}

impl Desk {
    /// Checks both signatures as a receiver does.
    fn believes(&self, headers: &HeaderMap, body: &[u8]) -> anyhow::Result<()> {
        let now = u64::try_from(self.clock.now().as_millis() / 1_000)?;
        let signed = standard::Headers {
            id: text(headers, standard::ID_HEADER)?,
            timestamp: text(headers, standard::TIMESTAMP_HEADER)?,
            signature: text(headers, standard::SIGNATURE_HEADER)?,
        };
        standard::verify(&self.secret, &signed, body, now, SIGNATURE_AGE)?;
        let claims = frontegg::verify(&self.secret, text(headers, frontegg::HEADER)?, Some(body), now, 0)?;
        ensure!(claims.event_id == signed.id, "it names {} and {}", claims.event_id, signed.id);
        Ok(())
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> anyhow::Result<&'a str> {
    let value = headers.get(name).with_context(|| format!("it has no {name}"))?;
    Ok(value.to_str()?)
}
