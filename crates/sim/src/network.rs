//! Receivers that answer, dawdle, fail and hang, and the ledger of what reached them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use serde_json::Value;
use tidings_model::{EndpointUrl, EnvironmentId, Exchange, Failure, FailureKind, OutboundRequest, Reply, Timings, Transport};
use tidings_runtime::{Clock as _, ManualClock};

use crate::dice::Dice;
use crate::trace::Trace;

/// What a receiver does with requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Temper {
    /// 200, soon.
    Well,
    /// 200, after seconds.
    Slow,
    /// 500.
    Fails,
    /// Does not listen.
    Refuses,
    /// Takes the request and never answers.
    Hangs,
    /// Takes the request and closes the connection.
    Breaks,
    /// 429 with Retry-After.
    Throttles,
    /// A redirect, which nobody follows.
    Redirects,
    /// 410.
    IsGone,
    /// Any of the others but gone.
    Moody,
}

/// Tempers that a receiver can get; being gone is for good.
pub(crate) const TEMPERS: [Temper; 12] = [
    Temper::Well,
    Temper::Well,
    Temper::Well,
    Temper::Slow,
    Temper::Fails,
    Temper::Refuses,
    Temper::Hangs,
    Temper::Breaks,
    Temper::Throttles,
    Temper::Redirects,
    Temper::IsGone,
    Temper::Moody,
];

/// A request that reached its receiver.
#[derive(Clone, Debug)]
pub(crate) struct Arrival {
    /// Its number among everything that happened.
    pub(crate) number: u64,
    /// When, in the world's milliseconds.
    pub(crate) at_ms: i64,
    /// Where.
    pub(crate) url: String,
    /// The environment that sent it.
    pub(crate) environment: EnvironmentId,
    /// The `webhook-id` header: the event.
    pub(crate) event: String,
    /// The tenant that the body names.
    pub(crate) tenant: Option<String>,
    /// The `webhook-timestamp` header.
    pub(crate) timestamp: String,
    /// The `webhook-signature` header.
    pub(crate) signature: String,
    /// The exact bytes.
    pub(crate) body: Bytes,
    /// The status that went back, once one did.
    pub(crate) status: Option<u16>,
}

/// Everything outside.
pub(crate) struct Network {
    clock: ManualClock,
    dice: Dice,
    trace: Trace,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    tempers: BTreeMap<String, Temper>,
    arrivals: Vec<Arrival>,
    under_way: BTreeMap<(usize, String), usize>,
    most_to_one: usize,
}

impl Network {
    /// Nobody has a temper: everybody answers well.
    pub(crate) fn new(clock: ManualClock, dice: Dice, trace: Trace) -> Self {
        Self {
            clock,
            dice,
            trace,
            inner: Mutex::default(),
        }
    }

    /// The receiver at that URL is like that from now on.
    pub(crate) fn set_temper(&self, url: &str, temper: Temper) {
        self.inner.lock().tempers.insert(url.to_owned(), temper);
    }

    /// Everybody answers well from now on.
    pub(crate) fn heal(&self) {
        self.inner.lock().tempers.clear();
    }

    /// What has arrived, oldest first.
    pub(crate) fn arrivals(&self) -> Vec<Arrival> {
        self.inner.lock().arrivals.clone()
    }

    /// Most requests that one node ever had under way to one receiver.
    pub(crate) fn most_to_one(&self) -> usize {
        self.inner.lock().most_to_one
    }

    fn temper(&self, url: &str) -> Temper {
        let temper = self.inner.lock().tempers.get(url).copied().unwrap_or(Temper::Well);
        if temper != Temper::Moody {
            return temper;
        }
        let moods = TEMPERS.iter().filter(|temper| !matches!(temper, Temper::IsGone | Temper::Moody));
        let moods: Vec<_> = moods.copied().collect();
        self.dice.pick(&moods).copied().unwrap_or(Temper::Well)
    }

    fn arrive(&self, node: usize, request: &OutboundRequest) -> usize {
        let header = |wanted: &str| {
            request
                .headers
                .iter()
                .find(|(name, _)| name == wanted)
                .map(|(_, value)| value.clone())
        };
        let event = header("webhook-id").unwrap_or_default();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let url = request.url.to_string();
        let number = self.trace.note(format_args!("n{node} -> {url} {event}"));
        let mut inner = self.inner.lock();
        inner.arrivals.push(Arrival {
            number,
            at_ms: self.clock.now().as_millis(),
            url,
            environment: request.environment,
            event,
            tenant: body["eventContext"]["tenantId"].as_str().map(str::to_owned),
            timestamp: header("webhook-timestamp").unwrap_or_default(),
            signature: header("webhook-signature").unwrap_or_default(),
            body: request.body.clone(),
            status: None,
        });
        inner.arrivals.len() - 1
    }

    fn answer(&self, arrival: usize, status: u16) {
        self.trace.note(format_args!("<- {status} to arrival {arrival}"));
        self.inner.lock().arrivals[arrival].status = Some(status);
    }

    async fn exchange(&self, node: usize, request: &OutboundRequest) -> Exchange {
        let temper = self.temper(request.url.as_str());
        let takes = match temper {
            Temper::Slow => Duration::from_millis(1_000 + self.dice.below(9_000)),
            Temper::Hangs => request.timeout,
            Temper::Refuses => Duration::from_millis(1),
            _ => Duration::from_millis(1 + self.dice.below(200)),
        };
        if temper == Temper::Refuses {
            self.clock.sleep(takes).await;
            return Exchange::failed(FailureKind::Connect, "connection refused");
        }
        let arrival = self.arrive(node, request);
        self.clock.sleep(takes.min(request.timeout)).await;
        let timings = Timings {
            total_us: u64::try_from(takes.as_micros()).unwrap_or(u64::MAX),
            ..Timings::default()
        };
        let reply = |status, headers| {
            self.answer(arrival, status);
            Exchange {
                reply: Some(Reply {
                    status,
                    headers,
                    body: Bytes::new(),
                    body_truncated: false,
                }),
                timings,
                ..Exchange::default()
            }
        };
        match temper {
            Temper::Fails => reply(500, Vec::new()),
            Temper::Throttles => reply(429, vec![("retry-after".to_owned(), (1 + self.dice.below(60)).to_string())]),
            Temper::Redirects => reply(307, vec![("location".to_owned(), "https://elsewhere.sim/".to_owned())]),
            Temper::IsGone => reply(410, Vec::new()),
            Temper::Hangs => Exchange::failed(FailureKind::Timeout, "no complete reply in time"),
            Temper::Breaks => Exchange::failed(FailureKind::Disconnected, "the connection was closed"),
            _ => reply(200, Vec::new()),
        }
    }
}

/// A node's door to the network.
pub(crate) struct Door {
    /// The node.
    pub(crate) node: usize,
    /// What lies outside.
    pub(crate) network: Arc<Network>,
}

#[async_trait]
impl Transport for Door {
    async fn send(&self, request: &OutboundRequest) -> Exchange {
        let _under_way = UnderWay::begin(&self.network, (self.node, request.url.to_string()));
        self.network.exchange(self.node, request).await
    }

    async fn vet(&self, _: EnvironmentId, _: &EndpointUrl) -> Result<(), Failure> {
        Ok(())
    }
}

/// Counts a request while it is under way, also one that is abandoned.
struct UnderWay<'a> {
    network: &'a Network,
    whose: (usize, String),
}

impl<'a> UnderWay<'a> {
    fn begin(network: &'a Network, whose: (usize, String)) -> Self {
        let mut inner = network.inner.lock();
        let count = inner.under_way.entry(whose.clone()).or_default();
        *count += 1;
        inner.most_to_one = (*count).max(inner.most_to_one);
        Self { network, whose }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if let Some(count) = self.network.inner.lock().under_way.get_mut(&self.whose) {
            *count -= 1;
        }
    }
}
