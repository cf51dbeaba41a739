//! Deliveries of an environment: the list with its filters in the address, its live tail, and sending many again.

mod asked;
mod rows;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tidings_app::jobs::RESEND_MAX;
use tidings_app::{Caller, DeliveryFilter, Page, Problem, WebhookFilter};
use tidings_model::limits::PAGE_ROWS_MAX;
use tidings_model::{Delivery, DeliveryId, WebhookId};

use self::asked::Asked;
pub(super) use self::rows::{Row, rows};
use super::editor::{self, Group};
use crate::fault::{PageFault, show};
use crate::filter;
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::paging::{Listed, Paging, Place};
use crate::query::Query;
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .route("/environments/{environment}/deliveries", get(list))
        .route("/environments/{environment}/deliveries/resend", post(resend))
}

/// A webhook that the list can be narrowed to.
struct Choice {
    id: WebhookId,
    name: String,
}

#[derive(Template)]
#[template(path = "deliveries/list.html")]
struct ListPage {
    shell: Shell,
    asked: Asked,
    faults: Faults,
    groups: Vec<Group>,
    choices: Vec<Choice>,
    rows: Vec<Row>,
    paging: Paging,
    /// This page, for a live one to load itself anew.
    here: String,
}

impl ListPage {
    /// Whether all that match can be resent from here: something is asked for, and it can be finished.
    fn resends(&self) -> bool {
        self.shell.can_write() && self.asked.is_narrowed() && self.asked.is_finished() && !self.rows.is_empty()
    }

    /// Words for the button: how many they are, when the page shows all of them.
    fn resend_words(&self) -> String {
        if !self.paging.any() {
            return match self.rows.len() {
                1 => "Resend it".to_owned(),
                all => format!("Resend all {all}"),
            };
        }
        "Resend all that match".to_owned()
    }
}

async fn list(
    State(portal): State<Portal>,
    here: InEnvironment,
    Query(asked): Query<Asked>,
    around: Around,
) -> Result<Response, PageFault> {
    let shell = around
        .within(&portal, &here.visit, &here.caller, Section::Deliveries, "Deliveries")
        .await?;
    let own = shell.path.clone();
    let place = Place::of(&own, &asked, &asked.before);
    let Listed { rows, paging, faults } = Listed::of(found(&portal, &here.caller, &asked, &place).await)?;
    let page = ListPage {
        here: place.own(),
        shell: shell.crumb("Deliveries", &own),
        groups: editor::grouped(portal.app.event_types(&here.caller)?),
        choices: choices(&portal, &here.caller, &asked).await?,
        rows,
        paging,
        asked,
        faults,
    };
    let status = page.faults.status();
    show(&page, status)
}

async fn found(portal: &Portal, caller: &Caller, asked: &Asked, place: &Place<'_>) -> Result<(Vec<Row>, Paging), Problem> {
    let (filter, page) = asked.wishes(caller.environment())?;
    let (deliveries, paging) = look(portal, caller, filter, page, place).await?;
    Ok((rows::named(portal, caller, deliveries).await?, paging))
}

/// A page of deliveries, as far as one look goes.
pub(super) async fn look(
    portal: &Portal,
    caller: &Caller,
    filter: DeliveryFilter,
    page: Page<DeliveryId>,
    place: &Place<'_>,
) -> Result<(Vec<Delivery>, Paging), Problem> {
    let mut found = portal.app.look_for_deliveries(caller, filter, page).await?;
    let paging = Paging::of(&mut found.rows, place, |row| row.id);
    let paging = paging.going_on(found.stopped, place, |event| DeliveryId { event, ordinal: 0 });
    Ok((found.rows, paging))
}

/// The newest webhooks, and the one that is asked for.
async fn choices(portal: &Portal, caller: &Caller, asked: &Asked) -> Result<Vec<Choice>, Problem> {
    let newest = portal
        .app
        .webhooks(caller, WebhookFilter::default(), Page::first(PAGE_ROWS_MAX))
        .await?;
    let mut choices: Vec<_> = newest
        .into_iter()
        .map(|found| Choice {
            id: found.webhook.id,
            name: found.webhook.name,
        })
        .collect();
    choices.sort_by_key(|choice| choice.name.to_lowercase());
    if let Ok(id) = asked.webhook.parse::<WebhookId>()
        && !choices.iter().any(|choice| choice.id == id)
    {
        let name = rows::names(portal, caller, [id]).await?.remove(&id);
        choices.push(Choice {
            id,
            name: name.unwrap_or_else(|| format!("{id} (deleted)")),
        });
    }
    Ok(choices)
}

async fn resend(State(portal): State<Portal>, here: InEnvironment, Query(asked): Query<Asked>, form: Form) -> Result<Response, PageFault> {
    let _: serde::de::IgnoredAny = form.of(&here.visit)?;
    let environment = here.caller.environment();
    let (filter, _) = asked.wishes(environment)?;
    let job = portal.app.resend_many(&here.caller, filter).await?;
    Ok(Redirect::to(&format!("/environments/{environment}/jobs/{}", job.id)).into_response())
}
