//! `tidings-bench report`: runs the scenarios against raw, the relay and Tidings, in turn and several times, and tells medians with their spread, the
//! budgets they are held against, and the machine they were measured on. Everything it starts, it ends, and every folder it makes, it removes,
//! also when it is told to stop; not when it is killed.
//!
//! Owns: the order of things, and the files of a report. Never knows: how a scenario measures.

mod budgets;
mod database;
mod machine;
mod plot;
mod process;
mod record;
mod scenario;
mod stats;
mod table;
mod tidings;
mod tools;
mod trace;
mod trial;
mod web;
mod words;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use serde::Serialize;
use tidings_model::Timestamp;
use tidings_testkit::unless_told_to_stop;

use crate::output::{print, say};
use crate::time::wall_us;
use budgets::{BUDGETS, Budget};
use database::Database;
use machine::{Machine, Source};
use record::{Figure, Findings};
use scenario::Scenario;
use tidings::Launch;
use tools::Tools;

/// A machine whose other work takes more of it than this, in percent, is worth a word.
const OTHERS_PERCENT_MAX: f64 = 10.0;

/// What to measure.
#[derive(clap::Args)]
#[command(after_help = "\
Build both first: cargo build --release -p tidings -p tidings-bench
It listens and sends on this machine's own addresses only.")]
pub(crate) struct Args {
    /// How often each is measured: 3 times without it, 2 in a short report.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    rounds: Option<u16>,
    /// For CI, a minute and a half: shorter runs, two rounds, the most important scenarios; held against promises and coarse floors only.
    #[arg(long, conflicts_with = "long")]
    short: bool,
    /// Everything, in half an hour: also the scenario history, and 100,000 webhooks.
    #[arg(long)]
    long: bool,
    /// Only these.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    scenario: Vec<Scenario>,
    /// Where report.json, the plots and, while it runs, the data folders go: on a real disk.
    #[arg(long, value_name = "FOLDER", default_value = "target/bench")]
    out: PathBuf,
    /// Measure nodes beside this PostgreSQL of this machine, as a user who may make databases: postgres://user@127.0.0.1:5432/postgres. Every server gets
    /// a database of its own, and the scenario nodes is measured, too.
    #[arg(long, value_name = "URL")]
    database: Option<String>,
    /// The Tidings to measure.
    #[arg(long, value_name = "FILE", default_value = None)]
    tidings: Option<PathBuf>,
    /// Makes the large numbers of the long scenarios smaller, to try them: no budget holds then.
    #[arg(long, value_name = "PART", default_value_t = 1.0, hide = true)]
    scale: f64,
}

/// What every scenario is given.
pub(crate) struct Bench {
    tools: Tools,
    launch: Launch,
    rounds: usize,
    short: bool,
    long: bool,
    scale: f64,
    begun_us: u64,
}

impl Bench {
    /// One thing for a short report, another for a full one.
    fn pick<T>(&self, short: T, full: T) -> T {
        if self.short { short } else { full }
    }

    const fn is_long(&self) -> bool {
        self.long
    }

    /// A large number, made smaller when somebody only tries.
    fn scaled(&self, number: u64) -> u64 {
        ((number as f64 * self.scale).round() as u64).max(1)
    }

    /// Tells how far it is.
    fn say(&self, scenario: &str, words: &str) {
        let seconds = (wall_us() - self.begun_us) / 1_000_000;
        say(&format!("{:>3}:{:02}  {scenario}: {words}", seconds / 60, seconds % 60));
    }
}

/// report.json.
#[derive(Serialize)]
struct Report<'a> {
    command: Vec<String>,
    started_at: String,
    seconds: u64,
    source: &'a Source,
    machine: &'a Machine,
    rounds: usize,
    short: bool,
    scale: f64,
    scenarios: Vec<Section<'a>>,
    budgets: &'a [Budget],
}

#[derive(Serialize)]
struct Section<'a> {
    name: &'a str,
    #[serde(flatten)]
    findings: &'a Findings,
}

/// Measures, tells and writes; an error when a promise is broken.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    unless_told_to_stop(measure(args)).await
}

async fn measure(args: Args) -> anyhow::Result<()> {
    let bench = bench(&args).await?;
    let out = &bench.launch.data;
    let built = bench.launch.binary.parent();
    let (machine, source) = (Machine::here(out), Source::of(built.into_iter().chain([Path::new(".")])));
    ensure!(
        !machine.keeps_data_in_memory(),
        "{} lies in memory ({}), where an fsync costs nothing: give --out a folder on a disk",
        out.display(),
        machine.filesystem
    );
    introduce(&machine, &source);
    let mut measured = Vec::new();
    for scenario in scenarios(&args) {
        let findings = scenario.run(&bench).await;
        measured.push((
            scenario.name(),
            findings.with_context(|| format!("the scenario {}", scenario.name()))?,
        ));
        // After each, so that an hour's work is not lost to the next.
        write(&bench, &machine, &source, &measured)?;
    }
    if let Some(database) = &bench.launch.database {
        database.clean().await;
    }
    let scenarios: Vec<_> = measured.iter().map(|(name, findings)| (*name, findings)).collect();
    // The goals are those of the embedded store.
    let without_goals = args.short || args.database.is_some();
    print(&table::render(&scenarios, without_goals))?;
    remark(&bench, &scenarios);
    let broken = table::broken(&scenarios, without_goals);
    ensure!(broken.is_empty() || bench.scale < 1.0, "{}", broken.join("\n       "));
    Ok(())
}

async fn bench(args: &Args) -> anyhow::Result<Bench> {
    ensure!(args.scale > 0.0 && args.scale <= 1.0, "--scale has to be above 0 and at most 1");
    fs::create_dir_all(&args.out).with_context(|| format!("cannot make {}", args.out.display()))?;
    let data = args.out.canonicalize()?;
    let binary = match &args.tidings {
        Some(binary) => binary.clone(),
        None => std::env::current_exe()?.with_file_name("tidings"),
    };
    let found = binary.canonicalize();
    let binary = found.with_context(|| format!("there is no {}: cargo build --release -p tidings", binary.display()))?;
    Ok(Bench {
        tools: Tools::own()?,
        launch: Launch {
            binary,
            data,
            database: match &args.database {
                Some(url) => Some(Database::at(url).await?),
                None => None,
            },
            under: Vec::new(),
        },
        rounds: args.rounds.map_or(if args.short { 2 } else { 3 }, usize::from),
        short: args.short,
        long: args.long,
        scale: args.scale,
        begun_us: wall_us(),
    })
}

fn scenarios(args: &Args) -> Vec<Scenario> {
    if !args.scenario.is_empty() {
        return args.scenario.clone();
    }
    if args.database.is_some() {
        return Scenario::SHARED.to_vec();
    }
    let (ordinary, history) = if args.short {
        (Scenario::SHORT.to_vec(), None)
    } else {
        (Scenario::ORDINARY.to_vec(), args.long.then_some(Scenario::History))
    };
    ordinary.into_iter().chain(history).collect()
}

fn introduce(machine: &Machine, source: &Source) {
    let changed = if source.dirty { ", with changes" } else { "" };
    say(&format!("commit {}{changed}", source.commit));
    say(&format!(
        "{} processors ({}), Linux {}, data on {}, load {}",
        machine.cores, machine.processor, machine.kernel, machine.filesystem, machine.load
    ));
    if cfg!(debug_assertions) {
        say("this is a debug build of the tools: its figures are worth nothing");
    }
}

/// What one has to know beside the table.
fn remark(bench: &Bench, scenarios: &[(&str, &Findings)]) {
    let runs = scenarios.iter().flat_map(|(_, findings)| &findings.runs);
    let others = runs.map(|run| run.others_percent).fold(0.0, f64::max);
    if others > OTHERS_PERCENT_MAX {
        say(&format!(
            "Others had up to {others:.0} % of this machine during a run: compare ratios, and CPU rather than rates."
        ));
    }
    if bench.scale < 1.0 {
        say("The numbers were scaled down: no budget holds.");
    }
    say(&format!("report.json and the plots are in {}", bench.launch.data.display()));
}

fn write(bench: &Bench, machine: &Machine, source: &Source, measured: &[(&str, Findings)]) -> anyhow::Result<()> {
    let out: &Path = &bench.launch.data;
    let report = Report {
        command: std::env::args().collect(),
        started_at: Timestamp::from_millis((bench.begun_us / 1_000) as i64).to_string(),
        seconds: (wall_us() - bench.begun_us) / 1_000_000,
        source,
        machine,
        rounds: bench.rounds,
        short: bench.short,
        scale: bench.scale,
        scenarios: measured.iter().map(|(name, findings)| Section { name, findings }).collect(),
        budgets: BUDGETS,
    };
    let json = out.join("report.json");
    fs::write(&json, serde_json::to_vec_pretty(&report)?).with_context(|| format!("cannot write {}", json.display()))?;
    let figures: Vec<&Figure> = measured.iter().flat_map(|(_, findings)| &findings.figures).collect();
    let caption = format!("{} processors, {}, commit {}", machine.cores, machine.processor, source.commit);
    plot::draw(&figures, &caption, out)
}
