//! Where the bench may send: this machine, and no other. A name is resolved once, here, and what is dialled is the address that was checked.
//!
//! Never knows: what is sent.

use std::net::SocketAddr;

use anyhow::{Context as _, bail, ensure};
use http::Uri;
use http::uri::{PathAndQuery, Scheme};
use tokio::net::lookup_host;

/// A URL of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// A loopback address.
    pub(crate) address: SocketAddr,
    /// What the URL says, with its port if it has one.
    pub(crate) host: String,
    /// The path and the query.
    pub(crate) path: PathAndQuery,
}

impl Target {
    /// Looks at a URL, and refuses it when it leads anywhere but to this machine.
    pub(crate) async fn find(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("'{url}' is no URL"))?;
        ensure!(uri.scheme() == Some(&Scheme::HTTP), "'{url}' does not begin with http://");
        let host = uri.host().unwrap_or_default();
        let name = host.trim_start_matches('[').trim_end_matches(']');
        let found = lookup_host((name, uri.port_u16().unwrap_or(80))).await;
        let mut addresses: Vec<_> = found.with_context(|| format!("'{host}' has no address"))?.collect();
        if let Some(elsewhere) = addresses.iter().find(|address| !address.ip().is_loopback()) {
            bail!("'{url}' leads to {elsewhere}, which is not this machine: the bench sends only to loopback addresses");
        }
        addresses.sort_by_key(SocketAddr::is_ipv6); // 'localhost' is both, and most programs listen on the old one
        Ok(Self {
            address: *addresses.first().with_context(|| format!("'{host}' has no address"))?,
            host: uri.authority().map(ToString::to_string).unwrap_or_default(),
            path: uri.path_and_query().cloned().unwrap_or_else(|| PathAndQuery::from_static("/")),
        })
    }

    /// The URL with the checked address in it, for a client that resolves names by itself.
    pub(crate) fn uri(&self) -> Uri {
        let uri = Uri::builder().scheme(Scheme::HTTP).authority(self.address.to_string());
        uri.path_and_query(self.path.clone())
            .build()
            .expect("an address and a path that was in a URL make a URL")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_leads_to_another_machine_is_refused() {
        for url in ["http://192.0.2.1:8080/v1/events", "http://[2001:db8::1]/", "http://0.0.0.0:8080/"] {
            let refused = Target::find(url).await.unwrap_err().to_string();
            assert!(refused.contains("only to loopback addresses"), "{refused}");
        }
    }

    #[tokio::test]
    async fn what_is_no_plain_http_url_is_refused() {
        for url in ["https://127.0.0.1/", "127.0.0.1:80", "/v1/events", "ftp://127.0.0.1/", ""] {
            assert!(Target::find(url).await.is_err(), "{url}");
        }
    }

    #[tokio::test]
    async fn a_url_of_this_machine_becomes_its_address() {
        let target = Target::find("http://localhost:8080/v1/events?x=1").await.unwrap();
        assert_eq!(target.host, "localhost:8080");
        assert_eq!(target.uri(), "http://127.0.0.1:8080/v1/events?x=1");
        assert_eq!(Target::find("http://[::1]:81").await.unwrap().uri(), "http://[::1]:81/");
    }
}
