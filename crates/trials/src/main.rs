//! `tidings-trials`: the long forms of the trials.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tidings_testkit::unless_told_to_stop;
use tidings_trials::{
    CutOff, Damage, Failover, Full, Kills, Load, Nodes, Power, cut_off, damage, failover, full, kills, load, nodes, power, read_only,
};

/// Trials of the real binary, with a ledger that the client keeps. Each ends with the figures, and with an error when a promise was broken.
#[derive(Parser)]
#[command(name = "tidings-trials")]
#[command(after_help = "\
Examples:
  cargo xtask trials kills --rounds 200
  cargo xtask trials kills --rounds 200 --seed 4711  # the same moments again
  cargo xtask trials power --cuts 40                 # needs root and loop devices
  cargo xtask trials nodes --rounds 50               # needs PostgreSQL, as do the others of several nodes
  cargo xtask trials cut-off --rounds 10             # needs root
  cargo xtask trials failover --rounds 10            # needs patroni and etcd-server
  cargo xtask trials load --minutes 30")]
struct Args {
    /// The `tidings` binary.
    #[arg(long)]
    binary: PathBuf,
    #[command(subcommand)]
    trial: Trial,
}

/// What is tried.
#[derive(Subcommand)]
enum Trial {
    /// kill -9 under load, at moments that the seed decides.
    Kills {
        /// How often.
        #[arg(long, default_value_t = 200)]
        rounds: u32,
        /// The seed; one of chance when it is not given.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// The power goes under load, and goes again for a server whose syncs are swallowed. Needs root, loop devices, xfs_io and strace.
    Power {
        /// How often, for each of the two.
        #[arg(long, default_value_t = 40)]
        cuts: u32,
        /// The seed; one of chance when it is not given.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// The disk is full while events are accepted and attempts recorded. Needs root.
    Full {
        /// How often.
        #[arg(long, default_value_t = 5)]
        rounds: u32,
        /// How many seconds it stays full.
        #[arg(long, default_value_t = 10)]
        hold: u64,
    },
    /// The disk turns read-only under load. Needs root and loop devices.
    ReadOnly,
    /// Bytes of a killed server's data are flipped or cut off.
    Damage {
        /// How often.
        #[arg(long, default_value_t = 200)]
        rounds: u32,
        /// The seed; one of chance when it is not given.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Three nodes beside one PostgreSQL are killed and stopped, and their database is restarted, under load. Needs PostgreSQL.
    Nodes {
        /// How often: in each round two kills, one stop, and in every third a restart of the database.
        #[arg(long, default_value_t = 50)]
        rounds: u32,
        /// The seed; one of chance when it is not given.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// A node in a network of its own is cut off from the database that it shares with two others, and healed. Needs root, PostgreSQL and iproute2.
    CutOff {
        /// How often.
        #[arg(long, default_value_t = 10)]
        rounds: u32,
    },
    /// Three nodes beside a PostgreSQL of three servers that Patroni runs, whose leader dies under load. Needs PostgreSQL, patroni and etcd.
    Failover {
        /// How often.
        #[arg(long, default_value_t = 10)]
        rounds: u32,
        /// The seed; one of chance when it is not given.
        #[arg(long)]
        seed: Option<u64>,
    },
    /// Mixed traffic, with restarts in between, and a look at what the server takes.
    Load {
        /// How long.
        #[arg(long, default_value_t = 30)]
        minutes: u64,
        /// Seconds between two restarts.
        #[arg(long, default_value_t = 300)]
        lifetime: u64,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    unless_told_to_stop(Box::pin(run(args))).await?;
    Ok(ExitCode::SUCCESS)
}

async fn run(args: Args) -> anyhow::Result<()> {
    let binary = args.binary.as_path();
    match args.trial {
        Trial::Kills { rounds, seed } => {
            let seed = seed.unwrap_or_else(chance);
            kills(binary, Kills { rounds, seed }).await.map(drop)
        }
        Trial::Power { cuts, seed } => {
            let seed = seed.unwrap_or_else(chance);
            power(binary, Power { cuts, seed }).await.map(drop)
        }
        Trial::Full { rounds, hold } => {
            let hold = Duration::from_secs(hold);
            full(binary, Full { rounds, hold }).await.map(drop)
        }
        Trial::ReadOnly => read_only(binary).await.map(drop),
        Trial::Damage { rounds, seed } => {
            let seed = seed.unwrap_or_else(chance);
            damage(binary, Damage { rounds, seed }).await?.hold()
        }
        Trial::Nodes { rounds, seed } => {
            let seed = seed.unwrap_or_else(chance);
            nodes(binary, Nodes { rounds, seed }).await.map(drop)
        }
        Trial::CutOff { rounds } => cut_off(binary, CutOff { rounds }).await.map(drop),
        Trial::Failover { rounds, seed } => {
            let seed = seed.unwrap_or_else(chance);
            failover(binary, Failover { rounds, seed }).await.map(drop)
        }
        Trial::Load { minutes, lifetime } => {
            let (duration, lifetime) = (Duration::from_secs(minutes * 60), Duration::from_secs(lifetime));
            load(binary, Load { duration, lifetime }).await.map(drop)
        }
    }
}

/// A seed that is short enough to type.
fn chance() -> u64 {
    fastrand::u64(..1_000_000)
}
