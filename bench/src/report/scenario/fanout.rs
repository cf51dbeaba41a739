//! One event, ten webhooks, as many as go: what each further webhook of an event costs. Shows the processor time per delivery and per event, the rate of
//! deliveries against a relay that forwards to the same ten, and that nothing is lost although deliveries come later than acknowledgements.

use super::super::Bench;
use super::super::record::{Findings, Run, Unit};
use super::super::stats::per;
use super::super::tools::{Amount, Load};
use super::super::trial::{Kind, rounds};
use super::throughput::CONNECTIONS;

/// Webhooks that get every event.
const WEBHOOKS: usize = 10;

pub(super) async fn run(bench: &Bench) -> anyhow::Result<Findings> {
    let warm = Load::closed(CONNECTIONS, Amount::Seconds(1));
    let load = warm.lasting(Amount::Seconds(bench.pick(2, 8)));
    let mut findings = Findings {
        runs: rounds(bench, "fanout", &[Kind::Relay, Kind::Tidings], WEBHOOKS, &warm, &load).await?,
        ..Findings::default()
    };
    let (rate, time) = (Unit::PerSecond, Unit::Microseconds);
    findings.add_of("relay", "fanout.relay.rate", "Relay: deliveries", rate, Run::rate);
    findings.add_of("tidings", "fanout.tidings.rate", "Tidings: deliveries", rate, Run::rate);
    let ratio = |tidings: &Run, relay: &Run| per(tidings.rate(), relay.rate());
    findings.add_pairs(
        ("tidings", "relay"),
        "fanout.ratio",
        "Tidings' rate, of the relay's",
        Unit::Part,
        ratio,
    );
    findings.add_of("relay", "fanout.relay.cpu", "Relay: CPU per delivery", time, |run| {
        run.cpu_us("relay")
    });
    findings.add_of("tidings", "fanout.tidings.cpu", "Tidings: CPU per delivery", time, |run| {
        run.cpu_us("tidings")
    });
    let event = "Tidings: CPU per event with its ten deliveries";
    findings.add_of("tidings", "fanout.tidings.event", event, time, |run| {
        run.cpu_us_per_event("tidings")
    });
    findings.add_store("fanout");
    findings.add_losses("fanout");
    Ok(findings)
}
