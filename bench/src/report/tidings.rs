//! A Tidings that runs on a data folder of its own, with the credential that the report gave it: started, set up over its API, asked for its figures,
//! killed, started again. Its folder goes when it goes.
//!
//! Never knows: what it is used for, or the inside of Tidings.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;
use serde_json::json;
use tempfile::TempDir;
use tidings_client::{Auth, Client, EnvironmentChange, NewWebhook, Secret, SettingsChange, Webhook};
use tokio::process::Command;

use super::database::{Database, Made};
use super::process::{Process, Usage, number};
use super::web::Web;
use crate::time::{pause, wall_us};

/// The credential of every server that a report starts; it ends with its data folder.
const CLIENT_ID: &str = "0b8f3a52-7c1d-4e69-8a04-d2f6c95b7e13";
/// Its secret.
const CLIENT_SECRET: &str = "a-secret-for-the-bench-only";
/// Its master key, and that of all nodes beside one database.
const MASTER_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// The secret of every webhook that has one.
const WEBHOOK_SECRET: &str = "a-webhook-secret-of-the-bench";
/// The key of the events that the generator sends unless told otherwise.
pub(crate) const EVENT_KEY: &str = "frontegg.user.created";
/// The only addresses that a server of a report may send to.
const OWN_ADDRESSES: &str = "127.0.0.0/8";
/// What a server prints, in its data folder.
const LOG_FILE: &str = "bench.log";
/// Where a server says where it listens, in its data folder.
const SERVER_FILE: &str = "server.json";
/// How long a start may take, and how often to look whether it is done.
const START: (Duration, Duration) = (Duration::from_secs(300), Duration::from_millis(1));
/// Lines of the log that are shown of a server that did not start.
const LOG_LINES: usize = 15;

/// How to start one.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    /// The executable.
    pub(crate) binary: PathBuf,
    /// Where data folders are made.
    pub(crate) data: PathBuf,
    /// The PostgreSQL that keeps the data, instead of the data folder.
    pub(crate) database: Option<Database>,
    /// What the process is started under, with its arguments: nothing, or a tracer that becomes it.
    pub(crate) under: Vec<String>,
}

/// See the module.
pub(crate) struct Server {
    launch: Launch,
    process: Process,
    // After the process: it goes when nobody writes in it any more.
    folder: TempDir,
    /// The database of this server, when it is not in the folder.
    database: Option<Made>,
    /// Further nodes beside that database.
    others: Vec<Node>,
    url: String,
    token: String,
    client: Client,
    environment: String,
    web: Web,
    start_us: u64,
}

/// A further node.
struct Node {
    process: Process,
    _folder: TempDir,
    url: String,
}

#[derive(Deserialize)]
struct Announced {
    url: String,
    pid: u32,
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

impl Launch {
    /// Starts a server on a new data folder, with plain http to this machine allowed.
    pub(crate) async fn start(&self) -> anyhow::Result<Server> {
        let folder = self.folder()?;
        let web = Web::new();
        let database = match &self.database {
            Some(database) => Some(database.make().await),
            None => None,
        };
        let begun_us = wall_us();
        let (process, url) = self.boot(folder.path(), database.as_ref(), &web).await?;
        let start_us = wall_us() - begun_us;
        let token = mint(&web, &url).await?;
        let client = Client::new(&url, &Auth::Token(Secret::new(&token)))?;
        let environments = client.environments().await?;
        let environment = environments.data.first().context("the server has no environment")?.id.clone();
        let server = Server {
            launch: self.clone(),
            process,
            folder,
            database,
            others: Vec::new(),
            url,
            token,
            client,
            environment,
            web,
            start_us,
        };
        server
            .set(SettingsChange {
                http_allowed: Some(true),
                ..SettingsChange::default()
            })
            .await?;
        Ok(server)
    }

    fn folder(&self) -> anyhow::Result<TempDir> {
        let folder = tempfile::Builder::new().prefix("data-").tempdir_in(&self.data);
        folder.with_context(|| format!("cannot make a folder in {}", self.data.display()))
    }

    /// Starts the process and waits until it takes requests.
    async fn boot(&self, folder: &Path, database: Option<&Made>, web: &Web) -> anyhow::Result<(Process, String)> {
        let _ = fs::remove_file(folder.join(SERVER_FILE)); // left by a process that was killed
        let mut process = Process::spawn("tidings", self.command(folder, database)?)?;
        let begun_us = wall_us();
        loop {
            let announced = fs::read(folder.join(SERVER_FILE)).ok();
            let announced = announced.and_then(|text| serde_json::from_slice::<Announced>(&text).ok());
            if let Some(announced) = announced
                && web.get(&format!("{}/readyz", announced.url)).await.is_ok()
            {
                ensure!(
                    announced.pid == process.id(),
                    "process {} answers in the place of ours",
                    announced.pid
                );
                return Ok((process, announced.url));
            }
            if process.has_ended() || u128::from(wall_us() - begun_us) > START.0.as_micros() {
                bail!("{} did not start; its last words:\n{}", self.binary.display(), last_words(folder));
            }
            pause(START.1).await;
        }
    }

    fn command(&self, folder: &Path, database: Option<&Made>) -> anyhow::Result<Command> {
        let mut words = self.under.iter().map(PathBuf::from).chain([self.binary.clone()]);
        let mut command = Command::new(words.next().context("there is nothing to start")?);
        command
            .args(words)
            .args(["serve", "--listen", "127.0.0.1:0", "--egress-allow", OWN_ADDRESSES, "--data"]);
        let ours = std::env::vars_os().map(|(name, _)| name);
        for name in ours.filter(|name| name.to_string_lossy().starts_with("TIDINGS_")) {
            command.env_remove(name); // the report measures what it says, not what the shell says
        }
        let log = File::options().create(true).append(true).open(folder.join(LOG_FILE))?;
        command
            .arg(folder)
            .current_dir(folder) // where no tidings.toml lies
            .env("TIDINGS_BOOTSTRAP_CLIENT_ID", CLIENT_ID)
            .env("TIDINGS_BOOTSTRAP_CLIENT_SECRET", CLIENT_SECRET)
            .env("TIDINGS_MASTER_KEY", MASTER_KEY)
            .envs(database.map(|database| ("TIDINGS_DATABASE", database.url())))
            .stderr(log);
        Ok(command)
    }
}

impl Server {
    /// The process.
    pub(crate) const fn process(&self) -> &Process {
        &self.process
    }

    /// Its client, as an operator.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Where events are sent to: each of its nodes takes them.
    pub(crate) fn events_urls(&self) -> Vec<String> {
        let urls = [&self.url].into_iter().chain(self.others.iter().map(|node| &node.url));
        urls.map(|url| format!("{url}/v1/events")).collect()
    }

    /// Starts so many further nodes beside its database.
    pub(crate) async fn join(&mut self, nodes: usize) -> anyhow::Result<()> {
        for _ in 0..nodes {
            let folder = self.launch.folder()?;
            let (process, url) = self.launch.boot(folder.path(), self.database.as_ref(), &self.web).await?;
            self.others.push(Node {
                process,
                _folder: folder,
                url,
            });
        }
        Ok(())
    }

    /// What the processes of all its nodes have used.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let others = self.others.iter().map(|node| node.process.usage());
        others
            .chain([self.process.usage()])
            .try_fold(Usage::default(), |all, one| Ok(all + one?))
    }

    /// What the PostgreSQL beside it has used, if it has one.
    pub(crate) fn database_usage(&self) -> anyhow::Result<Option<Usage>> {
        self.launch.database.as_ref().map(Database::usage).transpose()
    }

    /// How large its database is, in bytes, if it is in a PostgreSQL.
    pub(crate) async fn database_bytes(&self) -> anyhow::Result<Option<f64>> {
        match &self.database {
            Some(database) => Ok(Some(database.bytes().await?)),
            None => Ok(None),
        }
    }

    /// Transactions that all its nodes made durable.
    pub(crate) async fn commits(&self) -> anyhow::Result<u64> {
        let mut commits = self.metrics().await?.commits()?;
        for node in &self.others {
            commits += Metrics(self.web.get(&format!("{}/metrics", node.url)).await?).commits()?;
        }
        Ok(commits)
    }

    /// What the generator proves itself with.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// How long it took from starting the process until it took requests.
    pub(crate) const fn start_us(&self) -> u64 {
        self.start_us
    }

    /// kill -9.
    pub(crate) fn kill(&mut self) -> anyhow::Result<()> {
        Ok(self.process.kill()?)
    }

    /// Starts it again, after [`kill`](Self::kill), on the same data folder.
    pub(crate) async fn restart(&mut self) -> anyhow::Result<()> {
        let begun_us = wall_us();
        (self.process, self.url) = self.launch.boot(self.folder.path(), self.database.as_ref(), &self.web).await?;
        self.start_us = wall_us() - begun_us;
        self.renew().await
    }

    /// A fresh token, for work that takes longer than one lasts.
    pub(crate) async fn renew(&mut self) -> anyhow::Result<()> {
        self.token = mint(&self.web, &self.url).await?;
        self.client = Client::new(&self.url, &Auth::Token(Secret::new(&self.token)))?;
        Ok(())
    }

    /// Changes the settings of its first environment.
    pub(crate) async fn set(&self, settings: SettingsChange) -> anyhow::Result<()> {
        let change = EnvironmentChange {
            settings: Some(settings),
            ..EnvironmentChange::default()
        };
        self.client.change_environment(&self.environment, &change).await?;
        Ok(())
    }

    /// Makes a webhook with a secret, so that deliveries are signed as they are by default.
    pub(crate) async fn webhook(&self, url: String, event_key: &str) -> anyhow::Result<Webhook> {
        Ok(self.client.create_webhook(&signed(url, event_key)).await?.value)
    }

    /// What it counts.
    pub(crate) async fn metrics(&self) -> anyhow::Result<Metrics> {
        Ok(Metrics(self.web.get(&format!("{}/metrics", self.url)).await?))
    }

    /// Bytes of its data folder.
    pub(crate) fn data_bytes(&self) -> u64 {
        let files = fs::read_dir(self.folder.path()).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).sum()
    }
}

/// A webhook with a secret.
pub(crate) fn signed(url: String, event_key: &str) -> NewWebhook {
    NewWebhook {
        url,
        secret: Some(Secret::new(WEBHOOK_SECRET)),
        event_keys: vec![event_key.to_owned()],
        ..NewWebhook::default()
    }
}

async fn mint(web: &Web, url: &str) -> anyhow::Result<String> {
    let credential = json!({ "clientId": CLIENT_ID, "secret": CLIENT_SECRET });
    let answer = web.post(&format!("{url}/auth/vendor"), credential.to_string()).await?;
    let Token { token } = serde_json::from_str(&answer).context("the server's token cannot be read")?;
    Ok(token)
}

fn last_words(folder: &Path) -> String {
    let log = fs::read_to_string(folder.join(LOG_FILE)).unwrap_or_default();
    let lines: Vec<_> = log.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES)..].join("\n")
}

/// What a server counts, as text.
pub(crate) struct Metrics(String);

impl Metrics {
    /// Transactions that were made durable.
    pub(crate) fn commits(&self) -> anyhow::Result<u64> {
        number(&self.0, "tidings_store_commit_seconds_count").context("the server does not count its commits")
    }

    /// Attempts that ended so; none yet when it does not say.
    pub(crate) fn attempts(&self, result: &str) -> u64 {
        number(&self.0, &format!("tidings_attempts_total{{result=\"{result}\"}}")).unwrap_or_default()
    }

    /// Deliveries that are not finished.
    pub(crate) fn pending(&self) -> anyhow::Result<u64> {
        number(&self.0, "tidings_deliveries_pending").context("the server does not count what is pending")
    }

    /// Events that retention removed; none yet when it does not say.
    pub(crate) fn pruned(&self) -> u64 {
        number(&self.0, "tidings_events_pruned_total").unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_and_attempts_are_read_from_the_page_of_figures() {
        let page = "\
# TYPE tidings_store_commit_seconds histogram
tidings_store_commit_seconds_sum 1.5
tidings_store_commit_seconds_count 42
tidings_attempts_total{result=\"retrying\"} 7
tidings_deliveries_pending 9
tidings_events_pruned_total 12
# EOF
";
        let metrics = Metrics(page.to_owned());
        assert_eq!((metrics.commits().unwrap(), metrics.pending().unwrap()), (42, 9));
        assert_eq!((metrics.attempts("retrying"), metrics.attempts("delivered")), (7, 0));
        assert_eq!(metrics.pruned(), 12);
        assert!(Metrics(String::new()).commits().is_err());
    }
}
