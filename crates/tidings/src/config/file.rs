//! The configuration file: TOML whose keys are the table's, and nothing else.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use tidings_model::EnvironmentId;
use tidings_store_sqlite::open_file;
use toml::{Table, Value};

use super::ConfigError;
use super::settings::{TABLE, network};

/// The file that is read when it is there and no other is named.
const DEFAULT_FILE: &str = "./tidings.toml";
/// The table of exceptions for single environments.
const EGRESS: &str = "egress";
const ENVIRONMENTS: &str = "environments";
/// Longest file, in bytes: every setting with room for comments.
const BYTES_MAX: u64 = 1 << 20;
/// How alike two keys are before one is suggested for the other, from 0 to 1.
const ALIKE: f64 = 0.75;

/// What a configuration file says.
#[derive(Debug)]
pub(crate) struct ConfigFile {
    /// Where it is.
    pub(crate) path: PathBuf,
    /// The texts of each key.
    pub(crate) values: BTreeMap<&'static str, Vec<String>>,
    /// Networks that webhooks of single environments may reach.
    pub(crate) egress_environments: Vec<(EnvironmentId, Vec<IpNet>)>,
}

impl ConfigFile {
    /// Reads the named file, or the default one when it is there.
    pub(crate) fn find(named: Option<&Path>) -> Result<Option<Self>, ConfigError> {
        let path = named.unwrap_or(Path::new(DEFAULT_FILE));
        match read(path) {
            Ok(text) => Self::parse(path, &text).map(Some),
            Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ConfigError::Unreadable {
                path: path.to_owned(),
                source,
            }),
        }
    }

    /// Reads a text. A key that is not in the table is an error: a setting with a slip in its name would silently not hold.
    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let table: Table = text.parse().map_err(|error: toml::de::Error| ConfigError::Syntax {
            path: path.to_owned(),
            line: line(text, error.span().map_or(0, |span| span.start)),
            reason: error.message().to_owned(),
        })?;
        let mut file = Self {
            path: path.to_owned(),
            values: BTreeMap::new(),
            egress_environments: Vec::new(),
        };
        for (key, value) in table {
            if key == EGRESS {
                file.read_egress(value)?;
                continue;
            }
            let known = TABLE.iter().map(|setting| setting.facts());
            let Some(facts) = known.into_iter().find(|facts| facts.key == key) else {
                return Err(file.unknown(&key));
            };
            let texts = texts(value, facts.many).ok_or_else(|| {
                let wanted = if facts.many {
                    "a text or an array of texts"
                } else {
                    "one text, number or boolean"
                };
                file.wrong(&key, format!("has to be {wanted}"))
            })?;
            file.values.insert(facts.key, texts);
        }
        Ok(file)
    }

    /// That a key of this file has a value that it cannot have.
    pub(crate) fn wrong(&self, key: &str, reason: impl Into<String>) -> ConfigError {
        ConfigError::Value {
            origin: format!("{}: {key}", self.path.display()),
            reason: reason.into(),
        }
    }

    fn read_egress(&mut self, value: Value) -> Result<(), ConfigError> {
        let Value::Table(table) = value else {
            return Err(self.wrong(
                EGRESS,
                "has to be a table, [egress.environments]; for every environment use egress_allow",
            ));
        };
        for (key, value) in table {
            let Value::Table(environments) = value else {
                return Err(self.unknown(&format!("{EGRESS}.{key}")));
            };
            if key != ENVIRONMENTS {
                return Err(self.unknown(&format!("{EGRESS}.{key}")));
            }
            for (id, networks) in environments {
                let exception = self.exception(&id, networks)?;
                self.egress_environments.push(exception);
            }
        }
        Ok(())
    }

    fn exception(&self, id: &str, networks: Value) -> Result<(EnvironmentId, Vec<IpNet>), ConfigError> {
        let key = format!("{EGRESS}.{ENVIRONMENTS}.\"{id}\"");
        let environment = id.parse().map_err(|_| {
            self.wrong(
                &key,
                "the key has to be an environment's id; `tidings environments list` shows them",
            )
        })?;
        let texts = texts(networks, true).ok_or_else(|| self.wrong(&key, "has to be an array of networks"))?;
        let networks = texts.iter().map(|text| network(text)).collect::<Result<_, _>>();
        Ok((environment, networks.map_err(|reason| self.wrong(&key, reason))?))
    }

    fn unknown(&self, key: &str) -> ConfigError {
        ConfigError::Unknown {
            path: self.path.clone(),
            key: key.to_owned(),
            hint: meant(key),
        }
    }
}

/// The setting that is meant by a key that is none, when one is near.
pub(super) fn meant(key: &str) -> Option<String> {
    let known = TABLE
        .iter()
        .map(|setting| setting.facts().key.to_owned())
        .chain([format!("{EGRESS}.{ENVIRONMENTS}")]);
    let nearest = known
        .map(|candidate| (strsim::jaro_winkler(key, &candidate), candidate))
        .max_by(|one, other| one.0.total_cmp(&other.0));
    nearest.filter(|(alike, _)| *alike >= ALIKE).map(|(_, candidate)| candidate)
}

/// Reads a text that somebody wrote.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    open_file(path)?.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is longer than {BYTES_MAX} bytes"),
        ));
    }
    Ok(text)
}

/// The text of a value as a flag would give it; `None` when it has another shape.
fn texts(value: Value, many: bool) -> Option<Vec<String>> {
    match value {
        Value::Array(values) if many => values.into_iter().map(scalar).collect(),
        Value::String(text) if many => Some(split(&text)),
        other => scalar(other).map(|text| vec![text]),
    }
}

fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

/// The parts of a text with commas.
pub(super) fn split(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

fn line(text: &str, at: usize) -> usize {
    1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ConfigFile, String> {
        ConfigFile::parse(Path::new("tidings.toml"), text).map_err(|error| error.to_string())
    }

    #[test]
    fn texts_numbers_and_arrays_become_what_a_flag_would_say() {
        let file = parse("listen = \"[::]:80\"\npayload_bytes_max = 1000\negress_allow = [\"10.0.0.0/8\", \"::1\"]").unwrap();
        assert_eq!(file.values["listen"], ["[::]:80"]);
        assert_eq!(file.values["payload_bytes_max"], ["1000"]);
        assert_eq!(file.values["egress_allow"], ["10.0.0.0/8", "::1"]);
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_the_nearest_one() {
        assert_eq!(
            parse("egres_alow = []").unwrap_err(),
            "tidings.toml: there is no setting 'egres_alow'; did you mean 'egress_allow'?"
        );
        assert_eq!(parse("zzz = 1").unwrap_err(), "tidings.toml: there is no setting 'zzz'");
        assert_eq!(
            parse("[egress.enviroments]\nx = []").unwrap_err(),
            "tidings.toml: there is no setting 'egress.enviroments'; did you mean 'egress.environments'?"
        );
    }

    #[test]
    fn a_slip_in_the_syntax_is_named_by_its_line_and_never_shows_the_line() {
        let error = parse("data = \"x\"\nclient_secret = \"hunter2\nlisten = 1").unwrap_err();
        assert!(error.starts_with("tidings.toml, line 2: "), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn a_value_of_another_shape_is_refused_with_its_key() {
        assert_eq!(
            parse("data = [\"x\"]").unwrap_err(),
            "tidings.toml: data: has to be one text, number or boolean"
        );
        assert_eq!(
            parse("egress_allow = [[]]").unwrap_err(),
            "tidings.toml: egress_allow: has to be a text or an array of texts"
        );
    }

    #[test]
    fn single_environments_have_networks_of_their_own() {
        let file = parse("[egress.environments]\n\"6a1f6a38-6f0a-4a39-9a0e-5f0f6a3e2c11\" = [\"10.0.0.0/8\"]").unwrap();
        let (environment, networks) = &file.egress_environments[0];
        assert_eq!(environment.to_string(), "6a1f6a38-6f0a-4a39-9a0e-5f0f6a3e2c11");
        assert_eq!(*networks, ["10.0.0.0/8".parse().unwrap()]);
    }

    #[test]
    fn an_exception_for_what_is_not_an_id_or_not_a_network_is_refused() {
        let error = parse("[egress.environments]\nDevelopment = [\"10.0.0.0/8\"]").unwrap_err();
        assert!(error.contains("has to be an environment's id"), "{error}");
        let error = parse("[egress.environments]\n\"6a1f6a38-6f0a-4a39-9a0e-5f0f6a3e2c11\" = [\"ten\"]").unwrap_err();
        assert!(error.ends_with("'ten' is not a network such as 10.0.0.0/8 or fd00::/8"), "{error}");
    }

    #[test]
    fn a_file_that_was_named_has_to_be_there() {
        let error = ConfigFile::find(Some(Path::new("/nowhere/at/all.toml"))).unwrap_err();
        assert!(error.to_string().starts_with("cannot read /nowhere/at/all.toml: "));
    }
}
