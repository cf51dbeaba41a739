//! Settings: what can be set, where it is set, and what the commands are given in the end.
//!
//! Owns: the one table of every setting ([`settings::TABLE`]), from which flags, variables, the configuration file, `tidings config` and the reference
//! are made; the order of precedence ([`Layers`]): flag, variable, file, default; and [`ServeConfig`] and [`AskConfig`], complete and checked.
//!
//! Never knows: what the settings do. Nothing is opened here but the configuration file and the certificates that it names.

mod ask;
mod database;
mod error;
mod file;
mod flags;
mod layers;
#[cfg(test)]
mod reference;
mod serve;
mod setting;
pub(crate) mod settings;

pub(crate) use ask::AskConfig;
pub(crate) use database::{database, shown};
pub(crate) use error::ConfigError;
#[cfg(test)]
pub(crate) use flags::ASK_HEADING;
pub(crate) use flags::{Ask, DataAndOutput, DataOnly, Everything, Flags, OutputOnly, Serve};
pub(crate) use layers::{Layers, Source, misspelt};
pub(crate) use serve::ServeConfig;
pub(crate) use setting::{Facts, Fallback};
