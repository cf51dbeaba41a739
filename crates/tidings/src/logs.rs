//! Logs: lines for people on a terminal, JSON for machines, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::Directive;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// One line for people.
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    fn is_json(self, terminal: bool) -> bool {
        match self {
            Self::Auto => !terminal,
            Self::Text => false,
            Self::Json => true,
        }
    }
}

/// Starts the logs of the process: those that `level` lets through. Call it once.
pub(crate) fn start(format: LogFormat, level: &str) -> Result<(), TryInitError> {
    let terminal = io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        // A log that cannot be written is lost; saying so would have to be written there too, and must stop nobody.
        .log_internal_errors(false)
        .with_env_filter(filter(level));
    if format.is_json(terminal) {
        builder.json().flatten_event(true).finish().try_init()
    } else {
        builder.with_ansi(terminal).with_target(false).finish().try_init()
    }
}

/// What a level lets through, but for a library that would write what is stored: every statement with its parameters.
fn filter(level: &str) -> EnvFilter {
    let quiet = ["tokio_postgres=warn", "tokio_postgres::query=warn"];
    let quiet = quiet.into_iter().filter_map(|directive| directive.parse::<Directive>().ok());
    quiet.fold(EnvFilter::new(level), EnvFilter::add_directive)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_text_on_a_terminal_and_json_elsewhere() {
        assert!(!LogFormat::Auto.is_json(true) && LogFormat::Auto.is_json(false));
        assert!(LogFormat::Json.is_json(true) && !LogFormat::Text.is_json(false));
    }
}
