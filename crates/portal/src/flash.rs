//! One sentence that the next page says: what was done by the form before it.

use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use data_encoding::BASE64URL_NOPAD;

const COOKIE: &str = "tidings_flash";
/// Longest sentence, in bytes; a longer one is cut.
const BYTES_MAX: usize = 512;

/// Goes to a page that says this once.
pub(crate) fn to(path: &str, sentence: &str) -> Response {
    let cut = sentence.floor_char_boundary(BYTES_MAX);
    let cookie = Cookie::build((COOKIE, BASE64URL_NOPAD.encode(&sentence.as_bytes()[..cut])))
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .build();
    ([(header::SET_COOKIE, cookie.to_string())], Redirect::to(path)).into_response()
}

/// The sentence to say, if there is one.
pub(crate) fn said(jar: &CookieJar) -> Option<String> {
    let encoded = jar.get(COOKIE)?;
    let bytes = BASE64URL_NOPAD.decode(encoded.value().as_bytes()).ok()?;
    String::from_utf8(bytes).ok().filter(|sentence| !sentence.is_empty())
}

/// A cookie that ends the sentence.
pub(crate) fn over() -> String {
    let mut cookie = Cookie::build((COOKIE, "")).path("/").build();
    cookie.make_removal();
    cookie.to_string()
}
