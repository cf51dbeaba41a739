//! Events of an environment: what came in, what became of each, and sending one by hand.

mod list;
mod one;
mod send;
mod standing;

use axum::Router;

use crate::state::Portal;

pub(super) fn routes() -> Router<Portal> {
    Router::new().merge(list::routes()).merge(one::routes()).merge(send::routes())
}
