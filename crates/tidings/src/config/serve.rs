//! What a server is started with.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ipnet::IpNet;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::{Error as PemError, PemObject};
use tidings_app::bootstrap::{self, Bootstrap};
use tidings_model::EnvironmentId;
use tidings_signing::MasterKey;
use tidings_store_postgres::PostgresConfig;
use tidings_store_sqlite::open_file;
use url::Url;

use super::database::database;
use super::setting::AnySetting;
use super::{ConfigError, Layers, settings};
use crate::logs::LogFormat;

/// Everything that a server is told, complete and checked.
pub(crate) struct ServeConfig {
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The database that keeps everything, when it is not in the data folder.
    pub(crate) database: Option<PostgresConfig>,
    /// Where to listen; port 0 takes a free one.
    pub(crate) listen: SocketAddr,
    /// Where people reach it, when that is another address.
    pub(crate) public_url: Option<Url>,
    /// Networks that every environment's webhooks may reach although they are not public.
    pub(crate) egress_allow: Vec<IpNet>,
    /// Networks that single environments' webhooks may reach in addition.
    pub(crate) egress_environments: Vec<(EnvironmentId, Vec<IpNet>)>,
    /// Certificate authorities that are trusted beside those of the machine.
    pub(crate) egress_roots: Vec<CertificateDer<'static>>,
    /// Name servers that are asked in place of those of the machine; none means those.
    pub(crate) egress_resolvers: Vec<SocketAddr>,
    /// Largest payload of an event, in bytes.
    pub(crate) payload_bytes_max: usize,
    /// The master key, when it is not the data folder's own.
    pub(crate) master_key: Option<MasterKey>,
    /// The master key before it, while something may be sealed with it.
    pub(crate) old_master_key: Option<MasterKey>,
    /// How logs are written.
    pub(crate) log_format: LogFormat,
    /// Which logs are written.
    pub(crate) log_level: String,
    /// How long a shutdown may take.
    pub(crate) shutdown_grace: Duration,
    /// Connections that are served at the same time.
    pub(crate) max_connections: usize,
    /// What the first start of a data folder is given.
    pub(crate) bootstrap: Bootstrap,
}

impl ServeConfig {
    /// A server for a demonstration: its data in that folder, and loopback as the world.
    pub(crate) fn for_demo(folder: &Path, listen: SocketAddr) -> Self {
        let defaults = Self::build(&Layers::defaults()).expect("a test holds every default to its setting");
        Self {
            data: folder.to_owned(),
            listen,
            egress_allow: vec![IpNet::new_assert(IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), 8)],
            ..defaults
        }
    }

    /// Reads every setting of the server, so that a slip in any is found before anything is opened.
    pub(crate) fn build(layers: &Layers) -> Result<Self, ConfigError> {
        let bootstrap = Bootstrap {
            client_id: layers.optional(&settings::BOOTSTRAP_CLIENT_ID)?,
            client_secret: layers.optional(&settings::BOOTSTRAP_CLIENT_SECRET)?,
            admin_email: layers.optional(&settings::BOOTSTRAP_ADMIN_EMAIL)?,
            admin_password: layers.optional(&settings::BOOTSTRAP_ADMIN_PASSWORD)?,
        };
        bootstrap::check(&bootstrap)?;
        Ok(Self {
            data: layers.value(&settings::DATA)?,
            database: database(layers)?,
            listen: layers.value(&settings::LISTEN)?,
            public_url: layers.optional(&settings::PUBLIC_URL)?,
            egress_allow: layers.list(&settings::EGRESS_ALLOW)?,
            egress_environments: layers.egress_environments().to_vec(),
            egress_roots: roots(layers)?,
            egress_resolvers: layers.list(&settings::EGRESS_RESOLVER)?,
            payload_bytes_max: layers.value(&settings::PAYLOAD_BYTES_MAX)?,
            master_key: layers.optional(&settings::MASTER_KEY)?,
            old_master_key: layers.optional(&settings::OLD_MASTER_KEY)?,
            log_format: layers.value(&settings::LOG_FORMAT)?,
            log_level: layers.value(&settings::LOG_LEVEL)?,
            shutdown_grace: layers.value(&settings::SHUTDOWN_GRACE_SECONDS)?,
            max_connections: layers.value(&settings::MAX_CONNECTIONS)?,
            bootstrap,
        })
    }
}

fn roots(layers: &Layers) -> Result<Vec<CertificateDer<'static>>, ConfigError> {
    let Some(path) = layers.optional(&settings::EGRESS_CA_FILE)? else {
        return Ok(Vec::new());
    };
    let facts = settings::EGRESS_CA_FILE.facts();
    let wrong = |reason| ConfigError::of_file(facts, &layers.find(facts).source, reason);
    let read = open_file(&path).map_err(PemError::Io);
    let read = read.and_then(|file| CertificateDer::pem_reader_iter(file).collect::<Result<Vec<_>, _>>());
    match read {
        Ok(roots) if roots.is_empty() => Err(wrong(format!("{} holds no certificate in PEM form", path.display()))),
        Ok(roots) => Ok(roots),
        Err(PemError::Io(source)) => Err(ConfigError::Unreadable { path, source }),
        Err(error) => Err(wrong(format!("{} cannot be read as PEM: {error}", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn build(variables: &[(&str, &str)]) -> Result<ServeConfig, ConfigError> {
        let lookup = |name: &str| variables.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).into());
        ServeConfig::build(&Layers::gather(BTreeMap::new(), None, lookup)?)
    }

    #[test]
    fn nothing_has_to_be_set() {
        let config = build(&[]).unwrap();
        assert_eq!(
            (config.data, config.listen.to_string()),
            (PathBuf::from("./tidings-data"), "127.0.0.1:8080".to_owned())
        );
        assert_eq!(config.shutdown_grace, Duration::from_secs(20));
        assert!(config.egress_allow.is_empty() && config.master_key.is_none() && config.bootstrap.client_id.is_none());
    }

    #[test]
    fn a_wrong_master_key_is_refused_without_being_shown() {
        let error = build(&[("TIDINGS_MASTER_KEY", "hunter2")]).err().unwrap().to_string();
        assert!(error.starts_with("TIDINGS_MASTER_KEY: ") && !error.contains("hunter2"), "{error}");
    }

    #[test]
    fn half_of_what_a_first_start_needs_is_refused_before_anything_is_opened() {
        let error = build(&[("TIDINGS_BOOTSTRAP_CLIENT_SECRET", "correct-horse")])
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("give the client id and the client secret, or neither"), "{error}");
        let whole = [
            ("TIDINGS_BOOTSTRAP_CLIENT_ID", "6a1f6a38-6f0a-4a39-9a0e-5f0f6a3e2c11"),
            ("TIDINGS_BOOTSTRAP_CLIENT_SECRET", "correct-horse"),
        ];
        assert!(build(&whole).is_ok());
    }

    #[test]
    fn a_file_of_certificates_has_to_hold_one() {
        let folder = tempfile::tempdir().unwrap();
        let empty = folder.path().join("ca.pem");
        std::fs::write(&empty, "nothing").unwrap();
        let error = build(&[("TIDINGS_EGRESS_CA_FILE", empty.to_str().unwrap())])
            .err()
            .unwrap()
            .to_string();
        assert!(error.ends_with("holds no certificate in PEM form"), "{error}");
        let missing = folder.path().join("missing.pem");
        let error = build(&[("TIDINGS_EGRESS_CA_FILE", missing.to_str().unwrap())])
            .err()
            .unwrap()
            .to_string();
        assert!(error.starts_with("cannot read "), "{error}");
    }
}
