//! One connection, HTTP/1.1 or HTTP/2, from its first byte to its end.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::HOST;
use axum::http::{Request, Response, Version};
use axum::response::IntoResponse;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use tidings_app::{Code, Problem};
use tidings_runtime::{Clock, OnError, TaskSet, within};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tower::ServiceExt;
use tower::util::Oneshot;

use super::activity::{Activity, Answering, Arriving, UnderWay};
use super::places::{Place, Places};
use crate::limits::{GOODBYE_SECONDS_MAX, HEAD_BYTES_MAX, STREAMS_PER_CONNECTION_MAX};
use crate::problem::ApiProblem;

/// What all connections share.
pub(super) struct Connections {
    router: Router,
    http: Builder<TokioExecutor>,
    clock: Arc<dyn Clock>,
    places: Arc<Places>,
    /// The connections, and what callers who hung up have asked for.
    tasks: Arc<TaskSet>,
}

impl Connections {
    pub(super) fn new(router: Router, clock: Arc<dyn Clock>, places: Arc<Places>, tasks: TaskSet) -> Self {
        let mut http = Builder::new(TokioExecutor::new());
        http.http1().max_buf_size(HEAD_BYTES_MAX);
        http.http2()
            .max_header_list_size(HEAD_BYTES_MAX as u32)
            .max_concurrent_streams(STREAMS_PER_CONNECTION_MAX);
        Self {
            router,
            http,
            clock,
            places,
            tasks: Arc::new(tasks),
        }
    }

    /// Serves a connection until its peer, standing still, another that needs its place, or the shutdown ends it.
    pub(super) fn run(&self, stream: TcpStream, place: Place) -> impl Future<Output = ()> + Send + 'static {
        let (router, http) = (self.router.clone(), self.http.clone());
        let (clock, tasks) = (Arc::clone(&self.clock), Arc::clone(&self.tasks));
        let activity = Activity::new(Arc::clone(&clock), Arc::clone(&self.places), place);
        async move {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "a connection without TCP_NODELAY"); // slower, and that is all
            }
            let peer = stream.peer_addr().ok();
            let service = service_fn(|mut request: Request<Incoming>| {
                if let Some(peer) = peer {
                    request.extensions_mut().insert(ConnectInfo(peer));
                }
                answer(router.clone(), request, activity.begin(), Arc::clone(&tasks))
            });
            let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
            tokio::select! {
                biased;
                () = activity.displaced() => {
                    connection.as_mut().graceful_shutdown();
                    let _ = within(&*clock, Duration::ZERO, connection).await; // says goodbye if that takes no waiting
                    return;
                }
                ended = connection.as_mut() => return note(ended),
                () = activity.stalled() => {
                    connection.as_mut().graceful_shutdown();
                    let goodbye = Duration::from_secs(GOODBYE_SECONDS_MAX);
                    return if let Ok(ended) = within(&*clock, goodbye, connection).await { note(ended) };
                }
                () = tasks.shutdown().begun() => connection.as_mut().graceful_shutdown(),
            }
            note(connection.await); // the grace period is its limit
        }
    }
}

async fn answer(
    router: Router,
    request: Request<Incoming>,
    under_way: Option<UnderWay>,
    tasks: Arc<TaskSet>,
) -> Result<Response<Answering>, Infallible> {
    let Some(under_way) = under_way else {
        return std::future::pending().await; // until the connection is dropped: its place has gone to another
    };
    let response = if names_its_host(&request) {
        let request = request.map(|body| Body::new(Arriving::new(body, &under_way)));
        let work = Some(router.oneshot(request));
        Finishing { work, tasks }.await?
    } else {
        let detail = "an HTTP/1.1 request has one Host header; send the name or address that it is for";
        ApiProblem::from(Problem::new(Code::Malformed, detail)).into_response()
    };
    Ok(response.map(|body| Answering::new(body, under_way)))
}

/// What a handler does, which is done to its end although its caller hangs up before the answer: an event that was stored is on its way at once.
struct Finishing {
    /// Until it is done.
    work: Option<Oneshot<Router, Request<Body>>>,
    tasks: Arc<TaskSet>,
}

impl Future for Finishing {
    type Output = Result<Response<Body>, Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.work.as_mut().expect("nobody polls a future after its end");
        let answer = ready!(Pin::new(work).poll(context));
        self.work = None;
        Poll::Ready(answer)
    }
}

impl Drop for Finishing {
    fn drop(&mut self) {
        // Without a runtime everything is over.
        if let (Some(work), Ok(_)) = (self.work.take(), Handle::try_current()) {
            self.tasks.spawn("unheard", OnError::Log, async move { work.await.map(drop) });
        }
    }
}

/// Whether it says whom it is for, as RFC 9112, section 3.2, wants of HTTP/1.1.
fn names_its_host<B>(request: &Request<B>) -> bool {
    request.version() != Version::HTTP_11 || request.headers().get_all(HOST).iter().count() == 1
}

/// Peers that go away are their own affair.
fn note<E: std::fmt::Display>(ended: Result<(), E>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke");
    }
}
