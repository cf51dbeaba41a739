//! One event, one webhook, as many as go, to one, two and four nodes beside one PostgreSQL, and to the embedded store of one: how far one database goes on
//! these processors, and who has them meanwhile.

use anyhow::ensure;

use super::super::Bench;
use super::super::record::{DATABASE, Findings, Run, Unit};
use super::super::stats::per;
use super::super::tidings;
use super::super::tools::{Amount, Load};
use super::super::trial::{Subject, Trial};
use super::throughput::CONNECTIONS;

/// How many nodes, and what the record calls them.
pub(crate) const NODES: [(usize, &str); 3] = [(1, "1"), (2, "2"), (4, "4")];
/// Requests under way, the same for all: as many as four nodes take well.
const REQUESTS: u32 = 4 * CONNECTIONS;
/// What it calls the store in the data folder.
pub(crate) const EMBEDDED: &str = "embedded";

pub(super) async fn run(bench: &Bench) -> anyhow::Result<Findings> {
    ensure!(bench.launch.database.is_some(), "nodes need a PostgreSQL: name one with --database");
    let (mut findings, mut stored) = (Findings::default(), Vec::new());
    for round in 1..=bench.rounds {
        findings.runs.push(trial(bench, round, 0, EMBEDDED).await?.0);
        for (nodes, name) in NODES {
            let (run, grown) = trial(bench, round, nodes, name).await?;
            stored.extend(grown.map(|bytes| per(bytes, run.generator.accepted as f64)));
            findings.runs.push(run);
        }
    }
    let (rate, time) = (Unit::PerSecond, Unit::Microseconds);
    let title = |name: &str| match name {
        EMBEDDED => "Embedded".to_owned(),
        "1" => "1 node".to_owned(),
        nodes => format!("{nodes} nodes"),
    };
    let names = || [EMBEDDED].into_iter().chain(NODES.map(|(_, name)| name));
    for name in names() {
        findings.add_of(
            name,
            format!("nodes.{name}.rate"),
            format!("{}: deliveries", title(name)),
            rate,
            Run::rate,
        );
    }
    for (name, other, what) in [
        ("1", EMBEDDED, "the embedded store's"),
        ("2", "1", "that of one"),
        ("4", "1", "that of one"),
    ] {
        let titled = format!("{}: rate, of {what}", title(name));
        findings.add_pairs((name, other), format!("nodes.{name}.ratio"), titled, Unit::Part, |run, other| {
            per(run.rate(), other.rate())
        });
    }
    for name in names() {
        let own = format!("{}: CPU per event, Tidings", title(name));
        findings.add_of(name, format!("nodes.{name}.cpu"), own, time, |run| run.cpu_us("tidings"));
        if name != EMBEDDED {
            let beside = format!("{}: CPU per event, PostgreSQL", title(name));
            findings.add_of(name, format!("nodes.{name}.database"), beside, time, |run| run.cpu_us(DATABASE));
            let commits = format!("{}: commits per event", title(name));
            findings.add_of(name, format!("nodes.{name}.commits"), commits, Unit::Count, Run::commits_per_event);
            let written = format!("{}: written to the disk per event, PostgreSQL", title(name));
            findings.add_of(name, format!("nodes.{name}.written"), written, Unit::Bytes, |run| {
                run.written_by(DATABASE)
            });
        }
        let busy = format!("{}: processors in use", title(name));
        findings.add_of(name, format!("nodes.{name}.busy"), busy, Unit::Count, |run| {
            per(used_us(run), run.seconds * 1e6)
        });
    }
    let title = "Size of the database per event, its delivery and attempt included";
    findings.add("nodes.stored", title, Unit::Bytes, stored);
    findings.add_losses("nodes");
    let shown = findings.figures.len();
    for name in names() {
        let beside = "Generator and sink: CPU per event";
        findings.add_of(name, format!("nodes.{name}.beside"), beside, time, |run| {
            run.cpu_us("generator") + run.cpu_us("sink")
        });
    }
    findings.demote(shown);
    Ok(findings)
}

/// What all processes of a run used.
fn used_us(run: &Run) -> f64 {
    run.processes.values().map(|usage| usage.cpu_us as f64).sum()
}

/// A run against so many nodes beside a new database, and by how many bytes that grew; none: against one on its data folder.
async fn trial(bench: &Bench, round: usize, nodes: usize, name: &str) -> anyhow::Result<(Run, Option<f64>)> {
    let warm = Load::closed(REQUESTS, Amount::Seconds(2));
    let load = warm.lasting(Amount::Seconds(bench.pick(2, 8)));
    bench.say("nodes", &format!("round {round} of {}: {name}, {load}", bench.rounds));
    let sink = bench.tools.sink().await?;
    let mut launch = bench.launch.clone();
    launch.database = launch.database.filter(|_| nodes > 0);
    let mut server = launch.start().await?;
    server.webhook(sink.at("/ok/w0"), tidings::EVENT_KEY).await?;
    server.join(nodes.saturating_sub(1)).await?;
    let subject = Subject::Tidings(Box::new(server));
    let trial = Trial {
        subject: &subject,
        called: Some(name),
        sink: &sink,
        round,
    };
    let expected = |accepted| accepted;
    trial.warm(bench, &warm, expected).await?;
    let before = subject.server()?.database_bytes().await?;
    let run = trial.run(bench, &load, expected).await?;
    let after = subject.server()?.database_bytes().await?;
    Ok((run, after.zip(before).map(|(after, before)| after - before)))
}
