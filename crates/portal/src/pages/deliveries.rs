//! Deliveries of an environment: the list with its filters in the address, its live tail, and sending many again.

mod asked;
mod rows;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use tidings_app::jobs::RESEND_MAX;
use tidings_app::{Caller, Page, Problem, WebhookFilter};
use tidings_model::limits::PAGE_ROWS_MAX;
use tidings_model::{DeliveryId, WebhookId};

use self::asked::Asked;
pub(super) use self::rows::{Row, rows};
use super::editor::{self, Group};
use crate::fault::{PageFault, show};
use crate::form::{Faults, Form};
use crate::icon::Icon;
use crate::paging::Paging;
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
    let (rows, paging, faults) = match found(&portal, &here.caller, &asked, &own).await {
        Ok((rows, paging)) => (rows, paging, Faults::NONE),
        Err(problem) => (Vec::new(), Paging::default(), Faults::of(problem)?),
    };
    let page = ListPage {
        shell: shell.crumb("Deliveries", own),
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

async fn found(portal: &Portal, caller: &Caller, asked: &Asked, own: &str) -> Result<(Vec<Row>, Paging), Problem> {
    let filter = asked.filter(caller.environment())?;
    let mut found = portal
        .app
        .look_for_deliveries(caller, filter, Paging::wanted(&asked.before))
        .await?;
    let address = |before: &str| format!("{own}?{}", asked.query(before));
    let paging = Paging::of(&mut found.rows, &asked.before, |row| row.id, address);
    let paging = paging.going_on(found.stopped, |event| address(&DeliveryId { event, ordinal: 0 }.to_string()));
    Ok((rows::named(portal, caller, found.rows).await?, paging))
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
    let job = portal.app.resend_many(&here.caller, asked.filter(environment)?).await?;
    Ok(Redirect::to(&format!("/environments/{environment}/jobs/{}", job.id)).into_response())
}
