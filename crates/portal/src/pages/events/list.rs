//! What came in, newest first, and whether anything matched.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use futures::future::try_join_all;
use serde::{Deserialize, Serialize};
use tidings_app::{Caller, EventFilter, Page, Problem};
use tidings_model::{EnvironmentId, Event, EventId};

use super::standing::{self, Standing};
use crate::fault::{PageFault, show};
use crate::filter::{self, Wishes};
use crate::form::Faults;
use crate::icon::Icon;
use crate::pages::editor::{self, Group};
use crate::paging::{Listed, Paging, Place};
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
    #[serde(skip_serializing)]
    before: String,
}

impl Asked {
    /// What to look for, and which page of it.
    fn wishes(&self, environment: EnvironmentId) -> Result<(EventFilter, Page<EventId>), Problem> {
        let mut wishes = Wishes::default();
        let filter = EventFilter {
            key: wishes.read("eventKey", &self.event_key),
            tenant: wishes.read("tenant", &self.tenant),
            from: wishes.time("from", &self.from),
            until: wishes.time("until", &self.until),
            ..EventFilter::of(environment)
        };
        let page = Paging::wanted(wishes.before(&self.before));
        wishes.end()?;
        Ok((filter, page))
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
    /// This page, for a live one to load itself anew.
    here: String,
}

async fn list(
    State(portal): State<Portal>,
    here: InEnvironment,
    Query(asked): Query<Asked>,
    around: Around,
) -> Result<Response, PageFault> {
    let shell = around.within(&portal, &here.visit, &here.caller, Section::Events, "Events").await?;
    let own = shell.path.clone();
    let place = Place::of(&own, &asked, &asked.before);
    let Listed { rows, paging, faults } = Listed::of(found(&portal, &here.caller, &asked, &place).await)?;
    let row = async |event: Event| {
        let standing = standing::of(&portal, &here.caller, event.id).await?;
        Ok::<_, Problem>(Row { event, standing })
    };
    let page = ListPage {
        here: place.own(),
        shell: shell.crumb("Events", &own),
        groups: editor::grouped(portal.app.event_types(&here.caller)?),
        rows: try_join_all(rows.into_iter().map(row)).await?,
        paging,
        asked,
        faults,
    };
    let status = page.faults.status();
    show(&page, status)
}

async fn found(portal: &Portal, caller: &Caller, asked: &Asked, place: &Place<'_>) -> Result<(Vec<Event>, Paging), Problem> {
    let (filter, page) = asked.wishes(caller.environment())?;
    let mut found = portal.app.look_for_events(caller, filter, page).await?;
    let paging = Paging::of(&mut found.rows, place, |event| event.id);
    Ok((found.rows, paging.going_on(found.stopped, place, |event| event)))
}
