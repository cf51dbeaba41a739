//! TLS as a client: which roots are trusted, and what went wrong in words for the webhook's owner.

use std::fmt;
use std::io;
use std::sync::Arc;

use rustls::client::ClientConfig;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{AlertDescription, CertificateError, RootCertStore};
use tidings_model::Timestamp;
use tidings_runtime::Clock;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::EgressError;
use crate::vet::literal;

/// TLS with a host did not come about.
#[derive(Debug, thiserror::Error)]
#[error("{}", in_words(.host, .reason))]
pub(crate) struct TlsError {
    host: String,
    reason: io::Error,
}

/// Trusts the roots of the machine, or Mozilla's where it has none, and the given ones. TLS 1.2 and 1.3; HTTP/2 is offered.
pub(crate) fn connector(extra_roots: Vec<CertificateDer<'static>>, clock: Arc<dyn Clock>) -> Result<TlsConnector, EgressError> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    for error in &native.errors {
        tracing::warn!(%error, "some root certificates of the machine cannot be read");
    }
    roots.add_parsable_certificates(native.certs);
    if roots.is_empty() {
        tracing::warn!("the machine has no root certificates; using Mozilla's, as they were when this program was built");
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    for root in extra_roots {
        roots.add(root).map_err(EgressError::Root)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ClientConfig::builder_with_details(provider, Arc::new(ClockTime(clock)))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for both versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Shakes hands, asking for the name (or the address) that the URL names.
pub(crate) async fn secure(connector: &TlsConnector, host: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>, TlsError> {
    let failed = |reason| TlsError {
        host: host.to_owned(),
        reason,
    };
    let name = match literal(host) {
        Some(address) => ServerName::from(address),
        None => ServerName::try_from(host.to_owned()).map_err(|error| failed(io::Error::other(error)))?,
    };
    connector.connect(name, tcp).await.map_err(failed)
}

/// Certificates expire on the same clock as everything else.
struct ClockTime(Arc<dyn Clock>);

impl TimeProvider for ClockTime {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(self.0.now().since(Timestamp::from_millis(0))))
    }
}

impl fmt::Debug for ClockTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClockTime")
    }
}

/// The TLS library's own error, when that is what an I/O error carries.
pub(crate) fn library_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref().and_then(|inner| inner.downcast_ref())
}

fn in_words(host: &str, reason: &io::Error) -> String {
    use rustls::Error;
    match library_error(reason) {
        Some(Error::InvalidCertificate(error)) => certificate_in_words(host, error),
        Some(Error::InvalidMessage(_)) => format!("{host} does not speak TLS on this port"),
        Some(Error::AlertReceived(AlertDescription::ProtocolVersion) | Error::PeerIncompatible(_)) => {
            format!("{host} speaks no version of TLS that is safe; TLS 1.2 or 1.3 is needed")
        }
        Some(Error::AlertReceived(alert)) => format!("{host} ended the TLS handshake with the alert {alert:?}"),
        Some(other) => format!("TLS with {host} failed: {other}"),
        None => match reason.kind() {
            io::ErrorKind::UnexpectedEof => format!("{host} closed the connection during the TLS handshake"),
            io::ErrorKind::ConnectionReset => format!("{host} reset the connection during the TLS handshake"),
            _ => format!("TLS with {host} failed: {reason}"),
        },
    }
}

fn certificate_in_words(host: &str, error: &CertificateError) -> String {
    match error {
        CertificateError::Expired => format!("TLS certificate of {host} expired"),
        CertificateError::ExpiredContext { not_after, .. } => format!("TLS certificate of {host} expired on {}", date(*not_after)),
        CertificateError::NotValidYet => format!("TLS certificate of {host} is not valid yet"),
        CertificateError::NotValidYetContext { not_before, .. } => {
            format!("TLS certificate of {host} is not valid before {}", date(*not_before))
        }
        CertificateError::UnknownIssuer => format!("TLS certificate of {host} is self-signed or from an unknown issuer"),
        // The library names its own reasons only by text: a certificate authority that signed itself and serves as its own host.
        CertificateError::Other(other) if other.to_string() == "CaUsedAsEndEntity" => format!("TLS certificate of {host} is self-signed"),
        CertificateError::NotValidForName => format!("TLS certificate of {host} is not valid for that name"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented
                .iter()
                .take(4)
                .map(|name| name.chars().take(80).collect::<String>())
                .collect();
            format!(
                "TLS certificate of {host} is not valid for that name, only for {}",
                names.join(", ")
            )
        }
        CertificateError::Revoked => format!("TLS certificate of {host} is revoked"),
        other => format!("TLS certificate of {host} is not accepted: {other}"),
    }
}

fn date(time: UnixTime) -> String {
    let at = Timestamp::from_seconds(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    at.to_string().chars().take("2026-01-31".len()).collect()
}
