//! `tidings-sim`: plays seeds, and says how to play one again that broke a promise.

use std::io::Write as _;
use std::num::NonZero;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::sync_channel;

use clap::Parser;
use tidings_sim::{Figures, Outcome, Sabotage, play};

/// Seeds between two lines of progress.
const LINE: u64 = 1_000;

/// Plays seeds: each is a world of one to three nodes in which things go wrong, and a check of what has to be true afterwards.
#[derive(Parser)]
#[command(name = "tidings-sim")]
#[command(after_help = "\
Examples:
  cargo xtask sim --seeds 100000             # a long run
  cargo xtask sim --first 4711 --trace       # one seed again, with everything that happened")]
struct Args {
    /// How many seeds.
    #[arg(long, default_value_t = 1)]
    seeds: u64,
    /// The first.
    #[arg(long, default_value_t = 0)]
    first: u64,
    /// Print what happened, line by line.
    #[arg(long)]
    trace: bool,
    /// Break the store on purpose, to see that it is found.
    #[arg(long, value_enum, default_value_t = Sabotage::Nothing)]
    sabotage: Sabotage,
}

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let mut out = std::io::stdout().lock();
    let (mut played, mut broken, mut sum) = (0_u64, 0_u64, Figures::default());
    for (seed, outcome) in outcomes(&args) {
        let outcome = outcome?;
        if args.trace {
            write!(out, "{}", outcome.trace)?;
        }
        sum = sum.with(outcome.figures);
        if !outcome.broken.is_empty() {
            broken += 1;
            writeln!(out, "seed {seed} breaks {} promises:", outcome.broken.len())?;
            for line in &outcome.broken {
                writeln!(out, "  {line}")?;
            }
            writeln!(out, "  again, with what happened: cargo xtask sim --first {seed} --trace")?;
        }
        played += 1;
        if played.is_multiple_of(LINE) && played < args.seeds {
            writeln!(out, "{played} of {} seeds, {broken} broken", args.seeds)?;
        }
    }
    writeln!(
        out,
        "{} seeds: {} nodes, {} crashes, {} events accepted, {} deliveries, {} requests, {} events pruned; {broken} seeds broke a promise",
        args.seeds, sum.nodes, sum.crashes, sum.accepted, sum.deliveries, sum.arrivals, sum.pruned
    )?;
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Plays the seeds on every core, and gives each outcome as it comes; with a trace one after the other.
fn outcomes(args: &Args) -> impl Iterator<Item = (u64, anyhow::Result<Outcome>)> + use<> {
    let (end, sabotage) = (args.first.saturating_add(args.seeds), args.sabotage);
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let next = Arc::new(AtomicU64::new(args.first));
    let (done, outcomes) = sync_channel(cores);
    for _ in 0..if args.trace { 1 } else { cores } {
        let (next, done) = (Arc::clone(&next), done.clone());
        std::thread::spawn(move || {
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                // Nobody listens any more when what is written to was closed.
                if seed >= end || done.send((seed, play(seed, sabotage))).is_err() {
                    return;
                }
            }
        });
    }
    outcomes.into_iter()
}
