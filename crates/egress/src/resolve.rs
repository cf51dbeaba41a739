//! From names to addresses. The addresses are only candidates: `vet` decides which may be used.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::config::{NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};

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

/// The resolver of the machine: its name servers and its search domains, unless others are named, and its hosts file, read once.
pub struct SystemResolver {
    resolver: Result<TokioResolver, NetError>,
}

impl SystemResolver {
    /// Reads the configuration of the machine. Without a usable one the name server of the machine itself is asked, as the C library does.
    pub fn new() -> Self {
        let builder = TokioResolver::builder_tokio().unwrap_or_else(|error| {
            tracing::warn!(%error, "the machine's resolver configuration cannot be used; asking 127.0.0.1 for names");
            asking(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 53))])
        });
        Self::built(builder)
    }

    /// Asks these name servers, in place of those of the machine and without its search domains. The hosts file of the machine still counts.
    pub fn asking(servers: &[SocketAddr]) -> Self {
        Self::built(asking(servers))
    }

    fn built(mut builder: ResolverBuilder<TokioRuntimeProvider>) -> Self {
        let options = builder.options_mut();
        options.cache_size = CACHED_ANSWERS;
        options.negative_max_ttl = Some(NEGATIVE_ANSWER);
        Self { resolver: builder.build() }
    }
}

/// Name servers by address and port, over UDP, and over TCP for what does not fit.
fn asking(servers: &[SocketAddr]) -> ResolverBuilder<TokioRuntimeProvider> {
    let servers = servers.iter().map(|server| {
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut config.connections {
            connection.port = server.port();
        }
        config
    });
    TokioResolver::builder_with_config(
        ResolverConfig::from_parts(None, Vec::new(), servers.collect()),
        TokioRuntimeProvider::default(),
    )
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
