//! Reading what an address asks for.

use std::collections::BTreeSet;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use tidings_app::{Code, Problem};
use url::form_urlencoded;

use crate::fault::PageFault;
use crate::state::Portal;

/// What stands behind the question mark. What cannot be read is told on a page: people change addresses by hand, and keep them for years.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Portal> for Query<T> {
    type Rejection = PageFault;

    async fn from_request_parts(parts: &mut Parts, _: &Portal) -> Result<Self, PageFault> {
        let query = parts.uri.query().unwrap_or_default();
        let read = serde_html_form::from_str(query);
        Ok(Self(read.map_err(|_| Problem::new(Code::Malformed, refusal(query)))?))
    }
}

/// Every field is a text or a list of them: what cannot be read is a text that is there twice.
fn refusal(query: &str) -> String {
    let mut names = BTreeSet::new();
    let twice = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| !names.insert(name.clone()));
    twice.map_or_else(
        || "this address asks for something that cannot be".to_owned(),
        |(name, _)| format!("this address says '{name}' more than once; leave one of them"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_twice_is_named() {
        assert!(refusal("q=a+b&state=active&st%61te=disabled&q=c").contains("says 'state' more than once"));
    }
}
