//! Ten million stored deliveries: lists of them as the portal and the API ask for them, against the same lists at ten thousand. Shows that a page costs
//! what it shows and not what is stored, also when what is looked for is rare and old. Takes some minutes, and eight gigabytes of disk.

use std::time::Duration;

use anyhow::ensure;
use tidings_client::{Client, DeliveryFilter, EventFilter, NewEventType, NewWebhook, PageRequest, SettingsChange, Webhook, WebhookChange};
use tidings_model::Timestamp;

use super::super::Bench;
use super::super::record::{Findings, Unit};
use super::super::stats::quantile;
use super::super::tidings::{EVENT_KEY, Server, signed};
use super::super::tools::{Amount, Load, Sink, ensure_answered, is_healthy};
use super::super::words::counted;
use crate::time::{Clock, pause, wall_us};

/// Webhooks that every event goes to.
const WEBHOOKS: u64 = 10;
/// Deliveries at which lists are measured first, and at last.
const DELIVERIES: (u64, u64) = (10_000, 10_000_000);
/// Events whose delivery to the first webhook fails for good, before all others: rare and old.
const RARE_EVENTS: u64 = 60;
/// What the key of these begins with; the generator puts a number behind it.
const RARE_PREFIX: &str = "bench.rare";
/// Events that are sent before it is waited for their deliveries.
const CHUNK: u64 = 20_000;
/// Times that each list is asked for, and its rows.
const ASKED: (usize, u32) = (500, 50);
/// How long nothing may come.
const PATIENCE: Duration = Duration::from_secs(60);
/// After the last delivery, before lists are measured.
const REST: Duration = Duration::from_secs(3);
/// Length of the times that are asked for.
const SPAN_US: u64 = 2_000_000;

pub(super) async fn run(bench: &Bench) -> anyhow::Result<Findings> {
    let sink = bench.tools.sink().await?;
    let mut server = bench.launch.start().await?;
    let first = set_up(&server, &sink).await?;
    let begun_us = wall_us();
    fail_some(bench, &server, &sink, &first).await?;

    let mut findings = Findings::default();
    let (few, many) = (bench.scaled(DELIVERIES.0), bench.scaled(DELIVERIES.1));
    let mut stored = fill(bench, &mut server, &sink, 0, few).await?;
    measure(bench, &mut findings, &server, &first, ("few", stored), begun_us).await?;
    stored = fill(bench, &mut server, &sink, stored, many).await?;
    let filled_us = wall_us() - begun_us;
    measure(bench, &mut findings, &server, &first, ("many", stored), begun_us).await?;

    let mut add = |name: &str, what: &str, unit, value: u64| {
        findings.add(
            format!("history.{name}"),
            format!("{} stored: {what}", counted(stored)),
            unit,
            [value as f64],
        );
    };
    add("setup", "making them", Unit::Microseconds, filled_us);
    add("disk", "data folder", Unit::Bytes, server.data_bytes());
    add("memory", "memory at rest", Unit::Bytes, server.process().memory()?.resident_bytes);
    Ok(findings)
}

/// Makes the webhooks; the first also gets the rare events.
async fn set_up(server: &Server, sink: &Sink) -> anyhow::Result<Webhook> {
    let rare = NewEventType {
        key: rare_key(),
        category: "Bench".to_owned(),
        ..NewEventType::default()
    };
    server.client().create_event_type(&rare).await?;
    let once = SettingsChange {
        retry_schedule: Some(vec![0]),
        ..SettingsChange::default()
    };
    server.set(once).await?; // what fails once has failed for good
    let first = NewWebhook {
        event_keys: vec![EVENT_KEY.to_owned(), rare_key()],
        ..signed(sink.at("/ok/w0"), EVENT_KEY)
    };
    let first = server.client().create_webhook(&first).await?.value;
    for webhook in 1..WEBHOOKS {
        server.webhook(sink.at(&format!("/ok/w{webhook}")), EVENT_KEY).await?;
    }
    Ok(first)
}

fn rare_key() -> String {
    format!("{RARE_PREFIX}0")
}

/// Sends the rare events to a first webhook that answers 500 meanwhile.
async fn fail_some(bench: &Bench, server: &Server, sink: &Sink, first: &Webhook) -> anyhow::Result<()> {
    let lead_to = |url| WebhookChange {
        url: Some(url),
        ..WebhookChange::default()
    };
    server
        .client()
        .change_webhook(&first.id, &lead_to(sink.at("/status/500/w0")))
        .await?;
    let load = Load {
        keys: Some((1, RARE_PREFIX)),
        ..Load::closed(4, Amount::Count(RARE_EVENTS))
    };
    let (figures, _) = bench.tools.generate(&load, &server.events_urls(), Some(server.token())).await?;
    ensure_answered(&figures)?;
    sink.wait_for(RARE_EVENTS, |_| true, PATIENCE).await?;
    pause(REST).await;
    let failed = server.metrics().await?.attempts("exhausted");
    ensure!(
        failed == RARE_EVENTS,
        "{failed} deliveries were to fail for good, not {RARE_EVENTS}"
    );
    server.client().change_webhook(&first.id, &lead_to(sink.at("/ok/w0"))).await?;
    Ok(())
}

/// Sends events until so many deliveries are stored; how many are.
async fn fill(bench: &Bench, server: &mut Server, sink: &Sink, mut stored: u64, wanted: u64) -> anyhow::Result<u64> {
    while stored < wanted {
        server.renew().await?;
        sink.reset().await?;
        let load = Load::closed(32, Amount::Count(CHUNK.min((wanted - stored).div_ceil(WEBHOOKS))));
        let (figures, _) = bench.tools.generate(&load, &server.events_urls(), Some(server.token())).await?;
        ensure_answered(&figures)?;
        let expected = figures.accepted * WEBHOOKS;
        let came = sink.wait_for(expected, is_healthy, PATIENCE).await?;
        ensure!(
            came.total.distinct == expected,
            "of {expected} deliveries, {} came",
            came.total.distinct
        );
        stored += expected;
        bench.say("history", &format!("{} of {} deliveries stored", counted(stored), counted(wanted)));
    }
    pause(REST).await;
    Ok(stored)
}

/// What is asked for.
enum List {
    Deliveries(DeliveryFilter),
    Events(EventFilter),
}

impl List {
    async fn ask(&self, client: &Client) -> anyhow::Result<usize> {
        let page = PageRequest {
            limit: Some(ASKED.1),
            cursor: None,
        };
        Ok(match self {
            Self::Deliveries(filter) => client.deliveries(filter, &page).await?.data.len(),
            Self::Events(filter) => client.events(filter, &page).await?.data.len(),
        })
    }
}

/// The lists, each with the end of its id and what people call it. `middle_us` is a time at which deliveries were made.
fn lists(webhook: &Webhook, middle_us: u64) -> Vec<(&'static str, &'static str, List)> {
    let of_webhook = |status: Option<&str>| {
        List::Deliveries(DeliveryFilter {
            webhook_id: Some(webhook.id.clone()),
            status: status.map(str::to_owned),
            ..DeliveryFilter::default()
        })
    };
    let at = |us: u64| Some(Timestamp::from_millis((us / 1_000) as i64).to_string());
    let every = DeliveryFilter::default;
    let key = |key: &str| DeliveryFilter {
        event_key: Some(key.to_owned()),
        ..every()
    };
    let of_time = DeliveryFilter {
        from: at(middle_us),
        until: at(middle_us + SPAN_US),
        ..every()
    };
    let of_nobody = DeliveryFilter {
        tenant_id: Some("bench-nobody".to_owned()),
        ..every()
    };
    let rare_events = EventFilter {
        event_key: Some(rare_key()),
        ..EventFilter::default()
    };
    vec![
        ("webhook", "of a webhook", of_webhook(None)),
        ("webhook.delivered", "of a webhook, delivered", of_webhook(Some("delivered"))),
        (
            "webhook.exhausted",
            "of a webhook, exhausted (the 60 oldest)",
            of_webhook(Some("exhausted")),
        ),
        ("webhook.pending", "of a webhook, pending (none)", of_webhook(Some("pending"))),
        ("key", "of an event key", List::Deliveries(key(EVENT_KEY))),
        ("key.rare", "of a rare key (the 60 oldest)", List::Deliveries(key(&rare_key()))),
        ("tenant.unknown", "of a tenant without any", List::Deliveries(of_nobody)),
        ("time", "of two seconds in the middle", List::Deliveries(of_time)),
        ("events", "of events", List::Events(EventFilter::default())),
        ("events.rare", "of events of a rare key (the 60 oldest)", List::Events(rare_events)),
    ]
}

/// Asks for every list many times, one request after the other.
async fn measure(
    bench: &Bench,
    findings: &mut Findings,
    server: &Server,
    webhook: &Webhook,
    (id, stored): (&str, u64),
    begun_us: u64,
) -> anyhow::Result<()> {
    let clock = Clock::start();
    for (name, what, list) in lists(webhook, u64::midpoint(begun_us, wall_us())) {
        bench.say("history", &format!("{} stored, {} times a page {what}", counted(stored), ASKED.0));
        let (mut durations_us, mut rows) = (Vec::new(), 0);
        for _ in 0..ASKED.0 {
            let asked_us = clock.now_us();
            rows = list.ask(server.client()).await?;
            durations_us.push(clock.now_us() - asked_us);
        }
        let mut add = |part: &str, value: u64| {
            let title = format!("{} stored, a page {what}: {rows} rows, {part}", counted(stored));
            findings.add(format!("history.{id}.{name}.{part}"), title, Unit::Microseconds, [value as f64]);
        };
        add("p99", quantile(&mut durations_us, 0.99));
        add("p50", quantile(&mut durations_us, 0.5));
        findings.demote(findings.figures.len() - 1);
    }
    Ok(())
}
