//! What came in, newest first, and whether anything matched.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use tidings_app::{Caller, EventFilter, Page, Problem};
use tidings_model::{EnvironmentId, Event, EventId};

use super::standing::{self, Standing};
use crate::fault::{PageFault, show};
use crate::filter::Wishes;
use crate::form::Faults;
use crate::icon::Icon;
use crate::limits::ROWS;
use crate::pages::editor::{self, Group};
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/events", get(list))
}

/// What the address asks for; an empty text is no wish.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
struct Asked {
    #[serde(skip_serializing_if = "String::is_empty")]
    event_key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    tenant: String,
    /// Accepted then or later, in UTC.
    #[serde(skip_serializing_if = "String::is_empty")]
    from: String,
    /// Accepted before then, in UTC.
    #[serde(skip_serializing_if = "String::is_empty")]
    until: String,
    /// `1`: the list shows itself anew when something happens.
    #[serde(skip_serializing_if = "String::is_empty")]
    live: String,
    /// The page begins after that event.
    #[serde(skip_serializing_if = "String::is_empty")]
    before: String,
}

impl Asked {
    fn filter(&self, environment: EnvironmentId) -> Result<EventFilter, Problem> {
        let mut wishes = Wishes::default();
        let filter = EventFilter {
            key: wishes.read("eventKey", &self.event_key),
            tenant: wishes.read("tenant", &self.tenant),
            from: wishes.time("from", &self.from),
            until: wishes.time("until", &self.until),
            ..EventFilter::of(environment)
        };
        wishes.end()?;
        Ok(filter)
    }

    fn query(&self, before: &str) -> String {
        let there = Self {
            before: before.to_owned(),
            ..self.clone()
        };
        serde_html_form::to_string(there).unwrap_or_default()
    }

    fn own_query(&self) -> String {
        self.query(&self.before)
    }

    fn is_live(&self) -> bool {
        self.live == "1"
    }

    fn is_narrowed(&self) -> bool {
        [&self.event_key, &self.tenant, &self.from, &self.until]
            .iter()
            .any(|wish| !wish.is_empty())
    }
}

/// An event and what became of it.
struct Row {
    event: Event,
    standing: Standing,
}

#[derive(Template)]
#[template(path = "events/list.html")]
struct ListPage {
    shell: Shell,
    asked: Asked,
    faults: Faults,
    groups: Vec<Group>,
    rows: Vec<Row>,
    older: Option<String>,
    newest: Option<String>,
}

async fn list(
    State(portal): State<Portal>,
    here: InEnvironment,
    Query(asked): Query<Asked>,
    around: Around,
) -> Result<Response, PageFault> {
    let (mut events, faults) = match found(&portal, &here.caller, &asked).await {
        Ok(events) => (events, Faults::NONE),
        Err(problem) => (Vec::new(), Faults::of(problem)?),
    };
    let more = events.len() > ROWS;
    events.truncate(ROWS);
    let older = events.last().filter(|_| more).map(|last| asked.query(&last.id.to_string()));
    let row = async |event: Event| {
        let standing = standing::of(&portal, &here.caller, event.id).await?;
        Ok::<_, Problem>(Row { event, standing })
    };
    let shell = around.within(&portal, &here.visit, &here.caller, Section::Events, "Events").await?;
    let own = shell.path.clone();
    let page = ListPage {
        shell: shell.crumb("Events", own),
        groups: editor::grouped(portal.app.event_types(&here.caller)?),
        rows: try_join_all(events.into_iter().map(row)).await?,
        older,
        newest: (!asked.before.is_empty()).then(|| asked.query("")),
        asked,
        faults,
    };
    let status = page.faults.status();
    show(&page, status)
}

async fn found(portal: &Portal, caller: &Caller, asked: &Asked) -> Result<Vec<Event>, Problem> {
    let filter = asked.filter(caller.environment())?;
    let page = Page {
        before: asked.before.parse::<EventId>().ok(),
        ..Page::first(ROWS + 1)
    };
    portal.app.events(caller, filter, page).await
}
