//! `tidings openapi`.

use crate::failure::Outcome;
use crate::output::print;

pub(crate) fn run() -> Outcome {
    Ok(print(&tidings_server::openapi())?)
}
