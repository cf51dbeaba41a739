//! The workspace's own chores, run as `cargo xtask CHORE`. Knows the repository's rules and files; never imports the crates it looks at.

mod fuzz;
mod release;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::Parser;

/// The workspace's own chores.
#[derive(Parser)]
#[command(bin_name = "cargo xtask")]
enum Chore {
    /// Hold the repository to its rules: imports between crates, sizes of files, banned words, heads of modules, paths of one machine, no unsafe code.
    Tidy,
    /// Play seeds of the simulator: `cargo xtask sim --seeds 100000`, `cargo xtask sim --first 4711 --trace`.
    #[command(disable_help_flag = true)]
    Sim {
        /// For `tidings-sim`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Build the last commit as it is given away, with its bill of materials and digests: `cargo xtask release`.
    Release {
        /// The folder that gets them; what is in it goes.
        #[arg(long, default_value = "target/dist")]
        out: PathBuf,
    },
    /// Fuzz what reads input from outside, each target from its corpus: `cargo xtask fuzz --seconds 300`, `cargo xtask fuzz url --keep`.
    Fuzz(fuzz::Ask),
}

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace");
    match Chore::parse() {
        Chore::Tidy => tidy::run(root),
        Chore::Sim { arguments } => sim(root, &arguments),
        Chore::Release { out } => release::run(root, &root.join(out)).map(|()| ExitCode::SUCCESS),
        Chore::Fuzz(ask) => fuzz::run(root, &ask),
    }
}

/// Builds the simulator for speed, and hands over to it.
fn sim(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .current_dir(root)
        .args(["run", "--quiet", "--locked", "--profile", "sim", "-p", "tidings-sim", "--"])
        .args(arguments)
        .status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
