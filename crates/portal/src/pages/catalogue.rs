//! The catalogue of an environment: what there is to subscribe and to send, and event types of its own.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::{get, post};
use serde::Deserialize;
use tidings_app::event_types::EventTypeDraft;
use tidings_model::{Catalog, EventType, Origin, Timestamp};

use crate::fault::{PageFault, show};
use crate::flash;
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::json;
use crate::markup::Markup;
use crate::query::Query;
use crate::session::{InEnvironment, Within};
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/environments/{environment}/catalogue", get(list).post(create))
        .route("/environments/{environment}/catalogue/new", get(ask))
        .route("/environments/{environment}/catalogue/{key}", get(one))
        .route("/environments/{environment}/catalogue/{key}/delete", post(delete))
}

/// An event type and how many webhooks are subscribed to it.
struct Row {
    event_type: Arc<EventType>,
    subscribers: u64,
}

/// The event types of one category.
struct Group {
    category: String,
    description: &'static str,
    rows: Vec<Row>,
}

#[derive(Template)]
#[template(path = "catalogue/list.html")]
struct ListPage {
    shell: Shell,
    q: String,
    groups: Vec<Group>,
    /// Event types that the search admits.
    found: u64,
}

#[derive(Deserialize)]
struct Search {
    #[serde(default)]
    q: String,
}

async fn list(
    State(portal): State<Portal>,
    here: InEnvironment,
    around: Around,
    Query(Search { q }): Query<Search>,
) -> Result<Response, PageFault> {
    let wanted = q.trim().to_lowercase();
    let mut event_types = portal.app.event_types(&here.caller)?;
    event_types.retain(|event_type| admits(&wanted, event_type));
    let subscribers = portal.app.subscribers(&here.caller, event_types.iter().map(Arc::as_ref))?;
    let rows = event_types.into_iter().zip(subscribers).map(|(event_type, subscribers)| Row {
        event_type,
        subscribers: subscribers as u64,
    });
    let groups = grouped(rows);
    let shell = around
        .within(&portal, &here.visit, &here.caller, Section::Catalogue, "Catalogue")
        .await?;
    let own = format!("{}/catalogue", shell.base);
    let page = ListPage {
        shell: shell.crumb("Catalogue", own),
        q,
        found: groups.iter().map(|group| group.rows.len() as u64).sum(),
        groups,
    };
    show(&page, 200)
}

fn admits(wanted: &str, event_type: &EventType) -> bool {
    let texts = [
        event_type.key.as_str(),
        &event_type.display_name,
        &event_type.category,
        &event_type.description,
    ];
    texts.iter().any(|text| text.to_lowercase().contains(wanted))
}

/// By category, each where its first event type stands.
fn grouped(rows: impl Iterator<Item = Row>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for row in rows {
        let category = row.event_type.category.as_str();
        match groups.iter_mut().find(|group| group.category == category) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group {
                category: category.to_owned(),
                description: described(category),
                rows: vec![row],
            }),
        }
    }
    groups
}

/// What the events of a built-in category have in common.
fn described(category: &str) -> &'static str {
    let known = Catalog::built_in().categories().iter().find(|known| known.name == category);
    known.map_or("", |known| known.description.as_str())
}

#[derive(Template)]
#[template(path = "catalogue/one.html")]
struct OnePage {
    shell: Shell,
    event_type: Arc<EventType>,
    subscribers: u64,
    example: Option<Markup>,
    schema: Option<Markup>,
    /// When the environment added it; `None` for a built-in one.
    added_at: Option<Timestamp>,
}

async fn one(
    State(portal): State<Portal>,
    here: InEnvironment,
    around: Around,
    Path((_, key)): Within<String>,
) -> Result<Response, PageFault> {
    let event_type = portal.app.event_type(&here.caller, &key)?;
    let subscribers = portal.app.subscribers(&here.caller, [event_type.as_ref()])?;
    let shell = around
        .within(&portal, &here.visit, &here.caller, Section::Catalogue, event_type.key.as_str())
        .await?;
    let (list, own) = (format!("{}/catalogue", shell.base), shell.path.clone());
    let page = OnePage {
        shell: shell.crumb("Catalogue", list).crumb(event_type.key.as_str(), own),
        subscribers: subscribers.iter().map(|count| *count as u64).sum(),
        example: event_type.example.as_ref().map(|text| json::highlighted(text.get().as_bytes())),
        schema: event_type.schema.as_ref().map(|text| json::highlighted(text.get().as_bytes())),
        added_at: match event_type.origin {
            Origin::Custom { created_at } => Some(created_at),
            Origin::BuiltIn { .. } => None,
        },
        event_type,
    };
    show(&page, 200)
}

/// A custom event type as its form has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Draft {
    key: String,
    display_name: String,
    description: String,
    category: String,
    example: String,
    schema: String,
}

impl Default for Draft {
    fn default() -> Self {
        Self {
            key: String::new(),
            display_name: String::new(),
            description: String::new(),
            category: String::new(),
            example: "{\n  \n}".to_owned(),
            schema: String::new(),
        }
    }
}

impl Draft {
    fn event_type(&self) -> EventTypeDraft {
        let document = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
        EventTypeDraft {
            key: self.key.trim().to_owned(),
            category: self.category.trim().to_owned(),
            display_name: self.display_name.clone(),
            description: self.description.clone(),
            example: document(&self.example),
            schema: document(&self.schema),
        }
    }
}

#[derive(Template)]
#[template(path = "catalogue/new.html")]
struct NewPage {
    shell: Shell,
    draft: Draft,
    categories: Vec<String>,
    faults: Faults,
}

/// The fields that the form shows faults at.
const FIELDS: [&str; 6] = ["key", "displayName", "description", "category", "example", "schema"];

async fn ask(State(portal): State<Portal>, here: InEnvironment, around: Around) -> Result<Response, PageFault> {
    here.can_write()?;
    new_page(&portal, &here, around, Draft::default(), Faults::NONE).await
}

async fn new_page(portal: &Portal, here: &InEnvironment, around: Around, draft: Draft, faults: Faults) -> Result<Response, PageFault> {
    let mut categories: Vec<_> = portal
        .app
        .event_types(&here.caller)?
        .iter()
        .map(|known| known.category.clone())
        .collect();
    categories.sort_unstable();
    categories.dedup();
    let shell = around
        .within(portal, &here.visit, &here.caller, Section::Catalogue, "New event type")
        .await?;
    let list = format!("{}/catalogue", shell.base);
    let own = format!("{list}/new");
    let status = faults.status();
    let page = NewPage {
        shell: shell.crumb("Catalogue", list).crumb("New event type", own),
        draft,
        categories,
        faults,
    };
    show(&page, status)
}

async fn create(State(portal): State<Portal>, here: InEnvironment, around: Around, form: Form) -> Result<Response, PageFault> {
    let draft: Draft = form.of(&here.visit)?;
    match portal.app.create_event_type(&here.caller, draft.event_type()).await {
        Ok(made) => Ok(flash::to(
            &format!("/environments/{}/catalogue/{}", here.caller.environment(), made.key.as_str()),
            &format!("{} is in the catalogue: it can be subscribed and sent.", made.key.as_str()),
        )),
        Err(problem) => new_page(&portal, &here, around, draft, Faults::of(problem)?).await,
    }
}

async fn delete(
    State(portal): State<Portal>,
    here: InEnvironment,
    Path((_, key)): Within<String>,
    form: Form,
) -> Result<Response, PageFault> {
    let _: serde::de::IgnoredAny = form.of(&here.visit)?;
    match portal.app.delete_event_type(&here.caller, &key).await {
        Ok(()) => Ok(flash::to(
            &format!("/environments/{}/catalogue", here.caller.environment()),
            &format!("{key} is deleted. Its events stay in the log."),
        )),
        Err(problem) => Err(problem.into()),
    }
}
