//! `/v1/event-types`.

mod change;
mod read;
mod wire;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ServerState;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(read::list, change::create))
        .routes(routes!(read::read, change::delete))
}
