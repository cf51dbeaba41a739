//! One connection, HTTP/1.1 or HTTP/2, from its first byte to its end.

use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tidings_runtime::{Clock, Shutdown, within};
use tokio::net::TcpStream;
use tower::ServiceExt;

use super::activity::{Activity, Answering, UnderWay};
use crate::limits::{GOODBYE_SECONDS_MAX, HEAD_BYTES_MAX, STREAMS_PER_CONNECTION_MAX};

/// What all connections share.
pub(super) struct Connections {
    router: Router,
    http: Builder<TokioExecutor>,
    clock: Arc<dyn Clock>,
    closing: Shutdown,
}

impl Connections {
    pub(super) fn new(router: Router, clock: Arc<dyn Clock>, closing: Shutdown) -> Self {
        let mut http = Builder::new(TokioExecutor::new());
        http.http1().max_buf_size(HEAD_BYTES_MAX);
        http.http2()
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX);
        Self {
            router,
            http,
            clock,
            closing,
        }
    }

    /// Serves a connection until its peer, standing still or the shutdown ends it.
    pub(super) fn run(&self, stream: TcpStream) -> impl Future<Output = ()> + Send + 'static {
        let (router, http) = (self.router.clone(), self.http.clone());
        let (clock, closing) = (Arc::clone(&self.clock), self.closing.clone());
        async move {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection without TCP_NODELAY"); // slower, and that is all
            }
            let activity = Activity::new(Arc::clone(&clock));
            let service = service_fn(|request| answer(router.clone(), request, activity.begin()));
            let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                biased;
                ended = connection.as_mut() => return note(ended),
                () = activity.stalled() => {
                    connection.as_mut().graceful_shutdown();
                    let goodbye = Duration::from_secs(GOODBYE_SECONDS_MAX);
                    return if let Ok(ended) = within(&*clock, goodbye, connection).await { note(ended) };
                }
                () = closing.begun() => connection.as_mut().graceful_shutdown(),
            }
            note(connection.await); // the grace period is its limit
        }
    }
}

async fn answer(router: Router, request: Request<Incoming>, under_way: UnderWay) -> Result<Response<Answering>, Infallible> {
    let response = router.oneshot(request.map(Body::new)).await?;
    Ok(response.map(|body| Answering::new(body, under_way)))
}

/// Peers that go away are their own affair.
fn note<E: std::fmt::Display>(ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
