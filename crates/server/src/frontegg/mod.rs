//! The Frontegg dialect: the paths, headers and shapes that Frontegg's own clients send and read, in front of the same verbs as the native API.
//!
//! Owns: wire types, conversions, routes, all of them served at `/…` and under `/frontegg/…`. What Frontegg does not make public is decided here and
//! written down in `docs/frontegg.md`.
//!
//! Never knows: rules of its own. It adds no verb: whatever it refuses beyond unreadable requests, the application refuses.

mod auth;
mod caller;
mod catalogue;
mod companions;
mod error;
mod input;
mod logs;
mod test;
mod triggers;
mod webhooks;
mod wire;

use axum::Router;
use axum::extract::OriginalUri;
use tidings_app::{Code, Problem};

use crate::state::ServerState;
use error::DialectProblem;

/// The prefix that Frontegg's browser clients put before every path; its server clients put none.
const PREFIX: &str = "/frontegg";

/// Every route of the dialect, under both prefixes.
pub(crate) fn router() -> Router<ServerState> {
    let routes = Router::new()
        .merge(auth::routes())
        .merge(webhooks::routes())
        .merge(test::routes())
        .merge(logs::routes())
        .merge(catalogue::routes())
        .merge(triggers::routes())
        .merge(companions::routes())
        .method_not_allowed_fallback(no_such_operation);
    Router::new().nest(PREFIX, routes.clone().fallback(no_such_address)).merge(routes)
}

async fn no_such_operation() -> DialectProblem {
    Problem::new(Code::MethodNotAllowed, "there is no such operation on this address").into()
}

async fn no_such_address(OriginalUri(uri): OriginalUri) -> DialectProblem {
    let path: String = uri.path().chars().take(128).collect();
    Problem::new(Code::NotFound, format!("of Frontegg's API, {path} is not served")).into()
}
