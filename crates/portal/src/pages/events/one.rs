//! One event: its body, whom it is about, and what became of it.

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tidings_app::{DeliveryFilter, Page, Problem};
use tidings_model::{DeliveryState, Event, EventId};

use crate::fault::{PageFault, show};
use crate::icon::Icon;
use crate::json;
use crate::limits::ROWS;
use crate::markup::Markup;
use crate::pages::deliveries::{self, Row};
use crate::query::Query;
use crate::session::{InEnvironment, Within};
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/events/{event}", get(one))
}

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    /// `1`: the page shows itself anew when something happens.
    live: String,
}

#[derive(Template)]
#[template(path = "events/one.html")]
struct OnePage {
    shell: Shell,
    live: bool,
    event: Event,
    /// Unless it was altered.
    body: Option<Markup>,
    rows: Vec<Row>,
    /// There are more deliveries than are shown.
    more: bool,
}

impl OnePage {
    /// Whether any of its deliveries is on its way.
    fn is_pending(&self) -> bool {
        let mut states = self.rows.iter().map(|row| &row.delivery.state);
        states.any(|state| matches!(state, DeliveryState::Pending { .. }))
    }
}

async fn one(
    State(portal): State<Portal>,
    here: InEnvironment,
    Path((_, id)): Within<String>,
    Query(asked): Query<Asked>,
    around: Around,
) -> Result<Response, PageFault> {
    let caller = &here.caller;
    let parsed: EventId = id.parse().map_err(|_| Problem::not_found("event", &id))?;
    let event = portal.app.event(caller, parsed).await?;
    let filter = DeliveryFilter {
        event: Some(event.id),
        ..DeliveryFilter::of(caller.environment())
    };
    let mut rows = deliveries::rows(&portal, caller, filter, Page::first(ROWS + 1)).await?;
    let more = rows.len() > ROWS;
    rows.truncate(ROWS);
    let shell = around
        .within(&portal, &here.visit, caller, Section::Events, event.key.as_str())
        .await?;
    let (list, own) = (format!("{}/events", shell.base), shell.path.clone());
    let page = OnePage {
        shell: shell.crumb("Events", list).crumb(id, own),
        live: asked.live == "1",
        body: event.body.whole().map(|body| json::highlighted(body)),
        event,
        rows,
        more,
    };
    show(&page, 200)
}
