//! Identifiers: what they hold, how they are shown.
//!
//! Webhooks and events carry positive 63-bit numbers, `milliseconds << 15 | low bits`: they sort by time, index compactly, and are shown as a prefix
//! and thirteen characters of lower-case Crockford base32. Environments are UUIDs, because Frontegg's clients read `vendorId` as one.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// Bits below the millisecond: a sequence for events, chance for the rest.
pub const LOW_BITS: u32 = 15;
const LOW_MASK: i64 = (1 << LOW_BITS) - 1;
const DIGITS: usize = 13;
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A text is not the id that it should be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("'{text}' is not {expected}")]
pub struct IdError {
    text: String,
    expected: &'static str,
}

fn refused(text: &str, expected: &'static str) -> IdError {
    IdError {
        text: text.chars().take(64).collect(),
        expected,
    }
}

fn write_base32(f: &mut fmt::Formatter<'_>, value: u64, digits: usize) -> fmt::Result {
    let mut buffer = [0_u8; DIGITS];
    for (place, digit) in buffer[..digits].iter_mut().rev().enumerate() {
        *digit = ALPHABET[((value >> (5 * place)) & 31) as usize];
    }
    f.write_str(std::str::from_utf8(&buffer[..digits]).map_err(|_| fmt::Error)?)
}

fn read_base32(text: &str) -> Option<u64> {
    text.bytes().try_fold(0_u64, |value, byte| {
        let digit = ALPHABET.iter().position(|letter| *letter == byte.to_ascii_lowercase())?;
        value.checked_mul(32)?.checked_add(digit as u64)
    })
}

fn read_packed(text: &str, prefix: &str) -> Option<i64> {
    let digits = text.strip_prefix(prefix).filter(|rest| rest.len() == DIGITS)?;
    i64::try_from(read_base32(digits)?).ok().filter(|value| *value > 0)
}

macro_rules! packed_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(i64);

        impl $name {
            /// From its time and its low bits (those above the fifteenth are dropped).
            pub const fn new(at: Timestamp, low: u16) -> Self {
                Self(at.as_millis() << LOW_BITS | (low as i64 & LOW_MASK))
            }

            /// From its stored number; `None` unless it is positive.
            pub const fn from_raw(raw: i64) -> Option<Self> {
                if raw > 0 { Some(Self(raw)) } else { None }
            }

            /// The number that stores keep.
            pub const fn raw(self) -> i64 {
                self.0
            }

            /// When it was made.
            pub const fn timestamp(self) -> Timestamp {
                Timestamp::from_millis(self.0 >> LOW_BITS)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($prefix)?;
                write_base32(f, self.0.unsigned_abs(), DIGITS)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                read_packed(text, $prefix).map(Self).ok_or_else(|| refused(text, $expected))
            }
        }

        text_form!($name);
    };
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// From sixteen bytes of chance: a version 4 UUID.
            pub const fn from_chance(bytes: [u8; 16]) -> Self {
                Self(uuid::Builder::from_random_bytes(bytes).into_uuid())
            }

            /// From a UUID that exists.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID.
            pub const fn as_uuid(&self) -> &Uuid {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                Uuid::parse_str(text).map(Self).map_err(|_| refused(text, $expected))
            }
        }

        text_form!($name);
    };
}

macro_rules! text_form {
    ($name:ident) => {
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

packed_id!(
    /// A webhook, `wh_…`.
    WebhookId, "wh_", "a webhook id (wh_ and 13 characters)"
);
packed_id!(
    /// An accepted event, `evt_…`. Also the message id that receivers see: it contains no dot, as Standard Webhooks asks.
    EventId, "evt_", "an event id (evt_ and 13 characters)"
);
uuid_id!(
    /// An environment. Receivers see it as `eventContext.vendorId`.
    EnvironmentId, "an environment id (a UUID)"
);
/// A credential: the client id that callers send. A UUID when Tidings makes it, any text of up to 128 visible characters when an operator brings
/// it along. Cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialId(Arc<str>);

impl CredentialId {
    /// From sixteen bytes of chance: a version 4 UUID.
    pub fn from_chance(bytes: [u8; 16]) -> Self {
        Self(uuid::Builder::from_random_bytes(bytes).into_uuid().to_string().into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CredentialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CredentialId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match crate::tenant::check_foreign_id(text) {
            Ok(()) if !text.contains(':') => Ok(Self(text.into())),
            _ => Err(refused(text, "a client id (1 to 128 visible characters, no colon)")),
        }
    }
}

text_form!(CredentialId);

/// One event on its way to one webhook, `dlv_…`: the event and the delivery's place among those of the event.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId {
    /// The event that is delivered.
    pub event: EventId,
    /// From 0, in the order in which the event's deliveries were made: first its matches, then resends.
    pub ordinal: u32,
}

/// Characters that show an ordinal: 35 bits, more than a `u32` needs.
const ORDINAL_DIGITS: usize = 7;

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("dlv_")?;
        write_base32(f, self.event.0.unsigned_abs(), DIGITS)?;
        write_base32(f, u64::from(self.ordinal), ORDINAL_DIGITS)
    }
}

impl FromStr for DeliveryId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let read = || {
            let digits = text
                .strip_prefix("dlv_")
                .filter(|rest| rest.len() == DIGITS + ORDINAL_DIGITS && rest.is_ascii())?;
            let (event, ordinal) = digits.split_at(DIGITS);
            let event = EventId::from_raw(i64::try_from(read_base32(event)?).ok()?)?;
            Some(Self {
                event,
                ordinal: u32::try_from(read_base32(ordinal)?).ok()?,
            })
        };
        read().ok_or_else(|| refused(text, "a delivery id (dlv_ and 20 characters)"))
    }
}

text_form!(DeliveryId);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_id_survives_its_text_form(millis in 0_i64..253_402_300_799_999, low in 0_u16..32_768, ordinal: u32) {
            let event = EventId::new(Timestamp::from_millis(millis), low);
            prop_assume!(event.raw() > 0);
            prop_assert_eq!(event.to_string().parse(), Ok(event));
            prop_assert_eq!(event.timestamp().as_millis(), millis);
            let delivery = DeliveryId { event, ordinal };
            prop_assert_eq!(delivery.to_string().parse(), Ok(delivery));
        }

        #[test]
        fn no_text_makes_an_id_panic(text in "(evt_|dlv_|wh_)?.{0,24}") {
            let _ = text.parse::<EventId>();
            let _ = text.parse::<WebhookId>();
            let _ = text.parse::<DeliveryId>();
            let _ = text.parse::<EnvironmentId>();
        }
    }

    #[test]
    fn ids_sort_by_time_in_both_forms() {
        let early = EventId::new(Timestamp::from_millis(1_000), 30_000);
        let late = EventId::new(Timestamp::from_millis(1_001), 0);
        assert!(early < late && early.to_string() < late.to_string());
    }

    #[test]
    fn a_wrong_id_says_what_was_expected() {
        let error = "wh_123".parse::<EventId>().unwrap_err();
        assert_eq!(error.to_string(), "'wh_123' is not an event id (evt_ and 13 characters)");
    }
}
