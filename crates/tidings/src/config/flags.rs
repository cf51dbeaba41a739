//! The flags of the table, for the commands that take them.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::setting::{Facts, Side};
use super::settings::{DATABASE, DATABASE_CONNECTIONS, DATABASE_PASSWORD_FILE, OUTPUT, TABLE};
use super::{ConfigError, Layers};

/// The heading over the flags that say which server to ask.
pub(crate) const ASK_HEADING: &str = "Which server, and as whom";
const SERVE_HEADING: &str = "Settings";

/// What the command line says about the settings of a group, and the configuration file that it names.
#[derive(Clone, Debug)]
pub(crate) struct Flags<G> {
    config: Option<PathBuf>,
    values: BTreeMap<&'static str, Vec<String>>,
    group: PhantomData<G>,
}

/// Which settings a command has flags for.
pub(crate) trait Group {
    /// Over its flags in help.
    const HEADING: &'static str;
    /// Whether that setting is in it.
    fn takes(facts: &Facts) -> bool;
}

/// Those of the server.
#[derive(Clone, Debug)]
pub(crate) enum Serve {}
/// Those of the commands that ask a server.
#[derive(Clone, Debug)]
pub(crate) enum Ask {}
/// Only where the data is.
#[derive(Clone, Debug)]
pub(crate) enum DataOnly {}
/// Where the data is, in the folder or elsewhere, and how what is found is shown.
#[derive(Clone, Debug)]
pub(crate) enum DataAndOutput {}
/// Only how what came of it is shown.
#[derive(Clone, Debug)]
pub(crate) enum OutputOnly {}
/// All.
#[derive(Clone, Debug)]
pub(crate) enum Everything {}

impl Group for Serve {
    const HEADING: &'static str = SERVE_HEADING;
    fn takes(facts: &Facts) -> bool {
        facts.side != Side::Ask
    }
}

impl Group for Ask {
    const HEADING: &'static str = ASK_HEADING;
    fn takes(facts: &Facts) -> bool {
        facts.side != Side::Serve
    }
}

impl Group for DataOnly {
    const HEADING: &'static str = SERVE_HEADING;
    fn takes(facts: &Facts) -> bool {
        facts.side == Side::Both
    }
}

impl Group for DataAndOutput {
    const HEADING: &'static str = SERVE_HEADING;
    fn takes(facts: &Facts) -> bool {
        let own = [
            &DATABASE.facts,
            &DATABASE_PASSWORD_FILE.facts,
            &DATABASE_CONNECTIONS.facts,
            &OUTPUT.facts,
        ];
        facts.side == Side::Both || own.iter().any(|own| own.key == facts.key)
    }
}

impl Group for OutputOnly {
    const HEADING: &'static str = SERVE_HEADING;
    fn takes(facts: &Facts) -> bool {
        facts.key == OUTPUT.facts.key
    }
}

impl Group for Everything {
    const HEADING: &'static str = SERVE_HEADING;
    fn takes(_: &Facts) -> bool {
        true
    }
}

impl<G: Group> Flags<G> {
    /// The flags over the variables, the file and the defaults.
    pub(crate) fn layers(&self) -> Result<Layers, ConfigError> {
        Layers::of_process(self.values.clone(), self.config.as_deref())
    }

    fn facts() -> impl Iterator<Item = (&'static Facts, String)> {
        let facts = TABLE.iter().map(|setting| setting.facts());
        facts
            .filter(|facts| G::takes(facts))
            .filter_map(|facts| Some((facts, facts.flag()?)))
    }
}

impl<G: Group> Args for Flags<G> {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new(id("config"))
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help("The configuration file. [env: TIDINGS_CONFIG] [default: ./tidings.toml, if it is there]");
        Self::facts()
            .map(|(facts, flag)| {
                let action = if facts.many { ArgAction::Append } else { ArgAction::Set };
                Arg::new(id(facts.key))
                    .long(flag)
                    .value_name(facts.value)
                    .action(action)
                    .help(help(facts))
            })
            .chain([config])
            .fold(command, |command, arg| command.arg(arg.global(true).help_heading(G::HEADING)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<G: Group> FromArgMatches for Flags<G> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let texts = |key| matches.get_many::<String>(&id(key)).map(|texts| texts.cloned().collect());
        Ok(Self {
            config: matches.get_one::<PathBuf>(&id("config")).cloned(),
            values: Self::facts()
                .filter_map(|(facts, _)| Some((facts.key, texts(facts.key)?)))
                .collect(),
            group: PhantomData,
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// The name of a setting among the arguments of a command, which may have one of the same name itself.
fn id(key: &str) -> String {
    format!("setting {key}")
}

fn help(facts: &Facts) -> String {
    let repeated = if facts.many { " Repeatable." } else { "" };
    format!(
        "{}{repeated} [env: {}] [default: {}]",
        facts.help,
        facts.variable(),
        facts.default_words()
    )
}
