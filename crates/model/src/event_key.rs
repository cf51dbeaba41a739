//! The name of a kind of event.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::EVENT_KEY_CHARS_MAX;

/// The name of an event type, such as `frontegg.user.created`: letters, digits, `.`, `_` and `-`. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventKey(Arc<str>);

/// A text cannot be an event key.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum EventKeyError {
    /// Nothing was given.
    #[error("an event key cannot be empty")]
    Empty,
    /// Longer than [`EVENT_KEY_CHARS_MAX`].
    #[error("an event key has at most {EVENT_KEY_CHARS_MAX} characters")]
    TooLong,
    /// A character that keys do not have, or a dot at an end.
    #[error("'{0}' is not an event key: use letters, digits, '.', '_' and '-', and start and end with a letter or digit")]
    Malformed(String),
}

impl EventKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<EventKey> for Arc<str> {
    fn from(this: EventKey) -> Self {
        this.0
    }
}

impl FromStr for EventKey {
    type Err = EventKeyError;

    fn from_str(text: &str) -> Result<Self, EventKeyError> {
        let letter = |byte: &u8| byte.is_ascii_alphanumeric();
        let bytes = text.as_bytes();
        let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else {
            return Err(EventKeyError::Empty);
        };
        if bytes.len() > EVENT_KEY_CHARS_MAX {
            return Err(EventKeyError::TooLong);
        }
        let inner = bytes.iter().all(|byte| letter(byte) || matches!(byte, b'.' | b'_' | b'-'));
        if !inner || !letter(first) || !letter(last) {
            return Err(EventKeyError::Malformed(text.to_owned()));
        }
        Ok(Self(text.into()))
    }
}

impl std::borrow::Borrow<str> for EventKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EventKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for EventKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for EventKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_the_catalogue_and_of_customers_are_taken() {
        for key in ["frontegg.user.authenticatedWithMFA", "order.placed", "a", "x-1_y.z"] {
            assert_eq!(key.parse::<EventKey>().unwrap().as_str(), key);
        }
    }

    #[test]
    fn what_is_not_a_key_is_refused_with_the_reason() {
        assert_eq!("".parse::<EventKey>(), Err(EventKeyError::Empty));
        assert_eq!("k".repeat(129).parse::<EventKey>(), Err(EventKeyError::TooLong));
        for text in ["a b", ".a", "a.", "User.*", "ключ", "a\n"] {
            assert_eq!(text.parse::<EventKey>(), Err(EventKeyError::Malformed(text.to_owned())));
        }
    }
}
