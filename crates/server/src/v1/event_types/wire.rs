//! An event type on the wire.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tidings_app::event_types::EventTypeDraft;
use tidings_app::{App, Caller};
use tidings_model::{EventKey, EventType, Origin, Timestamp};
use utoipa::ToSchema;

use crate::json::RawJson;

/// One kind of event.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EventType)]
pub(super) struct EventTypeView {
    /// Its key.
    #[schema(value_type = String, example = "frontegg.user.created")]
    key: EventKey,
    /// The group that it is listed under; `<category>.*` subscribes all of it.
    category: String,
    /// A short name.
    display_name: String,
    /// What it means and when it is sent.
    description: String,
    /// Whether it comes with Tidings.
    built_in: bool,
    /// Whether it is one of the specification that Tidings started from.
    in_specification: bool,
    /// The members of its delivered body; empty when unknown.
    payload_objects: Vec<String>,
    /// An example payload, as published.
    #[schema(value_type = Option<Object>)]
    example: Option<Arc<RawValue>>,
    /// An example body, as delivered.
    #[schema(value_type = Object)]
    example_body: RawJson,
    /// The JSON Schema that payloads have to satisfy.
    #[schema(value_type = Option<Object>)]
    schema: Option<Arc<RawValue>>,
    /// When the environment added it.
    #[schema(value_type = Option<String>, format = DateTime)]
    created_at: Option<Timestamp>,
}

impl EventTypeView {
    pub(super) fn new(app: &App, caller: &Caller, event_type: &EventType) -> Self {
        let (built_in, in_specification, created_at) = match event_type.origin {
            Origin::BuiltIn { in_specification } => (true, in_specification, None),
            Origin::Custom { created_at } => (false, false, Some(created_at)),
        };
        Self {
            key: event_type.key.clone(),
            category: event_type.category.clone(),
            display_name: event_type.display_name.clone(),
            description: event_type.description.clone(),
            built_in,
            in_specification,
            payload_objects: event_type.payload_objects.clone(),
            example: event_type.example.clone(),
            example_body: RawJson(app.example_body(caller, event_type)),
            schema: event_type.schema.clone(),
            created_at,
        }
    }
}

/// An event type to add.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewEventType {
    /// Letters, digits, '.', '_' and '-'.
    key: String,
    /// A built-in category or a name of its own.
    category: String,
    /// A short name; the key unless it is given.
    display_name: Option<String>,
    /// What it means.
    description: Option<String>,
    /// An example payload.
    #[schema(value_type = Option<Object>)]
    example: Option<Box<RawValue>>,
    /// A JSON Schema that payloads have to satisfy.
    #[schema(value_type = Option<Object>)]
    schema: Option<Box<RawValue>>,
}

impl From<NewEventType> for EventTypeDraft {
    fn from(new: NewEventType) -> Self {
        let text = |document: Box<RawValue>| String::from(Box::<str>::from(document));
        Self {
            key: new.key,
            category: new.category,
            display_name: new.display_name.unwrap_or_default(),
            description: new.description.unwrap_or_default(),
            example: new.example.map(text),
            schema: new.schema.map(text),
        }
    }
}
