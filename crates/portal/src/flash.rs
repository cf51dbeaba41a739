//! One sentence that the next page says: what was done by the form before it.

use axum::response::{IntoResponse, Redirect, Response};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use data_encoding::BASE64URL_NOPAD;

/// The cookie where browsers come by http.
const COOKIE: &str = "tidings_flash";
/// The cookie where they come by https: no neighbour under the same domain can put words on our pages.
const COOKIE_HTTPS: &str = "__Host-tidings_flash";
/// Longest sentence, in bytes; a longer one is cut.
const BYTES_MAX: usize = 512;

/// What an answer leaves for the next page to say. Not a cookie yet: pages do not know how browsers reach us.
#[derive(Clone)]
pub(crate) struct Left(String);

/// Goes to a page that says this once.
pub(crate) fn to(path: &str, sentence: &str) -> Response {
    let cut = sentence.floor_char_boundary(BYTES_MAX);
    let mut response = Redirect::to(path).into_response();
    response.extensions_mut().insert(Left(sentence[..cut].to_owned()));
    response
}

/// The cookie that keeps what an answer leaves.
pub(crate) fn kept(https: bool, Left(sentence): &Left) -> String {
    cookie(https, BASE64URL_NOPAD.encode(sentence.as_bytes())).to_string()
}

/// The sentence to say, if there is one.
pub(crate) fn said(https: bool, jar: &CookieJar) -> Option<String> {
    let encoded = jar.get(name(https))?;
    let bytes = BASE64URL_NOPAD.decode(encoded.value().as_bytes()).ok()?;
    String::from_utf8(bytes).ok().filter(|sentence| !sentence.is_empty())
}

/// A cookie that ends the sentence.
pub(crate) fn over(https: bool) -> String {
    let mut cookie = cookie(https, String::new());
    cookie.make_removal();
    cookie.to_string()
}

const fn name(https: bool) -> &'static str {
    if https { COOKIE_HTTPS } else { COOKIE }
}

fn cookie(https: bool, value: String) -> Cookie<'static> {
    Cookie::build((name(https), value))
        .path("/")
        .http_only(true)
        .secure(https)
        .same_site(SameSite::Lax)
        .build()
}
