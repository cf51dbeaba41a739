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
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::security::Credentials;
use crate::state::ServerState;
use error::{Body, DialectProblem};

/// The prefix that Frontegg's browser clients put before every path; its server clients put none.
const PREFIX: &str = "/frontegg";

/// What the document says before it lists operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tidings, in the dialect of Frontegg",
        version = "1",
        description = "The part of Frontegg's API that deals with webhooks and events, as Tidings serves it to Frontegg's own clients. Every address is \
                       served as written and under `/frontegg`. Members and parameters that are not named here are passed over. A credential belongs to \
                       one environment and acts in it.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Body)),
    modifiers(&Credentials),
    security(("basic" = []), ("token" = []), ("accessToken" = [])),
    tags(
        (name = "Tokens", description = "Client id and secret in, a token out."),
        (name = "Webhooks", description = "Where events go."),
        (name = "Logs", description = "What was delivered, and what was not."),
        (name = "Catalogue", description = "Event types and their categories."),
        (name = "Triggers", description = "Sending events, in three generations."),
        (name = "Other channels", description = "Read by the shared interface; Tidings has none of them."),
    )
)]
struct Document;

/// The dialect as an OpenAPI document.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    described().into_openapi()
}

/// Every route of the dialect, under both prefixes.
pub(crate) fn router() -> Router<ServerState> {
    let (routes, _) = described().split_for_parts();
    let routes = routes.method_not_allowed_fallback(no_such_operation);
    Router::new().nest(PREFIX, routes.clone().fallback(no_such_address)).merge(routes)
}

fn described() -> OpenApiRouter<ServerState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(auth::routes())
        .merge(webhooks::routes())
        .merge(test::routes())
        .merge(logs::routes())
        .merge(catalogue::routes())
        .merge(triggers::routes())
        .merge(companions::routes())
}

async fn no_such_operation() -> DialectProblem {
    Problem::new(Code::MethodNotAllowed, "there is no such operation on this address").into()
}

async fn no_such_address(OriginalUri(uri): OriginalUri) -> DialectProblem {
    let path: String = uri.path().chars().take(128).collect();
    Problem::new(Code::NotFound, format!("of Frontegg's API, {path} is not served")).into()
}
