//! `tidings doctor`.

mod data;
mod database;
mod network;

use std::fmt;

use clap::Args;
use serde::Serialize;
use tidings_runtime::SystemClock;
use tidings_signing::KeyId;

use crate::config::settings::OUTPUT;
use crate::config::{Everything, Flags, Layers, ServeConfig};
use crate::data_folder;
use crate::failure::{CommandError, Outcome};
use crate::output::{Format, print, table};

/// Look for what is wrong with an installation, and say what to do.
///
/// Looks at everything that a server needs, and changes nothing; the server may run. Give it the settings that the server is started with. Exit status 1
/// when something fails.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings doctor
  tidings doctor --data /var/lib/tidings --config /etc/tidings.toml")]
pub(crate) struct Doctor {
    #[command(flatten)]
    settings: Flags<Everything>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    /// As it should be.
    Ok,
    /// It works, and somebody should look at it.
    Warn,
    /// It does not work.
    Fail,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "FAIL",
        })
    }
}

/// What one check found, and what to do about it.
#[derive(Debug, Serialize)]
struct Finding {
    level: Level,
    check: &'static str,
    message: String,
}

impl Finding {
    fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Ok, check, message)
    }

    fn warn(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Warn, check, message)
    }

    fn fail(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(Level::Fail, check, message)
    }

    fn new(level: Level, check: &'static str, message: impl Into<String>) -> Self {
        Self {
            level,
            check,
            message: message.into(),
        }
    }
}

pub(crate) async fn run(args: &Doctor) -> Outcome {
    let layers = args.settings.layers()?;
    let findings = examine(&layers).await;
    let text = match layers.value(&OUTPUT)? {
        Format::Json => serde_json::to_string_pretty(&findings).map_err(anyhow::Error::from)?,
        Format::Table => rows(&findings),
    };
    print(&text)?;
    let failed = findings.iter().any(|finding| finding.level == Level::Fail);
    if failed { Err(CommandError::No) } else { Ok(()) }
}

async fn examine(layers: &Layers) -> Vec<Finding> {
    let config = match ServeConfig::build(layers) {
        Ok(config) => config,
        Err(error) => return vec![Finding::fail("configuration", error.to_string())],
    };
    let clock = SystemClock::new();
    let mut findings = vec![configuration(layers)];
    findings.push(data::folder(&config.data));
    findings.extend(data::room(&config.data));
    if let Some(database) = &config.database {
        let (needed, store) = database::look(database).await;
        findings.push(data::master_key(&config, &needed));
        findings.push(store);
    } else {
        let read = data::read(config.data.clone()).await;
        let needed = read.as_ref().and_then(|read| Some(read.as_ref().ok()?.master_keys.clone()));
        let needed: Vec<_> = needed.into_iter().flatten().map(KeyId::from_bytes).collect();
        findings.push(data::master_key(&config, &needed));
        findings.push(data::store(read, data_folder::announced(&config.data).is_some()));
    }
    findings.push(data::clock(&config.data, &clock));
    findings.push(network::server(&config, &clock).await);
    findings.extend(network::last_look(&config, &clock).await);
    findings.extend(network::public_url(&config, &clock).await);
    findings.extend(network::resolvers(&config, &clock).await);
    findings.push(network::egress(&config));
    findings
}

fn configuration(layers: &Layers) -> Finding {
    let Some(path) = layers.file_path() else {
        return Finding::ok("configuration", "every setting can be used; there is no configuration file");
    };
    if layers.file_has_secrets() && data_folder::is_open_to_others(path) {
        let words = format!("{0} holds secrets and can be read by others: run `chmod 600 {0}`", path.display());
        return Finding::warn("configuration", words);
    }
    Finding::ok(
        "configuration",
        format!("every setting can be used; the file is {}", path.display()),
    )
}

fn rows(findings: &[Finding]) -> String {
    let rows = findings
        .iter()
        .map(|finding| [finding.level.to_string(), finding.check.to_owned(), finding.message.clone()]);
    table(["", "check", "finding"], rows)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use super::*;

    async fn found(folder: &Path, variables: &[(&str, &str)]) -> Vec<Finding> {
        let data = folder.display().to_string();
        let flags = BTreeMap::from([("data", vec![data]), ("listen", vec!["127.0.0.1:0".to_owned()])]);
        let lookup = |name: &str| variables.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).into());
        examine(&Layers::gather(flags, None, lookup).unwrap()).await
    }

    fn of<'a>(findings: &'a [Finding], check: &str) -> &'a Finding {
        findings.iter().find(|finding| finding.check == check).unwrap()
    }

    #[tokio::test]
    async fn a_machine_before_its_first_start_is_well() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        let findings = found(&folder, &[]).await;
        assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:?}");
        assert!(!folder.exists(), "a doctor only looks");
    }

    #[tokio::test]
    async fn settings_that_cannot_be_used_are_the_first_thing_to_mend() {
        let parent = tempfile::tempdir().unwrap();
        let findings = found(parent.path(), &[("TIDINGS_EGRESS_ALLOW", "everything")]).await;
        assert_eq!((findings.len(), findings[0].level), (1, Level::Fail));
        assert!(findings[0].message.starts_with("TIDINGS_EGRESS_ALLOW: "), "{findings:?}");
    }

    #[tokio::test]
    async fn a_database_without_its_key_and_a_database_that_is_none_are_failures() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tidings.db"), "this is no database at all").unwrap();
        let findings = found(folder.path(), &[]).await;
        assert_eq!(of(&findings, "master key").level, Level::Fail);
        assert_eq!(of(&findings, "store").level, Level::Fail);
    }

    #[tokio::test]
    async fn an_exception_that_opens_too_much_is_worth_a_word() {
        let parent = tempfile::tempdir().unwrap();
        let findings = found(&parent.path().join("data"), &[("TIDINGS_EGRESS_ALLOW", "169.254.0.0/16")]).await;
        let egress = of(&findings, "egress policy");
        assert_eq!(egress.level, Level::Warn);
        assert!(egress.message.contains("metadata"), "{}", egress.message);
    }

    #[tokio::test]
    async fn a_port_that_somebody_else_has_is_a_failure() {
        let parent = tempfile::tempdir().unwrap();
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = taken.local_addr().unwrap().to_string();
        let flags = BTreeMap::from([
            ("data", vec![parent.path().join("data").display().to_string()]),
            ("listen", vec![address.clone()]),
        ]);
        // Takes the connection and hangs up: it is a program, and not Tidings.
        let answering = std::thread::spawn(move || drop(taken.accept()));
        let findings = examine(&Layers::gather(flags, None, |_| None).unwrap()).await;
        let server = of(&findings, "server");
        assert_eq!(server.level, Level::Fail, "{}", server.message);
        assert!(server.message.contains(&address), "{}", server.message);
        answering.join().unwrap();
    }
}
