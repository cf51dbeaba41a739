//! `tidings-sim`: plays seeds, and says how to play one again that broke a promise.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use tidings_sim::{Figures, Sabotage, play};

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
    let (mut broken, mut sum) = (0_u64, Figures::default());
    for seed in args.first..args.first.saturating_add(args.seeds) {
        let outcome = play(seed, args.sabotage)?;
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
        let played = seed + 1 - args.first;
        if played % LINE == 0 && played < args.seeds {
            writeln!(out, "{played} of {} seeds, {broken} broken", args.seeds)?;
        }
    }
    writeln!(
        out,
        "{} seeds: {} nodes, {} crashes, {} events accepted, {} deliveries, {} requests; {broken} seeds broke a promise",
        args.seeds, sum.nodes, sum.crashes, sum.accepted, sum.deliveries, sum.arrivals
    )?;
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
