//! Every address, and what holds for all of them.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum_extra::extract::CookieJar;
use tower_http::compression::CompressionLayer;
use tower_http::set_header::SetResponseHeaderLayer;
use url::{Position, Url};

use crate::flash::Left;
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
        .layer(middleware::from_fn_with_state(portal.clone(), page_headers))
        .merge(assets::routes())
        .layer(SetResponseHeaderLayer::if_not_present(
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ))
        .layer(CompressionLayer::new().gzip(true))
        .with_state(portal)
}

async fn page_headers(State(portal): State<Portal>, jar: CookieJar, request: Request, next: Next) -> Response {
    let says_something = flash::said(portal.https, &jar).is_some();
    let part_of = part_of(request.headers());
    let mut response = next.run(request).await;
    if let Some(page) = part_of {
        lead_whole_page(&mut response, &page);
    }
    let left = response.extensions_mut().remove::<Left>();
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
    let cookie = match left {
        Some(left) => Some(flash::kept(portal.https, &left)),
        None => (says_something && is_page).then(|| flash::over(portal.https)),
    };
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::from_str(&cookie).ok()) {
        headers.append(header::SET_COOKIE, cookie);
    }
    response
}

/// The page that htmx asks for a part of, as a path.
fn part_of(headers: &HeaderMap) -> Option<String> {
    headers.get("hx-request")?;
    let page = headers.get("hx-current-url")?.to_str().ok()?;
    Url::parse(page)
        .ok()
        .map(|page| page[Position::BeforePath..Position::AfterQuery].to_owned())
}

/// Whoever has to sign in has to leave the page that asked for a part; a sign-in as a part of it would show nothing.
fn lead_whole_page(response: &mut Response, page: &str) {
    let to_sign_in = response
        .headers()
        .get(header::LOCATION)
        .is_some_and(|place| place.as_bytes().starts_with(b"/signin"));
    let query = serde_html_form::to_string([("back", page)]).unwrap_or_default();
    if let (true, Ok(place)) = (to_sign_in, HeaderValue::from_str(&format!("/signin?{query}"))) {
        *response.status_mut() = StatusCode::NO_CONTENT;
        response.headers_mut().remove(header::LOCATION);
        response.headers_mut().insert("hx-redirect", place);
    }
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &'static str) {
    headers.insert(name, HeaderValue::from_static(value));
}
