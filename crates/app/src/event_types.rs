//! The catalogue as an environment sees it: built-in event types and its own.

use std::sync::Arc;

use tidings_model::catalog::check_category;
use tidings_model::limits::{CUSTOM_EVENT_TYPES_MAX, EVENT_TYPE_DOCUMENT_BYTES_MAX};
use tidings_model::{Catalog, EventKey, EventType, payload};
use tidings_store::{CreateEventTypeError, CustomEventType};

use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Code, Problem};
use crate::schema;
use crate::validate::{self, Faults};

/// An event type that somebody wants to add.
#[derive(Clone, Debug, Default)]
pub struct EventTypeDraft {
    /// Its key.
    pub key: String,
    /// Its category; a built-in one or a name of its own.
    pub category: String,
    /// A short name; the key when it is empty.
    pub display_name: String,
    /// What it means.
    pub description: String,
    /// An example payload, JSON.
    pub example: Option<String>,
    /// A JSON Schema for its payloads, JSON.
    pub schema: Option<String>,
}

impl App {
    /// All event types that the caller can subscribe: the built-in ones in their order, then the environment's own by key.
    pub fn event_types(&self, caller: &Caller) -> Result<Vec<Arc<EventType>>, Problem> {
        caller.can_read()?;
        Ok(self.routes(caller.environment)?.event_types().cloned().collect())
    }

    /// One event type.
    pub fn event_type(&self, caller: &Caller, key: &str) -> Result<Arc<EventType>, Problem> {
        caller.can_read()?;
        self.routes(caller.environment)?
            .event_type(key)
            .cloned()
            .ok_or_else(|| Problem::not_found("event type", &key))
    }

    /// How many webhooks of the caller's environment are subscribed to each of these, in their order.
    pub fn subscribers<'a>(&self, caller: &Caller, event_types: impl IntoIterator<Item = &'a EventType>) -> Result<Vec<usize>, Problem> {
        caller.can_read_environment()?;
        let routes = self.routes(caller.environment)?;
        Ok(event_types.into_iter().map(|event_type| routes.subscribers(event_type)).collect())
    }

    /// Adds an event type to the caller's environment.
    pub async fn create_event_type(&self, caller: &Caller, draft: EventTypeDraft) -> Result<Arc<EventType>, Problem> {
        caller.can_write_environment()?;
        let custom = self.check_event_type(draft)?;
        let routes = self.routes(caller.environment)?;
        if routes.custom_event_types().count() >= CUSTOM_EVENT_TYPES_MAX {
            return Err(Problem::new(
                Code::Conflict,
                format!("an environment has at most {CUSTOM_EVENT_TYPES_MAX} event types of its own"),
            ));
        }
        let taken = || Problem::new(Code::Conflict, format!("there is an event type '{}' already", custom.key));
        if Catalog::built_in().get(custom.key.as_str()).is_some() {
            return Err(taken());
        }
        self.engine
            .change(caller.environment, self.store.create_event_type(caller.environment, &custom))
            .await?
            .map_err(|error| match error {
                CreateEventTypeError::KeyTaken => taken(),
                CreateEventTypeError::NoEnvironment => Problem::not_found("environment", &caller.environment),
            })?;
        self.record(caller, "event-type.created", Some(caller.environment), custom.key.as_str(), "")
            .await;
        self.event_type(caller, custom.key.as_str())
    }

    fn check_event_type(&self, draft: EventTypeDraft) -> Result<CustomEventType, Problem> {
        let mut faults = Faults::default();
        let key = faults.check("key", draft.key.parse::<EventKey>());
        faults.check("category", check_category(&draft.category));
        let display_name = if draft.display_name.trim().is_empty() {
            &draft.key
        } else {
            &draft.display_name
        };
        let display_name = faults.check("displayName", validate::name(display_name));
        let description = faults.check("description", validate::description(&draft.description));
        for (field, document) in [("example", &draft.example), ("schema", &draft.schema)] {
            if document.as_ref().is_some_and(|text| text.len() > EVENT_TYPE_DOCUMENT_BYTES_MAX) {
                faults.add(field, format!("has at most {EVENT_TYPE_DOCUMENT_BYTES_MAX} bytes"));
            }
        }
        if let Some(example) = &draft.example {
            faults.check("example", payload::check(example.as_bytes()));
        }
        let schema = draft.schema.as_ref().filter(|text| text.len() <= EVENT_TYPE_DOCUMENT_BYTES_MAX);
        let schema = schema.and_then(|text| faults.check("schema", schema::compile(text)));
        if let (Some(schema), Some(example)) = (&schema, &draft.example)
            && let Err(message) = schema::validate(schema, example.as_bytes())
        {
            faults.add("example", format!("does not satisfy the schema: {message}"));
        }
        faults.into_result()?;
        let key = key.ok_or_else(|| Problem::field("key", "has to be given"))?;
        Ok(CustomEventType {
            key,
            category: draft.category,
            display_name: display_name.unwrap_or_default(),
            description: description.unwrap_or_default(),
            example: draft.example,
            schema: draft.schema,
            created_at: self.clock.now(),
        })
    }

    /// Removes one of the environment's own event types. Events of it stay in the log; new ones are refused.
    pub async fn delete_event_type(&self, caller: &Caller, key: &str) -> Result<(), Problem> {
        caller.can_write_environment()?;
        if Catalog::built_in().get(key).is_some() {
            return Err(Problem::new(Code::Conflict, format!("'{key}' is built in and cannot be deleted")));
        }
        let parsed: EventKey = key.parse().map_err(|_| Problem::not_found("event type", &key))?;
        let delete = self.store.delete_event_type(caller.environment, &parsed);
        let deleted = self.engine.change(caller.environment, delete).await?;
        if !deleted {
            return Err(Problem::not_found("event type", &key));
        }
        self.record(caller, "event-type.deleted", Some(caller.environment), key, "").await;
        Ok(())
    }
}
