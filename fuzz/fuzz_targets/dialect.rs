//! The bodies of the Frontegg dialect: whatever they are, they are taken or refused in the shape that its clients read, and a webhook that was made or
//! changed can be listed.
#![no_main]

use std::cell::RefCell;

use axum::http::Method;
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use tidings_fuzz::server::{Answer, Server};

const OPERATIONS: [(&str, &str); 8] = [
    ("POST", "/webhook/custom"),
    ("POST", "/webhook/test"),
    ("POST", "/event/resources/configurations/v1"),
    ("POST", "/event/resources/triggers/v1"),
    ("POST", "/event/resources/triggers/v2"),
    ("POST", "/event/resources/triggers/v3"),
    ("POST", "/auth/vendor"),
    ("PATCH", "/frontegg/webhook/{id}"),
];

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(Server::new());
}

/// Every member that one of Frontegg's clients reads of a refusal.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refusal {
    status_code: u16,
    error: String,
    message: String,
    errors: Vec<String>,
}

#[derive(Deserialize)]
struct Row {
    #[serde(rename = "_id")]
    id: String,
}

fuzz_target!(|body: &[u8]| {
    let Some((operation, body)) = body.split_first() else {
        return;
    };
    SERVER.with_borrow_mut(|server| {
        let (method, address) = OPERATIONS[usize::from(*operation) % OPERATIONS.len()];
        let id = if address.contains("{id}") { webhook(server) } else { String::new() };
        let method = Method::from_bytes(method.as_bytes()).expect("a method");
        let answer = server.ask(&method, &address.replace("{id}", &id), body).expect("a plain address");
        check(&answer);
        check(&server.ask(&Method::GET, "/webhook", b"").expect("a plain address"));
    });
});

/// A webhook to change.
fn webhook(server: &mut Server) -> String {
    let body =
        br#"{"displayName":"A","description":"","url":"https://a.test/","secret":"eight-or-more","eventKeys":["*"],"isActive":true}"#;
    let made = server.ask(&Method::POST, "/webhook/custom", body).expect("a plain address");
    let Row { id } = serde_json::from_slice(&made.body).unwrap_or_else(|error| panic!("{error}: {made:?}"));
    id
}

fn check(answer: &Answer) {
    answer.is_no_fault();
    if answer.status < 400 {
        return;
    }
    let refusal: Refusal = serde_json::from_slice(&answer.body).expect("a refusal has every member");
    assert_eq!(refusal.status_code, answer.status);
    assert!(!refusal.error.is_empty() && !refusal.message.is_empty() && !refusal.errors.is_empty());
}
