//! Where the database is, and how much of it may be taken: a URL as every program of PostgreSQL takes it, and what such a URL leaves open.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};
use url::form_urlencoded;

use crate::append::Appending;
use crate::group::Batch;
use crate::settle::Settling;
use crate::store::OpenError;

/// Stands for a password.
const STARS: &str = "***";
/// Connections of one node, unless something else is asked for.
const CONNECTIONS: usize = 16;
/// Fewest connections of a node: those of the road, those by which it lives, the one that listens, and one for everything else.
pub const CONNECTIONS_MIN: usize = ROAD_CONNECTIONS + VITAL_CONNECTIONS + LISTENING + 1;
/// Of them, those that only append and settle, so that nobody who reads is in their way, and the one that listens.
pub(crate) const ROAD_CONNECTIONS: usize = Appending::LANES + Settling::LANES;
/// Those that only beat, lease and read what is to be known at once: a node whose readers have all others is not taken for dead.
pub(crate) const VITAL_CONNECTIONS: usize = 3;
const LISTENING: usize = 1;
/// A host that does not answer for so long is passed over.
const HOST: Duration = Duration::from_secs(5);
/// What was sent and is not acknowledged for so long breaks the connection.
const UNACKNOWLEDGED: Duration = Duration::from_secs(15);
/// An idle connection is asked whether it is alive after so long, and then so often, so many times.
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
const KEEPALIVE_RETRIES: u32 = 3;

/// Which database a store is in.
#[derive(Clone)]
pub struct PostgresConfig {
    /// `postgres://user:password@host:5432,other:5432/database?sslmode=verify-full&sslrootcert=/path/of/ca.pem`. The hosts are servers; a pooler is one
    /// only when each connection has a process of its own there.
    pub url: String,
    /// A file that has the password, instead of the URL: the whole of it but the end of its line. Read when the store is opened.
    pub password_file: Option<PathBuf>,
    /// Connections at most, but no fewer than [`CONNECTIONS_MIN`]: what is left of them by appending, settling, beating, leasing and listening is for
    /// everything else.
    pub connections: usize,
}

impl PostgresConfig {
    /// The database of a URL.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            password_file: None,
            connections: CONNECTIONS,
        }
    }

    /// Whether the URL can be meant; nothing is asked for but that.
    ///
    /// # Errors
    /// Says what is wrong with it, without its password.
    pub fn check(&self) -> Result<(), OpenError> {
        read(self).map(drop)
    }
}

impl fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresConfig").finish_non_exhaustive() // the URL may have a password
    }
}

/// A database's URL as people may see it: with stars in the place of its password.
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return STARS.to_owned();
    };
    let (place, query) = match rest.find('?').filter(|query| !rest[*query..].contains('@')) {
        Some(query) => rest.split_at(query),
        None => (rest, ""),
    };
    let place = match place.rsplit_once('@').map(|(who, place)| (who.split_once(':'), place)) {
        Some((Some((user, _)), place)) => format!("{user}:{STARS}@{place}"),
        _ => place.to_owned(),
    };
    let hide = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if decoded(name.trim_start_matches('?')).eq_ignore_ascii_case("password") => format!("{name}={STARS}"),
        _ => pair.to_owned(),
    };
    let query: Vec<_> = query.split('&').map(hide).collect();
    format!("{scheme}://{place}{}", query.join("&"))
}

/// A name as the driver reads it.
fn decoded(name: &str) -> String {
    let pair = form_urlencoded::parse(name.as_bytes()).next();
    pair.map(|(name, _)| name.into_owned()).unwrap_or_default()
}

/// Whom to believe to be the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Whoever answers: the connection is encrypted at most.
    Anyone,
    /// Whoever has a certificate for that name by an authority that the system trusts.
    System,
    /// Whoever has one by an authority in that file.
    File(PathBuf),
}

/// A configuration as connecting takes it.
#[derive(Debug)]
pub(crate) struct Connecting {
    pub(crate) config: Config,
    pub(crate) trust: Trust,
    /// Connections for everything else.
    pub(crate) others: usize,
}

/// Reads a configuration.
pub(crate) fn read(given: &PostgresConfig) -> Result<Connecting, OpenError> {
    let (url, own) = take_out(&given.url)?;
    let mut config: Config = url.parse().map_err(|error: tokio_postgres::Error| {
        let why = crate::fault::said(&error);
        refused(format!(
            "the URL of the database cannot be read: {why}. It looks like postgres://user@host:5432/database"
        ))
    })?;
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        return Err(refused(
            "the URL of the database names no host: write postgres://user@host:5432/database".to_owned(),
        ));
    }
    let trust = own.trust(&mut config)?;
    if let Some(file) = &given.password_file {
        config.password(password(file)?);
    }
    if !own.names_session_attributes {
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
    } else if config.get_target_session_attrs() == TargetSessionAttrs::ReadOnly {
        return Err(refused(
            "target_session_attrs=read-only: a store writes; use read-write, or leave it out".to_owned(),
        ));
    }
    config.tcp_user_timeout(UNACKNOWLEDGED);
    config
        .keepalives(true)
        .keepalives_idle(KEEPALIVE)
        .keepalives_interval(KEEPALIVE_INTERVAL);
    config.keepalives_retries(KEEPALIVE_RETRIES);
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(HOST);
    }
    if config.get_application_name().is_none() {
        config.application_name("tidings");
    }
    let others = given.connections.saturating_sub(CONNECTIONS_MIN - 1).max(1);
    Ok(Connecting { config, trust, others })
}

/// The parameters of a URL that the driver does not know, or not all of.
#[derive(Default)]
struct Own {
    ssl_mode: Option<String>,
    ssl_root_cert: Option<String>,
    names_session_attributes: bool,
}

impl Own {
    fn trust(&self, config: &mut Config) -> Result<Trust, OpenError> {
        let (mode, verifies) = match self.ssl_mode.as_deref() {
            Some("disable") => (SslMode::Disable, false),
            None | Some("prefer") => (SslMode::Prefer, false),
            Some("require") => (SslMode::Require, false),
            Some("verify-full") => (SslMode::Require, true),
            Some(other) => {
                return Err(refused(format!(
                    "sslmode={other} of the database's URL is not known: use disable, prefer, require or verify-full"
                )));
            }
        };
        config.ssl_mode(mode);
        match (verifies, self.ssl_root_cert.as_deref()) {
            (false, None) => Ok(Trust::Anyone),
            (false, Some(_)) => Err(refused(
                "sslrootcert of the database's URL has no effect without sslmode=verify-full".to_owned(),
            )),
            (true, None | Some("system")) => Ok(Trust::System),
            (true, Some(file)) => Ok(Trust::File(file.into())),
        }
    }
}

fn take_out(url: &str) -> Result<(String, Own), OpenError> {
    if !["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme)) {
        return Err(refused("the database is named by a URL that begins with postgres://".to_owned()));
    }
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    if base.matches('@').count() > 1 || query.contains('@') {
        let why = "the URL of the database has an @ too many, or a ? before it: write those of the user and the password as %40 and %3F";
        return Err(refused(why.to_owned()));
    }
    let (mut own, mut left) = (Own::default(), Vec::new());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = form_urlencoded::parse(pair.as_bytes()).next() else {
            continue;
        };
        let had = match &*name {
            "sslmode" => own.ssl_mode.replace(value.into_owned()),
            "sslrootcert" => own.ssl_root_cert.replace(value.into_owned()),
            "options" if names_commits(&value) && !value.contains("remote_apply") => {
                return Err(refused(
                    "the options of the database's URL may raise synchronous_commit to remote_apply, and nothing else: an event is answered for when it is stored".to_owned(),
                ));
            }
            name => {
                own.names_session_attributes |= name == "target_session_attrs";
                left.push(pair);
                None
            }
        };
        if had.is_some() {
            return Err(refused(format!("the database's URL says {name} twice: say it once")));
        }
    }
    Ok((format!("{base}?{}", left.join("&")), own))
}

/// Whether options say when a commit is answered for, in any spelling of that setting which the server takes.
fn names_commits(options: &str) -> bool {
    options.to_ascii_lowercase().replace('-', "_").contains("synchronous_commit")
}

fn password(file: &Path) -> Result<String, OpenError> {
    let read = std::fs::read_to_string(file).map_err(|error| {
        refused(format!(
            "the password of the database cannot be read from {}: {error}",
            file.display()
        ))
    })?;
    Ok(read.trim_end_matches(['\r', '\n']).to_owned())
}

fn refused(why: String) -> OpenError {
    OpenError::Refused { why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(url: &str) -> Result<Connecting, String> {
        read(&PostgresConfig::new(url)).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_names_hosts_and_whom_to_believe() {
        let read = of("postgresql://u:p@one:5433,two/db?sslmode=verify-full&sslrootcert=%2Fca.pem&application_name=x").unwrap();
        assert_eq!((read.config.get_hosts().len(), read.config.get_ports()), (2, &[5433, 5432][..]));
        assert_eq!(read.trust, Trust::File("/ca.pem".into()));
        assert_eq!(read.config.get_ssl_mode(), SslMode::Require);
        assert_eq!(read.config.get_application_name(), Some("x"));
        assert_eq!(read.config.get_target_session_attrs(), TargetSessionAttrs::ReadWrite);
        let system = of("postgres://u@host/db?sslmode=verify-full").unwrap();
        assert_eq!(system.trust, Trust::System);
        let default = of("postgres://u@host/db").unwrap();
        assert_eq!((default.config.get_ssl_mode(), default.trust), (SslMode::Prefer, Trust::Anyone));
        let any = of("postgres://u@host/db?target_session_attrs=any").unwrap();
        assert_eq!(any.config.get_target_session_attrs(), TargetSessionAttrs::Any);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_telling_the_password() {
        for (url, why) in [
            ("mysql://u:hidden@host/db", "begins with postgres://"),
            ("postgres://u:hidden@host/db?sslmode=verify-ca", "sslmode=verify-ca"),
            (
                "postgres://u:hidden@host/db?sslrootcert=/ca.pem",
                "no effect without sslmode=verify-full",
            ),
            ("postgres://u:hidden@hidden@host/db", "as %40"),
            ("postgres://u:hid?den@host/db?sslmode=verify-full", "%3F"),
            ("postgres://u:hidden@host:port/db", "invalid value for option `port`"),
            ("postgres://u:hidden@host/db?colour=red", "colour"),
            ("postgres://u:hidden@host/db?target_session_attrs=read-only", "a store writes"),
            ("postgres://", "names no host"),
            (
                "postgres://u:hidden@host/db?sslmode=verify-full&sslmode=disable",
                "says sslmode twice",
            ),
            ("postgres://u:hidden@host/db?options=-csynchronous_commit%3Doff", "remote_apply"),
            ("postgres://u:hidden@host/db?options=--Synchronous-Commit%3Doff", "remote_apply"),
        ] {
            let said = of(url).unwrap_err();
            assert!(said.contains(why) && !said.contains("hidden"), "{said}");
        }
        assert!(!format!("{:?}", PostgresConfig::new("postgres://u:hidden@host/db")).contains("hidden"));
    }

    #[test]
    fn a_password_is_hidden_wherever_a_url_can_have_it() {
        for (url, shown) in [
            (
                "postgres://u@one:5433,two/db?sslmode=require",
                "postgres://u@one:5433,two/db?sslmode=require",
            ),
            ("postgres://u:hidden@one,two/db", "postgres://u:***@one,two/db"),
            ("postgres://u:hid/d?en@one/db", "postgres://u:***@one/db"),
            ("postgres://u:hid@den@one/db", "postgres://u:***@one/db"),
            (
                "postgres://one/db?user=u&password=hidden&sslmode=require",
                "postgres://one/db?user=u&password=***&sslmode=require",
            ),
            ("postgres://one/db?password=hidden", "postgres://one/db?password=***"),
            ("postgres://one/db?%70assword=hidden", "postgres://one/db?%70assword=***"),
            ("host=one password=hidden", "***"),
        ] {
            assert_eq!(without_password(url), shown);
        }
    }

    #[test]
    fn a_password_is_read_from_its_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "from the file\n").unwrap();
        let mut given = PostgresConfig::new("postgres://u:other@host/db");
        given.password_file = Some(file.clone());
        assert_eq!(read(&given).unwrap().config.get_password(), Some(&b"from the file"[..]));
        std::fs::remove_file(&file).unwrap();
        assert!(read(&given).unwrap_err().to_string().contains(&file.display().to_string()));
    }
}
