//! One attempt: sign, send, decide. No store, no lane: what comes back is the attempt as the log will keep it.

use std::time::Duration;

use bytes::Bytes;
use tidings_model::webhook::carries_credential;
use tidings_model::{
    Attempt, EndpointUrl, EnvironmentId, Exchange, FailureKind, Jitter, OutboundRequest, RetryPolicy, Timestamp, Transport, decide,
};
use tidings_runtime::{Clock, Entropy};
use tidings_signing::{SignInput, Signer};
use tidings_store::LeasedDelivery;

use crate::directory::{Destination, Routes};

/// What receivers see as the sender.
pub const USER_AGENT: &str = concat!("Tidings/", env!("CARGO_PKG_VERSION"));

/// Stands in the log for the value of a custom header that looks like a credential.
pub const MASKED: &str = "(not shown)";

/// A body on its way to a URL, to be signed and sent once.
#[derive(Debug)]
pub struct Shot<'a> {
    /// Whose address policy applies.
    pub environment: EnvironmentId,
    /// The event's id as text.
    pub message_id: &'a str,
    /// Where to.
    pub url: &'a EndpointUrl,
    /// What signs it.
    pub signer: &'a Signer,
    /// Custom headers, names in lower case.
    pub headers: &'a [(String, String)],
    /// The exact bytes.
    pub body: Bytes,
    /// Over everything.
    pub timeout: Duration,
    /// When the attempt begins.
    pub at: Timestamp,
}

/// The headers of a shot, in the order in which they are sent.
fn headers(shot: &Shot<'_>) -> Vec<(String, String)> {
    let mut headers = Vec::with_capacity(6 + shot.headers.len());
    headers.push(("content-type".to_owned(), "application/json".to_owned()));
    headers.push(("user-agent".to_owned(), USER_AGENT.to_owned()));
    let input = SignInput {
        message_id: shot.message_id,
        timestamp_secs: shot.at.as_seconds().unsigned_abs(),
        body: &shot.body,
    };
    headers.extend(shot.signer.sign(&input).into_iter().map(|(name, value)| (name.to_owned(), value)));
    headers.extend_from_slice(shot.headers);
    headers
}

/// Signs and sends one body. Gives back the headers as sent, with credentials masked, and what the world did.
pub async fn fire(transport: &dyn Transport, shot: Shot<'_>) -> (Vec<(String, String)>, Exchange) {
    let own = shot.headers;
    let request = OutboundRequest {
        environment: shot.environment,
        url: shot.url.clone(),
        headers: headers(&shot),
        body: shot.body,
        timeout: shot.timeout,
    };
    let exchange = transport.send(&request).await;
    let mut sent = request.headers;
    for (name, value) in &mut sent {
        if own.iter().any(|(custom, _)| custom == name) && carries_credential(name) {
            MASKED.clone_into(value);
        }
    }
    (sent, exchange)
}

/// Makes the next attempt of a leased delivery and decides what follows. Gives back when it ended, too.
pub async fn attempt(
    transport: &dyn Transport,
    clock: &dyn Clock,
    entropy: &dyn Entropy,
    routes: &Routes,
    destination: &Destination,
    delivery: &LeasedDelivery,
) -> (Attempt, Timestamp) {
    let started_at = clock.now();
    let number = delivery.attempts.saturating_add(1);
    let (url, request_headers, exchange) = match &destination.sending {
        Ok(sending) => {
            let message_id = delivery.id.event.to_string();
            let shot = Shot {
                environment: delivery.environment,
                message_id: &message_id,
                url: &sending.url,
                signer: sending.signer(started_at),
                headers: &sending.headers,
                body: delivery.body.clone(),
                timeout: routes.settings.timeout(),
                at: started_at,
            };
            let (logged, exchange) = fire(transport, shot).await;
            (sending.url.to_string(), logged, exchange)
        }
        Err(reason) => (String::new(), Vec::new(), Exchange::failed(FailureKind::Refused, reason.clone())),
    };
    let ended_at = clock.now();
    let policy = RetryPolicy {
        schedule: routes.retry_schedule().clone(),
        trigger: delivery.trigger,
    };
    // Chance is a system call, and what was delivered needs none.
    let jitter = if exchange.is_success() {
        Jitter::NONE
    } else {
        Jitter::from_chance(entropy.u32())
    };
    let verdict = decide(&exchange, number, &policy, ended_at, jitter);
    (
        Attempt {
            delivery: delivery.id,
            number,
            started_at,
            url,
            request_headers,
            exchange,
            verdict,
        },
        ended_at,
    )
}
