//! Runs a program with a PostgreSQL of its own, whose address is in TEST_DATABASE_URL; with the one that is there when the variable is set already.
//! Ends as the program does.

use std::env;
use std::error::Error;
use std::process::{Command, ExitCode};

use tidings_testkit::EphemeralPostgres;

const GIVEN: &str = "TEST_DATABASE_URL";

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let mut words = env::args_os().skip(1);
    let program = words.next().ok_or("usage: with-postgres PROGRAM [ARGUMENT...]")?;
    let own = env::var_os(GIVEN).is_none().then(|| EphemeralPostgres::start(&[]));
    let mut command = Command::new(&program);
    command.args(words);
    if let Some(server) = &own {
        command.env(GIVEN, server.url_of("postgres"));
    }
    let status = command
        .status()
        .map_err(|error| format!("{} cannot be run: {error}", program.display()))?;
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}
