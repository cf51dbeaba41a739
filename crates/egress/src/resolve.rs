//! From names to addresses. The addresses are only candidates: `vet` decides which may be used.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use async_trait::async_trait;
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RecordType;
use hickory_resolver::system_conf::read_system_conf;

/// Asks for the addresses of names.
#[async_trait]
pub trait Resolve: Send + Sync {
    /// Every address of that name, of both families; or why there is none, in words that end the sentence "host.test does not resolve: …".
    async fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, String>;

    /// Who is asked, in words: "the name server 192.0.2.1:53".
    fn asked(&self) -> &str;
}

/// Answers that are remembered: a busy relay speaks to many hosts.
const CACHED_ANSWERS: u64 = 4_096;
/// A name that appears is noticed after this long, whatever its zone says.
const NEGATIVE_ANSWER: Duration = Duration::from_secs(30);
/// How long a name server may take before it is asked once more, and again before it is given up: both together stay below `RESOLVE_TIMEOUT_MS`.
const TRY: Duration = Duration::from_secs(2);

/// The resolver of the machine: its name servers and its search domains, unless others are named, and its hosts file, read once.
pub struct SystemResolver {
    resolver: Result<TokioResolver, NetError>,
    asked: String,
}

impl SystemResolver {
    /// Reads the configuration of the machine. Without a usable one the name server of the machine itself is asked, as the C library does.
    pub fn new() -> Self {
        let config = read_system_conf().unwrap_or_else(|error| {
            tracing::warn!(%error, "the machine's resolver configuration cannot be used; asking 127.0.0.1 for names");
            (asking(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 53))]), ResolverOpts::default())
        });
        Self::built(config)
    }

    /// Asks these name servers, in place of those of the machine and without its search domains. The hosts file of the machine still counts.
    pub fn asking(servers: &[SocketAddr]) -> Self {
        Self::built((asking(servers), ResolverOpts::default()))
    }

    fn built((config, mut options): (ResolverConfig, ResolverOpts)) -> Self {
        options.cache_size = CACHED_ANSWERS;
        options.negative_max_ttl = Some(NEGATIVE_ANSWER);
        options.timeout = options.timeout.min(TRY);
        options.attempts = 1;
        let asked = words(config.name_servers());
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options);
        Self {
            resolver: builder.build(),
            asked,
        }
    }

    /// Asks for something that every name server knows of. Whatever the answer is, one was there.
    ///
    /// # Errors
    /// When none came, in words that name who was asked.
    pub async fn answers(&self) -> Result<(), String> {
        let resolver = self.resolver.as_ref().map_err(NetError::to_string)?;
        match resolver.lookup(".", RecordType::NS).await {
            Ok(_) | Err(NetError::Dns(_)) => Ok(()),
            Err(error) => Err(self.silence(&error)),
        }
    }

    /// Why there was no answer.
    fn silence(&self, error: &NetError) -> String {
        match error {
            NetError::Timeout => format!("{} did not answer", self.asked),
            error => format!("{} cannot be asked: {error}", self.asked),
        }
    }
}

fn words(servers: &[NameServerConfig]) -> String {
    let address =
        |server: &NameServerConfig| SocketAddr::new(server.ip, server.connections.first().map_or(53, |first| first.port)).to_string();
    let addresses: Vec<_> = servers.iter().map(address).collect();
    let plural = if addresses.len() == 1 { "" } else { "s" };
    format!("the name server{plural} {}", addresses.join(", "))
}

/// Name servers by address and port, over UDP, and over TCP for what does not fit.
fn asking(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let mut config = NameServerConfig::udp_and_tcp(server.ip());
        for connection in &mut config.connections {
            connection.port = server.port();
        }
        config
    });
    ResolverConfig::from_parts(None, Vec::new(), servers.collect())
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
            Err(NetError::Dns(error)) => Err(format!("{} said: {error}", self.asked)),
            Err(error) => Err(self.silence(&error)),
        }
    }

    fn asked(&self) -> &str {
        &self.asked
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
