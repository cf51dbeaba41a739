//! `tidings config`.

use clap::Args;
use serde::Serialize;

use crate::config::settings::{OUTPUT, TABLE};
use crate::config::{ConfigError, Everything, Facts, Fallback, Flags, Layers, Source, shown};
use crate::failure::{CommandError, Outcome};
use crate::output::{Format, print, say, table};

/// Stands for a secret that is set.
const HIDDEN: &str = "(hidden)";

/// Print every setting, its value, and where it comes from.
///
/// The settings are those that the other commands would see here, each with its default, and where it comes from: flag, variable, file or default. Secrets
/// are hidden.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings config
  tidings config --config /etc/tidings.toml
  tidings config --output json | jq '.[] | select(.source != \"default\")'")]
pub(crate) struct ConfigCommand {
    #[command(flatten)]
    settings: Flags<Everything>,
}

/// One setting, for programs.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Entry {
    key: String,
    value: Option<String>,
    default: String,
    source: String,
    variable: Option<String>,
    flag: Option<String>,
    /// What is wrong with the value.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

pub(crate) fn run(args: &ConfigCommand) -> Outcome {
    let layers = args.settings.layers()?;
    let entries = entries(&layers);
    let text = match layers.value(&OUTPUT)? {
        Format::Json => serde_json::to_string_pretty(&entries).map_err(anyhow::Error::from)?,
        Format::Table => rows(&entries),
    };
    print(&text)?;
    match layers.file_path() {
        Some(path) => say(&format!("The configuration file is {}.", path.display())),
        None => say("There is no configuration file."),
    }
    let errors: Vec<_> = entries.iter().filter_map(|entry| entry.error.as_deref()).collect();
    for error in &errors {
        say(error);
    }
    if errors.is_empty() { Ok(()) } else { Err(CommandError::No) }
}

fn entries(layers: &Layers) -> Vec<Entry> {
    let mut entries: Vec<_> = TABLE
        .iter()
        .map(|setting| {
            let facts = setting.facts();
            let found = layers.find(facts);
            let refused = found.texts.iter().find_map(|text| setting.check(text).err());
            Entry {
                key: facts.key.to_owned(),
                value: value(facts, &found.texts),
                default: default(facts),
                source: found.source.to_string(),
                variable: Some(facts.variable()),
                flag: facts.flag().map(|flag| format!("--{flag}")),
                error: refused.map(|reason| ConfigError::of(facts, &found.source, reason).to_string()),
            }
        })
        .collect();
    for (environment, networks) in layers.egress_environments() {
        let networks: Vec<_> = networks.iter().map(ToString::to_string).collect();
        entries.push(Entry {
            key: format!("egress.environments.\"{environment}\""),
            value: Some(networks.join(",")),
            default: "none".to_owned(),
            source: layers
                .file_path()
                .map_or(Source::Default, |path| Source::File(path.to_owned()))
                .to_string(),
            variable: None,
            flag: None,
            error: None,
        });
    }
    entries
}

fn value(facts: &Facts, texts: &[String]) -> Option<String> {
    if texts.is_empty() {
        return None;
    }
    Some(if facts.secret {
        HIDDEN.to_owned()
    } else {
        shown(facts, &texts.join(","))
    })
}

/// A default that is a value as it is, one that is none in brackets.
fn default(facts: &Facts) -> String {
    match facts.fallback {
        Fallback::Text(text) => text.to_owned(),
        Fallback::Nothing(words) => format!("({words})"),
    }
}

fn rows(entries: &[Entry]) -> String {
    table(
        ["key", "value", "source", "default"],
        entries.iter().map(|entry| {
            let value = entry.value.clone().unwrap_or_else(|| "-".to_owned());
            [entry.key.clone(), value, entry.source.clone(), entry.default.clone()]
        }),
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write;

    use super::*;

    fn all(variables: &[(&str, &str)], file: &str) -> Vec<Entry> {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        written.write_all(file.as_bytes()).unwrap();
        let lookup = |name: &str| variables.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).into());
        entries(&Layers::gather(BTreeMap::new(), Some(written.path()), lookup).unwrap())
    }

    fn of<'a>(entries: &'a [Entry], key: &str) -> &'a Entry {
        entries.iter().find(|entry| entry.key == key).unwrap()
    }

    #[test]
    fn every_setting_is_shown_with_its_value_and_where_it_comes_from() {
        let entries = all(&[("TIDINGS_EGRESS_ALLOW", "::1,10.0.0.0/8")], "");
        assert_eq!(entries.len(), TABLE.len());
        let (allow, listen) = (of(&entries, "egress_allow"), of(&entries, "listen"));
        assert_eq!(
            (allow.value.as_deref(), allow.source.as_str()),
            (Some("::1,10.0.0.0/8"), "variable")
        );
        assert_eq!(
            (listen.value.as_deref(), listen.source.as_str()),
            (Some("127.0.0.1:8080"), "default")
        );
        assert_eq!(of(&entries, "public_url").value, None);
    }

    #[test]
    fn secrets_are_hidden_wherever_they_come_from() {
        let entries = all(
            &[("TIDINGS_CLIENT_SECRET", "hunter2")],
            "token = 'hunter2'\nbootstrap_admin_password = 'hunter2'",
        );
        assert_eq!(of(&entries, "client_secret").value.as_deref(), Some(HIDDEN));
        assert!(!serde_json::to_string(&entries).unwrap().contains("hunter2"));
        assert!(!rows(&entries).contains("hunter2"));
    }

    #[test]
    fn a_value_that_cannot_be_is_shown_with_what_is_wrong() {
        let entries = all(&[("TIDINGS_LISTEN", "nowhere")], "");
        let listen = of(&entries, "listen");
        assert_eq!(listen.value.as_deref(), Some("nowhere"));
        assert!(
            listen
                .error
                .as_ref()
                .unwrap()
                .starts_with("TIDINGS_LISTEN: 'nowhere' is not an address")
        );
    }

    #[test]
    fn networks_of_single_environments_are_settings_too() {
        let entries = all(
            &[],
            "[egress.environments]\n\"6a1f6a38-6f0a-4a39-9a0e-5f0f6a3e2c11\" = [\"10.0.0.0/8\"]",
        );
        let last = entries.last().unwrap();
        assert_eq!(last.key, "egress.environments.\"6a1f6a38-6f0a-4a39-9a0e-5f0f6a3e2c11\"");
        assert_eq!(last.value.as_deref(), Some("10.0.0.0/8"));
    }
}
