//! Webhooks: the list, adding one in four steps, and the pages of one.

mod actions;
mod details;
mod done;
mod events;
mod fields;
mod list;
mod log;
mod one;
mod picker;
mod reach;
mod receivers;
mod settings;
mod test;
mod traffic;
mod verdict;

use axum::Router;
use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::request::Parts;
use tidings_app::{Caller, Problem, Visit, WebhookWithHealth};
use tidings_model::WebhookId;

use crate::fault::PageFault;
use crate::session::InEnvironment;
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new()
        .merge(list::routes())
        .merge(events::routes())
        .merge(details::routes())
        .merge(test::routes())
        .merge(done::routes())
        .merge(log::routes())
        .merge(settings::routes())
        .merge(actions::routes())
}

/// Somebody who is signed in, and the webhook that the address names.
struct AtWebhook {
    visit: Visit,
    caller: Caller,
    found: WebhookWithHealth,
}

impl FromRequestParts<Portal> for AtWebhook {
    type Rejection = PageFault;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, PageFault> {
        let InEnvironment { visit, caller } = InEnvironment::from_request_parts(parts, portal).await?;
        let named = RawPathParams::from_request_parts(parts, portal).await;
        let named = named.map_err(|_| Problem::not_found("webhook", &""))?;
        let named = named.iter().find(|(name, _)| *name == "webhook").map_or("", |(_, id)| id);
        let id: WebhookId = named.parse().map_err(|_| Problem::not_found("webhook", &named))?;
        let found = portal.app.webhook(&caller, id).await?;
        Ok(Self { visit, caller, found })
    }
}

impl AtWebhook {
    const fn id(&self) -> WebhookId {
        self.found.webhook.id
    }

    /// The address of the webhook's first page.
    fn path(&self) -> String {
        path_of(&self.caller, self.id())
    }
}

fn list_path(caller: &Caller) -> String {
    format!("/environments/{}/webhooks", caller.environment())
}

fn path_of(caller: &Caller, id: WebhookId) -> String {
    format!("{}/{id}", list_path(caller))
}
