//! Everything that a node serves, in one router: the interfaces for programs, and the pages for people.

use axum::Router;
use tidings_portal::PortalParts;
use tidings_server::ServerState;

/// Every address. Nothing is served that is not in here.
pub(crate) fn router(programs: ServerState, people: PortalParts) -> Router {
    tidings_server::router(programs).merge(tidings_portal::router(people))
}
