//! Certificates, good and bad, each from an authority of its own.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Names that a good certificate is valid for.
const NAMES: [&str; 3] = ["receiver.test", "localhost", "127.0.0.1"];

/// What a receiver shows a client that asks for TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificate {
    /// Valid for `receiver.test`, `localhost` and `127.0.0.1`.
    Good,
    /// Good until 2020-01-01.
    Expired,
    /// Good from 4000-01-01.
    NotYetValid,
    /// Good, but for `elsewhere.test`.
    WrongName,
    /// Signed by itself; its root does not help.
    SelfSigned,
    /// Signed by itself and calling itself an authority, as simple tools make them.
    SelfSignedAuthority,
}

/// A certificate in use.
pub(super) struct Issued {
    pub(super) config: Arc<ServerConfig>,
    pub(super) root: CertificateDer<'static>,
}

impl Certificate {
    /// Makes the certificate and its authority.
    pub(super) fn issue(self, protocol: &[u8]) -> Issued {
        let authority = authority();
        let key = KeyPair::generate().expect("a key can be made");
        let params = self.params();
        let certificate = match self {
            Self::SelfSigned | Self::SelfSignedAuthority => params.self_signed(&key),
            _ => params.signed_by(&key, &authority),
        }
        .expect("the parameters are those of a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key that was just made can be read");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the provider has cipher suites for both versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("the key is the certificate's");
        config.alpn_protocols = vec![protocol.to_vec()];
        Issued {
            config: Arc::new(config),
            root: authority.der().clone(),
        }
    }

    fn params(self) -> CertificateParams {
        let names = if self == Self::WrongName {
            vec!["elsewhere.test".to_owned()]
        } else {
            NAMES.map(str::to_owned).to_vec()
        };
        let mut params = CertificateParams::new(names).expect("the names are names");
        match self {
            Self::Expired => params.not_after = date_time_ymd(2020, 1, 1),
            Self::NotYetValid => params.not_before = date_time_ymd(4000, 1, 1),
            Self::SelfSignedAuthority => params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained),
            Self::Good | Self::WrongName | Self::SelfSigned => {}
        }
        params
    }
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "Tidings test authority"); // a self-signed certificate is not to look like its child
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key can be made");
    CertifiedIssuer::self_signed(params, key).expect("the parameters are those of an authority")
}
