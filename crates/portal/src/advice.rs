//! What to do about an attempt that failed, in plain words.

use tidings_model::{Exchange, FailureKind};

/// What to do; `None` for a reply that delivers and needs no advice.
pub(crate) fn on(exchange: &Exchange) -> Option<&'static str> {
    match (&exchange.failure, exchange.status()) {
        (Some(failure), _) => Some(on_failure(failure.kind)),
        (None, Some(status)) => on_status(status),
        (None, None) => None,
    }
}

const fn on_failure(kind: FailureKind) -> &'static str {
    match kind {
        FailureKind::Refused => {
            "Tidings sends only to addresses that its operator allows, and private networks are not among them unless the server is started to allow them. Use an address that is reachable from outside, or ask the operator."
        }
        FailureKind::Dns => {
            "Look for a typing error in the host of the URL. If it is right, its DNS entry is missing, or not visible from this server."
        }
        FailureKind::Connect => {
            "Nothing answers there. Is the receiver running, on that port, and does a firewall let this server through?"
        }
        FailureKind::Tls => {
            "The receiver's certificate was not accepted. It has to be valid for that host, not expired, sent with its intermediate certificates, and from an authority that this server trusts."
        }
        FailureKind::Timeout => {
            "The receiver took too long. Answer first and work afterwards: keep the event, reply 200, then do what it asks for."
        }
        FailureKind::Disconnected => {
            "The receiver closed the connection before its reply was complete. Its log says why: often it crashed, or a proxy before it gave up."
        }
        FailureKind::Protocol => {
            "What came back is not HTTP as it should be. Is it an HTTP server, on that port, and does the URL say http or https as it does?"
        }
    }
}

const fn on_status(status: u16) -> Option<&'static str> {
    Some(match status {
        200..=299 => return None,
        300..=399 => {
            "Redirects are not followed, because a signed request is meant for one address only. Give the final address as the URL."
        }
        401 | 403 => {
            "The receiver refused it. If it verifies the signature, compare its secret with this webhook's; if it asks for a key of its own, add that as a custom header."
        }
        404 => "There is nothing at that path. Look at the path of the URL, and at the routes of the receiver.",
        405 => "The receiver does not take POST at that path.",
        408 | 504 => "Something on the way waited too long for the receiver. Answer first and work afterwards.",
        410 => "410 Gone asks for no more: a delivery that gets it disables the webhook.",
        413 => "The body is larger than the receiver takes. Raise its limit.",
        415 => "The receiver does not take JSON. It is sent with the content type application/json.",
        429 => "The receiver asks for less at a time. Deliveries slow down by themselves and honour Retry-After.",
        400..=499 => "The receiver did not like the request. Its reply or its log says why.",
        _ => "The receiver failed while it worked on the request. Its log says why.",
    })
}

#[cfg(test)]
mod tests {
    use tidings_model::Reply;

    use super::*;

    fn replied(status: u16) -> Exchange {
        Exchange {
            reply: Some(Reply {
                status,
                headers: Vec::new(),
                body: bytes::Bytes::new(),
                body_truncated: false,
            }),
            ..Exchange::default()
        }
    }

    #[test]
    fn every_failure_has_advice_and_no_success_has() {
        assert!([200, 204, 299].iter().all(|status| on(&replied(*status)).is_none()));
        assert!(
            [100, 301, 401, 404, 410, 418, 500, 503]
                .iter()
                .all(|status| on(&replied(*status)).is_some())
        );
        assert!(on(&Exchange::failed(FailureKind::Dns, "no such name")).is_some_and(|words| words.contains("DNS")));
    }
}
