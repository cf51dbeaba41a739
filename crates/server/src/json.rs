//! JSON of the native API: read strictly, with errors that name the field, and bodies written as they are stored.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use bytes::Bytes;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;
use tidings_app::{Code, Problem};

use crate::fault::{field_fault, in_words, without_position};

/// Reads a JSON object in UTF-8, borrowing from it where it can. What cannot be read is malformed; what can, but is not what it should be, is invalid
/// and named by its path.
pub(crate) fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Problem> {
    parse_named(bytes, "the body")
}

/// The same, of a part of a body that has a name of its own.
pub(crate) fn parse_named<'a, T: Deserialize<'a>>(bytes: &'a [u8], name: &str) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Problem::new(Code::Malformed, format!("{name} is not UTF-8 from byte {} on", error.valid_up_to())))?;
    if !text.trim_ascii_start().starts_with('{') {
        return Err(fault::<T>(text, name)); // serde would read an array as a struct's members in their order
    }
    serde_json::from_str(text).map_err(|_| fault::<T>(text, name)) // the slow way to the error's path only when there is one
}

fn fault<'a, T: Deserialize<'a>>(text: &'a str, name: &str) -> Problem {
    if text.trim_ascii().is_empty() {
        return Problem::new(Code::Malformed, format!("{name} is empty; send a JSON object"));
    }
    if let Err(error) = serde_json::from_str::<&RawValue>(text) {
        return malformed(&error, name);
    }
    if !text.trim_ascii_start().starts_with('{') {
        return Problem::new(Code::Invalid, format!("{name} has to be a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, T>(&mut json) {
        Err(error) if error.inner().is_data() => field_fault(&error.path().to_string(), &error.inner().to_string(), name),
        Err(error) => malformed(error.inner(), name),
        Ok(_) => Problem::new(Code::Malformed, format!("{name} cannot be read")),
    }
}

fn malformed(error: &serde_json::Error, name: &str) -> Problem {
    let text = error.to_string();
    let (line, column) = (error.line(), error.column());
    let detail = format!(
        "{name} is not JSON: {} (line {line}, column {column})",
        in_words(without_position(&text))
    );
    Problem::new(Code::Malformed, detail)
}

/// A text that is borrowed where it has no escapes.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Text<'_> {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// JSON that is stored as bytes and written as it is.
#[derive(Clone, Debug)]
pub(crate) struct RawJson(pub(crate) Bytes);

impl Serialize for RawJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_slice(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

/// An object of texts in its order, repetitions included: the application says what is wrong with them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pairs(pub(crate) Vec<(String, String)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }

        deserializer.deserialize_map(Collect)
    }
}

/// A member of an object that means one thing when it is null and another when it is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Member<T> {
    /// It is not there.
    #[default]
    Absent,
    /// It is null.
    Null,
    /// It has a value.
    Value(T),
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

/// Reads a struct from an object only: serde by itself would also take an array of its members.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct Object<T>(PhantomData<T>);

    impl<'de, T: Deserialize<'de>> Visitor<'de> for Object<T> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a JSON object")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }

    deserializer.deserialize_map(Object(PhantomData))
}

/// Reads a text that parses.
pub(crate) fn parsed<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err: fmt::Display>,
{
    let text = Cow::<'de, str>::deserialize(deserializer)?;
    text.parse().map(Some).map_err(D::Error::custom)
}
