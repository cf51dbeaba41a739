//! `/v1/events`.

mod batch;
mod idempotency;
mod publish;
mod read;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ServerState;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(publish::publish, read::list))
        .routes(routes!(batch::publish_batch))
        .routes(routes!(read::read))
}
