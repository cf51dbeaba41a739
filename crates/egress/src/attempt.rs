//! One try: a request goes out, an exchange comes back.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use hyper::body::Incoming;
use hyper_util::client::legacy::connect::capture_connection;
use tidings_model::{EndpointUrl, Exchange, Failure, OutboundRequest, Reply, Timings};
use tidings_runtime::{Clock, Stopwatch, TimedOut, within};

use crate::egress::Pool;
use crate::failure::{self, Part};
use crate::line::Line;
use crate::message;
use crate::progress::{self, Phase};
use crate::reply::{KeptBody, are_too_many, kept_headers};

/// Sends a request through a pool and reports what came of it before its deadline.
pub(crate) async fn run(pool: &Pool, request: &OutboundRequest, clock: &dyn Clock) -> Exchange {
    let stopwatch = Stopwatch::start(clock);
    let mut attempt = Attempt {
        request,
        clock,
        stopwatch,
        line: Line::default(),
        reply: None,
        body: KeptBody::default(),
    };
    let outcome = within(clock, request.timeout, attempt.converse(pool)).await;
    attempt.finish(outcome, &pool.asked)
}

/// A try under way. Holds what has come so far, so that the deadline takes nothing away.
struct Attempt<'a> {
    request: &'a OutboundRequest,
    clock: &'a dyn Clock,
    stopwatch: Stopwatch,
    line: Line,
    reply: Option<(Reply, u64)>,
    body: KeptBody,
}

impl Attempt<'_> {
    async fn converse(&mut self, pool: &Pool) -> Result<(), Failure> {
        let response = self.head(pool).await?;
        let (head, body) = response.into_parts();
        if are_too_many(&head.headers) {
            return Err(failure::too_many_headers(&self.peer()));
        }
        let reply = Reply {
            status: head.status.as_u16(),
            headers: kept_headers(&head.headers),
            body: Bytes::new(),
            body_truncated: false,
        };
        self.reply = Some((reply, self.stopwatch.elapsed_us(self.clock)));
        let read = self.body.read(body).await;
        read.map_err(|error| failure::of_reply(&error, &self.peer(), Part::Body))
    }

    /// Sends, and waits for the head of the reply. A kept connection that turns out to be closed is replaced by a new one.
    async fn head(&mut self, pool: &Pool) -> Result<Response<Incoming>, Failure> {
        let mut sender = &pool.kept;
        loop {
            let mut message = message::build(self.request)?;
            self.line = Line::capturing(capture_connection(&mut message));
            match sender.request(message).await {
                Ok(response) => {
                    self.line.settle(response.extensions().get().map(Arc::clone));
                    return Ok(response);
                }
                Err(error) => {
                    self.line.look_up();
                    if !self.line.is_reused() || !failure::ended_as_idle(&error) {
                        return Err(failure::of_request(&error, &self.peer()));
                    }
                    sender = &pool.fresh;
                }
            }
        }
    }

    fn finish(mut self, outcome: Result<Result<(), Failure>, TimedOut>, resolver: &str) -> Exchange {
        let failure = outcome.unwrap_or_else(|TimedOut| Err(self.timed_out(resolver))).err();
        let progress = progress::reached();
        let (address, setup) = match &self.line.info {
            Some(info) => (Some(info.address), self.line.setup.unwrap_or_default()),
            None => (progress.address, progress.setup),
        };
        let truncated = self.body.is_truncated();
        let (reply, first_byte_us) = self.reply.unzip();
        let body = self.body.into_bytes();
        let timings = Timings {
            dns_us: setup.dns_us,
            connect_us: setup.connect_us,
            tls_us: setup.tls_us,
            first_byte_us,
            total_us: self.stopwatch.elapsed_us(self.clock),
        };
        Exchange {
            reply: reply.map(|reply| Reply {
                body,
                body_truncated: truncated,
                ..reply
            }),
            failure,
            address,
            timings,
        }
    }

    fn timed_out(&mut self, resolver: &str) -> Failure {
        self.line.look_up();
        self.line.poison();
        let phase = if self.line.info.is_some() {
            Phase::Connected
        } else {
            progress::reached().phase
        };
        let part = if self.reply.is_some() { Part::Body } else { Part::Head };
        failure::timed_out(self.request.timeout, phase, part, &self.peer(), resolver)
    }

    /// Who is spoken with, as exactly as is known.
    fn peer(&self) -> Peer<'_> {
        let address = self
            .line
            .info
            .as_ref()
            .map(|info| info.address)
            .or_else(|| progress::reached().address);
        address.map_or(Peer::Host(&self.request.url), Peer::Address)
    }
}

enum Peer<'a> {
    Address(SocketAddr),
    Host(&'a EndpointUrl),
}

impl fmt::Display for Peer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Host(url) => url.host().fmt(f),
        }
    }
}
