//! The connector behind the pools: resolve, vet every address, dial a vetted one, and speak TLS with the name that was asked for.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use hyper_util::rt::TokioIo;
use tidings_model::limits::ATTEMPT_TIMEOUT_MS_MAX;
use tidings_runtime::{Clock, Stopwatch, within};
use tokio_rustls::TlsConnector;

use crate::dial::{DialError, dial};
use crate::progress::{self, Phase, Setup};
use crate::stream::{ConnectionInfo, Stream};
use crate::tls::{self, TlsError};
use crate::vet::{VetError, literal, vet};
use crate::{AddressPolicy, Resolve};

/// There is no connection, and why.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    #[error(transparent)]
    Vet(#[from] VetError),
    #[error(transparent)]
    Dial(#[from] DialError),
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Nobody waits that long: this ends connections that were moved to the background.
    #[error("no connection within {ATTEMPT_TIMEOUT_MS_MAX} ms")]
    TimedOut,
}

/// Makes the connections of one address policy.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Means>);

struct Means {
    policy: AddressPolicy,
    resolver: Arc<dyn Resolve>,
    tls: TlsConnector,
    clock: Arc<dyn Clock>,
}

impl Connector {
    pub(crate) fn new(policy: AddressPolicy, resolver: Arc<dyn Resolve>, tls: TlsConnector, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Means {
            policy,
            resolver,
            tls,
            clock,
        }))
    }
}

impl tower::Service<Uri> for Connector {
    type Response = TokioIo<Stream>;
    type Error = ConnectError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let means = Arc::clone(&self.0);
        Box::pin(async move {
            let limit = Duration::from_millis(ATTEMPT_TIMEOUT_MS_MAX);
            within(&*means.clock, limit, means.connect(&uri))
                .await
                .unwrap_or(Err(ConnectError::TimedOut))
                .map(TokioIo::new)
        })
    }
}

impl Means {
    async fn connect(&self, uri: &Uri) -> Result<Stream, ConnectError> {
        let secure = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().unwrap_or_default();
        let port = uri.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let mut setup = Setup::default();

        let stopwatch = Stopwatch::start(&*self.clock);
        let addresses = vet(host, port, &self.policy, &*self.resolver, &*self.clock).await?;
        setup.dns_us = literal(host).is_none().then(|| stopwatch.elapsed_us(&*self.clock));
        progress::note(|progress| (progress.phase, progress.setup) = (Phase::Connecting, setup));

        let stopwatch = Stopwatch::start(&*self.clock);
        let (tcp, address) = dial(&addresses, &*self.clock).await?;
        let _ = tcp.set_nodelay(true); // without it the connection is only slower
        setup.connect_us = Some(stopwatch.elapsed_us(&*self.clock));
        progress::note(|progress| (progress.address, progress.setup) = (Some(address), setup));
        if !secure {
            progress::note(|progress| progress.phase = Phase::Connected);
            return Ok(Stream::plain(tcp, ConnectionInfo::new(address, setup)));
        }

        progress::note(|progress| progress.phase = Phase::Securing);
        let stopwatch = Stopwatch::start(&*self.clock);
        let stream = tls::secure(&self.tls, host, tcp).await?;
        setup.tls_us = Some(stopwatch.elapsed_us(&*self.clock));
        progress::note(|progress| (progress.phase, progress.setup) = (Phase::Connected, setup));
        Ok(Stream::tls(stream, ConnectionInfo::new(address, setup)))
    }
}
