//! `/v1/webhooks`.

mod change;
mod create;
mod delete;
mod read;
mod secret;
mod switch;
mod test;
mod wire;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::ServerState;

pub(super) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::new()
        .routes(routes!(read::list, create::create))
        .routes(routes!(test::test))
        .routes(routes!(read::read, change::change, delete::delete))
        .routes(routes!(switch::enable))
        .routes(routes!(switch::disable))
        .routes(routes!(secret::secret))
        .routes(routes!(secret::rotate))
        .routes(routes!(test::test_saved))
}
