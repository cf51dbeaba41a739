//! The one thing the engine asks of the network. `egress` answers it for real; tests answer it with what they like.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::attempt::{Exchange, Failure};
use crate::{EndpointUrl, EnvironmentId};

/// A POST that is ready to go.
#[derive(Clone, Debug)]
pub struct OutboundRequest {
    /// Whose address policy applies.
    pub environment: EnvironmentId,
    /// Where to.
    pub url: EndpointUrl,
    /// Headers beside `host` and `content-length`, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The exact bytes.
    pub body: Bytes,
    /// Over everything: DNS, connect, TLS, headers, body.
    pub timeout: Duration,
}

/// The only door out.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends one request and reports what the world did. Every failure is a value.
    async fn send(&self, request: &OutboundRequest) -> Exchange;

    /// Checks a URL as a send would, up to the connect: for an early word at creation. A name that does not resolve now is not refused.
    async fn vet(&self, environment: EnvironmentId, url: &EndpointUrl) -> Result<(), Failure>;
}
