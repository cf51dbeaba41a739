//! The HTTP request of a try.

use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use http_body_util::Full;
use tidings_model::{Failure, FailureKind, OutboundRequest};
use tidings_signing::{frontegg, standard};

/// Names that every delivery carries and the HTTP library does not know: found here, they need not be built.
static SIGNATURE_NAMES: [HeaderName; 4] = [
    HeaderName::from_static(standard::ID_HEADER),
    HeaderName::from_static(standard::TIMESTAMP_HEADER),
    HeaderName::from_static(standard::SIGNATURE_HEADER),
    HeaderName::from_static(frontegg::HEADER),
];

/// Names that say how the message is framed or the connection used: the HTTP library's business, and a way to smuggle if it were anybody else's.
static FRAMING_NAMES: [HeaderName; 10] = [
    header::HOST,
    header::CONTENT_LENGTH,
    header::TRANSFER_ENCODING,
    header::CONNECTION,
    header::UPGRADE,
    header::TE,
    header::TRAILER,
    header::EXPECT,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// A POST with exactly these headers and bytes; what cannot be said in HTTP is refused.
pub(crate) fn build(request: &OutboundRequest) -> Result<Request<Full<Bytes>>, Failure> {
    let mut message = Request::new(Full::new(request.body.clone()));
    *message.method_mut() = Method::POST;
    *message.uri_mut() = Uri::try_from(request.url.as_str()).map_err(|error| refused(format!("the URL cannot be sent to: {error}")))?;
    let headers = message.headers_mut();
    *headers = HeaderMap::with_capacity(request.headers.len() + 1); // and host
    for (name, value) in &request.headers {
        let name = header_name(name)?;
        let value = HeaderValue::from_str(value).map_err(|_| refused(format!("the value of the header '{name}' cannot be sent")))?;
        headers.append(name, value);
    }
    Ok(message)
}

fn header_name(text: &str) -> Result<HeaderName, Failure> {
    if let Some(known) = SIGNATURE_NAMES.iter().find(|name| *name == text) {
        return Ok(known.clone());
    }
    let name = HeaderName::from_bytes(text.as_bytes()).map_err(|_| refused(format!("'{text}' cannot be the name of a header")))?;
    if FRAMING_NAMES.contains(&name) {
        Err(refused(format!("the header '{name}' cannot be set")))
    } else {
        Ok(name)
    }
}

fn refused(message: String) -> Failure {
    Failure::new(FailureKind::Refused, message)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tidings_model::{EndpointUrl, EnvironmentId};

    use super::*;

    fn with_header(name: &str, value: &str) -> Result<Request<Full<Bytes>>, Failure> {
        build(&OutboundRequest {
            environment: EnvironmentId::from_chance([1; 16]),
            url: EndpointUrl::parse("https://host.test/path?q=%20", false).unwrap(),
            headers: vec![(name.to_owned(), value.to_owned())],
            body: Bytes::from_static(b"{}"),
            timeout: Duration::from_secs(1),
        })
    }

    #[test]
    fn headers_that_frame_the_message_cannot_be_set() {
        for name in ["host", "Content-Length", "transfer-encoding", "connection", "expect"] {
            assert_eq!(with_header(name, "1").unwrap_err().kind, FailureKind::Refused, "{name}");
        }
        assert!(with_header("bad name", "1").is_err() && with_header("x-good", "line\r\nbreak").is_err());
    }

    #[test]
    fn the_message_is_the_request_and_nothing_else() {
        let message = with_header("webhook-id", "evt_1").unwrap();
        assert_eq!(
            (message.method(), message.uri().to_string().as_str()),
            (&Method::POST, "https://host.test/path?q=%20")
        );
        assert_eq!(
            message.headers().iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["webhook-id"]
        );
    }
}
