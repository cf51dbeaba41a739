//! The outside world: what receivers do, and what they got.

use std::collections::BTreeMap;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;
use tidings_model::{EndpointUrl, EnvironmentId, Exchange, Failure, FailureKind, OutboundRequest, Reply, Timings, Transport};

/// What a receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Does {
    /// Answers with that status and body.
    Answers(u16, &'static str),
    /// Does not listen.
    Refuses,
}

/// Receivers by URL. One that nobody told anything answers 200.
#[derive(Default)]
pub(crate) struct Network {
    receivers: Mutex<BTreeMap<String, Does>>,
    got: Mutex<Vec<OutboundRequest>>,
}

impl Network {
    /// Tells a receiver what to do from now on.
    pub(crate) fn tell(&self, url: &str, does: Does) {
        self.receivers.lock().insert(url.to_owned(), does);
    }

    /// Everything that was sent, oldest first.
    pub(crate) fn got(&self) -> Vec<OutboundRequest> {
        self.got.lock().clone()
    }
}

#[async_trait]
impl Transport for Network {
    async fn send(&self, request: &OutboundRequest) -> Exchange {
        let does = self.receivers.lock().get(request.url.as_str()).cloned();
        self.got.lock().push(request.clone());
        let timings = Timings {
            first_byte_us: Some(1_000),
            total_us: 2_000,
            ..Timings::default()
        };
        let address = "192.0.2.1:443".parse().ok();
        match does.unwrap_or(Does::Answers(200, "ok")) {
            Does::Answers(status, body) => Exchange {
                reply: Some(Reply {
                    status,
                    headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
                    body: Bytes::from_static(body.as_bytes()),
                    body_truncated: false,
                }),
                failure: None,
                address,
                timings,
            },
            Does::Refuses => Exchange {
                address,
                timings,
                ..Exchange::failed(FailureKind::Connect, "connection refused by 192.0.2.1:443")
            },
        }
    }

    /// Refuses the loopback addresses, as the real one does with many more.
    async fn vet(&self, _: EnvironmentId, url: &EndpointUrl) -> Result<(), Failure> {
        let host = url.host().to_string();
        if host == "localhost" || host.starts_with("127.") {
            return Err(Failure::new(
                FailureKind::Refused,
                format!("{host} is a loopback address, which is not allowed"),
            ));
        }
        Ok(())
    }
}
