//! Who is signed in, as browsers see it: one cookie, and requests that prove that they come from our own pages.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use axum::extract::{ConnectInfo, FromRequestParts, Path, RawPathParams};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum_extra::extract::CookieJar;
use axum_extra::extract::cookie::{Cookie, SameSite};
use tidings_app::{Browser, Caller, Code, Problem, Visit};
use tidings_model::EnvironmentId;

use crate::fault::PageFault;
use crate::state::Portal;

/// The cookie where browsers come by http, on this machine or behind nothing.
const COOKIE: &str = "tidings_session";
/// The cookie where they come by https: the prefix binds it to this host and to https.
const COOKIE_HTTPS: &str = "__Host-tidings_session";
/// Said to whoever sends a form when their session has ended.
const ENDED: &str = "your session has ended, and nothing was done. Sign in in another tab, then go back here and send it again";
/// Says, from browsers only, which page asks.
const FETCH_SITE: &str = "sec-fetch-site";

const fn cookie_name(portal: &Portal) -> &'static str {
    if portal.https { COOKIE_HTTPS } else { COOKIE }
}

/// The cookie of somebody who has just signed in. It lives as long as the browser does; the session behind it ends by itself.
pub(crate) fn cookie(portal: &Portal, token: String) -> Cookie<'static> {
    Cookie::build((cookie_name(portal), token))
        .path("/")
        .http_only(true)
        .secure(portal.https)
        .same_site(SameSite::Lax)
        .build()
}

/// A cookie that ends the one before it.
pub(crate) fn no_cookie(portal: &Portal) -> Cookie<'static> {
    let mut cookie = cookie(portal, String::new());
    cookie.make_removal();
    cookie
}

/// Somebody who is signed in. Pages that act for nobody in particular take this.
pub(crate) struct SignedIn(pub(crate) Visit);

impl FromRequestParts<Portal> for SignedIn {
    type Rejection = PageFault;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, PageFault> {
        if parts.method != Method::GET && parts.method != Method::HEAD {
            same_origin(&parts.headers)?;
        }
        Ok(Self(visit(parts, portal).await?))
    }
}

/// What the browser holds.
pub(crate) fn token(portal: &Portal, jar: &CookieJar) -> Option<String> {
    jar.get(cookie_name(portal)).map(|cookie| cookie.value().to_owned())
}

async fn visit(parts: &Parts, portal: &Portal) -> Result<Visit, PageFault> {
    let jar = CookieJar::from_headers(&parts.headers);
    let back = parts.uri.path_and_query().map_or("/", |path| path.as_str());
    let signed_out = || match parts.method {
        Method::GET | Method::HEAD => PageFault::signed_out(back),
        // What somebody has typed is still there when they go back: they are not sent away from it.
        _ => Problem::new(Code::Unauthenticated, ENDED).into(),
    };
    let token = token(portal, &jar).ok_or_else(signed_out)?;
    match portal.app.visit(&token).await {
        Ok(visit) => Ok(visit),
        Err(problem) if problem.code == Code::Unauthenticated => Err(signed_out()),
        Err(problem) => Err(problem.into()),
    }
}

/// Somebody who is signed in, in the environment that the address names.
pub(crate) struct InEnvironment {
    pub(crate) visit: Visit,
    pub(crate) caller: Caller,
}

impl FromRequestParts<Portal> for InEnvironment {
    type Rejection = PageFault;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, PageFault> {
        let SignedIn(visit) = SignedIn::from_request_parts(parts, portal).await?;
        let named = RawPathParams::from_request_parts(parts, portal).await;
        let named = named.map_err(|_| no_environment(""))?;
        let named = named.iter().find(|(name, _)| *name == "environment").map_or("", |(_, id)| id);
        let id: EnvironmentId = named.parse().map_err(|_| no_environment(named))?;
        let caller = portal.app.caller_of(&visit, id)?;
        Ok(Self { visit, caller })
    }
}

impl InEnvironment {
    /// Refuses a page that is nothing but a form which the application would refuse from this person.
    pub(crate) fn can_write(&self) -> Result<(), Problem> {
        if self.visit.may_write() {
            return Ok(());
        }
        Err(Problem::new(
            Code::Forbidden,
            "you may look at this environment, not change it; ask an owner for another role",
        ))
    }
}

fn no_environment(id: &str) -> Problem {
    Problem::not_found("environment", &id)
}

/// A part of the address after the environment.
pub(crate) type Within<T> = Path<(String, T)>;

/// Where somebody opens a session from. Only for requests that our own pages sent.
pub(crate) struct Asking(pub(crate) Browser);

impl FromRequestParts<Portal> for Asking {
    type Rejection = PageFault;

    async fn from_request_parts(parts: &mut Parts, _: &Portal) -> Result<Self, PageFault> {
        same_origin(&parts.headers)?;
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let agent = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Ok(Self(Browser {
            address: peer.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.0.ip()),
            agent: agent.unwrap_or("unknown").to_owned(),
        }))
    }
}

/// Refuses what another site made a browser send. Whoever is no browser sends neither header, and has no cookie that it does not mean to send.
fn same_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let foreign = match (text(FETCH_SITE), text(header::ORIGIN.as_str()), text(header::HOST.as_str())) {
        (Some(site), ..) => site != "same-origin" && site != "none",
        (None, Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, from)| from != host),
        (None, Some(_), None) => true,
        (None, None, _) => false,
    };
    if foreign {
        return Err(Problem::new(
            Code::Forbidden,
            "another site made your browser ask for this; nothing was done",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn allowed(headers: &[(&'static str, &str)]) -> bool {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        same_origin(&headers.collect()).is_ok()
    }

    #[test]
    fn only_our_own_pages_may_make_a_browser_ask() {
        assert!(allowed(&[]));
        assert!(allowed(&[("sec-fetch-site", "same-origin")]) && allowed(&[("sec-fetch-site", "none")]));
        assert!(!allowed(&[("sec-fetch-site", "cross-site")]) && !allowed(&[("sec-fetch-site", "same-site")]));
        assert!(allowed(&[("origin", "http://127.0.0.1:8080"), ("host", "127.0.0.1:8080")]));
        assert!(!allowed(&[("origin", "http://evil.example"), ("host", "127.0.0.1:8080")]));
        assert!(!allowed(&[("origin", "null"), ("host", "127.0.0.1:8080")]) && !allowed(&[("origin", "http://x")]));
    }
}
