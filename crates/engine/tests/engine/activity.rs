//! What is counted of the road, and who is told of it.

use std::time::Duration;

use tidings_engine::activity::{ENVIRONMENT_SPAN, WEBHOOK_SPAN};
use tidings_model::limits::{ACTIVITY_DAYS, AUDIT_DAYS};
use tidings_model::{EnvironmentId, Timestamp, WebhookId};
use tidings_store::{Activity, ActivityCounts, AuditEntry, AuditFilter, Page, Store};

use crate::support::{Does, START, World};

const fn counts(accepted: u64, delivered: u64, failed: u64) -> ActivityCounts {
    ActivityCounts {
        accepted,
        delivered,
        failed,
    }
}

/// When the span begins that a time is in.
fn span_of(at: Timestamp, span: Duration) -> Timestamp {
    let millis = i64::try_from(span.as_millis()).unwrap();
    Timestamp::from_millis(at.as_millis() / millis * millis)
}

/// What the engine says was counted, as times and counts.
async fn read(world: &World, webhooks: &[WebhookId]) -> Vec<Activity> {
    let (first, last) = (Timestamp::from_millis(0), Timestamp::MAX);
    world.engine.activity.read(world.environment, webhooks, first, last).await.unwrap()
}

/// What is in the store, of the whole environment.
async fn written(world: &World) -> Vec<Activity> {
    let (first, last) = (Timestamp::from_millis(0), Timestamp::MAX);
    world.store.activity(world.environment, &[], first, last).await.unwrap()
}

#[tokio::test]
async fn what_happens_is_seen_at_once_and_written_a_little_later() {
    let mut world = World::new().await;
    let well = world.webhook("well", &[Does::Answers(200)]).await;
    let ill = world.webhook("ill", &[Does::Answers(500)]).await;
    let idle = WebhookId::new(START, 999);
    world.publish().await;

    let environment = world.environment;
    let row = |webhook, from, counts| Activity {
        environment,
        webhook,
        from,
        counts,
    };
    let whole = [row(None, span_of(START, ENVIRONMENT_SPAN), counts(1, 1, 1))];
    let hour = span_of(START, WEBHOOK_SPAN);
    let each = [row(Some(well), hour, counts(0, 1, 0)), row(Some(ill), hour, counts(0, 0, 1))];
    assert_eq!(read(&world, &[]).await, whole);
    assert_eq!(read(&world, &[ill, idle, well]).await, each);
    assert_eq!(written(&world).await, [], "nothing is written for every event");

    world.pass(Duration::from_secs(5)).await;

    let whole = [row(None, span_of(START, ENVIRONMENT_SPAN), counts(1, 1, 2))]; // the first retry fell due in the meantime
    assert_eq!(read(&world, &[]).await, whole);
    assert_eq!(written(&world).await.len(), 1);
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(read(&world, &[]).await, whole, "what was written is not counted twice");
    assert_eq!(written(&world).await, whole);
}

#[tokio::test]
async fn a_minute_of_the_environment_and_an_hour_of_a_webhook_begin_on_the_clock() {
    let mut world = World::new().await;
    let webhook = world.webhook("receiver", &[Does::Answers(200)]).await;
    world.publish().await;
    world.pass(ENVIRONMENT_SPAN).await;
    world.publish().await;
    world.publish().await;
    world.pass(WEBHOOK_SPAN).await;
    world.publish().await;

    let of = |spans: Vec<Activity>| spans.into_iter().map(|span| (span.from, span.counts)).collect::<Vec<_>>();
    let first = span_of(START, ENVIRONMENT_SPAN);
    let minutes = [
        (first, counts(1, 1, 0)),
        (first + ENVIRONMENT_SPAN, counts(2, 2, 0)),
        (first + ENVIRONMENT_SPAN + WEBHOOK_SPAN, counts(1, 1, 0)),
    ];
    assert_eq!(of(read(&world, &[]).await), minutes);
    let first = span_of(START, WEBHOOK_SPAN);
    let hours = [(first, counts(0, 3, 0)), (first + WEBHOOK_SPAN, counts(0, 1, 0))];
    assert_eq!(of(read(&world, &[webhook]).await), hours);

    let (from, until) = (minutes[1].0, minutes[2].0);
    let part = world.engine.activity.read(world.environment, &[], from, until).await.unwrap();
    assert_eq!(of(part), minutes[1..2], "from the beginning on, before the end");
    let elsewhere = EnvironmentId::from_chance([9; 16]);
    assert_eq!(world.engine.activity.read(elsewhere, &[], START, Timestamp::MAX).await.unwrap(), []);
}

#[tokio::test]
async fn stopping_writes_what_was_counted() {
    let mut world = World::new().await;
    world.webhook("receiver", &[Does::Answers(200)]).await;
    world.publish().await;
    let counted = read(&world, &[]).await;
    assert_eq!(written(&world).await, []);

    world.engine.stop(Duration::from_secs(1)).await;

    assert_eq!(written(&world).await, counted);
}

#[tokio::test]
async fn a_crash_costs_the_figures_that_were_not_written_and_nothing_of_the_log() {
    let mut world = World::new().await;
    let webhook = world.webhook("receiver", &[Does::Answers(200)]).await;
    world.publish().await;
    world.pass(Duration::from_secs(5)).await;
    world.publish().await;

    world.crash().await;

    assert_eq!(read(&world, &[webhook]).await[0].counts, counts(0, 1, 0));
    assert_eq!(world.deliveries(webhook, None).await.len(), 2);
}

#[tokio::test]
async fn a_pulse_rises_with_what_is_accepted_and_with_what_is_settled() {
    let mut world = World::new().await;
    world.webhook("slow", &[Does::Hangs]).await;
    let mut here = world.engine.activity.pulse(world.environment);
    let elsewhere = world.engine.activity.pulse(EnvironmentId::from_chance([9; 16]));
    let before = *here.borrow_and_update();

    world.publish().await;
    assert!(here.has_changed().unwrap(), "accepted");
    let accepted = *here.borrow_and_update();
    assert!(accepted > before);
    world.release(1).await;
    assert!(here.has_changed().unwrap(), "settled");
    assert!(*here.borrow_and_update() > accepted);
    assert!(!elsewhere.has_changed().unwrap(), "nothing happened there");
}

#[tokio::test]
async fn a_pulse_rises_when_what_waits_is_cancelled() {
    let mut world = World::new().await;
    let webhook = world.webhook("flaky", &[Does::Breaks]).await;
    world.publish().await;
    let mut pulse = world.engine.activity.pulse(world.environment);
    pulse.mark_unchanged();

    assert!(world.store.delete_webhook(world.environment, webhook, START).await.unwrap());
    world.engine.changed(world.environment).await.unwrap();
    world.pass(Duration::from_secs(1)).await;

    assert!(pulse.has_changed().unwrap());
}

#[tokio::test]
async fn history_is_forgotten_when_it_is_too_old() {
    let mut world = World::new().await;
    world.webhook("receiver", &[Does::Answers(200)]).await;
    world.publish().await;
    let entry = AuditEntry {
        at: START,
        actor: "person zoe@example.com".to_owned(),
        action: "webhook.created".to_owned(),
        environment: Some(world.environment),
        target: String::new(),
        detail: String::new(),
    };
    world.store.record_audit(&entry).await.unwrap();
    let day = Duration::from_secs(24 * 3_600);
    let kept = async |world: &World| {
        let audit = world.store.audit(&AuditFilter::default(), Page::first(10)).await.unwrap();
        (written(world).await.len(), audit.len())
    };

    world.leap(day * (ACTIVITY_DAYS as u32 - 1)).await;
    assert_eq!(kept(&world).await, (1, 1));
    world.leap(day * 2).await;
    assert_eq!(kept(&world).await, (0, 1));
    world.leap(day * (AUDIT_DAYS as u32)).await;
    assert_eq!(kept(&world).await, (0, 0));
}
