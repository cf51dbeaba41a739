//! `/v1/deliveries`.

mod attempts;
mod read;
mod resend;
pub(super) mod wire;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ServerState;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(read::list))
        .routes(routes!(read::read))
        .routes(routes!(resend::resend))
}
