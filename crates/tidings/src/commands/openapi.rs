//! `tidings openapi`.

use crate::cli::{Dialect, Openapi};
use crate::failure::Outcome;
use crate::output::print;

pub(crate) fn run(args: &Openapi) -> Outcome {
    let document = match args.dialect {
        None => tidings_server::openapi(),
        Some(Dialect::Frontegg) => tidings_server::dialect_openapi(),
    };
    Ok(print(&document)?)
}
