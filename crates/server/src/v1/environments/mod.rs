//! `/v1/environments`.

mod change;
mod copy;
mod read;
mod wire;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ServerState;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(read::list, change::create))
        .routes(routes!(read::read, change::change, change::delete))
        .routes(routes!(copy::copy))
}
