//! An open loop of 200 and of 2,000 events a second, far below the limit: how long an event takes from when it is due until the receiver has it, and until
//! the producer has its answer. Shows what durability adds to the two hops of the relay.

use super::super::Bench;
use super::super::record::{Findings, Run, Unit};
use super::super::tools::Load;
use super::super::trial::{Kind, rounds};
use crate::figures::Quantiles;

/// Events a second.
const RATES: [u32; 2] = [200, 2_000];

/// A quantile, and where it stands.
type Quantile = (&'static str, fn(&Quantiles) -> f64);
/// Those that are told.
const QUANTILES: [Quantile; 3] = [
    ("p50", |quantiles| quantiles.p50_us as f64),
    ("p90", |quantiles| quantiles.p90_us as f64),
    ("p99", |quantiles| quantiles.p99_us as f64),
];

pub(super) async fn run(bench: &Bench) -> anyhow::Result<Findings> {
    let mut all = Findings::default();
    for rate in RATES {
        let load = Load::open(rate, bench.pick(2, 10));
        let mut findings = Findings {
            runs: rounds(bench, "latency", &[Kind::Relay, Kind::Tidings], 1, &Load::open(rate, 1), &load).await?,
            ..Findings::default()
        };
        summarise(&mut findings, rate);
        for run in &mut findings.runs {
            run.subject = format!("{} at {rate}/s", run.subject);
        }
        all.figures.extend(findings.figures);
        all.runs.extend(findings.runs);
    }
    all.add_losses("latency");
    Ok(all)
}

fn summarise(findings: &mut Findings, rate: u32) {
    let unit = Unit::Microseconds;
    for (subject, name) in [("relay", "Relay"), ("tidings", "Tidings")] {
        for (quantile, of) in QUANTILES {
            let (id, title) = (
                format!("latency.{rate}.{subject}.{quantile}"),
                format!("{name} at {rate}/s: sent to received, {quantile}"),
            );
            findings.add_of(subject, id, title, unit, |run| of(&run.end_to_end));
        }
    }
    for (quantile, of) in QUANTILES {
        let (id, title) = (
            format!("latency.{rate}.beyond.{quantile}"),
            format!("Tidings beyond the relay at {rate}/s, {quantile}"),
        );
        let beyond = |tidings: &Run, relay: &Run| of(&tidings.end_to_end) - of(&relay.end_to_end);
        findings.add_pairs(("tidings", "relay"), id, title, unit, beyond);
    }
    for (quantile, of) in QUANTILES {
        let (id, title) = (
            format!("latency.{rate}.tidings.ack.{quantile}"),
            format!("Tidings at {rate}/s: sent to 202, {quantile}"),
        );
        findings.add_of("tidings", id, title, unit, |run| of(&run.generator.ack));
    }
    for figure in findings.figures.iter_mut().filter(|figure| figure.id.ends_with("p90")) {
        figure.detail = true; // the plot shows it
    }
}
