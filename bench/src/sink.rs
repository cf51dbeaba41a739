//! `tidings-bench sink`: a receiver that does what the path says, and counts what came.
//!
//! `/ok/...` answers 200 at once, `/delay/MILLIS/...` after that long, `/status/CODE/...` with that status, `/hang/...` never. Whatever follows only
//! names the webhook. `GET /figures` tells the counts (`?paths=false` leaves out those by path), `POST /reset` forgets them.
//!
//! Never knows: signatures, or who sends. It is as cheap as can be, because it shares the processors with what it measures.

mod behaviour;
mod seen;
mod tally;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::output::{Listening, print_json};
use crate::time;
use behaviour::Behaviour;
use tally::Tally;

/// Largest body that is taken.
const BODY_BYTES_MAX: usize = 8 << 20;
/// Pause after a connection that could not be accepted, mostly for want of open files.
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);

/// What a sink is told.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Threads that receive.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=64))]
    pub(crate) threads: u16,
}

/// What has come so far.
pub(crate) type Counts = Arc<Mutex<Tally>>;

/// Receives until it is killed.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    print_json(&Listening::at(listener.local_addr()?))?;
    serve(listener, Counts::default()).await;
    Ok(())
}

/// Serves a listener for ever.
pub(crate) async fn serve(listener: TcpListener, counts: Counts) {
    let mut http = http1::Builder::new();
    http.auto_date_header(false).header_read_timeout(None);
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            time::pause(ACCEPT_PAUSE).await;
            continue;
        };
        while connections.try_join_next().is_some() {} // those that have ended
        let _ = stream.set_nodelay(true); // without it the connection is only slower
        let counts = Arc::clone(&counts);
        let service = service_fn(move |request| answer(request, Arc::clone(&counts)));
        let connection = http.serve_connection(TokioIo::new(stream), service);
        connections.spawn(async move {
            let _ = connection.await; // peers that go away are their own affair
        });
    }
}

async fn answer(request: Request<Incoming>, counts: Counts) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (head, body) = request.into_parts();
    let Some(behaviour) = Behaviour::of(head.uri.path()) else {
        return Ok(manage(&head.method, &head.uri, &counts));
    };
    let Some(body) = read(body).await? else {
        return Ok(empty(StatusCode::PAYLOAD_TOO_LARGE));
    };
    let at_once = matches!(behaviour, Behaviour::Answer(status) if status.is_success());
    counts.lock().note(head.uri.path(), &body, at_once, time::wall_us());
    Ok(match behaviour {
        Behaviour::Answer(status) => empty(status),
        Behaviour::Delay(delay) => {
            time::pause(delay).await;
            empty(StatusCode::OK)
        }
        Behaviour::Hang => std::future::pending().await, // until the peer leaves, which drops this
    })
}

/// What is asked of the sink itself.
fn manage(method: &Method, uri: &Uri, counts: &Counts) -> Response<Full<Bytes>> {
    match (method.as_str(), uri.path()) {
        ("GET", "/figures") => {
            let with_paths = !uri.query().unwrap_or_default().split('&').any(|pair| pair == "paths=false");
            let figures = counts.lock().figures(with_paths);
            let json = serde_json::to_vec(&figures).expect("figures are texts and numbers");
            let mut response = Response::new(Full::from(json));
            let json = http::HeaderValue::from_static("application/json");
            response.headers_mut().insert(http::header::CONTENT_TYPE, json);
            response
        }
        ("POST", "/reset") => {
            *counts.lock() = Tally::default();
            empty(StatusCode::NO_CONTENT)
        }
        _ => empty(StatusCode::NOT_FOUND),
    }
}

fn empty(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// The whole body, without a copy when it comes in one piece; nothing when it is too large.
async fn read(mut body: Incoming) -> Result<Option<Bytes>, hyper::Error> {
    let mut pieces = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame?.into_data() else { continue };
        if pieces.is_empty() && body.is_end_stream() {
            return Ok(Some(piece));
        }
        if pieces.len() + piece.len() > BODY_BYTES_MAX {
            return Ok(None);
        }
        pieces.extend_from_slice(&piece);
    }
    Ok(Some(pieces.freeze()))
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::start;
