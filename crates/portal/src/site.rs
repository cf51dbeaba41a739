//! Where browsers reach us, for links that are handed on.

use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;

use crate::fault::PageFault;
use crate::state::Portal;

/// The address at which the browser that asks reaches us: `https://tidings.example`. Its own word counts, because a proxy may rename the host.
pub(crate) struct Site(String);

impl Site {
    /// A link to a page of ours that works elsewhere.
    pub(crate) fn link(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl FromRequestParts<Portal> for Site {
    type Rejection = PageFault;

    async fn from_request_parts(parts: &mut Parts, portal: &Portal) -> Result<Self, PageFault> {
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(origin) = text(header::ORIGIN).filter(|origin| origin.starts_with("http")) {
            return Ok(Self(origin.to_owned()));
        }
        let scheme = if portal.https { "https" } else { "http" };
        let host = text(header::HOST).or_else(|| parts.uri.authority().map(axum::http::uri::Authority::as_str));
        Ok(Self(format!("{scheme}://{}", host.unwrap_or("localhost"))))
    }
}
