//! The ways to prove who one is, as documents name them.

use utoipa::Modify;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme};

/// Adds to a document the schemes `basic`, `token` and `accessToken`.
pub(crate) struct Credentials;

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
