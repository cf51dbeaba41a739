//! What is done to a webhook by one press: on, off, a copy, another secret, the end.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::post;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tidings_app::webhooks::{SecretChange, WebhookChange, WebhookDraft};
use tidings_model::limits::NAME_CHARS_MAX;

use super::{AtWebhook, settings};
use crate::fault::PageFault;
use crate::flash;
use crate::form::{Faults, Form};
use crate::shell::Around;
use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    let of = |verb: &str| format!("/environments/{{environment}}/webhooks/{{webhook}}/{verb}");
    Router::new()
        .route(&of("enable"), post(enable))
        .route(&of("disable"), post(disable))
        .route(&of("rotate"), post(rotate))
        .route(&of("unsign"), post(unsign))
        .route(&of("duplicate"), post(duplicate))
        .route(&of("delete"), post(delete))
}

const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Deserialize)]
struct Switching {
    /// The page to come back to.
    #[serde(default)]
    back: String,
}

async fn enable(State(portal): State<Portal>, here: AtWebhook, form: Form) -> Result<Response, PageFault> {
    switch(&portal, &here, &form, true).await
}

async fn disable(State(portal): State<Portal>, here: AtWebhook, form: Form) -> Result<Response, PageFault> {
    switch(&portal, &here, &form, false).await
}

async fn switch(portal: &Portal, here: &AtWebhook, form: &Form, active: bool) -> Result<Response, PageFault> {
    let Switching { back } = form.of(&here.visit)?;
    let webhook = portal.app.switch_webhook(&here.caller, here.id(), active).await?.webhook;
    let ours = back.starts_with(&super::list_path(&here.caller)) && !back.contains(['\\', '\r', '\n']);
    let sentence = if active {
        format!("{} is enabled.", webhook.name)
    } else {
        format!("{} is disabled: it gets nothing until it is enabled again.", webhook.name)
    };
    Ok(flash::to(&if ours { back } else { here.path() }, &sentence))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Rotating {
    /// The new secret; empty lets Tidings make one.
    #[serde(default)]
    secret: String,
    /// How long the one before goes on signing.
    #[serde(default)]
    overlap_hours: u32,
}

async fn rotate(State(portal): State<Portal>, here: AtWebhook, around: Around, form: Form) -> Result<Response, PageFault> {
    let Rotating { secret, overlap_hours } = form.of(&here.visit)?;
    let secret = if secret.is_empty() {
        SecretChange::Generate
    } else {
        SecretChange::Set(secret)
    };
    let overlap = HOUR * overlap_hours;
    if let Err(problem) = portal.app.rotate_secret(&here.caller, here.id(), secret, Some(overlap)).await {
        return settings::again(&portal, &here, around, Faults::of(problem)?).await;
    }
    Ok(flash::to(
        &format!("{}/settings", here.path()),
        "Deliveries are signed with the new secret from now on. Give it to your receiver.",
    ))
}

async fn unsign(State(portal): State<Portal>, here: AtWebhook, form: Form) -> Result<Response, PageFault> {
    let _: IgnoredAny = form.of(&here.visit)?;
    let change = WebhookChange {
        secret: SecretChange::Remove,
        ..WebhookChange::default()
    };
    portal.app.change_webhook(&here.caller, here.id(), change).await?;
    Ok(flash::to(
        &format!("{}/settings", here.path()),
        "Deliveries are not signed any more.",
    ))
}

/// A copy is switched off, so that nothing is sent twice before somebody has changed what differs; a secret is never shared.
async fn duplicate(State(portal): State<Portal>, here: AtWebhook, form: Form) -> Result<Response, PageFault> {
    let _: IgnoredAny = form.of(&here.visit)?;
    let webhook = &here.found.webhook;
    let headers = portal.app.unseal(&here.caller, webhook)?.headers;
    let draft = WebhookDraft {
        name: format!("Copy of {}", webhook.name).chars().take(NAME_CHARS_MAX).collect(),
        description: webhook.description.clone(),
        url: webhook.url.clone(),
        secret: match webhook.secrets.current {
            Some(_) => SecretChange::Generate,
            None => SecretChange::Keep,
        },
        event_keys: webhook.subscription.texts(),
        active: false,
        tenant_id: webhook.tenant.as_ref().map(ToString::to_string),
        headers,
    };
    let copy = portal.app.create_webhook(&here.caller, draft).await?.saved.webhook;
    Ok(flash::to(
        &format!("{}/settings", super::path_of(&here.caller, copy.id)),
        "This is the copy. It is disabled and has a secret of its own: change what differs, then enable it.",
    ))
}

async fn delete(State(portal): State<Portal>, here: AtWebhook, form: Form) -> Result<Response, PageFault> {
    let _: IgnoredAny = form.of(&here.visit)?;
    portal.app.delete_webhook(&here.caller, here.id()).await?;
    let sentence = format!("{} is deleted. Its log stays.", here.found.webhook.name);
    Ok(flash::to(&super::list_path(&here.caller), &sentence))
}
