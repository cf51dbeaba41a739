//! Sending again.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tidings_model::DeliveryId;

use super::wire::DeliveryView;
use crate::auth::Authenticated;
use crate::problem::{ApiProblem, Refused};
use crate::query::Id;
use crate::state::ServerState;

/// Send a delivery again
///
/// A new delivery of the same event to the same webhook, with attempts of its own.
#[utoipa::path(
    post,
    path = "/v1/deliveries/{id}/resend",
    operation_id = "resendDelivery",
    tag = "Deliveries",
    params(("id" = String, Path, description = "The delivery's id.")),
    responses((status = 202, description = "The new delivery.", body = DeliveryView), Refused)
)]
pub(super) async fn resend(
    State(state): State<ServerState>,
    Authenticated(caller): Authenticated,
    Id(id): Id<DeliveryId>,
) -> Result<(StatusCode, Json<DeliveryView>), ApiProblem> {
    let delivery = state.app.resend(&caller, id).await?;
    Ok((StatusCode::ACCEPTED, Json(delivery.into())))
}
