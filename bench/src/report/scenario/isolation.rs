//! Ten customers with a webhook each, at a steady rate; two of them hang until the deadline, or always answer 500. Shows what the other eight feel of it:
//! their p99 against that of an undisturbed run at the same rate.

use tidings_client::{NewEventType, SettingsChange};

use super::super::Bench;
use super::super::record::{Findings, Run, Unit};
use super::super::stats::per;
use super::super::tools::{Amount, Load, Sink};
use super::super::trial::{Subject, Trial};

/// Webhooks, each with an event key of its own.
const WEBHOOKS: u32 = 10;
/// How many of them are disturbed.
const DISTURBED: u32 = 2;
/// Events a second, in turn to each of them.
const RATE: u32 = 1_000;
/// What the event keys begin with.
const KEY_PREFIX: &str = "bench.customer";
/// What becomes of the disturbed ones: the name of the run, and the path at the sink.
const VARIANTS: [(&str, &str); 3] = [("undisturbed", "/ok"), ("hanging", "/hang"), ("failing", "/status/500")];

pub(super) async fn run(bench: &Bench) -> anyhow::Result<Findings> {
    let mut findings = Findings::default();
    for round in 1..=bench.rounds {
        for (variant, path) in VARIANTS {
            findings.runs.push(one(bench, round, variant, path).await?);
        }
    }
    let unit = Unit::Microseconds;
    let p99 = |run: &Run| run.end_to_end.p99_us as f64;
    for (variant, whose) in [
        ("undisturbed", "Ten healthy webhooks"),
        ("hanging", "Eight healthy, two hanging"),
        ("failing", "Eight healthy, two failing"),
    ] {
        let p50 = |run: &Run| run.end_to_end.p50_us as f64;
        findings.add_of(
            variant,
            format!("isolation.{variant}.p50"),
            format!("{whose}: p50 of the healthy"),
            unit,
            p50,
        );
        findings.add_of(
            variant,
            format!("isolation.{variant}.p99"),
            format!("{whose}: p99 of the healthy"),
            unit,
            p99,
        );
    }
    for variant in ["hanging", "failing"] {
        let (id, title) = (
            format!("isolation.{variant}.ratio"),
            format!("p99 with two {variant}, of the undisturbed"),
        );
        findings.add_pairs((variant, "undisturbed"), id, title, Unit::Times, |run, undisturbed| {
            per(p99(run), p99(undisturbed))
        });
    }
    findings.add_losses("isolation");
    Ok(findings)
}

/// Runs one variant.
async fn one(bench: &Bench, round: usize, variant: &str, path: &str) -> anyhow::Result<Run> {
    let load = Load {
        keys: Some((WEBHOOKS, KEY_PREFIX)),
        ..Load::open(RATE, bench.pick(4, 15))
    };
    bench.say("isolation", &format!("round {round} of {}: {variant}, {load}", bench.rounds));
    let sink = bench.tools.sink().await?;
    let subject = customers(bench, &sink, path).await?;
    let trial = Trial {
        subject: &subject,
        called: Some(variant),
        sink: &sink,
        round,
    };
    let disturbed = if path == "/ok" { 0 } else { DISTURBED };
    let expected = |accepted| healthy(accepted, disturbed);
    // The warming up disturbs as well: what is measured is the state that lasts.
    trial
        .warm(bench, &load.lasting(Amount::Seconds(bench.pick(1, 2))), expected)
        .await?;
    trial.run(bench, &load, expected).await
}

/// A server with a key and a webhook for each customer; the first of them lead to that path.
async fn customers(bench: &Bench, sink: &Sink, disturbed: &str) -> anyhow::Result<Subject> {
    let server = bench.launch.start().await?;
    // Short, so that attempts that hang also end, and begin again, within the run.
    let timeout_ms = Some(bench.pick(2_000, 5_000));
    let settings = SettingsChange {
        timeout_ms,
        ..SettingsChange::default()
    };
    server.set(settings).await?;
    for customer in 0..WEBHOOKS {
        let key = format!("{KEY_PREFIX}{customer}");
        let event_type = NewEventType {
            key: key.clone(),
            category: "Bench".to_owned(),
            ..NewEventType::default()
        };
        server.client().create_event_type(&event_type).await?;
        let path = if customer < DISTURBED { disturbed } else { "/ok" };
        server.webhook(sink.at(&format!("{path}/w{customer}")), &key).await?;
    }
    Ok(Subject::Tidings(Box::new(server)))
}

/// How many of so many events, which go to the customers in turn, go to those after the first `disturbed`.
fn healthy(accepted: u64, disturbed: u32) -> u64 {
    let (webhooks, disturbed) = (u64::from(WEBHOOKS), u64::from(disturbed));
    accepted / webhooks * (webhooks - disturbed) + (accepted % webhooks).saturating_sub(disturbed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_events_of_healthy_customers_are_counted_by_turns() {
        assert_eq!([0, 1, 2, 3, 10, 25].map(|accepted| healthy(accepted, 2)), [0, 0, 0, 1, 8, 19]);
        assert_eq!(healthy(25, 0), 25);
    }
}
