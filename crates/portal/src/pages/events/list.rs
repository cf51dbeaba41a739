//! What came in, newest first, and whether anything matched.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use tidings_app::{Caller, EventFilter, Problem};
use tidings_model::{EnvironmentId, Event};

use super::standing::{self, Standing};
use crate::fault::{PageFault, show};
use crate::filter::Wishes;
use crate::form::Faults;
use crate::icon::Icon;
use crate::pages::editor::{self, Group};
use crate::paging::Paging;
use crate::query::Query;
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
    paging: Paging,
}

async fn list(
    State(portal): State<Portal>,
    here: InEnvironment,
    Query(asked): Query<Asked>,
    around: Around,
) -> Result<Response, PageFault> {
    let shell = around.within(&portal, &here.visit, &here.caller, Section::Events, "Events").await?;
    let own = shell.path.clone();
    let (events, paging, faults) = match found(&portal, &here.caller, &asked, &own).await {
        Ok((events, paging)) => (events, paging, Faults::NONE),
        Err(problem) => (Vec::new(), Paging::default(), Faults::of(problem)?),
    };
    let row = async |event: Event| {
        let standing = standing::of(&portal, &here.caller, event.id).await?;
        Ok::<_, Problem>(Row { event, standing })
    };
    let page = ListPage {
        shell: shell.crumb("Events", own),
        groups: editor::grouped(portal.app.event_types(&here.caller)?),
        rows: try_join_all(events.into_iter().map(row)).await?,
        paging,
        asked,
        faults,
    };
    let status = page.faults.status();
    show(&page, status)
}

async fn found(portal: &Portal, caller: &Caller, asked: &Asked, own: &str) -> Result<(Vec<Event>, Paging), Problem> {
    let filter = asked.filter(caller.environment())?;
    let mut found = portal.app.look_for_events(caller, filter, Paging::wanted(&asked.before)).await?;
    let address = |before: &str| format!("{own}?{}", asked.query(before));
    let paging = Paging::of(&mut found.rows, &asked.before, |event| event.id, address);
    Ok((found.rows, paging.going_on(found.stopped, |event| address(&event.to_string()))))
}
