//! The native API: one file an operation or two, beside its documentation.
//!
//! Owns: its wire types and their names. A request is read strictly (an unknown member or parameter is refused, so that a typing error is noticed); what it
//! means is the application's to judge.

mod credentials;
mod deliveries;
mod environments;
mod event_types;
mod events;
mod exchange;
mod keys;
mod nodes;
mod page;
mod tenants;
mod webhooks;

use utoipa::OpenApi;
use utoipa::openapi::{RefOr, Schema};
use utoipa_axum::router::OpenApiRouter;

use crate::problem::{FieldError, ProblemBody};
use crate::security::Credentials;
use crate::state::ServerState;

/// What the document says before it lists operations.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Tidings",
        version = "1",
        description = "The native API of Tidings, a self-hosted webhook system. Bodies are JSON, times are RFC 3339, errors are RFC 9457 \
                       (`application/problem+json`). A credential belongs to one environment and acts in it; an operator's acts in another one that the \
                       header `tidings-environment` names.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(ProblemBody, FieldError)),
    modifiers(&Credentials),
    security(("basic" = []), ("token" = []), ("accessToken" = [])),
    tags(
        (name = "Events", description = "Publishing, and what was published."),
        (name = "Deliveries", description = "The log: every delivery and every attempt."),
        (name = "Webhooks", description = "Where events go."),
        (name = "Event types", description = "The catalogue, and an environment's own event types."),
        (name = "Environments", description = "The walls of isolation, their settings and credentials."),
        (name = "Tenants", description = "Tokens that see one tenant's webhooks and log."),
        (name = "Keys", description = "The master key and the key of access tokens, by their names."),
    )
)]
struct Document;

/// The document that operations add up to. The macro describes a body that may be left away as one that may also be null, which is not taken.
pub(crate) fn document(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    let operations = document.paths.paths.values_mut().filter_map(|item| item.post.as_mut());
    for body in operations.filter_map(|operation| operation.request_body.as_mut()) {
        let RefOr::T(body) = body else { continue };
        for content in body.content.values_mut() {
            let RefOr::T(content) = content else { continue };
            if let Some(RefOr::T(Schema::OneOf(either))) = &content.schema {
                content.schema = either.items.iter().find(|item| matches!(item, RefOr::Ref(_))).cloned();
            }
        }
    }
    document
}

/// Every operation, with its documentation.
pub(crate) fn routes() -> OpenApiRouter<ServerState> {
    OpenApiRouter::with_openapi(Document::openapi())
        .merge(events::routes())
        .merge(deliveries::routes())
        .merge(webhooks::routes())
        .merge(event_types::routes())
        .merge(environments::routes())
        .merge(credentials::routes())
        .merge(tenants::routes())
        .merge(keys::routes())
        .merge(nodes::routes())
}
