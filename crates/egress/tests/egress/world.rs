//! An egress with names that a test decides on, and the shortest way to send something.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tidings_egress::{AddressPolicies, Egress, EgressConfig, Resolve};
use tidings_model::{EndpointUrl, EnvironmentId, Exchange, Failure, FailureKind, OutboundRequest, Transport};
use tidings_runtime::{Clock, SystemClock};
use tidings_testkit::{FixedResolver, TestReceiver};

/// Long enough that only a fault runs into it.
const PATIENCE: Duration = Duration::from_secs(20);
/// The deadline of tests about deadlines.
pub(crate) const DEADLINE: Duration = Duration::from_millis(300);

pub(crate) struct World {
    pub(crate) egress: Egress,
    pub(crate) names: Arc<Names>,
}

/// The resolver of the test kit, as egress asks for it.
#[derive(Default)]
pub(crate) struct Names(pub(crate) FixedResolver);

#[async_trait]
impl Resolve for Names {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        self.0.resolve(name).await
    }

    fn asked(&self) -> &'static str {
        "the name server of the test"
    }
}

pub(crate) fn environment(number: u8) -> EnvironmentId {
    EnvironmentId::from_chance([number; 16])
}

pub(crate) fn url(text: &str) -> EndpointUrl {
    EndpointUrl::parse(text, true).unwrap_or_else(|error| panic!("{text}: {error}"))
}

impl World {
    /// Nothing is allowed that is not allowed by default.
    pub(crate) fn strict() -> Self {
        Self::with(AddressPolicies::default(), None)
    }

    /// The loopback is allowed, and nothing more.
    pub(crate) fn local() -> Self {
        Self::with(loopback(), None)
    }

    /// The loopback is allowed and that receiver's certificate authority is trusted.
    pub(crate) fn trusting(receiver: &TestReceiver) -> Self {
        Self::with(loopback(), Some(receiver))
    }

    pub(crate) fn with(policies: AddressPolicies, trusted: Option<&TestReceiver>) -> Self {
        Self::on_clock(policies, trusted, Arc::new(SystemClock::new()))
    }

    pub(crate) fn on_clock(policies: AddressPolicies, trusted: Option<&TestReceiver>, clock: Arc<dyn Clock>) -> Self {
        let names = Arc::new(Names::default());
        let extra_roots = trusted.map(TestReceiver::root).into_iter().collect();
        let config = EgressConfig {
            policies,
            resolver: Arc::clone(&names) as Arc<dyn Resolve>,
            extra_roots,
        };
        Self {
            egress: Egress::new(config, clock).expect("the receiver's root is a certificate"),
            names,
        }
    }

    /// A name that leads to the loopback.
    pub(crate) fn named(self, name: &str) -> Self {
        self.names.0.answer(name, &["127.0.0.1"]);
        self
    }

    pub(crate) async fn post(&self, to: &str) -> Exchange {
        self.send(request(to)).await
    }

    pub(crate) async fn post_within(&self, deadline: Duration, to: &str) -> Exchange {
        self.send(OutboundRequest {
            timeout: deadline,
            ..request(to)
        })
        .await
    }

    pub(crate) async fn post_as(&self, environment: EnvironmentId, to: &str) -> Exchange {
        self.send(OutboundRequest {
            environment,
            ..request(to)
        })
        .await
    }

    pub(crate) async fn send(&self, request: OutboundRequest) -> Exchange {
        self.egress.send(&request).await
    }

    pub(crate) async fn vet(&self, to: &str) -> Result<(), Failure> {
        self.egress.vet(environment(1), &url(to)).await
    }
}

pub(crate) fn loopback() -> AddressPolicies {
    AddressPolicies::everywhere(vec!["127.0.0.0/8".parse().expect("it is a network")])
}

pub(crate) fn request(to: &str) -> OutboundRequest {
    OutboundRequest {
        environment: environment(1),
        url: url(to),
        headers: vec![
            ("content-type".to_owned(), "application/json".to_owned()),
            ("webhook-id".to_owned(), "evt_1".to_owned()),
        ],
        body: "{\"one\": 1}".into(),
        timeout: PATIENCE,
    }
}

/// The kind and the words of a try that failed.
pub(crate) fn failure(exchange: &Exchange) -> (FailureKind, &str) {
    let failure = exchange.failure.as_ref().unwrap_or_else(|| panic!("it did not fail: {exchange:?}"));
    (failure.kind, &failure.message)
}
