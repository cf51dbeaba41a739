//! The workspace's own chores, run as `cargo xtask CHORE`. Knows the repository's rules and files; never imports the crates it looks at.

mod fuzz;
mod release;
mod tidy;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use cargo_metadata::MetadataCommand;
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
    /// Put the real binary on trial: `cargo xtask trials kills --rounds 200`, `cargo xtask trials power --cuts 40`.
    #[command(disable_help_flag = true)]
    Trials {
        /// For `tidings-trials`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
}

fn main() -> anyhow::Result<ExitCode> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask is a folder of the workspace");
    match Chore::parse() {
        Chore::Tidy => tidy::run(root),
        Chore::Release { out } => release::run(root, &root.join(out)).map(|()| ExitCode::SUCCESS),
        Chore::Fuzz(ask) => fuzz::run(root, &ask),
        Chore::Sim { arguments } => run_fast(root, "tidings-sim", &arguments),
        Chore::Trials { arguments } => trials(root, arguments),
    }
}

/// Builds the binary that is going to be tormented, and hands over to those who do it.
fn trials(root: &Path, arguments: Vec<String>) -> anyhow::Result<ExitCode> {
    let built = cargo(root)
        .args(["build", "--quiet", "--locked", "--profile", "sim", "-p", "tidings"])
        .status()?;
    if !built.success() {
        return Ok(ExitCode::FAILURE);
    }
    let metadata = MetadataCommand::new().current_dir(root).no_deps().exec()?;
    let binary = metadata.target_directory.join("sim/tidings");
    let arguments: Vec<_> = ["--binary".to_owned(), binary.into_string()].into_iter().chain(arguments).collect();
    run_fast(root, "tidings-trials", &arguments)
}

/// Builds a program of the workspace for speed, and hands over to it.
fn run_fast(root: &Path, program: &str, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let status = cargo(root)
        .args(["run", "--quiet", "--locked", "--profile", "sim", "-p", program, "--"])
        .args(arguments)
        .status()?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn cargo(root: &Path) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(root);
    cargo
}
