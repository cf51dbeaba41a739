//! The event types that can be subscribed and sent: those of the binary, and those that an environment adds.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::limits::CATEGORY_CHARS_MAX;
use crate::{EventKey, Timestamp};

/// Where an event type comes from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// It comes with the binary.
    BuiltIn {
        /// True for the keys of the specification that Tidings started from.
        in_specification: bool,
    },
    /// The environment added it.
    Custom {
        /// When.
        created_at: Timestamp,
    },
}

/// One kind of event.
#[derive(Clone, Debug)]
pub struct EventType {
    /// Its key.
    pub key: EventKey,
    /// The group that it is listed under.
    pub category: String,
    /// A short name.
    pub display_name: String,
    /// What it means and when it is sent.
    pub description: String,
    /// The members of its delivered body, `eventContext` included; empty when unknown.
    pub payload_objects: Vec<String>,
    /// An example payload, as published: without `eventContext` and `eventKey`.
    pub example: Option<Arc<RawValue>>,
    /// The members of `eventContext` in the example body.
    pub example_context: ExampleContext,
    /// A JSON Schema that payloads have to satisfy; only custom types have one.
    pub schema: Option<Arc<RawValue>>,
    /// Where it comes from.
    pub origin: Origin,
}

/// The context that an example body shows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ExampleContext {
    /// The environment.
    pub vendor_id: Option<String>,
    /// The tenant.
    pub tenant_id: Option<String>,
    /// The user.
    pub user_id: Option<String>,
    /// The application.
    pub application_id: Option<String>,
}

/// A category and its event types, in the order in which they are shown.
#[derive(Clone, Debug)]
pub struct Category {
    /// Its name.
    pub name: String,
    /// What its events have in common.
    pub description: String,
    /// Its event types.
    pub events: Vec<Arc<EventType>>,
}

/// All built-in event types.
#[derive(Debug)]
pub struct Catalog {
    categories: Vec<Category>,
    by_key: BTreeMap<EventKey, Arc<EventType>>,
}

/// The data files, in the order in which their categories are shown.
const FILES: [&str; 11] = [
    include_str!("../../../catalog/01-authentication.json"),
    include_str!("../../../catalog/02-mfa.json"),
    include_str!("../../../catalog/03-user-management.json"),
    include_str!("../../../catalog/04-tenant.json"),
    include_str!("../../../catalog/05-domain-restriction.json"),
    include_str!("../../../catalog/06-ip-restriction.json"),
    include_str!("../../../catalog/07-temporary-access.json"),
    include_str!("../../../catalog/08-group.json"),
    include_str!("../../../catalog/09-application.json"),
    include_str!("../../../catalog/10-plan.json"),
    include_str!("../../../catalog/11-scim.json"),
];

static BUILT_IN: LazyLock<Catalog> = LazyLock::new(|| Catalog::read(&FILES).expect("the tests read every data file of the catalogue"));

#[derive(Deserialize)]
struct FileOfCategory {
    category: String,
    description: String,
    events: Vec<FileEvent>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileEvent {
    key: EventKey,
    display_name: String,
    description: String,
    when_sent: String,
    in_specification: bool,
    payload_objects: Vec<String>,
    example: serde_json::Value,
    example_context: ExampleContext,
}

impl Catalog {
    /// The event types that come with the binary.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    fn read(files: &[&str]) -> Result<Self, serde_json::Error> {
        let mut categories = Vec::with_capacity(files.len());
        let mut by_key = BTreeMap::new();
        for text in files {
            let file: FileOfCategory = serde_json::from_str(text)?;
            let events: Vec<_> = file
                .events
                .into_iter()
                .map(|event| Arc::new(event.into_type(&file.category)))
                .collect();
            by_key.extend(events.iter().map(|event| (event.key.clone(), Arc::clone(event))));
            categories.push(Category {
                name: file.category,
                description: file.description,
                events,
            });
        }
        Ok(Self { categories, by_key })
    }

    /// The categories in the order in which they are shown.
    pub fn categories(&self) -> &[Category] {
        &self.categories
    }

    /// The event type of that key.
    pub fn get(&self, key: &str) -> Option<&Arc<EventType>> {
        self.by_key.get(key)
    }

    /// All event types, in the order in which they are shown.
    pub fn events(&self) -> impl Iterator<Item = &Arc<EventType>> {
        self.categories.iter().flat_map(|category| &category.events)
    }
}

impl FileEvent {
    fn into_type(self, category: &str) -> EventType {
        EventType {
            key: self.key,
            category: category.to_owned(),
            display_name: self.display_name,
            description: format!("{} {}", self.description, self.when_sent).trim().to_owned(),
            payload_objects: self.payload_objects,
            example: serde_json::value::to_raw_value(&self.example).ok().map(Arc::from), // compact: the file is laid out for people
            example_context: self.example_context,
            schema: None,
            origin: Origin::BuiltIn {
                in_specification: self.in_specification,
            },
        }
    }
}

/// A text cannot be the name of a category.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("a category has 1 to {CATEGORY_CHARS_MAX} characters, without '*', '.' or control characters, and no space at its ends")]
pub struct CategoryError;

/// Checks the name of a category: it becomes the pattern `<name>.*`.
pub fn check_category(name: &str) -> Result<(), CategoryError> {
    let length = name.chars().count();
    let odd = |letter: char| letter.is_control() || matches!(letter, '*' | '.');
    if length == 0 || length > CATEGORY_CHARS_MAX || name.chars().any(odd) || name.trim() != name {
        return Err(CategoryError);
    }
    Ok(())
}

/// The known texts that are nearest to a mistyped one, best first, at most three; empty when nothing is near.
pub fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    const NEAR: f64 = 0.82;
    let wanted = text.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|(score, _)| *score >= NEAR)
        .collect();
    scored.sort_by(|left, right| right.0.total_cmp(&left.0).then(left.1.cmp(right.1)));
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload;

    #[test]
    fn the_catalogue_holds_the_specification_and_the_newer_keys() {
        let catalog = Catalog::built_in();
        assert_eq!(catalog.events().count(), 60);
        let in_specification = catalog
            .events()
            .filter(|event| event.origin == Origin::BuiltIn { in_specification: true });
        assert_eq!(in_specification.count(), 35);
        assert_eq!(catalog.by_key.len(), 60);
        let first: Vec<_> = catalog.categories().iter().take(6).map(|category| category.name.as_str()).collect();
        assert_eq!(
            first,
            [
                "Authentication",
                "MFA",
                "User Management",
                "Tenant",
                "Domain Restriction",
                "IP Restriction"
            ]
        );
    }

    #[test]
    fn every_example_could_be_published_and_every_category_subscribed() {
        let catalog = Catalog::built_in();
        for event in catalog.events() {
            let example = event.example.as_ref().unwrap();
            payload::check(example.get().as_bytes()).unwrap_or_else(|error| panic!("{}: {error}", event.key));
            assert!(!event.description.is_empty() && !event.payload_objects.is_empty(), "{}", event.key);
        }
        for category in catalog.categories() {
            check_category(&category.name).unwrap();
        }
    }

    #[test]
    fn a_mistyped_key_finds_its_neighbours() {
        let keys = || Catalog::built_in().events().map(|event| event.key.as_str());
        assert_eq!(nearest("frontegg.user.create", keys())[0], "frontegg.user.created");
        assert_eq!(nearest("frontegg.user.invitedtotenant", keys())[0], "frontegg.user.invitedToTenant");
        assert!(nearest("zzzz", keys()).is_empty());
    }
}
