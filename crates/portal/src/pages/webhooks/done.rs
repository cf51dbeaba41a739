//! The last step of a new webhook: what there is now, and code that receives it.

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tidings_app::{Code, Problem};

use super::AtWebhook;
use super::reach::{self, Part};
use super::receivers::{Language, Scheme};
use crate::fault::{PageFault, show};
use crate::icon::Icon;
use crate::query::Query;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}/webhooks/{webhook}/done", get(done))
}

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    language: String,
    /// `standard` verifies by Standard Webhooks.
    scheme: String,
}

/// Prefix of secrets that are private keys: Standard Webhooks signs with them in a way that the receivers here do not verify.
const PRIVATE_KEY: &str = "whsk_";

#[derive(Template)]
#[template(path = "webhooks/done.html")]
struct DonePage {
    shell: Shell,
    webhook: tidings_model::Webhook,
    health: tidings_model::WebhookHealth,
    path: String,
    everything: bool,
    parts: Vec<Part>,
    language: Language,
    scheme: Scheme,
    /// Both schemes can be verified by the receivers here.
    both: bool,
    receiver: String,
}

async fn done(State(portal): State<Portal>, here: AtWebhook, Query(asked): Query<Asked>, around: Around) -> Result<Response, PageFault> {
    let webhook = &here.found.webhook;
    let both = !has_private_key(&portal, &here)?;
    let scheme = match (&webhook.secrets.current, asked.scheme.as_str()) {
        (None, _) => Scheme::Unsigned,
        (Some(_), "standard") if both => Scheme::Standard,
        (Some(_), _) => Scheme::Token,
    };
    let language = Language::of(&asked.language);
    let receiver = language.receiver(scheme).map_err(|error| {
        tracing::error!(%error, "a receiver could not be written");
        Problem::new(Code::Internal, "the receiver could not be written; the log of the server says why")
    })?;
    let shell = around
        .within(&portal, &here.visit, &here.caller, Section::Webhooks, &webhook.name)
        .await?;
    let shell = shell
        .crumb("Webhooks", super::list_path(&here.caller))
        .crumb(&webhook.name, here.path())
        .crumb("Done", format!("{}/done", here.path()));
    let page = DonePage {
        shell,
        path: here.path(),
        everything: reach::is_everything(&webhook.subscription),
        parts: reach::of(&webhook.subscription, &portal.app.event_types(&here.caller)?),
        language,
        scheme,
        both,
        receiver,
        webhook: webhook.clone(),
        health: here.found.health,
    };
    show(&page, 200)
}

/// Whether the secret is a private key. Whoever may not see it is shown both schemes.
fn has_private_key(portal: &Portal, here: &AtWebhook) -> Result<bool, Problem> {
    if !here.visit.may_write() {
        return Ok(false);
    }
    let secret = portal.app.unseal(&here.caller, &here.found.webhook)?.secret;
    Ok(secret.is_some_and(|secret| secret.starts_with(PRIVATE_KEY)))
}
