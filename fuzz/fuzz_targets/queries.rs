//! Lists and their filters, cursors and pages, in the native API and the dialect: whatever is asked for, the answer is a list or a refusal in words, and
//! the cursor of a page leads to the next.
#![no_main]

use std::cell::RefCell;

use axum::http::Method;
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use tidings_fuzz::server::Server;

const LISTS: [&str; 6] = [
    "/v1/events",
    "/v1/deliveries",
    "/v1/webhooks",
    "/webhook/logs",
    "/frontegg/webhook/logs",
    "/event/resources/configurations/v1",
];

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(with_things());
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    data: Vec<serde::de::IgnoredAny>,
    next_cursor: Option<String>,
}

/// A server with a webhook and three events, so that lists have something in them.
fn with_things() -> Server {
    let mut server = Server::new();
    let webhook = br#"{"url":"https://a.test/","eventKeys":["*"]}"#;
    let event = br#"{"eventKey":"frontegg.user.created","payload":{},"tenantId":"acme"}"#;
    for (address, body) in [
        ("/v1/webhooks", &webhook[..]),
        ("/v1/events", event),
        ("/v1/events", event),
        ("/v1/events", event),
    ] {
        server.ask(&Method::POST, address, body).expect("a plain address").is_no_fault();
    }
    server
}

fuzz_target!(|query: &str| {
    SERVER.with_borrow_mut(|server| {
        for list in LISTS {
            let Some(answer) = server.ask(&Method::GET, &format!("{list}?{query}"), b"") else {
                return;
            };
            answer.is_no_fault();
            let Ok(Listed {
                data,
                next_cursor: Some(cursor),
            }) = serde_json::from_slice(&answer.body)
            else {
                continue;
            };
            assert!(!data.is_empty(), "a page that leads on has a row");
            let next = server
                .ask(&Method::GET, &format!("{list}?cursor={cursor}"), b"")
                .expect("cursors are plain");
            assert_eq!(next.status, 200, "{cursor}");
        }
    });
});
