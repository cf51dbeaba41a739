//! `tidings-bench counts`: what an event costs in figures that do not depend on how busy the machine is, held against what it cost before.
//!
//! A node of one thread runs under Callgrind, Massif and strace, is asked one request at a time, and is left alone in between until it sleeps.
//!
//! Never knows: how long anything takes.

mod book;
mod callgrind;
mod compare;
mod cost;
mod drive;
mod heap;
pub(crate) mod node;
mod profile;
mod quiet;
mod road;
mod syscalls;
mod table;
mod tool;
mod wire;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::ValueEnum;

use book::{Book, Entry};
use compare::Comparison;
use cost::Cost;
use road::{ACCEPT, ACCEPT_HUNDRED, ACCEPT_TO_TEN, Road, THROUGH, THROUGH_HUNDRED};
use tidings_testkit::unless_told_to_stop;
use tool::Workshop;

use crate::output::{print, say};

/// Where the figures are kept.
const BOOK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/counts.toml");

/// What to count.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The part of an event's way.
    #[arg(long, value_enum, default_value = "all")]
    what: Part,
    /// Write the figures into the file.
    #[arg(long, conflicts_with = "check")]
    update: bool,
    /// Fail when an event costs more than the file says.
    #[arg(long)]
    check: bool,
    /// The file.
    #[arg(long, default_value = BOOK)]
    file: PathBuf,
    /// Keep the profiles and logs of the tools in that folder.
    #[arg(long)]
    keep: Option<PathBuf>,
    /// Print so many functions of each profile, by what they and what they call cost.
    #[arg(long, default_value_t = 0)]
    top: usize,
    /// Another build of this program, to be the node.
    #[arg(long)]
    node: Option<PathBuf>,
}

/// A part of an event's way.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Part {
    /// From the request to the 202.
    Accept,
    /// From there to the end of the delivery.
    Deliver,
    /// Both.
    All,
}

/// What the file has a section for.
struct Section {
    name: &'static str,
    means: &'static str,
    part: Part,
    road: Road,
    /// The beginning of the road, which is not meant.
    without: Option<Road>,
}

const SECTIONS: [Section; 5] = [
    Section {
        name: "accept",
        means: "an event of 1 KB for one webhook, in a request of its own: from the request to the 202, its commit included",
        part: Part::Accept,
        road: ACCEPT,
        without: None,
    },
    Section {
        name: "accept-to-ten",
        means: "the same for ten webhooks",
        part: Part::Accept,
        road: ACCEPT_TO_TEN,
        without: None,
    },
    Section {
        name: "accept-hundred",
        means: "one of a hundred events in one request, which share its commit",
        part: Part::Accept,
        road: ACCEPT_HUNDRED,
        without: None,
    },
    Section {
        name: "deliver",
        means: "one delivery while nothing else happens: from its lane over HTTP to its settlement, whose commit is its own",
        part: Part::Deliver,
        road: THROUGH,
        without: Some(ACCEPT),
    },
    Section {
        name: "deliver-hundred",
        means: "one of a hundred deliveries that become due together, to eight receivers",
        part: Part::Deliver,
        road: THROUGH_HUNDRED,
        without: Some(ACCEPT_HUNDRED),
    },
];

/// Counts, compares, and writes down or fails.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    unless_told_to_stop(count(args)).await
}

async fn count(args: Args) -> anyhow::Result<()> {
    let scratch = tempfile::tempdir()?;
    let folder = args.keep.clone().unwrap_or_else(|| scratch.path().to_owned());
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let workshop = Workshop {
        node: args.node.clone().map_or_else(std::env::current_exe, Ok)?,
        folder,
    };
    let known = Book::read(&args.file)?;
    let chosen = SECTIONS
        .iter()
        .filter(|section| args.what == Part::All || args.what == section.part);
    let measured = measure(chosen, &workshop, args.top).await?;
    let comparisons: Vec<_> = measured
        .iter()
        .map(|(section, cost)| Comparison::new(section.name, known.cost(section.name).as_ref(), cost))
        .collect();
    print(&table::render(&comparisons))?;
    if args.update {
        let entries = measured
            .iter()
            .map(|(section, cost)| (section.name.to_owned(), Entry::new(section.means, cost)));
        return known.with(entries).write(&args.file);
    }
    judge(&comparisons, &args)
}

/// The cost of every section, in their order. No road is taken twice.
async fn measure<'a>(
    sections: impl Iterator<Item = &'a Section>,
    workshop: &Workshop,
    top: usize,
) -> anyhow::Result<Vec<(&'a Section, Cost)>> {
    let mut taken: BTreeMap<&str, Cost> = BTreeMap::new();
    let mut measured = Vec::new();
    for section in sections {
        for road in [Some(&section.road), section.without.as_ref()].into_iter().flatten() {
            if taken.contains_key(road.name) {
                continue;
            }
            say(&format!("taking {} events down the road '{}' ...", road.events(), road.name));
            let cost = cost::measure(road, workshop).await?;
            ensure_durable(road, &cost)?;
            taken.insert(road.name, cost);
            if top > 0 {
                print(&profile::top(road, workshop, top).await?)?;
            }
        }
        let whole = taken[section.road.name].clone();
        let cost = section
            .without
            .as_ref()
            .map_or(whole.clone(), |road| whole.without(&taken[road.name]));
        measured.push((section, cost));
    }
    Ok(measured)
}

/// 202 means that the event is on the disk: every request has waited for it.
fn ensure_durable(road: &Road, cost: &Cost) -> anyhow::Result<()> {
    let per_request = cost.syncs() * road.batch as f64;
    ensure!(
        per_request > 0.999, // what is left is rounding
        "on the road '{}' the node waited for the disk {per_request:.2} times a request: it said 202 before the event was there",
        road.name
    );
    Ok(())
}

/// Says what is to be done; fails when that is asked for and an event costs more than it did.
fn judge(comparisons: &[Comparison], args: &Args) -> anyhow::Result<()> {
    let file = args.file.display();
    let update = "`cargo run --release -p tidings-bench -- counts --update`";
    if comparisons.iter().any(Comparison::is_worse) {
        let words = format!("an event costs more than {file} allows: make it cheaper, or say why it is worth it and run {update}");
        ensure!(!args.check, words);
        say(&words);
    } else if comparisons.iter().any(Comparison::is_better) {
        say(&format!("an event costs less than {file} says: keep it so with {update}"));
    }
    let new = comparisons.iter().any(Comparison::is_new);
    ensure!(!(args.check && new), "{file} does not have every section: run {update}");
    Ok(())
}
