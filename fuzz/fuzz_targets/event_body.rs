//! The body of a published event, alone and in a batch: whatever it is, it is accepted or refused in words, and the payload of what was accepted is
//! stored byte for byte.
#![no_main]

use std::cell::RefCell;

use axum::http::Method;
use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::value::RawValue;
use tidings_fuzz::json::Members;
use tidings_fuzz::server::Server;
use tidings_model::EventId;

thread_local! {
    static SERVER: RefCell<Server> = RefCell::new(Server::new());
}

#[derive(Deserialize)]
struct Sent<'a> {
    #[serde(borrow)]
    payload: &'a RawValue,
}

#[derive(Deserialize)]
struct Accepted {
    id: EventId,
}

fuzz_target!(|body: &[u8]| {
    SERVER.with_borrow_mut(|server| {
        server
            .ask(&Method::POST, "/v1/events/batch", body)
            .expect("a plain address")
            .is_no_fault();
        let answer = server.ask(&Method::POST, "/v1/events", body).expect("a plain address");
        answer.is_no_fault();
        if answer.status != 202 {
            return;
        }
        let Accepted { id } = serde_json::from_slice(&answer.body).expect("what was accepted has an id");
        let Sent { payload } = serde_json::from_slice(body).expect("what was accepted has a payload");
        let stored = server.with_app(async |app, caller| app.event(&caller, id).await.expect("what was accepted is there"));
        let Members(sent) = serde_json::from_str(payload.get()).expect("a payload is an object");
        let body = stored.body.whole().expect("nobody altered it");
        let Members(kept) = serde_json::from_slice(body).expect("a body is an object");
        assert_eq!(kept.len(), sent.len() + 2);
        for ((sent_name, sent_value), (name, value)) in sent.iter().zip(&kept) {
            assert_eq!((sent_name, sent_value.get()), (name, value.get()));
        }
    });
});
