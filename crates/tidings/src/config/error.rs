//! What can be wrong with the configuration.

use std::io;
use std::path::PathBuf;

use tidings_app::Problem;

use super::{Facts, Source};

/// The configuration cannot be used; nothing was opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The configuration file is not TOML. Its text is not repeated, because it may hold secrets.
    #[error("{path}, line {line}: {reason}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// A key of the configuration file is none of ours.
    #[error("{path}: there is no setting '{key}'{}", hint.as_ref().map(|hint| format!("; did you mean '{hint}'?")).unwrap_or_default())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The key as it is written.
        key: String,
        /// The nearest key, when one is near.
        hint: Option<String>,
    },
    /// A flag has a value that it cannot have.
    #[error("{flag}: {reason}")]
    Flag {
        /// With its dashes.
        flag: String,
        /// What is wrong and what would be right.
        reason: String,
    },
    /// What the first start of a data folder is given does not fit together.
    #[error(transparent)]
    Bootstrap(#[from] Problem),
    /// A variable or a key of the file has a value that it cannot have, or a file that anything names does not hold what it should.
    #[error("{origin}: {reason}")]
    Value {
        /// The variable, the file and its key, or the flag.
        origin: String,
        /// What is wrong and what would be right.
        reason: String,
    },
}

impl ConfigError {
    /// That a setting has a value from there that it cannot have: named by what has to be changed.
    pub(crate) fn of(facts: &Facts, source: &Source, reason: String) -> Self {
        match (source, facts.flag()) {
            (Source::Flag, Some(flag)) => Self::Flag {
                flag: format!("--{flag}"),
                reason,
            },
            _ => Self::of_file(facts, source, reason),
        }
    }

    /// That the file which a setting names does not hold what it should: the file is wrong then, whoever names it.
    pub(crate) fn of_file(facts: &Facts, source: &Source, reason: String) -> Self {
        let origin = match (source, facts.flag()) {
            (Source::Flag, Some(flag)) => format!("--{flag}"),
            (Source::File(path), _) => format!("{}: {}", path.display(), facts.key),
            _ => facts.variable(),
        };
        Self::Value { origin, reason }
    }

    /// Whether a file cannot be read, whoever names it.
    pub(crate) const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }

    /// Whether the command line is at fault rather than what was set up before.
    pub(crate) const fn is_usage(&self) -> bool {
        matches!(self, Self::Flag { .. })
    }
}
