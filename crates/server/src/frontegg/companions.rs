//! Reads that the shared interface makes beside those of webhooks. Tidings offers no other channel, and says so in the shapes that the interface
//! reads without failing.

use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::caller::Asking;
use crate::state::ServerState;

/// The channels' configurations.
pub(super) fn routes() -> Router<ServerState> {
    Router::new()
        .route("/integrations/resources/configurations/v1/slack", get(slack))
        .route("/integrations/resources/configurations/v1/emails", get(none))
        .route("/integrations/resources/configurations/v2/sms", get(none))
}

/// A Slack integration without a subscription. The interface reads the length of the list unasked.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Slack {
    id: &'static str,
    slack_subscriptions: [(); 0],
}

async fn slack(_asking: Asking) -> Json<Slack> {
    Json(Slack {
        id: "",
        slack_subscriptions: [],
    })
}

async fn none(_asking: Asking) -> Json<[(); 0]> {
    Json([])
}
