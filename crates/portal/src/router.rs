//! Every address, and what holds for all of them.

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum_extra::extract::CookieJar;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;

use crate::state::{Portal, PortalParts};
use crate::{assets, flash, pages};

/// Nothing comes from elsewhere, nothing runs that is not in a file of ours, nobody frames a page, no form goes elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The portal, to be merged with the interfaces for programs.
pub fn router(parts: PortalParts) -> Router {
    let portal = Portal::from(parts);
    Router::new()
        .merge(pages::routes())
        .layer(middleware::from_fn(page_headers))
        .merge(assets::routes())
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(CompressionLayer::new().gzip(true))
        .with_state(portal)
}

async fn page_headers(jar: CookieJar, request: Request, next: Next) -> Response {
    let says_something = flash::said(&jar).is_some();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    set(headers, header::CACHE_CONTROL, "no-store");
    set(headers, header::CONTENT_SECURITY_POLICY, POLICY);
    set(headers, header::REFERRER_POLICY, "same-origin");
    set(headers, header::X_FRAME_OPTIONS, "DENY");
    set(headers, HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(
        headers,
        HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    );
    let is_page = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    if says_something
        && is_page
        && let Ok(over) = HeaderValue::from_str(&flash::over())
    {
        headers.append(header::SET_COOKIE, over);
    }
    response
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
