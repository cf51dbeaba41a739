//! From names to addresses. The addresses are only candidates: `vet` decides which may be used.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;

/// Asks for the addresses of names.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// Every address of that name, of both families; or why there is none, in words that end the sentence "host.test does not resolve: …".
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String>;
}

/// Answers that are remembered: a busy relay speaks to many hosts.
const CACHED_ANSWERS: u64 = 4_096;
/// A name that appears is noticed after this long, whatever its zone says.
const NEGATIVE_ANSWER: Duration = Duration::from_secs(30);

/// The resolver of the machine: its name servers, its search domains and its hosts file, read once.
pub struct SystemResolver {
    resolver: Result<TokioResolver, NetError>,
}

impl SystemResolver {
    /// Reads the configuration of the machine. Without a usable one the name server of the machine itself is asked, as the C library does.
    pub fn new() -> Self {
        let builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "the machine's resolver configuration cannot be used; asking 127.0.0.1 for names");
            let servers = vec![NameServerConfig::udp_and_tcp(IpAddr::V4(Ipv4Addr::LOCALHOST))];
            TokioResolver::builder_with_config(
                ResolverConfig::from_parts(None, Vec::new(), servers),
                TokioRuntimeProvider::default(),
            )
        });
        let mut builder = builder;
        let options = builder.options_mut();
        options.cache_size = CACHED_ANSWERS;
        options.negative_max_ttl = Some(NEGATIVE_ANSWER);
        Self { resolver: builder.build() }
    }
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Resolve for SystemResolver {
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String> {
        let resolver = self.resolver.as_ref().map_err(NetError::to_string)?;
        match resolver.lookup_ip(name).await {
            Ok(found) => Ok(found.iter().collect()),
            Err(error) if error.is_nx_domain() => Err("there is no such name".to_owned()),
            Err(error) if error.is_no_records_found() => Err("the name has no address".to_owned()),
            Err(NetError::Timeout) => Err("the name servers do not answer".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn localhost_resolves_without_a_name_server() {
        let addresses = SystemResolver::new().resolve("localhost").await.unwrap();
        assert!(!addresses.is_empty() && addresses.iter().all(IpAddr::is_loopback), "{addresses:?}");
    }

    #[tokio::test]
    async fn a_text_that_is_no_name_is_an_error_and_not_a_panic() {
        for text in ["", "..", &"x".repeat(300)] {
            assert!(SystemResolver::new().resolve(text).await.is_err(), "{text}");
        }
    }
}
