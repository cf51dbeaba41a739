//! What the server answered, twice: typed, and as it came.

use std::ops::Deref;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::Error;

/// A reply of the API. Dereferences to the typed value.
#[derive(Clone, Debug)]
pub struct Answer<T> {
    /// What it means.
    pub value: T,
    json: Box<RawValue>,
}

impl<T> Answer<T> {
    /// The JSON exactly as it came, with everything that this version of the client does not know.
    pub fn json(&self) -> &RawValue {
        &self.json
    }
}

impl<T: DeserializeOwned> Answer<T> {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, Error> {
        let json: Box<RawValue> = serde_json::from_slice(bytes).map_err(Error::Unreadable)?;
        let value = serde_json::from_str(json.get()).map_err(Error::Unreadable)?;
        Ok(Self { value, json })
    }
}

impl<T> Deref for Answer<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}
