//! Two JSON objects made into one, without touching a byte of their values.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in their order, those of a repeated name included.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// A member's name, borrowed where it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Collect)
    }
}

struct Collect;

impl<'de> Visitor<'de> for Collect {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some((Name(name), value)) = map.next_entry()? {
            members.push((name, value));
        }
        Ok(Members(members))
    }
}

/// The members of `base` whose names `over` does not have, then those of `over`: an object again. A name that comes twice in one of them comes twice
/// here, for the check of payloads to refuse. An error says which bytes are not an object.
pub(crate) fn merged(base: &RawValue, over: &RawValue) -> Result<Vec<u8>, serde_json::Error> {
    let Members(base_members) = serde_json::from_str(base.get())?;
    let Members(over_members) = serde_json::from_str(over.get())?;
    let replaced: BTreeSet<&str> = over_members.iter().map(|(name, _)| name.as_ref()).collect();
    let kept = base_members.iter().filter(|(name, _)| !replaced.contains(name.as_ref()));
    let mut object = Vec::with_capacity(base.get().len() + over.get().len());
    object.push(b'{');
    for (name, value) in kept.chain(&over_members) {
        if object.len() > 1 {
            object.push(b',');
        }
        serde_json::to_writer(&mut object, name)?;
        object.push(b':');
        object.extend_from_slice(value.get().as_bytes());
    }
    object.push(b'}');
    Ok(object)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn values_keep_their_bytes_and_the_second_object_wins() {
        let base = raw(r#"{"title":"T", "n": 1.00e0, "big": 12345678901234567890123, "caf\u00e9": [ 1,2 ]}"#);
        let over = raw(r#"{"n" : {"x": "\u00e9"},"café":null}"#);
        assert_eq!(
            String::from_utf8(merged(&base, &over).unwrap()).unwrap(),
            r#"{"title":"T","big":12345678901234567890123,"n":{"x": "\u00e9"},"café":null}"#
        );
    }

    #[test]
    fn a_name_that_comes_twice_still_comes_twice() {
        assert_eq!(merged(&raw(r#"{"a":1,"a":2}"#), &raw("{}")).unwrap(), br#"{"a":1,"a":2}"#);
        assert_eq!(merged(&raw("{}"), &raw(r#"{"a":1,"a":2}"#)).unwrap(), br#"{"a":1,"a":2}"#);
    }

    #[test]
    fn only_objects_merge() {
        for text in ["[]", "1", "null", "\"x\""] {
            assert!(merged(&raw(text), &raw("{}")).is_err(), "{text}");
            assert!(merged(&raw("{}"), &raw(text)).is_err(), "{text}");
        }
    }

    type Object = std::collections::BTreeMap<String, u64>;

    fn object() -> impl Strategy<Value = Object> {
        prop::collection::btree_map("\\PC{0,2}", any::<u64>(), 0..6)
    }

    proptest! {
        #[test]
        fn it_is_what_extending_a_map_gives(base in object(), over in object()) {
            let text = |object: &Object| raw(&serde_json::to_string(object).unwrap());
            let result: Object = serde_json::from_slice(&merged(&text(&base), &text(&over)).unwrap()).unwrap();
            let mut expected = base;
            expected.extend(over);
            prop_assert_eq!(result, expected);
        }
    }
}
