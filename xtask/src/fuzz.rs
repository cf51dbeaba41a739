//! `cargo xtask fuzz`: builds the targets of `fuzz/` with libFuzzer's instruments, and runs each for a while on what is in its corpus.
//!
//! The instruments are passes of LLVM that a stable toolchain has, so that neither nightly nor cargo-fuzz is needed; `cargo fuzz` finds the same
//! layout. The folder is a workspace of its own: what is built for it is built for nothing else.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs};

use anyhow::{Context, bail, ensure};
use cargo_metadata::MetadataCommand;

/// What makes libFuzzer see where an input leads: counters at every edge, and the operands of comparisons.
const INSTRUMENTS: [&str; 5] = [
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
];
/// Longest input, in bytes: every door of ours has said what it thinks of a text by then, or has a limit of its own in its unit tests.
const INPUT_BYTES_MAX: u32 = 4_096;
/// Seconds that one input may take.
const INPUT_SECONDS_MAX: u32 = 20;

/// What is asked of the fuzz targets.
#[derive(clap::Args)]
pub(crate) struct Ask {
    /// Seconds for each target, after its corpus was replayed.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Seed of the chance: another one tries other inputs. 0 takes one from the clock.
    #[arg(long, default_value_t = 0)]
    seed: u32,
    /// Take into the corpus what reached something new.
    #[arg(long)]
    keep: bool,
    /// Hold the targets to the formatting and the lints of the workspace, and run nothing.
    #[arg(long)]
    lint: bool,
    /// Targets to run: all, unless some are named.
    targets: Vec<String>,
}

/// What a target did.
struct Run {
    executions: u64,
    passed: bool,
}

/// Where things are.
struct Places {
    manifest: PathBuf,
    corpus: PathBuf,
    /// Everything that is built or found.
    target: PathBuf,
    /// The machine's own triple: with a target named, build scripts get no instruments.
    triple: String,
}

/// Does what was asked, and fails when an input breaks a target's promise.
pub(crate) fn run(root: &Path, ask: &Ask) -> anyhow::Result<ExitCode> {
    let places = Places::of(root)?;
    if ask.lint {
        cargo(&places, &["fmt"], &["--check"])?;
        cargo(&places, &["clippy", "--locked", "--release"], &["-D", "warnings"])?;
        return Ok(ExitCode::SUCCESS);
    }
    let names = chosen(&places, &ask.targets)?;
    cargo(&places, &["build", "--locked", "--release"], &[])?;
    let mut out = std::io::stdout().lock();
    let (mut failed, mut executions) = (0, 0);
    for name in &names {
        let run = fuzz(&places, name, ask)?;
        let verdict = if run.passed { "ok" } else { "FAILED" };
        writeln!(out, "fuzz {name}: {verdict}, {} executions", run.executions)?;
        executions += run.executions;
        failed += usize::from(!run.passed);
        if ask.keep && run.passed {
            merge(&places, name)?;
        }
    }
    writeln!(
        out,
        "fuzz: {} passed, {failed} failed, {executions} executions",
        names.len() - failed
    )?;
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Places {
    fn of(root: &Path) -> anyhow::Result<Self> {
        let workspace = MetadataCommand::new().manifest_path(root.join("Cargo.toml")).no_deps().exec()?;
        let rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
            .arg("-vV")
            .output()?;
        let text = String::from_utf8(rustc.stdout)?;
        let triple = text
            .lines()
            .find_map(|line| line.strip_prefix("host: "))
            .context("rustc names no host")?;
        Ok(Self {
            manifest: root.join("fuzz/Cargo.toml"),
            corpus: root.join("fuzz/corpus"),
            target: workspace.target_directory.join("fuzz").into_std_path_buf(),
            triple: triple.to_owned(),
        })
    }

    fn program(&self, name: &str) -> PathBuf {
        self.target.join(&self.triple).join("release").join(name)
    }
}

/// The targets of the manifest that were named, or all.
fn chosen(places: &Places, named: &[String]) -> anyhow::Result<Vec<String>> {
    let fuzz = MetadataCommand::new().manifest_path(&places.manifest).no_deps().exec()?;
    let targets = fuzz.packages.iter().flat_map(|package| &package.targets);
    let all: Vec<_> = targets.filter(|target| target.is_bin()).map(|target| target.name.clone()).collect();
    if let Some(unknown) = named.iter().find(|name| !all.contains(name)) {
        bail!("there is no fuzz target '{unknown}'; there are {}", all.join(", "));
    }
    Ok(if named.is_empty() { all } else { named.to_vec() })
}

fn cargo(places: &Places, what: &[&str], behind: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(what).arg("--manifest-path").arg(&places.manifest);
    if what[0] != "fmt" {
        command
            .args(["--target", &places.triple, "--target-dir"])
            .arg(&places.target)
            .env("CARGO_ENCODED_RUSTFLAGS", INSTRUMENTS.join("\x1f"));
    }
    let status = command.arg("--").args(behind).status()?;
    ensure!(status.success(), "cargo {} failed for fuzz/", what[0]);
    Ok(())
}

/// Replays a target's corpus, then goes on from it. What it says is passed on only when it fails.
fn fuzz(places: &Places, name: &str, ask: &Ask) -> anyhow::Result<Run> {
    let found = places.target.join("found").join(name);
    let corpus = places.corpus.join(name);
    fs::create_dir_all(&found)?;
    ensure!(
        fs::read_dir(&corpus)?.next().is_some(),
        "fuzz/corpus/{name} has no input to begin with"
    );
    let mut limits = vec![
        format!("-max_len={INPUT_BYTES_MAX}"),
        format!("-timeout={INPUT_SECONDS_MAX}"),
        format!("-seed={}", ask.seed),
        format!("-artifact_prefix={}/failed-", found.parent().unwrap_or(&found).join(name).display()),
        "-print_final_stats=1".to_owned(),
    ];
    // Without a limit to the time, a limit to the runs: none beyond the corpus.
    limits.push(match ask.seconds {
        0 => "-runs=0".to_owned(),
        seconds => format!("-max_total_time={seconds}"),
    });
    let mut child = Command::new(places.program(name))
        .args(limits)
        .args([&found, &corpus])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("the target {name} does not start"))?;
    let said = child.stderr.take().context("its words were asked for")?;
    let (mut lines, mut executions) = (Vec::new(), 0);
    for line in BufReader::new(said).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        if let Some(number) = line.strip_prefix("stat::number_of_executed_units:") {
            executions = number.trim().parse()?;
        }
        lines.push(line);
    }
    let passed = child.wait()?.success();
    if !passed {
        let mut out = std::io::stdout().lock();
        let from = lines.len().saturating_sub(60);
        lines[from..].iter().try_for_each(|line| writeln!(out, "{line}"))?;
        writeln!(
            out,
            "again: {} INPUT, with the file that is named above",
            places.program(name).display()
        )?;
    }
    Ok(Run { executions, passed })
}

/// Takes into the corpus those of the inputs found that lead where none of it does.
fn merge(places: &Places, name: &str) -> anyhow::Result<()> {
    let status = Command::new(places.program(name))
        .arg("-merge=1")
        .arg(places.corpus.join(name))
        .arg(places.target.join("found").join(name))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    ensure!(status.success(), "the inputs found for {name} could not be merged");
    Ok(())
}
