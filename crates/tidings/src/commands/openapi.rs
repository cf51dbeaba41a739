//! `tidings openapi`.

use clap::{Args, ValueEnum};

use crate::failure::Outcome;
use crate::output::print;

/// Print the description of the API (OpenAPI, JSON).
///
/// That of the native API is what a server serves under /openapi.json.
#[derive(Args)]
#[command(after_help = "\
Examples:
  tidings openapi > tidings.json
  tidings openapi --dialect frontegg > frontegg.json")]
pub(crate) struct Openapi {
    /// Of a dialect instead of the native API.
    #[arg(long)]
    dialect: Option<Dialect>,
}

/// A vendor's API that is spoken beside the native one.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Dialect {
    /// Frontegg's, as its own clients speak it.
    Frontegg,
}

pub(crate) fn run(args: &Openapi) -> Outcome {
    let document = match args.dialect {
        None => tidings_server::openapi(),
        Some(Dialect::Frontegg) => tidings_server::dialect_openapi(),
    };
    Ok(print(&document)?)
}
