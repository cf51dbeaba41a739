//! Where a value comes from: the flag, else the variable, else the file, else the default.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use tidings_model::EnvironmentId;

use super::ConfigError;
use super::file::{ConfigFile, meant, split};
use super::setting::{Facts, Fallback, Setting};
use super::settings::TABLE;

/// Names the configuration file. Not in the table: a file cannot say where it is.
pub(crate) const CONFIG_VARIABLE: &str = "TIDINGS_CONFIG";

/// Everything that was said about the settings, by whoever said it.
#[derive(Debug)]
pub(crate) struct Layers {
    flags: BTreeMap<&'static str, Vec<String>>,
    variables: BTreeMap<&'static str, Vec<String>>,
    file: Option<ConfigFile>,
}

/// Who set a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// The command line.
    Flag,
    /// The environment of the process.
    Variable,
    /// The configuration file.
    File(PathBuf),
    /// Nobody.
    Default,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag => f.write_str("flag"),
            Self::Variable => f.write_str("variable"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// The texts of a setting and who set them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Found {
    /// One, or several for a setting of many. None when nobody set it and it has no default.
    pub(crate) texts: Vec<String>,
    /// Who set them.
    pub(crate) source: Source,
}

impl Layers {
    /// Puts the layers together. `flags` are the texts by key, `named` is the file that the command line names, `variable` looks up a variable.
    /// An empty variable counts as not set, because that is how compose files leave one out.
    pub(crate) fn gather(
        flags: BTreeMap<&'static str, Vec<String>>,
        named: Option<&Path>,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> Result<Self, ConfigError> {
        let given = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut variables = BTreeMap::new();
        for facts in TABLE.iter().map(|setting| setting.facts()) {
            let name = facts.variable();
            let Some(value) = given(&name) else { continue };
            let text = value.into_string().map_err(|_| ConfigError::Value {
                origin: name,
                reason: "it is not valid UTF-8".to_owned(),
            })?;
            variables.insert(facts.key, if facts.many { split(&text) } else { vec![text] });
        }
        let named = named.map(Path::to_owned).or_else(|| given(CONFIG_VARIABLE).map(PathBuf::from));
        Ok(Self {
            flags,
            variables,
            file: ConfigFile::find(named.as_deref())?,
        })
    }

    /// The defaults, as if nobody had said anything.
    pub(crate) const fn defaults() -> Self {
        Self {
            flags: BTreeMap::new(),
            variables: BTreeMap::new(),
            file: None,
        }
    }

    /// The layers of this process: its variables, and the configuration file that it finds.
    pub(crate) fn of_process(flags: BTreeMap<&'static str, Vec<String>>, named: Option<&Path>) -> Result<Self, ConfigError> {
        Self::gather(flags, named, |name| std::env::var_os(name))
    }

    /// The texts of a setting, from the highest layer that has it.
    pub(crate) fn find(&self, facts: &Facts) -> Found {
        let found = |texts: &Vec<String>, source| Found {
            texts: texts.clone(),
            source,
        };
        if let Some(texts) = self.flags.get(facts.key) {
            return found(texts, Source::Flag);
        }
        if let Some(texts) = self.variables.get(facts.key) {
            return found(texts, Source::Variable);
        }
        if let Some((file, texts)) = self.file.as_ref().and_then(|file| Some((file, file.values.get(facts.key)?))) {
            return found(texts, Source::File(file.path.clone()));
        }
        let texts = match facts.fallback {
            Fallback::Text(text) => vec![text.to_owned()],
            Fallback::Nothing(_) => Vec::new(),
        };
        found(&texts, Source::Default)
    }

    /// All values of a setting.
    pub(crate) fn list<T>(&self, setting: &Setting<T>) -> Result<Vec<T>, ConfigError> {
        let Found { texts, source } = self.find(&setting.facts);
        let values = texts.iter().map(|text| (setting.parse)(text)).collect::<Result<_, _>>();
        values.map_err(|reason| ConfigError::of(&setting.facts, &source, reason))
    }

    /// The value of a setting that need not be set.
    pub(crate) fn optional<T>(&self, setting: &Setting<T>) -> Result<Option<T>, ConfigError> {
        Ok(self.list(setting)?.pop())
    }

    /// The value of a setting that has a default.
    pub(crate) fn value<T>(&self, setting: &Setting<T>) -> Result<T, ConfigError> {
        self.optional(setting)?
            .ok_or_else(|| ConfigError::of(&setting.facts, &Source::Default, "it has to be set".to_owned()))
    }

    /// The configuration file, when there is one.
    pub(crate) fn file_path(&self) -> Option<&Path> {
        self.file.as_ref().map(|file| file.path.as_path())
    }

    /// Whether the configuration file sets a secret.
    pub(crate) fn file_has_secrets(&self) -> bool {
        let secrets = TABLE.iter().map(|setting| setting.facts()).filter(|facts| facts.secret);
        let mut set = secrets.filter(|facts| self.file.as_ref().is_some_and(|file| file.values.contains_key(facts.key)));
        set.next().is_some()
    }

    /// Networks that webhooks of single environments may reach: only the file can say so.
    pub(crate) fn egress_environments(&self) -> &[(EnvironmentId, Vec<IpNet>)] {
        self.file.as_ref().map_or(&[], |file| &file.egress_environments)
    }
}

/// Variables that look like settings and are none, each with the one that is meant. Others may have their own reasons to begin so.
pub(crate) fn misspelt(names: impl IntoIterator<Item = OsString>) -> Vec<(String, String)> {
    let known = |name: &str| name == CONFIG_VARIABLE || TABLE.iter().any(|setting| setting.facts().variable() == name);
    let names = names.into_iter().filter_map(|name| name.into_string().ok());
    names
        .filter(|name| !known(name))
        .filter_map(|name| {
            let key = meant(&name.strip_prefix("TIDINGS_")?.to_ascii_lowercase())?;
            let facts = TABLE.iter().map(|setting| setting.facts()).find(|facts| facts.key == key)?;
            Some((name, facts.variable()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;
    use crate::config::settings::{EGRESS_ALLOW, LISTEN, PUBLIC_URL};

    /// Layers of flags, variables and a file's text.
    fn layers(flags: &[(&'static str, &str)], variables: &[(&str, &str)], file: &str) -> Result<Layers, ConfigError> {
        let mut written = tempfile::NamedTempFile::new().unwrap();
        written.write_all(file.as_bytes()).unwrap();
        let mut given: BTreeMap<_, Vec<String>> = BTreeMap::new();
        for (key, text) in flags {
            given.entry(*key).or_default().push((*text).to_owned());
        }
        let lookup = |name: &str| variables.iter().find(|(have, _)| *have == name).map(|(_, value)| (*value).into());
        Layers::gather(given, Some(written.path()), lookup)
    }

    #[test]
    fn a_flag_beats_a_variable_beats_the_file_beats_the_default() {
        let (flag, variable, file) = (("listen", "1.1.1.1:1"), ("TIDINGS_LISTEN", "2.2.2.2:2"), "listen = '3.3.3.3:3'");
        let cases = [
            (layers(&[flag], &[variable], file), "1.1.1.1:1", "flag"),
            (layers(&[], &[variable], file), "2.2.2.2:2", "variable"),
            (layers(&[], &[], file), "3.3.3.3:3", "file"),
            (layers(&[], &[], ""), "127.0.0.1:8080", "default"),
        ];
        for (layers, wanted, layer) in cases {
            let layers = layers.unwrap();
            assert_eq!(layers.value(&LISTEN).unwrap().to_string(), wanted, "{layer}");
            let source = layers.find(&LISTEN.facts).source;
            let shown = if matches!(source, Source::File(_)) {
                "file".to_owned()
            } else {
                source.to_string()
            };
            assert_eq!(shown, layer);
        }
    }

    #[test]
    fn a_higher_layer_replaces_a_list_and_does_not_add_to_it() {
        let layers = layers(
            &[("egress_allow", "::1/128")],
            &[("TIDINGS_EGRESS_ALLOW", "10.0.0.0/8, 127.0.0.1/32")],
            "",
        )
        .unwrap();
        assert_eq!(layers.list(&EGRESS_ALLOW).unwrap(), ["::1/128".parse().unwrap()]);
    }

    #[test]
    fn a_variable_holds_several_values_with_commas_between_them() {
        let layers = layers(&[], &[("TIDINGS_EGRESS_ALLOW", "10.0.0.0/8, 127.0.0.1/32,")], "").unwrap();
        assert_eq!(
            layers.list(&EGRESS_ALLOW).unwrap(),
            ["10.0.0.0/8".parse().unwrap(), "127.0.0.1/32".parse().unwrap()]
        );
    }

    #[test]
    fn an_empty_variable_is_not_set() {
        let layers = layers(&[], &[("TIDINGS_LISTEN", ""), ("TIDINGS_PUBLIC_URL", "")], "listen = '3.3.3.3:3'").unwrap();
        assert_eq!(layers.value(&LISTEN).unwrap().port(), 3);
        assert_eq!(layers.optional(&PUBLIC_URL).unwrap(), None);
    }

    #[test]
    fn an_error_names_what_has_to_be_changed() {
        let error = |layers: Result<Layers, _>| layers.unwrap().value(&LISTEN).unwrap_err();
        let flag = error(layers(&[("listen", "x")], &[], ""));
        assert!(flag.to_string().starts_with("--listen: 'x' is not an address"), "{flag}");
        assert!(flag.is_usage());
        let variable = error(layers(&[], &[("TIDINGS_LISTEN", "x")], ""));
        assert!(variable.to_string().starts_with("TIDINGS_LISTEN: 'x' is not"), "{variable}");
        let file = error(layers(&[], &[], "listen = 'x'"));
        assert!(file.to_string().contains(": listen: 'x' is not") && !file.is_usage(), "{file}");
    }

    #[test]
    fn a_variable_that_is_nearly_a_setting_is_told_with_the_one_that_is_meant() {
        let names = [
            "TIDINGS_DATABSE",
            "TIDINGS_CONFIG",
            "TIDINGS_LISTEN",
            "TIDINGS_SERVICE_HOST",
            "PATH",
        ];
        let told = misspelt(names.map(OsString::from));
        assert_eq!(told, [("TIDINGS_DATABSE".to_owned(), "TIDINGS_DATABASE".to_owned())]);
    }

    #[test]
    fn the_configuration_file_can_be_named_by_a_variable() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.toml");
        std::fs::write(&path, "listen = '3.3.3.3:3'").unwrap();
        let lookup = |name: &str| (name == CONFIG_VARIABLE).then(|| path.clone().into_os_string());
        let layers = Layers::gather(BTreeMap::new(), None, lookup).unwrap();
        assert_eq!(layers.value(&LISTEN).unwrap().port(), 3);
    }
}
