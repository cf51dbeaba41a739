//! The workspace's own chores, run as `cargo xtask CHORE`. Knows the repository's rules and files; never imports the crates it looks at.

mod tidy;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

/// The workspace's own chores.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Chore {
    /// Hold the repository to its rules: imports between crates, sizes of files, banned words, heads of modules, paths of one machine.
    Tidy,
}

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace");
    match Chore::parse() {
        Chore::Tidy => tidy::run(root),
    }
}
