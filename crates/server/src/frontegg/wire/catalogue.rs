//! The catalogue: event types and categories. An event's id is its key and a category's is the pattern that subscribes it, so that every client writes
//! the same text into a webhook's event keys, whichever of the two it takes.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidings_app::event_types::EventTypeDraft;
use tidings_app::webhooks::{SecretChange, WebhookDraft};
use tidings_model::{EnvironmentId, EventType, Origin, Timestamp};
use utoipa::{IntoParams, ToSchema};

/// The category of an event type that names none.
const CATEGORY_DEFAULT: &str = "Custom";
/// What follows a category's name in its id.
const CATEGORY_SUFFIX: &str = ".*";

fn category_id(name: &str) -> String {
    format!("{name}{CATEGORY_SUFFIX}")
}

/// When what comes with the binary was made, and categories, which are only names: clients want a time.
const ALWAYS: Timestamp = Timestamp::from_millis(0);

fn made(event_type: &EventType) -> Timestamp {
    match event_type.origin {
        Origin::BuiltIn { .. } => ALWAYS,
        Origin::Custom { created_at } => created_at,
    }
}

/// An event type.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = EventType)]
struct Event {
    /// Its key.
    id: String,
    /// Its key.
    key: String,
    /// What people call it.
    display_name: String,
    /// What it means.
    description: String,
    /// The pattern that subscribes its category.
    category_id: String,
    /// The environment.
    #[schema(value_type = String)]
    vendor_id: EnvironmentId,
    /// When it was made; of what comes with the binary, always the same time.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The same.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl Event {
    fn new(event_type: &EventType, vendor_id: EnvironmentId) -> Self {
        let made = made(event_type);
        Self {
            id: event_type.key.to_string(),
            key: event_type.key.to_string(),
            display_name: event_type.display_name.clone(),
            description: event_type.description.clone(),
            category_id: category_id(&event_type.category),
            vendor_id,
            created_at: made,
            updated_at: made,
        }
    }
}

/// A category without its events.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Category {
    /// The pattern that subscribes it.
    id: String,
    /// Its name.
    name: String,
    /// The environment.
    #[schema(value_type = String)]
    vendor_id: EnvironmentId,
    /// Always the same time: a category is only a name.
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// The same.
    #[schema(value_type = String, format = DateTime)]
    updated_at: Timestamp,
}

impl Category {
    fn new(name: &str, vendor_id: EnvironmentId) -> Self {
        Self {
            id: category_id(name),
            name: name.to_owned(),
            vendor_id,
            created_at: ALWAYS,
            updated_at: ALWAYS,
        }
    }
}

/// A category with its events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CategoryEntry {
    #[serde(flatten)]
    category: Category,
    /// Its event types.
    events: Vec<Event>,
}

impl CategoryEntry {
    /// All categories, in the order in which their first event types come.
    pub(crate) fn all(event_types: &[Arc<EventType>], vendor_id: EnvironmentId) -> Vec<Self> {
        let mut places: HashMap<&str, usize> = HashMap::new();
        let mut entries: Vec<Self> = Vec::new();
        for event_type in event_types {
            let place = *places.entry(&event_type.category).or_insert(entries.len());
            if place == entries.len() {
                entries.push(Self {
                    category: Category::new(&event_type.category, vendor_id),
                    events: Vec::new(),
                });
            }
            entries[place].events.push(Event::new(event_type, vendor_id));
        }
        entries
    }
}

/// An event type with its category.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventEntry {
    #[serde(flatten)]
    event: Event,
    /// Its category.
    category: Category,
}

impl EventEntry {
    /// An event type of an environment.
    pub(crate) fn new(event_type: &EventType, vendor_id: EnvironmentId) -> Self {
        Self {
            event: Event::new(event_type, vendor_id),
            category: Category::new(&event_type.category, vendor_id),
        }
    }
}

/// Which event types to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct CatalogueQuery {
    /// Channels, with commas between: the list is of what webhooks can get, and empty for every other channel.
    channels: Option<String>,
}

impl CatalogueQuery {
    /// Whether the list is of what webhooks can get: of every other channel it is empty.
    pub(crate) fn of_webhooks(&self) -> bool {
        self.channels
            .as_deref()
            .is_none_or(|channels| channels.split(',').any(|channel| channel.trim() == "webhook"))
    }
}

/// A new event type and, when a URL and events come with it, a webhook.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewEventType {
    /// Its key.
    #[schema(example = "order.placed")]
    key: String,
    /// What people call it.
    display_name: Option<String>,
    /// What it means.
    description: Option<String>,
    /// Its category, by name.
    category: Option<String>,
    /// Its category, by id, where no name is given.
    category_id: Option<String>,
    /// Where the webhook's deliveries go.
    url: Option<String>,
    /// What the webhook subscribes to.
    events: Option<Vec<String>>,
    /// What the webhook's deliveries are signed with.
    secret: Option<String>,
}

impl NewEventType {
    /// The event type, and the webhook.
    pub(crate) fn into_drafts(self) -> (EventTypeDraft, Option<WebhookDraft>) {
        let name_of_id = |id: String| id.strip_suffix(CATEGORY_SUFFIX).map(str::to_owned).unwrap_or(id);
        let category = self.category.or_else(|| self.category_id.map(name_of_id));
        let description = self.description.unwrap_or_default();
        let display_name = self.display_name.unwrap_or_default();
        let webhook = self.url.zip(self.events).map(|(url, event_keys)| WebhookDraft {
            name: display_name.clone(),
            description: description.clone(),
            url,
            secret: self
                .secret
                .filter(|secret| !secret.is_empty())
                .map_or(SecretChange::Keep, SecretChange::Set),
            event_keys,
            active: true,
            tenant_id: None,
            headers: Vec::new(),
        });
        let event_type = EventTypeDraft {
            key: self.key,
            category: category.unwrap_or_else(|| CATEGORY_DEFAULT.to_owned()),
            display_name,
            description,
            example: None,
            schema: None,
        };
        (event_type, webhook)
    }
}
