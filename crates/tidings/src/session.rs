//! A conversation with a server: which one, as whom, in which environment, and how its answers are shown.

use std::path::Path;
use std::time::Duration;

use tidings_client::{Answer, Auth, Client, Environment, Error, Page};
use tidings_runtime::{Clock, SystemClock, TimedOut, within};
use tidings_signing::MasterKey;
use url::Url;

use crate::config::{Ask, AskConfig, Flags};
use crate::data_folder::{self, DataFolderError};
use crate::failure::{CommandError, Outcome};
use crate::key_files::read_key;
use crate::local_token;
use crate::output::{self, Format, say};

/// Where a server is that neither a setting nor a data folder names.
const USUAL_URL: &str = "http://127.0.0.1:8080";
/// The environment that a first start makes, and that commands work in when nothing else is said.
const USUAL_ENVIRONMENT: &str = "Development";

/// See the module.
pub(crate) struct Session {
    client: Client,
    clock: SystemClock,
    environment: Option<String>,
    /// An operator has no environment of its own: one has to be chosen.
    operator: bool,
    output: Format,
    timeout: Duration,
}

impl Session {
    /// Finds the server and the right to ask it. Nothing is sent yet.
    pub(crate) fn open(flags: &Flags<Ask>) -> Result<Self, CommandError> {
        Self::of(AskConfig::build(&flags.layers()?)?, SystemClock::new())
    }

    fn of(config: AskConfig, clock: SystemClock) -> Result<Self, CommandError> {
        let url = server(&config)?;
        let auth = authentication(&config, &url, &clock)?;
        Ok(Self {
            client: Client::new(&url, &auth.means)?,
            clock,
            environment: config.environment,
            operator: auth.local,
            output: config.output,
            timeout: config.timeout,
        })
    }

    /// A client for what lies above environments.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Waits for an answer, as long as the settings say.
    pub(crate) async fn ask<T>(&self, question: impl Future<Output = Result<T, Error>>) -> Result<T, CommandError> {
        match within(&self.clock, self.timeout, question).await {
            Ok(answer) => Ok(answer?),
            Err(TimedOut) => Err(CommandError::TimedOut {
                url: self.client.url().clone(),
                limit: self.timeout,
            }),
        }
    }

    /// A client for what lies in the environment that was chosen, or that goes without saying.
    pub(crate) async fn in_environment(&self) -> Result<Client, CommandError> {
        if self.environment.is_none() && !self.operator {
            return Ok(self.client.clone());
        }
        Ok(self.client.clone().in_environment(&self.environment_id().await?)?)
    }

    /// The id of the environment that was chosen, or that goes without saying.
    pub(crate) async fn environment_id(&self) -> Result<String, CommandError> {
        match &self.environment {
            Some(chosen) => self.environment_called(chosen).await,
            None => usual(self.environments().await?),
        }
    }

    /// The id of an environment by its name or id.
    pub(crate) async fn environment_called(&self, name_or_id: &str) -> Result<String, CommandError> {
        if uuid::Uuid::try_parse(name_or_id).is_ok() {
            return Ok(name_or_id.to_owned());
        }
        let environments = self.environments().await?;
        let names = names(&environments);
        environments
            .into_iter()
            .find(|environment| environment.name.to_lowercase() == name_or_id.to_lowercase())
            .map(|environment| environment.id)
            .ok_or_else(|| CommandError::Usage(format!("there is no environment '{name_or_id}'; there are: {names}")))
    }

    async fn environments(&self) -> Result<Vec<Environment>, CommandError> {
        Ok(self.ask(self.client.environments()).await?.value.data)
    }

    /// Shows an answer: to programs as it came, to people as `words` say.
    pub(crate) fn show<T>(&self, answer: &Answer<T>, words: impl FnOnce(&T) -> String) -> Outcome {
        let text = match self.output {
            Format::Json => answer.json().get().to_owned(),
            Format::Table => words(&answer.value),
        };
        Ok(output::print(&text)?)
    }

    /// Shows a page, and how to get the next one.
    pub(crate) fn show_page<T>(&self, answer: &Answer<Page<T>>, words: impl FnOnce(&[T]) -> String) -> Outcome {
        self.show(answer, |page| words(&page.data))?;
        if let (Format::Table, Some(cursor)) = (self.output, &answer.next_cursor) {
            say(&format!("There is more: --cursor {cursor}"));
        }
        Ok(())
    }
}

/// The server: the named one, the one that runs on the data folder, or the usual one when nobody named a folder and the right to ask is not in it.
fn server(config: &AskConfig) -> Result<String, CommandError> {
    let named = config.url.as_ref().map(Url::to_string);
    let found = named.or_else(|| data_folder::announced(&config.data).map(|note| note.url));
    match found {
        Some(url) => Ok(url),
        None if config.data_named || config.is_nobody() => Err(CommandError::NotRunning {
            folder: config.data.clone(),
        }),
        None => Ok(USUAL_URL.to_owned()),
    }
}

struct Authentication {
    means: Auth,
    local: bool,
}

fn authentication(config: &AskConfig, url: &str, clock: &dyn Clock) -> Result<Authentication, CommandError> {
    let remote = |means| Ok(Authentication { means, local: false });
    match (&config.client_id, &config.client_secret, &config.token) {
        (Some(client_id), Some(secret), _) => remote(Auth::Basic {
            client_id: client_id.clone(),
            secret: secret.clone(),
        }),
        (None, _, Some(token)) => remote(Auth::Token(token.clone())),
        (Some(_), None, _) => Err(CommandError::Usage(
            "there is a client id but no secret for it: set TIDINGS_CLIENT_SECRET".to_owned(),
        )),
        (None, Some(_), None) => Err(CommandError::Usage(
            "there is a client secret but no client id: set TIDINGS_CLIENT_ID or give --client-id".to_owned(),
        )),
        (None, None, None) => local(config, url, clock),
    }
}

/// A token of the data folder, for the server that runs on it and for no other: anybody may listen on another port of this machine.
fn local(config: &AskConfig, url: &str, clock: &dyn Clock) -> Result<Authentication, CommandError> {
    let url = Url::parse(url).map_err(|error| CommandError::Usage(format!("'{url}' is not a URL: {error}")))?;
    let folder = config.data.display();
    let nobody = |url, instead| Err(CommandError::Nobody { url, instead });
    match data_folder::announced(&config.data) {
        None => {
            return nobody(
                url,
                format!("name the data folder of that server with --data (none runs on {folder})"),
            );
        }
        Some(note) if Url::parse(&note.url).as_ref() != Ok(&url) => {
            let instead = format!(
                "ask the server that runs on {folder}, {}, by leaving out --server and TIDINGS_URL",
                note.url
            );
            return nobody(url, instead);
        }
        Some(_) => {}
    }
    let key = match &config.master_key {
        Some(key) => Some(key.clone()),
        None => readable_key(&config.data)?,
    };
    let Some(key) = key else {
        return nobody(url, format!("be somebody who can read the data folder of the server ({folder})"));
    };
    let means = Auth::Token(local_token::mint(&key, clock.now())?);
    Ok(Authentication { means, local: true })
}

/// The key of a data folder, when there is one and this user may read it.
fn readable_key(folder: &Path) -> Result<Option<MasterKey>, DataFolderError> {
    match read_key(folder) {
        Err(DataFolderError::Unusable { source, .. }) if source.kind() == std::io::ErrorKind::PermissionDenied => Ok(None),
        other => other,
    }
}

/// The environment that goes without saying.
fn usual(environments: Vec<Environment>) -> Result<String, CommandError> {
    let names = names(&environments);
    let only = environments.len() == 1;
    environments
        .into_iter()
        .find(|environment| only || environment.name == USUAL_ENVIRONMENT)
        .map(|environment| environment.id)
        .ok_or_else(|| CommandError::Usage(format!("say in which environment: --environment NAME, one of: {names}")))
}

fn names(environments: &[Environment]) -> String {
    let names: Vec<_> = environments.iter().map(|environment| environment.name.as_str()).collect();
    output::printable(&names.join(", "))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use tidings_client::{EnvironmentSettings, Secret};
    use tidings_signing::MasterKey;

    use super::*;

    fn config(folder: &Path) -> AskConfig {
        AskConfig {
            data: folder.to_owned(),
            data_named: false,
            master_key: None,
            old_master_key: None,
            url: None,
            environment: None,
            client_id: None,
            client_secret: None,
            token: None,
            output: Format::Table,
            timeout: Duration::from_secs(1),
        }
    }

    fn environment(name: &str) -> Environment {
        Environment {
            id: format!("id of {name}"),
            name: name.to_owned(),
            settings: EnvironmentSettings {
                http_allowed: false,
                retry_schedule: vec![],
                timeout_ms: 1,
                retention_days: 1,
            },
            created_at: String::new(),
        }
    }

    /// Does what a server does that runs on the folder, until the lock is dropped.
    fn running(folder: &Path, url: &str) -> File {
        std::fs::write(folder.join("server.json"), format!(r#"{{"url":"{url}","pid":1}}"#)).unwrap();
        let lock = File::create(folder.join("tidings.lock")).unwrap();
        lock.try_lock().unwrap();
        lock
    }

    fn means(config: &AskConfig) -> Result<Auth, String> {
        let found = server(config).and_then(|url| authentication(config, &url, &SystemClock::new()));
        found.map(|found| found.means).map_err(|error| error.to_string())
    }

    #[test]
    fn the_server_is_the_named_one_then_the_data_folders_then_the_usual() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.token = Some(Secret::new("given"));
        assert_eq!(server(&config).unwrap(), USUAL_URL);
        let _lock = running(folder.path(), "http://127.0.0.1:9999");
        assert_eq!(server(&config).unwrap(), "http://127.0.0.1:9999");
        config.url = Some("https://elsewhere.example/".parse().unwrap());
        assert_eq!(server(&config).unwrap(), "https://elsewhere.example/");
    }

    #[test]
    fn a_folder_without_a_server_is_said_when_it_was_named_or_holds_the_right_to_ask() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        assert!(
            matches!(server(&config), Err(CommandError::NotRunning { .. })),
            "it holds the right to ask"
        );
        config.token = Some(Secret::new("given"));
        config.data_named = true;
        assert!(matches!(server(&config), Err(CommandError::NotRunning { .. })), "it was named");
        drop(running(folder.path(), "http://127.0.0.1:9999"));
        assert!(
            matches!(server(&config), Err(CommandError::NotRunning { .. })),
            "its server was killed"
        );
    }

    #[test]
    fn a_credential_beats_a_token_beats_the_data_folder() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.master_key = Some(MasterKey::from_bytes([1; 32]));
        let _lock = running(folder.path(), "http://127.0.0.1:9999");
        assert!(matches!(means(&config), Ok(Auth::Token(_))));
        config.token = Some(Secret::new("given"));
        assert!(matches!(means(&config), Ok(Auth::Token(token)) if token.expose() == "given"));
        (config.client_id, config.client_secret) = (Some("id".to_owned()), Some(Secret::new("secret")));
        assert!(matches!(means(&config), Ok(Auth::Basic { client_id, .. }) if client_id == "id"));
    }

    #[test]
    fn half_a_credential_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        let _lock = running(folder.path(), "http://127.0.0.1:9999");
        config.client_id = Some("id".to_owned());
        assert!(means(&config).unwrap_err().contains("set TIDINGS_CLIENT_SECRET"));
        (config.client_id, config.client_secret) = (None, Some(Secret::new("secret")));
        assert!(means(&config).unwrap_err().contains("set TIDINGS_CLIENT_ID"));
    }

    #[test]
    fn a_token_of_the_data_folder_is_for_the_server_that_runs_on_it_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.master_key = Some(MasterKey::from_bytes([1; 32]));
        for url in ["https://elsewhere.example/", "http://127.0.0.1:9999/", "http://localhost:9998/"] {
            config.url = Some(url.parse().unwrap());
            let alone = means(&config).unwrap_err();
            assert!(alone.starts_with(&format!("nothing says who you are to {url}")), "{alone}");
            let _lock = running(folder.path(), "http://127.0.0.1:9998");
            let beside = means(&config).unwrap_err();
            assert!(beside.contains("http://127.0.0.1:9998, by leaving out --server"), "{beside}");
        }
        let _lock = running(folder.path(), "https://elsewhere.example/");
        config.url = Some("https://elsewhere.example/".parse().unwrap());
        assert!(means(&config).is_ok(), "the data folder says that this server is its own");
    }

    #[test]
    fn without_a_key_the_error_says_what_would_help() {
        let folder = tempfile::tempdir().unwrap();
        let _lock = running(folder.path(), "http://127.0.0.1:9999");
        let error = means(&config(folder.path())).unwrap_err();
        assert!(
            error.contains("TIDINGS_CLIENT_ID") && error.contains(&folder.path().display().to_string()),
            "{error}"
        );
    }

    #[test]
    fn the_environment_that_goes_without_saying_is_development_or_the_only_one() {
        assert_eq!(usual(vec![environment("QA")]).unwrap(), "id of QA");
        assert_eq!(
            usual(vec![environment("QA"), environment("Development")]).unwrap(),
            "id of Development"
        );
        let error = usual(vec![environment("QA"), environment("Live")]).unwrap_err().to_string();
        assert_eq!(error, "say in which environment: --environment NAME, one of: QA, Live");
    }
}
