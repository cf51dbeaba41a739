//! Payloads: what the check lets through stands in the delivered body byte for byte, and reads the same for every receiver.
#![no_main]

use std::collections::BTreeSet;

use libfuzzer_sys::fuzz_target;
use serde::Deserialize;
use serde_json::value::RawValue;
use tidings_fuzz::json::Members;
use tidings_model::limits::PAYLOAD_DEPTH_MAX;
use tidings_model::payload::{EventContext, check, splice};

/// What a receiver reads beside the payload's members.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    #[serde(borrow)]
    event_context: &'a RawValue,
    event_key: &'a str,
}

fuzz_target!(|payload: &[u8]| {
    if check(payload).is_err() {
        return;
    }
    let context = EventContext {
        vendor_id: "vendor",
        tenant_id: Some("a \"tenant\""),
        user_id: None,
        application_id: None,
    };
    let body = splice(payload, &context, &"order.placed".parse().expect("a key"));
    let read: Envelope<'_> = serde_json::from_slice(&body).expect("a body is JSON");
    assert_eq!(read.event_key, "order.placed");
    assert_eq!(read.event_context.get(), r#"{"vendorId":"vendor","tenantId":"a \"tenant\""}"#);

    let Members(sent) = serde_json::from_slice(payload).expect("a payload is an object");
    let Members(delivered) = serde_json::from_slice(&body).expect("a body is an object");
    assert_eq!(delivered.len(), sent.len() + 2);
    for ((sent_name, sent_value), (name, value)) in sent.iter().zip(&delivered) {
        assert_eq!((sent_name, sent_value.get()), (name, value.get()));
    }
    let names: BTreeSet<&str> = delivered.iter().map(|(name, _)| name.as_ref()).collect();
    assert_eq!(
        names.len(),
        delivered.len(),
        "a receiver would have to choose between two members of one name"
    );
    assert!(depth(payload) <= PAYLOAD_DEPTH_MAX, "deeper than is promised");
});

/// How deeply brackets are nested, those in strings left out.
fn depth(json: &[u8]) -> u32 {
    let (mut deepest, mut now, mut in_string, mut escaped) = (0_u32, 0_u32, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => now += 1,
            b'}' | b']' if !in_string => now -= 1,
            _ => {}
        }
        deepest = deepest.max(now);
    }
    deepest
}
