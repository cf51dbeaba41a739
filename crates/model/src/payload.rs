//! Event payloads as bytes: checked once, never rebuilt, and spliced into the body that is delivered.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::EventKey;
use crate::limits::PAYLOAD_DEPTH_MAX;

/// Members of the delivered body that Tidings adds.
pub const RESERVED_MEMBERS: [&str; 2] = ["eventContext", "eventKey"];

/// Bytes cannot be an event's payload; the message says what is wrong and where.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PayloadError {
    /// Not JSON, or JSON that receivers would read in different ways.
    #[error("the payload cannot be read: {0}")]
    Unreadable(String),
    /// JSON, but not an object.
    #[error("the payload has to be a JSON object")]
    NotAnObject,
    /// A member that Tidings adds itself.
    #[error("the payload cannot have a member '{0}': Tidings adds it from the event's own fields")]
    Reserved(&'static str),
}

/// Checks that bytes are a payload: one JSON object in UTF-8, at most [`PAYLOAD_DEPTH_MAX`] deep, no key twice in one object, numbers that can be
/// held, whole Unicode, and no member that Tidings adds.
pub fn check(payload: &[u8]) -> Result<(), PayloadError> {
    let first = payload.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(|byte| *byte != b'{') && serde_json::from_slice::<serde::de::IgnoredAny>(payload).is_ok() {
        return Err(PayloadError::NotAnObject);
    }
    // Of text that is known to be UTF-8 the parser does not ask it again for every string.
    let reserved = match std::str::from_utf8(payload) {
        Ok(text) => walk(serde_json::Deserializer::from_str(text)),
        Err(_) => walk(serde_json::Deserializer::from_slice(payload)),
    };
    match reserved.map_err(|error| PayloadError::Unreadable(in_words(&error)))? {
        Some(name) => Err(PayloadError::Reserved(name)),
        None => Ok(()),
    }
}

/// Reads one value to its end, and says which reserved member it has.
fn walk<'de, R: serde_json::de::Read<'de>>(mut json: serde_json::Deserializer<R>) -> serde_json::Result<Option<&'static str>> {
    let mut reserved = None;
    Value {
        depth: 0,
        reserved: &mut reserved,
    }
    .deserialize(&mut json)?;
    json.end()?;
    Ok(reserved)
}

/// What the parser says, with what to do where that is not plain.
fn in_words(error: &serde_json::Error) -> String {
    let said = error.to_string();
    let instead = [
        (
            "number out of range",
            "a number is beyond what a double can hold (about 1.8e308), so that receivers would read different ones; send it as a string",
        ),
        ("EOF while parsing", "it ends too early"),
        ("expected ident", "true, false or null is not spelt like this"),
        ("recursion limit exceeded", "it is nested too deeply"),
    ];
    let plain = instead.iter().find(|(words, _)| said.starts_with(words)).map(|(_, plain)| *plain);
    let plain = plain.unwrap_or_else(|| said.rsplit_once(" at line ").map_or(said.as_str(), |(words, _)| words));
    match (error.line(), error.column()) {
        (0, _) => said,
        (line, 0) => format!("{plain} (end of line {})", line - 1), // the line break itself was what did not fit
        (line, column) => format!("{plain} (line {line}, column {column})"),
    }
}

/// Walks one JSON value and keeps nothing of it.
struct Value<'a> {
    depth: u32,
    reserved: &'a mut Option<&'static str>,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Objects with more keys than this are checked for repetition by sorting instead of by comparing.
const FEW_KEYS: usize = 16;

/// The keys of one object, to find one that comes twice.
#[derive(Default)]
struct Keys<'de> {
    few: Vec<Cow<'de, str>>,
    many: std::collections::BTreeSet<Cow<'de, str>>,
}

impl<'de> Keys<'de> {
    fn insert(&mut self, key: Cow<'de, str>) -> bool {
        if self.few.len() < FEW_KEYS {
            if self.few.is_empty() {
                self.few.reserve_exact(FEW_KEYS); // at once instead of twice or thrice
            }
            let new = !self.few.contains(&key);
            self.few.push(key);
            return new;
        }
        !self.few.contains(&key) && self.many.insert(key)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        while items
            .next_element_seed(Value {
                depth,
                reserved: self.reserved,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let depth = deeper(self.depth)?;
        let mut keys = Keys::default();
        while let Some(BorrowedKey(key)) = members.next_key()? {
            if depth == 1 {
                *self.reserved = self.reserved.or(RESERVED_MEMBERS.into_iter().find(|name| *name == key));
            }
            if !keys.insert(key.clone()) {
                return Err(A::Error::custom(format_args!("the key '{key}' comes twice in one object")));
            }
            members.next_value_seed(Value {
                depth,
                reserved: self.reserved,
            })?;
        }
        Ok(())
    }
}

fn deeper<E: Error>(depth: u32) -> Result<u32, E> {
    if depth == PAYLOAD_DEPTH_MAX {
        return Err(E::custom(format_args!("nested more than {PAYLOAD_DEPTH_MAX} levels deep")));
    }
    Ok(depth + 1)
}

#[derive(Deserialize)]
struct BorrowedKey<'a>(#[serde(borrow)] Cow<'a, str>);

/// The `eventContext` of a delivered body.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EventContext<'a> {
    /// The environment.
    pub vendor_id: &'a str,
    /// The tenant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<&'a str>,
    /// The user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<&'a str>,
    /// The application.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_id: Option<&'a str>,
}

/// Builds the flat body that receivers get: the payload's members byte for byte, then `eventContext`, then `eventKey`.
///
/// The payload has passed [`check`]: it begins with `{` and ends with `}` between white space.
pub fn splice(payload: &[u8], context: &EventContext<'_>, key: &EventKey) -> Vec<u8> {
    let members = payload.trim_ascii();
    let members = members
        .strip_prefix(b"{")
        .and_then(|rest| rest.strip_suffix(b"}"))
        .unwrap_or_default();
    let mut body = Vec::with_capacity(payload.len() + key.as_str().len() + 256);
    body.push(b'{');
    if !members.trim_ascii().is_empty() {
        body.extend_from_slice(members);
        body.push(b',');
    }
    body.extend_from_slice(b"\"eventContext\":");
    serde_json::to_writer(&mut body, context).expect("a struct of strings serialises into memory");
    body.extend_from_slice(b",\"eventKey\":\"");
    body.extend_from_slice(key.as_str().as_bytes()); // a key has no character that JSON escapes
    body.extend_from_slice(b"\"}");
    body
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTEXT: EventContext<'_> = EventContext {
        vendor_id: "v",
        tenant_id: Some("t\"1"),
        user_id: None,
        application_id: None,
    };

    fn key() -> EventKey {
        "frontegg.user.created".parse().unwrap()
    }

    #[test]
    fn the_members_stand_in_the_body_byte_for_byte() {
        let body = splice(b" {\"b\" : 1.0e0,\"a\":\"\\u00e9\"}\n", &CONTEXT, &key());
        assert_eq!(
            String::from_utf8(body).unwrap(),
            r#"{"b" : 1.0e0,"a":"\u00e9","eventContext":{"vendorId":"v","tenantId":"t\"1"},"eventKey":"frontegg.user.created"}"#
        );
        assert!(splice(b"{ }", &CONTEXT, &key()).starts_with(b"{\"eventContext\""));
    }

    #[test]
    fn what_receivers_would_read_differently_is_refused() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(70), "]".repeat(70));
        let cases: [(&[u8], &str); 13] = [
            (b"", "ends too early"),
            (b"{", "ends too early"),
            (b"{\"a\":1,}", "trailing comma"),
            (b"{\"a\":1} x", "trailing characters"),
            (b"{\n\"a\":tru\n}", "not spelt like this (end of line 2)"),
            (b"{\n\"a\":1\n\"b\":2}", "expected `,` or `}` (line 3, column 1)"),
            (b"{\"a\":1,\"a\":2}", "the key 'a' comes twice"),
            (b"{\"x\":{\"a\":1,\"\\u0061\":2}}", "the key 'a' comes twice"),
            (b"{\"a\":NaN}", "expected value"),
            (b"{\"a\":1e999}", "send it as a string (line 1, column"),
            (b"{\"a\":\"\\ud800\"}", "hex escape"),
            (b"{\"a\":\"\xff\"}", "unicode"),
            (deep.as_bytes(), "levels deep"),
        ];
        for (payload, expected) in cases {
            let error = check(payload).unwrap_err().to_string();
            assert!(error.contains(expected), "{}: {error}", String::from_utf8_lossy(payload));
        }
    }

    #[test]
    fn only_objects_without_reserved_members_are_payloads() {
        for payload in ["[]", "1", "\"x\"", "null", " true "] {
            assert_eq!(check(payload.as_bytes()), Err(PayloadError::NotAnObject), "{payload}");
        }
        assert_eq!(check(b"{\"eventKey\":1}"), Err(PayloadError::Reserved("eventKey")));
        assert_eq!(check(b"{\"a\":{\"eventKey\":1}}"), Ok(()));
    }

    #[test]
    fn a_key_that_comes_twice_is_found_among_many() {
        let members: Vec<_> = (0..40).map(|number| format!("\"k{number}\":{number}")).collect();
        assert_eq!(check(format!("{{{}}}", members.join(",")).as_bytes()), Ok(()));
        for twice in ["\"k3\":0", "\"k39\":0"] {
            assert!(check(format!("{{{},{twice}}}", members.join(",")).as_bytes()).is_err());
        }
    }

    proptest! {
        #[test]
        fn a_checked_payload_always_splices_into_json_with_its_members(pairs in prop::collection::btree_map("[a-z]{1,5}", "\\PC{0,12}", 0..6)) {
            let payload = serde_json::to_vec(&pairs).unwrap();
            prop_assert_eq!(check(&payload), Ok(()));
            let body: serde_json::Value = serde_json::from_slice(&splice(&payload, &CONTEXT, &key())).unwrap();
            for (name, value) in &pairs {
                prop_assert_eq!(body[name].as_str(), Some(value.as_str()));
            }
            prop_assert_eq!(body["eventKey"].as_str(), Some("frontegg.user.created"));
        }

        #[test]
        fn no_bytes_make_the_check_panic(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = check(&bytes);
        }
    }
}
