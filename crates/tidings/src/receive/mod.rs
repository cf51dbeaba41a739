//! A small receiver for a developer's desk: verifies every delivery, says what it got, and can be told to fail or to stall.

mod run;
mod verify;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, Response, StatusCode, Uri};
use parking_lot::Mutex;
use tidings_runtime::{Clock, OnError, SystemClock, TaskSet};
use tidings_signing::Secret;
use tokio::sync::mpsc;

use crate::listen::{ListenError, listen};

pub(crate) use run::{Receive, run};
pub(crate) use verify::Signature;

/// Largest body that it takes: more than a delivery ever has.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// How the receiver answers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manners {
    /// Verifies with this; without it, signatures are only shown.
    pub(crate) secret: Option<Secret>,
    /// Answers with this status instead of 200.
    pub(crate) fail: Option<StatusCode>,
    /// Fails only the first so many tries of each event.
    pub(crate) fail_first: Option<u32>,
    /// Paths whose first two tries fail, whatever else is said.
    pub(crate) flaky_path: Option<&'static str>,
    /// Takes the request and never answers.
    pub(crate) stall: bool,
    /// Waits before it answers.
    pub(crate) delay: Duration,
}

/// One request that came.
#[derive(Clone, Debug)]
pub(crate) struct Delivery {
    /// The message id, when there is one.
    pub(crate) id: String,
    /// How often this message has come on this path, this time included.
    pub(crate) tries: u32,
    /// The event key in the body.
    pub(crate) event_key: String,
    /// Where it was sent to.
    pub(crate) path: String,
    /// What the signatures are worth.
    pub(crate) signature: Signature,
    /// What was answered; `None` when it stalls.
    pub(crate) answered: Option<StatusCode>,
    /// When it came, on the clock that the receiver was given.
    pub(crate) arrived_us: u64,
    /// The body.
    pub(crate) body: Bytes,
}

struct Desk {
    manners: Manners,
    tries: Mutex<BTreeMap<(String, String), u32>>,
    clock: SystemClock,
    reports: mpsc::UnboundedSender<Delivery>,
}

/// A receiver that is listening. It stops with the shutdown.
pub(crate) struct Receiver {
    /// Where deliveries go.
    pub(crate) url: String,
    /// What came.
    pub(crate) deliveries: mpsc::UnboundedReceiver<Delivery>,
}

impl Receiver {
    /// Listens.
    pub(crate) async fn start(at: SocketAddr, manners: Manners, clock: SystemClock, tasks: &TaskSet) -> Result<Self, ListenError> {
        let (listener, address) = listen(at).await?;
        let url = format!("http://{address}/");
        let (reports, deliveries) = mpsc::unbounded_channel();
        let desk = Arc::new(Desk {
            manners,
            tries: Mutex::default(),
            clock,
            reports,
        });
        let router = Router::new()
            .fallback(take)
            .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
            .with_state(desk);
        let begun = tasks.shutdown().clone();
        tasks.spawn("receiver", OnError::StopProcess, async move {
            axum::serve(listener, router)
                .with_graceful_shutdown(async move { begun.begun().await })
                .await
        });
        Ok(Self { url, deliveries })
    }
}

async fn take(State(desk): State<Arc<Desk>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let arrived_us = desk.clock.monotonic_us();
    let now = desk.clock.now().as_seconds().unsigned_abs();
    let id = text(&headers, "webhook-id").unwrap_or("no webhook-id").to_owned();
    let tries = {
        let mut tries = desk.tries.lock();
        let count = tries.entry((uri.path().to_owned(), id.clone())).or_insert(0);
        *count += 1;
        *count
    };
    let event_key = serde_json::from_slice::<serde_json::Value>(&body)
        .ok()
        .and_then(|body| body["eventKey"].as_str().map(str::to_owned));
    let signature = verify::check(desk.manners.secret.as_ref(), &headers, &body, now);
    let answered = answer(&desk.manners, uri.path(), tries, &signature);
    let report = Delivery {
        id,
        tries,
        event_key: event_key.unwrap_or_else(|| "(no eventKey)".to_owned()),
        path: uri.path().to_owned(),
        signature,
        answered,
        arrived_us,
        body,
    };
    let _ = desk.reports.send(report); // nobody listens any more: the process is ending
    desk.clock.sleep(desk.manners.delay).await;
    let Some(status) = answered else {
        return std::future::pending().await;
    };
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn answer(manners: &Manners, path: &str, tries: u32, signature: &Signature) -> Option<StatusCode> {
    if manners.stall {
        return None;
    }
    if matches!(signature, Signature::Wrong(_)) {
        return Some(StatusCode::UNAUTHORIZED);
    }
    if manners.flaky_path == Some(path) && tries <= 2 {
        return Some(StatusCode::INTERNAL_SERVER_ERROR);
    }
    match (manners.fail, manners.fail_first) {
        (Some(status), None) => Some(status),
        (status, Some(first)) if tries <= first => Some(status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)),
        _ => Some(StatusCode::OK),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
