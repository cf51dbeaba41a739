//! `tidings-bench relay`: accepts a POST, answers 202 and forwards the body, storing nothing. It does the two hops of a sender and nothing else, with
//! Tidings' own HTTP stack: the ceiling of what a sender can do on this machine.
//!
//! Never knows: what is in the body.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::routing::post;
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::net::TcpListener;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use crate::output::{Listening, print_json, say};
use crate::target::Target;
use crate::time::within;

/// Longest time that a forward may take.
const FORWARD_MAX: Duration = Duration::from_secs(30);

/// What a relay is told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to forward, on this machine; given more than once, each gets everything.
    #[arg(long, required = true)]
    to: Vec<String>,
    /// Forwards under way at the same time.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..))]
    in_flight: u16,
    /// Forwards that wait for their turn. Beyond them, accepting waits.
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u16).range(1..))]
    queue: u16,
}

/// Forwards what it accepts.
struct Relay {
    client: Client<HttpConnector, Full<Bytes>>,
    to: Vec<Uri>,
    /// Bounds memory: one permit for each forward that has not ended.
    places: Arc<Semaphore>,
    /// Bounds connections: one permit for each forward under way.
    in_flight: Semaphore,
    forwards: TaskTracker,
    complained: AtomicBool,
}

/// Relays until it is killed.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let mut to = Vec::new();
    for url in &args.to {
        to.push(Target::find(url).await?.uri());
    }
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    print_json(&Listening::at(listener.local_addr()?))?;
    serve(listener, Relay::new(to, args.in_flight.into(), args.queue.into())).await
}

async fn serve(listener: TcpListener, relay: Arc<Relay>) -> anyhow::Result<()> {
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true); // without it the connection is only slower
    });
    let routes = Router::new().route("/{*path}", post(accept)).with_state(relay);
    Ok(axum::serve(listener, routes).await?)
}

async fn accept(State(relay): State<Arc<Relay>>, body: Bytes) -> StatusCode {
    for number in 0..relay.to.len() {
        let place = Arc::clone(&relay.places)
            .acquire_owned()
            .await
            .expect("nobody closes the semaphore");
        relay.forwards.spawn(forward(Arc::clone(&relay), number, body.clone(), place));
    }
    StatusCode::ACCEPTED
}

async fn forward(relay: Arc<Relay>, number: usize, body: Bytes, _place: OwnedSemaphorePermit) {
    let _permit = relay.in_flight.acquire().await.expect("nobody closes the semaphore");
    let trouble = match within(FORWARD_MAX, relay.deliver(&relay.to[number], body)).await {
        Some(Ok(status)) if status.is_success() => return,
        Some(Ok(status)) => status.to_string(),
        Some(Err(error)) => format!("{error:#}"),
        None => "no answer in time".to_owned(),
    };
    if !relay.complained.swap(true, Ordering::Relaxed) {
        say(&format!("a forward failed, and more may: {trouble}"));
    }
}

impl Relay {
    fn new(to: Vec<Uri>, in_flight: usize, queue: usize) -> Arc<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Arc::new(Self {
            client: Client::builder(TokioExecutor::new())
                .pool_max_idle_per_host(in_flight)
                .build(connector),
            to,
            places: Arc::new(Semaphore::new(in_flight + queue)),
            in_flight: Semaphore::new(in_flight),
            forwards: TaskTracker::new(),
            complained: AtomicBool::new(false),
        })
    }

    async fn deliver(&self, to: &Uri, body: Bytes) -> anyhow::Result<StatusCode> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = to.clone();
        let json = HeaderValue::from_static("application/json");
        request.headers_mut().insert(CONTENT_TYPE, json);
        let mut response = self.client.request(request).await?;
        while let Some(frame) = response.body_mut().frame().await {
            frame?; // to the end, or the connection cannot be used again
        }
        Ok(response.status())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{generate, sink};

    #[tokio::test]
    async fn the_relay_forwards_what_it_accepted_to_everybody() {
        let (sink, counts) = sink::start().await;
        let to = ["/ok/a", "/ok/b"].map(|path| format!("{sink}{path}").parse().unwrap());
        let relay = Relay::new(to.into(), 2, 3);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/events", listener.local_addr().unwrap());
        let mut server = tokio::task::JoinSet::new();
        server.spawn(serve(listener, Arc::clone(&relay)));

        let (sent, _) = generate::send(&generate::Args::count(url, 100)).await.unwrap();
        relay.forwards.close();
        relay.forwards.wait().await;

        let figures = counts.lock().figures(true);
        assert_eq!((sent.accepted, figures.total.received, figures.total.distinct), (100, 200, 200));
        assert_eq!((figures.paths["/ok/a"].distinct, figures.paths["/ok/b"].distinct), (100, 100));
    }
}
