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
mod page;
mod tenants;
mod webhooks;

use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;

use crate::problem::{FieldError, ProblemBody};
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

/// The ways to prove who one is.
struct Credentials;

impl Modify for Credentials {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let token = ApiKey::Header(ApiKeyValue::new("x-access-token"));
        for (name, scheme) in [
            ("basic", SecurityScheme::Http(Http::new(HttpAuthScheme::Basic))),
            ("token", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer))),
            ("accessToken", SecurityScheme::ApiKey(token)),
        ] {
            components.add_security_scheme(name, scheme);
        }
    }
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
}
