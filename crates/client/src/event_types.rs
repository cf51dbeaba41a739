//! The catalogue of an environment.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::client::Query;
use crate::{Answer, Client, Error, Listing};

/// An entry of the catalogue.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EventType {
    /// Its key: `frontegg.user.created`.
    pub key: String,
    /// Its category.
    pub category: String,
    /// Its name for people.
    #[serde(default)]
    pub display_name: Option<String>,
    /// When it happens.
    #[serde(default)]
    pub description: Option<String>,
    /// True when it comes with Tidings; false when the environment added it.
    pub built_in: bool,
    /// True for the keys of the specification.
    #[serde(default)]
    pub in_specification: bool,
    /// The objects that a payload holds.
    #[serde(default)]
    pub payload_objects: Vec<String>,
    /// An example payload.
    #[serde(default)]
    pub example: Option<Box<RawValue>>,
    /// The body that webhooks would get for the example.
    #[serde(default)]
    pub example_body: Option<Box<RawValue>>,
    /// The JSON Schema that payloads are held to.
    #[serde(default)]
    pub schema: Option<Box<RawValue>>,
    /// When it was added (RFC 3339).
    #[serde(default)]
    pub created_at: Option<String>,
}

/// An event type to be added.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NewEventType {
    /// Its key, unique in the environment.
    pub key: String,
    /// Its category.
    pub category: String,
    /// Its name for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// When it happens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// An example payload.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub example: Option<Box<RawValue>>,
    /// A JSON Schema that payloads are held to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema: Option<Box<RawValue>>,
}

impl Client {
    /// The whole catalogue: the built-in entries and the environment's own.
    pub async fn event_types(&self) -> Result<Answer<Listing<EventType>>, Error> {
        self.get(&["v1", "event-types"], Query::default()).await
    }

    /// One entry.
    pub async fn event_type(&self, key: &str) -> Result<Answer<EventType>, Error> {
        self.get(&["v1", "event-types", key], Query::default()).await
    }

    /// Adds an entry.
    pub async fn create_event_type(&self, new: &NewEventType) -> Result<Answer<EventType>, Error> {
        self.post(&["v1", "event-types"], new).await
    }

    /// Removes an entry that the environment added.
    pub async fn delete_event_type(&self, key: &str) -> Result<(), Error> {
        self.delete(&["v1", "event-types", key], Query::default()).await
    }
}
