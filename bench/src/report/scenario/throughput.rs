//! One event, one webhook, as many as go: what a durable, signed delivery costs beside a relay that stores nothing (`relay`) and beside no server at all
//! (`raw`), with the generator and the sink on the same processors. Shows the processor time per event, the rate against the relay, what goes to the disk,
//! and that nothing is lost at the limit.

use super::super::Bench;
use super::super::record::{Findings, Run, Unit};
use super::super::stats::per;
use super::super::tools::{Amount, Load};
use super::super::trial::{Kind, rounds};

/// Requests under way: as many as share an fsync well, and as both the relay and Tidings take best.
pub(super) const CONNECTIONS: u32 = 128;

pub(super) async fn run(bench: &Bench) -> anyhow::Result<Findings> {
    let warm = Load::closed(CONNECTIONS, Amount::Seconds(1));
    let load = warm.lasting(Amount::Seconds(bench.pick(2, 8)));
    let kinds = [Kind::Raw, Kind::Relay, Kind::Tidings];
    let mut findings = Findings {
        runs: rounds(bench, "throughput", &kinds, 1, &warm, &load).await?,
        ..Findings::default()
    };
    let (rate, time) = (Unit::PerSecond, Unit::Microseconds);
    findings.add_of("raw", "throughput.raw.rate", "No server (raw): deliveries", rate, Run::rate);
    findings.add_of("relay", "throughput.relay.rate", "Relay: deliveries", rate, Run::rate);
    findings.add_of("tidings", "throughput.tidings.rate", "Tidings: deliveries", rate, Run::rate);
    let ratio = |tidings: &Run, relay: &Run| per(tidings.rate(), relay.rate());
    let subjects = ("tidings", "relay");
    findings.add_pairs(subjects, "throughput.ratio", "Tidings' rate, of the relay's", Unit::Part, ratio);
    findings.add_of("relay", "throughput.relay.cpu", "Relay: CPU per event", time, |run| {
        run.cpu_us("relay")
    });
    findings.add_of("tidings", "throughput.tidings.cpu", "Tidings: CPU per event", time, |run| {
        run.cpu_us("tidings")
    });
    findings.add_store("throughput");
    findings.add_losses("throughput");
    let shown = findings.figures.len();
    for kind in kinds {
        let (id, title) = (format!("throughput.{}.beside", kind.name()), "Generator and sink: CPU per event");
        findings.add_of(kind.name(), id, title, time, |run| run.cpu_us("generator") + run.cpu_us("sink"));
    }
    findings.demote(shown);
    Ok(findings)
}
