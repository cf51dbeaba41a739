//! The test button: one signed request to a URL, saved or not, under the same policy as a delivery.

use std::time::Duration;

use bytes::Bytes;
use tidings_engine::Routes;
use tidings_engine::deliver::Shot;
use tidings_model::catalog::ExampleContext;
use tidings_model::payload::{self, EventContext};
use tidings_model::webhook::check_headers;
use tidings_model::{EventId, EventType, Exchange, WebhookId};
use tidings_signing::{Secret, Signer};

use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Code, Problem};
use crate::publish::unknown_key;
use crate::validate::Faults;

/// The event whose example is sent when nothing else is asked for.
const DEFAULT_EVENT_KEY: &str = "frontegg.user.created";

/// What to send as a test.
#[derive(Clone, Debug, Default)]
pub struct TestInput {
    /// Where to.
    pub url: String,
    /// What signs it; empty and `None` send it unsigned.
    pub secret: Option<String>,
    /// Custom headers.
    pub headers: Vec<(String, String)>,
    /// The event type whose example is sent, or whose context is added to the payload.
    pub event_key: Option<String>,
    /// The payload, JSON bytes. With an event key it becomes the flat body of that event; without, it is sent as it is.
    pub payload: Option<Bytes>,
}

/// What came of a test.
#[derive(Clone, Debug)]
pub struct TestReport {
    /// True for a reply of 200, as the specification has it.
    pub passed: bool,
    /// What was sent: headers, credentials masked.
    pub request_headers: Vec<(String, String)>,
    /// What was sent: the body.
    pub request_body: Bytes,
    /// What the world did.
    pub exchange: Exchange,
}

impl TestReport {
    /// The result in one line, with what to do.
    pub fn summary(&self) -> String {
        match (&self.exchange.failure, self.exchange.status()) {
            (Some(failure), _) => failure.message.clone(),
            (None, Some(200)) => "the receiver answered 200: the test passed".to_owned(),
            (None, Some(status)) => format!("the receiver answered {status}; the test passes with 200"),
            (None, None) => "nothing was sent".to_owned(),
        }
    }
}

impl App {
    /// The body that a receiver of that event type gets, made from its example.
    pub fn example_body(&self, caller: &Caller, event_type: &EventType) -> Bytes {
        let example = event_type.example.as_ref().map_or("{}", |example| example.get());
        example_body(event_type, example.as_bytes(), &caller.environment.to_string())
    }

    /// Sends a test.
    pub async fn test(&self, caller: &Caller, input: TestInput) -> Result<TestReport, Problem> {
        caller.can_write()?;
        let routes = self.routes(caller.environment)?;
        let mut faults = Faults::default();
        let url = tidings_model::EndpointUrl::parse(&input.url, routes.settings.http_allowed);
        let url = faults.check("url", url);
        let secret = match input.secret.as_deref() {
            None | Some("") => None,
            Some(text) => faults.check("secret", Secret::new(text)),
        };
        let headers = faults.check("headers", check_headers(&input.headers)).unwrap_or_default();
        let body = match self.test_body(&routes, &input) {
            Ok(body) => Some(body),
            Err(problem) if problem.fields.is_empty() => return Err(problem),
            Err(problem) => {
                problem
                    .fields
                    .iter()
                    .for_each(|field| faults.add(&field.field, field.message.clone()));
                None
            }
        };
        faults.into_result()?;
        let (Some(url), Some(body)) = (url, body) else {
            return Err(Problem::new(Code::Internal, "a checked test has a URL and a body"));
        };
        let at = self.clock.now();
        let message_id = EventId::new(at, self.entropy.u32() as u16).to_string();
        let shot = Shot {
            environment: caller.environment,
            message_id: &message_id,
            url: &url,
            signer: &Signer::new(secret.iter()),
            headers: &headers,
            body: body.clone(),
            timeout: Duration::from_millis(routes.settings.timeout_ms),
            at,
        };
        let (request_headers, exchange) = self.engine.probe(shot).await;
        let passed = exchange.failure.is_none() && exchange.status() == Some(200);
        Ok(TestReport {
            passed,
            request_headers,
            request_body: body,
            exchange,
        })
    }

    /// Tests a saved webhook: its URL, secret and headers, with the example of one of its events unless another is asked for.
    pub async fn test_webhook(
        &self,
        caller: &Caller,
        id: WebhookId,
        event_key: Option<String>,
        payload: Option<Bytes>,
    ) -> Result<TestReport, Problem> {
        caller.can_write()?;
        let webhook = self.webhook(caller, id).await?.webhook;
        let unsealed = self.open_webhook(&webhook)?;
        let routes = self.routes(caller.environment)?;
        let first = routes
            .event_types()
            .find(|event_type| webhook.subscription.wants(&event_type.key, &event_type.category));
        let event_key = event_key.or_else(|| first.map(|event_type| event_type.key.to_string()));
        let input = TestInput {
            url: webhook.url,
            secret: unsealed.secret,
            headers: unsealed.headers,
            event_key,
            payload,
        };
        self.test(caller, input).await
    }

    fn test_body(&self, routes: &Routes, input: &TestInput) -> Result<Bytes, Problem> {
        if let Some(payload) = &input.payload
            && payload.len() > self.payload_bytes_max
        {
            let detail = format!(
                "the payload has {} bytes; at most {} are taken",
                payload.len(),
                self.payload_bytes_max
            );
            return Err(Problem::new(Code::TooLarge, detail));
        }
        let event_type = |key: &str| routes.event_type(key).ok_or_else(|| unknown_key(routes, "eventKey", key));
        match (&input.payload, input.event_key.as_deref()) {
            (None, key) => {
                let event_type = event_type(key.unwrap_or(DEFAULT_EVENT_KEY))?;
                let example = event_type.example.as_ref().map_or("{}", |example| example.get());
                Ok(example_body(event_type, example.as_bytes(), &routes.vendor_id))
            }
            (Some(payload), None) => match payload::check(payload) {
                Ok(()) | Err(payload::PayloadError::Reserved(_)) => Ok(payload.clone()), // a whole body, pasted, is what it is
                Err(error) => Err(Problem::field("payload", error.to_string())),
            },
            (Some(payload), Some(key)) => {
                payload::check(payload).map_err(|error| Problem::field("payload", error.to_string()))?;
                Ok(example_body(event_type(key)?, payload, &routes.vendor_id))
            }
        }
    }
}

/// The flat body of a payload, in the context that the event type's example shows and this environment.
fn example_body(event_type: &EventType, payload: &[u8], vendor_id: &str) -> Bytes {
    let ExampleContext {
        tenant_id,
        user_id,
        application_id,
        ..
    } = &event_type.example_context;
    let context = EventContext {
        vendor_id,
        tenant_id: tenant_id.as_deref(),
        user_id: user_id.as_deref(),
        application_id: application_id.as_deref(),
    };
    Bytes::from(payload::splice(payload, &context, &event_type.key))
}
