//! One attempt: sign, send, decide. No store, no lane: what comes back is the attempt as the log will keep it.

use std::time::Duration;

use bytes::Bytes;
use memchr::memmem;
use tidings_model::webhook::carries_credential;
use tidings_model::{
    Attempt, EndpointUrl, EnvironmentId, Exchange, FailureKind, Jitter, OutboundRequest, Reply, RetryPolicy, Timestamp, Transport, decide,
};
use tidings_runtime::{Clock, Entropy};
use tidings_signing::{SignInput, Signer};
use tidings_store::LeasedDelivery;

use crate::directory::{Destination, Routes};

/// What receivers see as the sender.
pub const USER_AGENT: &str = concat!("Tidings/", env!("CARGO_PKG_VERSION"));

/// Stands in the log for the value of a custom header that looks like a credential.
pub const MASKED: &str = "(not shown)";

/// Shortest credential that is looked for in a reply, in bytes: a shorter one would be found in words.
const ECHO_BYTES_MIN: usize = 8;

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

/// Masks in a reply what the receiver repeats of the credentials that it was sent: more people see the log than may see those.
fn mask_echoes(reply: &mut Reply, own: &[(String, String)]) {
    let credentials = own
        .iter()
        .filter(|(name, value)| carries_credential(name) && value.len() >= ECHO_BYTES_MIN);
    for (_, credential) in credentials {
        for (_, value) in &mut reply.headers {
            if value.contains(credential.as_str()) {
                *value = value.replace(credential.as_str(), MASKED);
            }
        }
        if let Some(masked) = masked(&reply.body, credential.as_bytes()) {
            reply.body = masked.into();
        }
    }
}

/// Bytes with the mask in every place of a credential; `None` when it is nowhere in them.
fn masked(bytes: &[u8], credential: &[u8]) -> Option<Vec<u8>> {
    let mut places = memmem::find_iter(bytes, credential).peekable();
    places.peek()?;
    let (mut masked, mut kept) = (Vec::with_capacity(bytes.len()), 0);
    for at in places {
        masked.extend_from_slice(&bytes[kept..at]);
        masked.extend_from_slice(MASKED.as_bytes());
        kept = at + credential.len();
    }
    masked.extend_from_slice(&bytes[kept..]);
    Some(masked)
}

/// Signs and sends one body. Gives back the headers as sent and the reply as it came, with credentials masked, and what the world did.
pub async fn fire(transport: &dyn Transport, shot: Shot<'_>) -> (Vec<(String, String)>, Exchange) {
    let own = shot.headers;
    let request = OutboundRequest {
        environment: shot.environment,
        url: shot.url.clone(),
        headers: headers(&shot),
        body: shot.body,
        timeout: shot.timeout,
    };
    let mut exchange = transport.send(&request).await;
    if let Some(reply) = &mut exchange.reply {
        mask_echoes(reply, own);
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn echoed(body: &str, own: &[(&str, &str)]) -> Reply {
        let mut reply = Reply {
            status: 200,
            headers: vec![("x-echo".to_owned(), format!("you said {body}"))],
            body: body.to_owned().into(),
            body_truncated: false,
        };
        let own: Vec<_> = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        mask_echoes(&mut reply, &own);
        reply
    }

    #[test]
    fn what_a_receiver_repeats_of_a_credential_is_masked_and_the_rest_is_kept() {
        let own = [
            ("x-api-key", "correct-horse"),
            ("x-region", "north-by-northwest"),
            ("authorization", "short"),
        ];
        let reply = echoed("<correct-horse> in north-by-northwest, correct-horsecorrect-horse, short", &own);
        let masked = "<(not shown)> in north-by-northwest, (not shown)(not shown), short";
        assert_eq!(reply.body, masked);
        assert_eq!(reply.headers[0].1, format!("you said {masked}"));
        assert_eq!(echoed("thanks", &own).body, "thanks");
        assert_eq!(
            echoed("not shown", &[("x-api-key", "not shown")]).body,
            MASKED,
            "also when the mask holds it"
        );
    }
}
