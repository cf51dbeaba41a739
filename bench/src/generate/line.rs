//! One connection of the generator: takes a turn, sends, reads the answer, until the run ends. Connects again when the server hangs up.
//!
//! Never knows: how many connections there are, or what pace they keep together.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpStream;

use super::event::{Template, idempotency_key};
use super::schedule::{Schedule, Turn};
use super::tally::Tally;
use crate::target::Target;
use crate::time::{Clock, pause};

/// How often a line dials again before it gives up, and the pause in between.
const DIALS_MAX: usize = 50;
const DIAL_PAUSE: Duration = Duration::from_millis(100);

/// What the connections of a run share.
pub(super) struct Run {
    pub(super) clock: Clock,
    pub(super) template: Template,
    /// The number of the first event.
    pub(super) first: u64,
    /// What tells the idempotency keys of this run from those of others, if it sends any.
    pub(super) idempotency: Option<u64>,
    pub(super) schedule: Arc<Schedule>,
    pub(super) tally: Mutex<Tally>,
}

/// Where a connection leads, and the headers that every request there has.
pub(super) type To = (HeaderMap, Target);

/// Why a conversation is over.
enum End {
    /// There are no more turns.
    Done,
    /// The connection is, and this turn has not been sent.
    HungUp(Option<Turn>),
}

/// The headers that every request of a run has.
pub(super) fn headers(target: &Target, token: Option<&str>) -> anyhow::Result<HeaderMap> {
    let mut headers = HeaderMap::new();
    headers.insert(HOST, HeaderValue::try_from(&target.host)?);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(token) = token {
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

/// Connects.
pub(super) async fn dial(target: &Target) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(target.address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Sends until the run ends, or the server cannot be reached any more.
pub(super) async fn send(run: Arc<Run>, to: Arc<To>, mut stream: TcpStream) {
    let mut unsent = None;
    loop {
        match converse(&run, &to, stream, unsent).await {
            End::Done => return,
            End::HungUp(turn) => unsent = turn,
        }
        stream = match dial_again(&to.1).await {
            Ok(stream) => stream,
            Err(error) => return run.tally.lock().explain(|| format!("cannot connect again: {error}")),
        };
    }
}

async fn dial_again(target: &Target) -> std::io::Result<TcpStream> {
    for _ in 1..DIALS_MAX {
        match dial(target).await {
            Ok(stream) => return Ok(stream),
            Err(_) => pause(DIAL_PAUSE).await,
        }
    }
    dial(target).await
}

/// Talks over one connection. Both ends of the talk are one task: no task has to wake another.
async fn converse(run: &Run, to: &To, stream: TcpStream, unsent: Option<Turn>) -> End {
    match http1::handshake(TokioIo::new(stream)).await {
        Ok((sender, connection)) => beside(connection, ask(run, to, sender, unsent)).await,
        Err(_) => End::HungUp(unsent),
    }
}

/// Runs `work`, and the connection that it needs until that ends.
async fn beside<T>(connection: impl Future, work: impl Future<Output = T>) -> T {
    let (mut connection, mut work, mut connected) = (pin!(connection), pin!(work), true);
    poll_fn(|context| {
        if connected && connection.as_mut().poll(context).is_ready() {
            connected = false;
        }
        work.as_mut().poll(context) // what it hands to the connection wakes this task again
    })
    .await
}

async fn ask(run: &Run, to: &To, mut sender: SendRequest<Full<Bytes>>, mut unsent: Option<Turn>) -> End {
    let mut buffer = BytesMut::new();
    loop {
        let turn = match unsent.take() {
            Some(turn) => turn,
            None => match run.schedule.next().await {
                Some(turn) => turn,
                None => return End::Done,
            },
        };
        if sender.ready().await.is_err() {
            return End::HungUp(Some(turn)); // while it was idle, as a server may
        }
        run.tally.lock().begin(turn.due_us);
        match exchange(&mut sender, run.request(to, &mut buffer, turn)).await {
            Ok((status, _)) if status.is_success() => run.tally.lock().accepted(turn.due_us, run.clock.now_us()),
            Ok((status, body)) => {
                let mut tally = run.tally.lock();
                tally.refused(status.as_u16(), turn.due_us, run.clock.now_us());
                tally.explain(|| format!("{status}: {}", String::from_utf8_lossy(&body)));
            }
            Err(error) => {
                run.tally.lock().failed(|| format!("no answer: {error}"));
                return End::HungUp(None);
            }
        }
    }
}

/// Sends a request and reads the whole answer; the body only of a refusal.
async fn exchange(sender: &mut SendRequest<Full<Bytes>>, request: Request<Full<Bytes>>) -> hyper::Result<(StatusCode, Bytes)> {
    let response = sender.send_request(request).await?;
    let (status, mut body) = (response.status(), response.into_body());
    if !status.is_success() {
        return Ok((status, body.collect().await?.to_bytes()));
    }
    while let Some(frame) = body.frame().await {
        frame?;
    }
    Ok((status, Bytes::new()))
}

impl Run {
    fn request(&self, (headers, target): &To, buffer: &mut BytesMut, turn: Turn) -> Request<Full<Bytes>> {
        let sequence = self.first + turn.sequence;
        let mut request = Request::new(Full::new(self.template.body(buffer, sequence, turn.due_us)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from(target.path.clone());
        *request.headers_mut() = headers.clone();
        if let Some(run_us) = self.idempotency {
            let name = const { HeaderName::from_static("idempotency-key") };
            request.headers_mut().insert(name, idempotency_key(run_us, sequence));
        }
        request
    }
}
