//! Ids that belong to the identity platform: tenants, users, applications.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::limits::FOREIGN_ID_CHARS_MAX;

/// A tenant's id as the identity platform writes it. Opaque here; cheap to clone.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TenantId(Arc<str>);

/// A text cannot be the id of a tenant, a user or an application.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum TenantIdError {
    /// Nothing was given.
    #[error("an id cannot be empty")]
    Empty,
    /// Longer than [`FOREIGN_ID_CHARS_MAX`].
    #[error("an id has at most {FOREIGN_ID_CHARS_MAX} characters")]
    TooLong,
    /// White space or a control character.
    #[error("an id cannot contain white space or control characters")]
    Malformed,
}

/// Checks an id of the identity platform: 1 to [`FOREIGN_ID_CHARS_MAX`] characters, none of them white space or control.
pub fn check_foreign_id(text: &str) -> Result<(), TenantIdError> {
    if text.is_empty() {
        return Err(TenantIdError::Empty);
    }
    if text.chars().count() > FOREIGN_ID_CHARS_MAX {
        return Err(TenantIdError::TooLong);
    }
    if text.chars().any(|letter| letter.is_whitespace() || letter.is_control()) {
        return Err(TenantIdError::Malformed);
    }
    Ok(())
}

impl TenantId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<TenantId> for Arc<str> {
    fn from(this: TenantId) -> Self {
        this.0
    }
}

impl FromStr for TenantId {
    type Err = TenantIdError;

    fn from_str(text: &str) -> Result<Self, TenantIdError> {
        check_foreign_id(text)?;
        Ok(Self(text.into()))
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for TenantId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
