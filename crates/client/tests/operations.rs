//! The client against a server that says what the test wants: which requests it makes, and what it makes of the answers.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use http::{HeaderMap, Method, Response, Uri};
use serde_json::value::RawValue;
use tidings_client::{
    Auth, BatchResult, Change, Client, DeliveryFilter, EnvironmentChange, Error, EventFilter, KeyRotation, MasterKeyRotation,
    NewCredential, NewEnvironment, NewEvent, NewEventType, NewTenantToken, NewWebhook, PageRequest, SavedTest, Secret, SecretRotation,
    SettingsChange, TestRequest, WebhookChange, WebhookFilter,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

const WEBHOOK: &str = r#"{"id":"wh_1","name":"desk","url":"https://e.example/","hasSecret":true,"eventKeys":["*"],"active":true,
    "disabled":null,"tenantId":null,"headerNames":["x-a"],"health":{"attempts":3,"failures":1,"lastAttemptAt":null,"failingSince":null},
    "createdAt":"2026-01-31T12:00:00.000Z","updatedAt":"2026-01-31T12:00:00.000Z"}"#;
const DELIVERY: &str = r#"{"id":"dlv_1","eventId":"evt_1","webhookId":"wh_1","eventKey":"a.b","trigger":"event","status":"delivered",
    "attempts":1,"lastStatusCode":200,"nextAttemptAt":null,"finishedAt":"2026-01-31T12:00:00.000Z","cancelReason":null,
    "createdAt":"2026-01-31T12:00:00.000Z","requestBody":{"n": 1.0},"attemptLog":[{"number":1,"startedAt":"2026-01-31T12:00:00.000Z",
    "url":"https://e.example/","requestHeaders":[["webhook-id","evt_1"]],"statusCode":200,"reply":{"statusCode":200,"headers":[["a","b"]],
    "body":"ok","truncated":false},"failure":null,"address":"192.0.2.1:443","timings":{"connectUs":10,"totalUs":20},
    "verdict":"delivered","retryAt":null,"reason":"the receiver answered 200"}]}"#;
const ENVIRONMENT: &str = r#"{"id":"e1","name":"QA","settings":{"httpAllowed":false,"retrySchedule":[5,300],"timeoutMs":15000,
    "retentionDays":30},"createdAt":"2026-01-31T12:00:00.000Z"}"#;
const EVENT_TYPE: &str = r#"{"key":"a.b","category":"A","displayName":"B","description":"C","builtIn":false,"inSpecification":false,
    "payloadObjects":[],"example":null,"exampleBody":{"eventKey":"a.b"},"schema":null,"createdAt":null}"#;
const TEST_REPORT: &str = r#"{"passed":false,"summary":"HTTP 500","statusCode":500,"reply":null,"failure":null,"address":null,
    "timings":{"totalUs":1},"request":{"headers":[["a","b"]],"body":{"eventKey":"a.b"}}}"#;
const ACCEPTED: &str = r#"{"id":"evt_1","eventKey":"a.b","acceptedAt":"2026-01-31T12:00:00.000Z","deliveries":2,"repeated":false}"#;

/// A request as it arrived: `POST /v1/events`, its headers and its body.
#[derive(Clone)]
struct Arrived {
    line: String,
    headers: HeaderMap,
    body: String,
}

#[derive(Default)]
struct Script {
    replies: Mutex<VecDeque<(u16, String)>>,
    arrived: Mutex<Vec<Arrived>>,
}

/// A server that answers what it is told to, in order.
struct Stub {
    url: String,
    script: Arc<Script>,
    _serving: JoinSet<std::io::Result<()>>,
}

impl Stub {
    async fn start() -> Self {
        let script = Arc::new(Script::default());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            script,
            _serving: serving,
        }
    }

    fn reply(&self, status: u16, body: &str) -> &Self {
        self.script.replies.lock().unwrap().push_back((status, body.to_owned()));
        self
    }

    fn client(&self) -> Client {
        Client::new(&self.url, &Auth::Nobody).unwrap()
    }

    fn last(&self) -> Arrived {
        self.script.arrived.lock().unwrap().last().unwrap().clone()
    }
}

async fn answer(State(script): State<Arc<Script>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response<Body> {
    let (line, body) = (format!("{method} {uri}"), String::from_utf8(body.to_vec()).unwrap());
    script.arrived.lock().unwrap().push(Arrived { line, headers, body });
    let (status, body) = script.replies.lock().unwrap().pop_front().unwrap();
    let reply = Response::builder().status(status).header("retry-after", "7");
    reply.body(Body::from(body)).unwrap()
}

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn event() -> NewEvent {
    NewEvent {
        event_key: "a.b".to_owned(),
        payload: raw(r#"{"n": 1.0}"#),
        tenant_id: Some("acme".to_owned()),
        user_id: None,
        application_id: None,
    }
}

/// Answers with that body, asks, and holds the request to that line and body.
macro_rules! asks {
    ($stub:ident, $reply:expr, $client:ident.$($call:tt)+) => {{
        let reply: &str = $reply;
        $stub.reply(if reply.is_empty() { 204 } else { 200 }, reply);
        let $client = $stub.client();
        let answer = $client.$($call)+.await.unwrap();
        let Arrived { line, body, .. } = $stub.last();
        (answer, format!("{line} {body}").trim_end().to_owned())
    }};
}

#[tokio::test]
async fn environments_and_credentials_are_asked_for_as_the_api_says() {
    let stub = Stub::start().await;
    let list = format!(r#"{{"data":[{ENVIRONMENT}]}}"#);
    let (answer, line) = asks!(stub, &list, client.environments());
    assert_eq!(
        (answer.data[0].settings.retry_schedule.as_slice(), line.as_str()),
        (&[5, 300][..], "GET /v1/environments")
    );
    let (_, line) = asks!(stub, ENVIRONMENT, client.environment("e1"));
    assert_eq!(line, "GET /v1/environments/e1");
    let new = NewEnvironment {
        name: "QA".to_owned(),
        settings: None,
    };
    let (_, line) = asks!(stub, ENVIRONMENT, client.create_environment(&new));
    assert_eq!(line, r#"POST /v1/environments {"name":"QA"}"#);
    let change = EnvironmentChange {
        name: None,
        settings: Some(SettingsChange {
            http_allowed: Some(true),
            retry_schedule: Some(vec![]),
            ..SettingsChange::default()
        }),
    };
    let (_, line) = asks!(stub, ENVIRONMENT, client.change_environment("e1", &change));
    assert_eq!(
        line,
        r#"PATCH /v1/environments/e1 {"settings":{"httpAllowed":true,"retrySchedule":[]}}"#
    );
    let ((), line) = asks!(stub, "", client.delete_environment("e1", true));
    assert_eq!(line, "DELETE /v1/environments/e1?force=true");
    let report = r#"{"copied":{"settings":true,"eventTypes":["a.b"]},"kept":{"eventTypes":[]},
        "notCopied":{"webhooks":2,"credentials":1,"note":"never"}}"#;
    let (answer, line) = asks!(stub, report, client.copy_environment("e1", "e2"));
    assert_eq!(
        (answer.not_copied.webhooks, line.as_str()),
        (2, r#"POST /v1/environments/e1/copy {"to":"e2"}"#)
    );

    let credential = r#"{"clientId":"c","name":"n","scopes":["read"],"createdAt":"t","clientSecret":"hunter2"}"#;
    let (answer, line) = asks!(
        stub,
        credential,
        client.create_credential(
            "e1",
            &NewCredential {
                name: "n".to_owned(),
                scopes: None
            }
        )
    );
    assert_eq!(line, r#"POST /v1/environments/e1/credentials {"name":"n"}"#);
    assert_eq!(
        (answer.credential.client_id.as_str(), answer.client_secret.expose()),
        ("c", "hunter2")
    );
    let (_, line) = asks!(stub, r#"{"data":[]}"#, client.credentials("e1"));
    assert_eq!(line, "GET /v1/environments/e1/credentials");
    let ((), line) = asks!(stub, "", client.revoke_credential("e1", "c"));
    assert_eq!(line, "DELETE /v1/environments/e1/credentials/c");
    let new = NewTenantToken {
        ttl_seconds: Some(60),
        scopes: None,
    };
    let (answer, line) = asks!(stub, r#"{"token":"t","expiresIn":60}"#, client.create_tenant_token("acme", &new));
    assert_eq!(
        (answer.expires_in, line.as_str()),
        (60, r#"POST /v1/tenants/acme/tokens {"ttlSeconds":60}"#)
    );
}

#[tokio::test]
async fn nodes_are_listed() {
    let stub = Stub::start().await;
    let nodes = r#"{"data":[{"number":3,"name":"http://a:8080","version":"0.1.0","answers":true,"joinedAt":"t","seenAt":"u","queued":1,"inFlight":2,"lagMs":4}]}"#;
    let (answer, line) = asks!(stub, nodes, client.nodes());
    assert_eq!(line, "GET /v1/nodes");
    let node = &answer.data[0];
    assert_eq!((node.number, node.answers, node.in_flight, node.lag_ms), (3, true, 2, 4));
}

#[tokio::test]
async fn keys_are_listed_and_changed() {
    let stub = Stub::start().await;
    let keys = r#"{"given":false,"masterKeys":[{"id":"0a1b2c3d","state":"current","since":"t","sealed":4}],
        "tokenKeys":[{"id":"k","madeAt":"t","endsAt":null}]}"#;
    let (answer, line) = asks!(stub, keys, client.keys());
    assert_eq!(line, "GET /v1/keys");
    assert_eq!((answer.master_keys[0].sealed, answer.token_keys[0].ends_at.as_deref()), (4, None));
    let rotation = MasterKeyRotation {
        replaces: Some("0a1b2c3d".to_owned()),
        revoke_tokens: true,
    };
    let (_, line) = asks!(stub, keys, client.rotate_master_key(&rotation));
    assert_eq!(line, r#"POST /v1/keys/master/rotate {"replaces":"0a1b2c3d","revokeTokens":true}"#);
    let (_, line) = asks!(stub, keys, client.rotate_token_key(KeyRotation::default()));
    assert_eq!(line, r#"POST /v1/keys/tokens/rotate {"revokeTokens":false}"#);
}

#[tokio::test]
async fn webhooks_are_asked_for_as_the_api_says() {
    let stub = Stub::start().await;
    let new = NewWebhook {
        url: "https://e.example/".to_owned(),
        event_keys: vec!["*".to_owned()],
        generate_secret: true,
        ..NewWebhook::default()
    };
    let (answer, line) = asks!(stub, WEBHOOK, client.create_webhook(&new));
    assert_eq!(
        line,
        r#"POST /v1/webhooks {"url":"https://e.example/","generateSecret":true,"eventKeys":["*"]}"#
    );
    assert_eq!(
        (answer.health.failures, answer.header_names.len(), answer.secret.is_some()),
        (1, 1, false)
    );
    let filter = WebhookFilter {
        search: Some("a b&c".to_owned()),
        active: Some(false),
        ..WebhookFilter::default()
    };
    let page = PageRequest {
        limit: Some(1),
        cursor: Some("wh_2".to_owned()),
    };
    let list = format!(r#"{{"data":[{WEBHOOK}],"nextCursor":"wh_1"}}"#);
    let (answer, line) = asks!(stub, &list, client.webhooks(&filter, &page));
    assert_eq!(line, "GET /v1/webhooks?search=a+b%26c&active=false&limit=1&cursor=wh_2");
    assert_eq!(answer.next_cursor.as_deref(), Some("wh_1"));
    let change = WebhookChange {
        secret: Change::Clear,
        ..WebhookChange::default()
    };
    let (_, line) = asks!(stub, WEBHOOK, client.change_webhook("wh_1", &change));
    assert_eq!(line, r#"PATCH /v1/webhooks/wh_1 {"secret":null}"#);
    let (_, line) = asks!(stub, WEBHOOK, client.change_webhook("wh_1", &WebhookChange::default()));
    assert_eq!(line, "PATCH /v1/webhooks/wh_1 {}");
    let (_, line) = asks!(stub, WEBHOOK, client.webhook("wh_1"));
    assert_eq!(line, "GET /v1/webhooks/wh_1");
    let (_, line) = asks!(stub, WEBHOOK, client.enable_webhook("wh_1"));
    assert_eq!(line, "POST /v1/webhooks/wh_1/enable {}");
    let (_, line) = asks!(stub, WEBHOOK, client.disable_webhook("wh_1"));
    assert_eq!(line, "POST /v1/webhooks/wh_1/disable {}");
    let (answer, line) = asks!(stub, r#"{"secret":null,"headers":{"x-a":"b"}}"#, client.webhook_secrets("wh_1"));
    assert_eq!(
        (answer.headers["x-a"].expose(), line.as_str()),
        ("b", "GET /v1/webhooks/wh_1/secret")
    );
    let rotation = SecretRotation {
        secret: None,
        overlap_seconds: Some(60),
    };
    let (_, line) = asks!(stub, WEBHOOK, client.rotate_webhook_secret("wh_1", &rotation));
    assert_eq!(line, r#"POST /v1/webhooks/wh_1/rotate-secret {"overlapSeconds":60}"#);
    let ((), line) = asks!(stub, "", client.delete_webhook("wh_1"));
    assert_eq!(line, "DELETE /v1/webhooks/wh_1");
    let test = TestRequest {
        url: "https://e.example/".to_owned(),
        secret: Some(Secret::new("correct-horse")),
        ..TestRequest::default()
    };
    let (answer, line) = asks!(stub, TEST_REPORT, client.test_url(&test));
    assert_eq!(
        line,
        r#"POST /v1/webhooks/test {"url":"https://e.example/","secret":"correct-horse"}"#
    );
    assert_eq!((answer.exchange.status_code, answer.exchange.timings.total_us), (Some(500), 1));
    assert!(!answer.passed && answer.request.as_ref().is_some_and(|request| request.headers.len() == 1));
    let (_, line) = asks!(stub, TEST_REPORT, client.test_webhook("wh_1", &SavedTest::default()));
    assert_eq!(line, "POST /v1/webhooks/wh_1/test {}");
}

#[tokio::test]
async fn events_deliveries_and_event_types_are_asked_for_as_the_api_says() {
    let stub = Stub::start().await;
    let (answer, line) = asks!(stub, ACCEPTED, client.send_event(&event(), Some("key-1")));
    assert_eq!(line, r#"POST /v1/events {"eventKey":"a.b","payload":{"n": 1.0},"tenantId":"acme"}"#);
    assert_eq!(
        (answer.deliveries, &stub.last().headers["idempotency-key"]),
        (2, &"key-1".parse::<http::HeaderValue>().unwrap())
    );
    let report = format!(
        r#"{{"results":[{{"status":202,{}}},{{"status":422,"code":"invalid","detail":"no","errors":[]}}],"accepted":1,"refused":1}}"#,
        ACCEPTED.trim_matches(['{', '}'])
    );
    let (answer, line) = asks!(stub, &report, client.send_events(&[event()], None));
    assert!(line.starts_with(r#"POST /v1/events/batch {"events":[{"eventKey""#), "{line}");
    assert!(matches!(&answer.results[0], BatchResult::Accepted(event) if event.id == "evt_1"));
    assert!(matches!(&answer.results[1], BatchResult::Refused(event) if event.status == 422));
    let single = r#"{"id":"evt_1","eventKey":"a.b","acceptedAt":"t","body":{"n": 1.0},"deliveries":[]}"#;
    let (answer, line) = asks!(stub, single, client.event("evt_1"));
    assert_eq!(
        (answer.body.as_ref().map(|body| body.get()), line.as_str()),
        (Some(r#"{"n": 1.0}"#), "GET /v1/events/evt_1")
    );
    let filter = EventFilter {
        from: Some("2026-01-31T12:00:00+02:00".to_owned()),
        ..EventFilter::default()
    };
    let (_, line) = asks!(
        stub,
        r#"{"data":[],"nextCursor":null}"#,
        client.events(&filter, &PageRequest::default())
    );
    assert_eq!(line, "GET /v1/events?from=2026-01-31T12%3A00%3A00%2B02%3A00");

    let filter = DeliveryFilter {
        webhook_id: Some("wh_1".to_owned()),
        status: Some("exhausted".to_owned()),
        ..DeliveryFilter::default()
    };
    let (_, line) = asks!(stub, r#"{"data":[]}"#, client.deliveries(&filter, &PageRequest::default()));
    assert_eq!(line, "GET /v1/deliveries?webhookId=wh_1&status=exhausted");
    let (answer, line) = asks!(stub, DELIVERY, client.delivery("dlv_1"));
    assert_eq!(line, "GET /v1/deliveries/dlv_1");
    assert_eq!(answer.attempt_log[0].exchange.timings.connect_us, Some(10));
    assert_eq!(answer.request_body.as_ref().map(|body| body.get()), Some(r#"{"n": 1.0}"#));
    let (_, line) = asks!(stub, DELIVERY, client.resend("dlv_1"));
    assert_eq!(line, "POST /v1/deliveries/dlv_1/resend {}");

    let (_, line) = asks!(stub, &format!(r#"{{"data":[{EVENT_TYPE}]}}"#), client.event_types());
    assert_eq!(line, "GET /v1/event-types");
    let (answer, line) = asks!(stub, EVENT_TYPE, client.event_type("a.b"));
    assert_eq!((answer.example.is_none(), line.as_str()), (true, "GET /v1/event-types/a.b"));
    let new = NewEventType {
        key: "a.b".to_owned(),
        category: "A".to_owned(),
        schema: Some(raw("true")),
        ..NewEventType::default()
    };
    let (_, line) = asks!(stub, EVENT_TYPE, client.create_event_type(&new));
    assert_eq!(line, r#"POST /v1/event-types {"key":"a.b","category":"A","schema":true}"#);
    let ((), line) = asks!(stub, "", client.delete_event_type("a.b"));
    assert_eq!(line, "DELETE /v1/event-types/a.b");
}

#[tokio::test]
async fn an_answer_is_kept_as_it_came_with_what_this_client_does_not_know() {
    let stub = Stub::start().await;
    let text = ENVIRONMENT.replacen('{', r#"{ "later": 1.0, "#, 1);
    stub.reply(200, &text);
    let answer = stub.client().environment("e1").await.unwrap();
    assert_eq!((answer.json().get(), answer.name.as_str()), (text.as_str(), "QA"));
}

#[tokio::test]
async fn a_credential_a_token_and_an_environment_go_with_the_request() {
    let stub = Stub::start().await;
    let basic = Auth::Basic {
        client_id: "id".to_owned(),
        secret: Secret::new("hunter2"),
    };
    let client = Client::new(&stub.url, &basic).unwrap().in_environment("e1").unwrap();
    stub.reply(200, "").reply(200, "");
    client.ready().await.unwrap();
    let headers = stub.last().headers;
    assert_eq!(
        (&headers["authorization"], &headers["tidings-environment"]),
        (&"Basic aWQ6aHVudGVyMg==".parse().unwrap(), &"e1".parse().unwrap())
    );
    assert!(!format!("{client:?} {basic:?}").contains("hunter2"));
    let client = Client::new(&stub.url, &Auth::Token(Secret::new("abc"))).unwrap();
    client.ready().await.unwrap();
    let headers = stub.last().headers;
    assert_eq!(
        (&headers["authorization"], headers.get("tidings-environment")),
        (&"Bearer abc".parse().unwrap(), None)
    );
}

#[tokio::test]
async fn a_refusal_is_a_problem_with_its_fields() {
    let stub = Stub::start().await;
    let problem = r#"{"type":"urn:tidings:problem:invalid","title":"T","status":422,"detail":"D","code":"invalid",
        "errors":[{"field":"url","message":"has to be https"}]}"#;
    stub.reply(422, problem);
    let error = stub.client().webhook("wh_1").await.unwrap_err();
    assert_eq!(error.to_string(), "D");
    let problem = error.problem().unwrap();
    assert_eq!(
        (problem.status, problem.code.as_str(), problem.retry_after_seconds),
        (422, "invalid", Some(7))
    );
    assert_eq!(
        (problem.errors[0].field.as_str(), problem.errors[0].message.as_str()),
        ("url", "has to be https")
    );
}

#[tokio::test]
async fn what_is_not_tidings_is_told_from_it() {
    let stub = Stub::start().await;
    stub.reply(502, "<h1>Bad gateway</h1>")
        .reply(200, "<h1>Welcome</h1>")
        .reply(302, "");
    let error = stub.client().environments().await.unwrap_err();
    assert!(
        matches!(&error, Error::Foreign { status: 502, excerpt, .. } if excerpt == "<h1>Bad gateway</h1>"),
        "{error}"
    );
    assert!(matches!(stub.client().environments().await.unwrap_err(), Error::Unreadable(_)));
    let error = stub.client().environments().await.unwrap_err();
    assert!(
        matches!(error, Error::Foreign { status: 302, .. }),
        "redirects are not followed: {error}"
    );
}

#[tokio::test]
async fn a_closed_port_is_unreachable_and_nothing_was_sent() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let error = Client::new(&url, &Auth::Nobody).unwrap().ready().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { refused: true, .. }), "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_may_have_done_something() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let mut breaking = JoinSet::new();
    breaking.spawn(async move { drop(listener.accept().await) });
    let error = Client::new(&url, &Auth::Nobody).unwrap().ready().await.unwrap_err();
    assert!(matches!(error, Error::Broken { .. }), "{error}");
}

#[tokio::test]
async fn an_id_never_leads_to_another_path() {
    let stub = Stub::start().await;
    for id in ["", ".", ".."] {
        assert!(
            matches!(stub.client().delete_webhook(id).await, Err(Error::Unsendable { .. })),
            "{id}"
        );
    }
    let ((), line) = asks!(stub, "", client.delete_webhook("../environments/e1?force=true#x"));
    assert_eq!(line, "DELETE /v1/webhooks/..%2Fenvironments%2Fe1%3Fforce=true%23x");
}

#[tokio::test]
async fn a_path_in_the_servers_url_goes_before_every_path() {
    let stub = Stub::start().await;
    stub.reply(200, "");
    let client = Client::new(&format!("{}/tidings/", stub.url), &Auth::Nobody).unwrap();
    client.ready().await.unwrap();
    assert_eq!(stub.last().line, "GET /tidings/readyz");
}

#[test]
fn what_is_no_server_or_cannot_be_sent_is_refused_at_once() {
    let new = |url: &str| Client::new(url, &Auth::Nobody).map(drop).unwrap_err().to_string();
    assert!(new("localhost:8080").contains("has to begin with http:// or https://"));
    assert!(new("").starts_with("'' is not the address of a server"));
    assert!(!new("http://id:hunter2@example.com").contains("hunter2"));
    let token = Auth::Token(Secret::new("a\nb"));
    assert!(
        Client::new("http://localhost", &token)
            .unwrap_err()
            .to_string()
            .starts_with("the access token cannot be sent")
    );
}
