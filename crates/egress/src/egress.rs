//! The door itself: its configuration, the pools behind it, and the two things that are asked of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use tidings_model::limits::{
    IDLE_CONNECTION_SECONDS, IDLE_CONNECTIONS_PER_HOST_MAX, REPLY_HEADER_BYTES_MAX, REPLY_HEADERS_MAX, REPLY_READ_BYTES_MAX,
    REPLY_WIRE_BYTES_MAX, VET_TIMEOUT_MS,
};
use tidings_model::{EndpointUrl, EnvironmentId, Exchange, Failure, OutboundRequest, Transport};
use tidings_runtime::{Clock, TimedOut, within};

use crate::connect::{ConnectError, Connector};
use crate::policies::PerEnvironment;
use crate::vet::{VetError, vet};
use crate::{AddressPolicies, Resolve, SystemResolver, attempt, progress, tls};

/// What the door out needs to know.
pub struct EgressConfig {
    /// Which addresses may be connected to.
    pub policies: AddressPolicies,
    /// Who answers for names.
    pub resolver: Arc<dyn Resolve>,
    /// Certificate authorities that are trusted beside those of the machine.
    pub extra_roots: Vec<CertificateDer<'static>>,
}

impl EgressConfig {
    /// The machine's own resolver and roots.
    pub fn new(policies: AddressPolicies) -> Self {
        Self {
            policies,
            resolver: Arc::new(SystemResolver::new()),
            extra_roots: Vec::new(),
        }
    }
}

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EgressError {
    /// An extra root is not a certificate that can be trusted.
    #[error("an additional root certificate cannot be used: {0}")]
    Root(rustls::Error),
}

/// The door out. One for the process; it keeps the connections.
pub struct Egress {
    clock: Arc<dyn Clock>,
    resolver: Arc<dyn Resolve>,
    policies: AddressPolicies,
    pools: PerEnvironment<Pool>,
}

/// The connections of one address policy.
#[derive(Clone)]
pub(crate) struct Pool {
    /// Uses a connection that was kept, where there is one.
    pub(crate) kept: Sender,
    /// Always opens a connection, and keeps none: for a request whose kept connection turned out to be closed, as any other might.
    pub(crate) fresh: Sender,
    /// Who is asked for addresses, in words.
    pub(crate) asked: Arc<str>,
}

/// Sends requests over connections.
pub(crate) type Sender = Client<Connector, Full<Bytes>>;

// The HTTP library's own bound on headers costs no allocation, and another bound would.
const _: () = assert!(
    REPLY_HEADERS_MAX == 100,
    "set http1_max_headers() when the limit is not the library's own"
);

impl Egress {
    /// Opens the door. Reads the machine's root certificates.
    pub fn new(config: EgressConfig, clock: Arc<dyn Clock>) -> Result<Self, EgressError> {
        let EgressConfig {
            policies,
            resolver,
            extra_roots,
        } = config;
        let asked: Arc<str> = resolver.asked().into();
        let tls = tls::connector(extra_roots, Arc::clone(&clock))?;
        let pools = policies.map(|policy| {
            let connector = Connector::new(policy.clone(), Arc::clone(&resolver), tls.clone(), Arc::clone(&clock));
            pool(connector, Arc::clone(&asked))
        });
        Ok(Self {
            clock,
            resolver,
            policies,
            pools,
        })
    }
}

fn pool(connector: Connector, asked: Arc<str>) -> Pool {
    Pool {
        kept: sender(connector.clone(), IDLE_CONNECTIONS_PER_HOST_MAX),
        fresh: sender(connector, 0),
        asked,
    }
}

fn sender(connector: Connector, idle_connections_max: usize) -> Sender {
    let window = u32::try_from(REPLY_READ_BYTES_MAX).expect("the cap of a reply fits");
    Client::builder(TokioExecutor::new())
        .pool_idle_timeout(Duration::from_secs(IDLE_CONNECTION_SECONDS))
        .pool_max_idle_per_host(idle_connections_max)
        .pool_timer(TokioTimer::new()) // sockets age on the clock of the machine, whatever time a test makes it
        .http1_max_buf_size(REPLY_HEADER_BYTES_MAX)
        .http2_max_header_list_size(u32::try_from(REPLY_HEADER_BYTES_MAX).expect("the cap of a reply's headers fits"))
        .http2_initial_stream_window_size(window)
        // Half of what may be read between two writes, so that we acknowledge long before that bound is met.
        .http2_initial_connection_window_size(u32::try_from(REPLY_WIRE_BYTES_MAX / 2).expect("the cap of the wire fits"))
        .build(connector)
}

#[async_trait]
impl Transport for Egress {
    async fn send(&self, request: &OutboundRequest) -> Exchange {
        let pool = self.pools.of(request.environment);
        progress::tracked(attempt::run(pool, request, &*self.clock)).await
    }

    async fn vet(&self, environment: EnvironmentId, url: &EndpointUrl) -> Result<(), Failure> {
        let host = url.host().to_string();
        let check = vet(&host, url.port(), self.policies.of(environment), &*self.resolver, &*self.clock);
        match within(&*self.clock, Duration::from_millis(VET_TIMEOUT_MS), check).await {
            Ok(Ok(_) | Err(VetError::Unresolved { .. })) | Err(TimedOut) => Ok(()),
            Ok(Err(error)) => Err(Failure::from(&ConnectError::from(error))),
        }
    }
}
