//! The road of an event, from accepting it to the attempt in the log.

use std::sync::Arc;
use std::time::Duration;

use tidings_model::delivery::StatusFilter;
use tidings_model::{CancelReason, DeliveryState, DisableReason, FailureKind, Verdict, WebhookState};
use tidings_store::{Page, Store, WebhookFilter};

use crate::support::{Does, START, World};

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;

#[tokio::test]
async fn an_accepted_event_goes_once_to_every_webhook_that_matches() {
    let mut world = World::new().await;
    let first = world.webhook("first", &[Does::Answers(200)]).await;
    let second = world.webhook("second", &[Does::Answers(204)]).await;

    let accepted = world.publish().await;

    assert!(accepted.fresh && accepted.deliveries == 2);
    for (name, webhook) in [("first", first), ("second", second)] {
        let requests = world.requests(name);
        assert_eq!(requests.len(), 1);
        let message_id = requests[0]
            .headers
            .iter()
            .find(|(name, _)| name == "webhook-id")
            .map(|(_, value)| value.clone());
        assert_eq!(message_id, Some(accepted.event.to_string()));
        let detail = world.only_delivery(webhook).await;
        assert!(matches!(detail.delivery.state, DeliveryState::Delivered { .. }));
        assert_eq!(detail.attempts.len(), 1);
    }
}

#[tokio::test]
async fn a_failing_endpoint_is_tried_on_the_schedule_to_the_millisecond_until_it_recovers() {
    let mut world = World::new().await;
    let script = [
        Does::Answers(500),
        Does::Answers(404),
        Does::Breaks,
        Does::Answers(302),
        Does::Answers(200),
    ];
    let webhook = world.webhook("flaky", &script).await;

    world.publish().await;
    world.pass(Duration::from_secs(4 * 3_600)).await;

    let expected = [
        0,
        5 * SECOND,
        5 * SECOND + 5 * MINUTE,
        5 * SECOND + 35 * MINUTE,
        5 * SECOND + 35 * MINUTE + 2 * HOUR,
    ];
    assert_eq!(world.times("flaky"), expected);
    let detail = world.only_delivery(webhook).await;
    assert!(matches!(detail.delivery.state, DeliveryState::Delivered { .. }));
    let reasons: Vec<_> = detail.attempts.iter().map(|attempt| attempt.exchange.summary()).collect();
    assert_eq!(reasons, ["HTTP 500", "HTTP 404", "connection refused", "HTTP 302", "HTTP 200"]);
    let numbers: Vec<_> = detail.attempts.iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn when_the_schedule_has_run_out_the_delivery_is_exhausted() {
    let mut world = World::new().await;
    let webhook = world.webhook("dead", &[Does::Breaks]).await;

    world.publish().await;
    world.pass(Duration::from_secs(4 * 24 * 3_600)).await;

    assert_eq!(world.times("dead").len(), 10);
    let detail = world.only_delivery(webhook).await;
    assert!(matches!(detail.delivery.state, DeliveryState::Exhausted { .. }));
    let last = detail.attempts.last().unwrap();
    assert_eq!(
        (last.verdict, last.exchange.failure.as_ref().unwrap().kind),
        (Verdict::Exhausted, FailureKind::Connect)
    );
}

#[tokio::test]
async fn a_receiver_that_is_gone_is_disabled_and_what_arrives_later_is_kept_as_skipped() {
    let mut world = World::new().await;
    let webhook = world.webhook("gone", &[Does::Answers(410)]).await;

    world.publish().await;
    world.publish().await;

    assert_eq!(world.times("gone").len(), 1);
    let stored = world.store.webhook(world.environment, webhook).await.unwrap().unwrap().webhook;
    assert!(matches!(
        stored.state,
        WebhookState::Disabled {
            why: DisableReason::Gone,
            ..
        }
    ));
    let reasons: Vec<_> = world
        .deliveries(webhook, Some(StatusFilter::Cancelled))
        .await
        .iter()
        .map(|delivery| delivery.state)
        .collect();
    assert!(matches!(
        reasons[0],
        DeliveryState::Cancelled {
            why: CancelReason::WebhookDisabled,
            ..
        }
    ));
    assert!(matches!(
        reasons[1],
        DeliveryState::Cancelled {
            why: CancelReason::Gone,
            ..
        }
    ));
}

#[tokio::test]
async fn a_webhook_that_fails_for_five_days_without_a_success_is_disabled() {
    let mut world = World::new().await;
    let webhook = world.webhook("failing", &[Does::Answers(503)]).await;

    for _ in 0..6 {
        world.publish().await;
        world.pass(Duration::from_secs(24 * 3_600)).await;
    }

    let stored = world.store.webhook(world.environment, webhook).await.unwrap().unwrap().webhook;
    assert!(
        matches!(
            stored.state,
            WebhookState::Disabled {
                why: DisableReason::Failing,
                ..
            }
        ),
        "{:?}",
        stored.state
    );
    assert!(
        world.deliveries(webhook, Some(StatusFilter::Pending)).await.is_empty(),
        "what was waiting is cancelled"
    );
}

#[tokio::test]
async fn what_waits_for_a_deleted_webhook_is_cancelled_and_never_sent() {
    let mut world = World::new().await;
    let webhook = world.webhook("leaving", &[Does::Answers(500)]).await;
    world.publish().await;

    world.store.delete_webhook(world.environment, webhook, START).await.unwrap();
    world.engine.changed(world.environment).await.unwrap();
    world.pass(Duration::from_secs(3_600)).await;

    assert_eq!(world.times("leaving").len(), 1);
    let states: Vec<_> = world
        .deliveries(webhook, None)
        .await
        .iter()
        .map(|delivery| delivery.state)
        .collect();
    assert!(matches!(
        states[..],
        [DeliveryState::Cancelled {
            why: CancelReason::WebhookDeleted,
            ..
        }]
    ));
}

#[tokio::test]
async fn an_endpoint_that_hangs_holds_up_nobody_else() {
    let mut world = World::new().await;
    let hanging = world.webhook("hanging", &[Does::Hangs]).await;
    let healthy = world.webhook("healthy", &[Does::Answers(200)]).await;

    for _ in 0..600 {
        world.publish().await;
    }

    assert_eq!(world.deliveries(healthy, Some(StatusFilter::Delivered)).await.len(), 600);
    assert!(
        world.times("hanging").len() <= 8,
        "a lane has a bounded number of attempts under way"
    );
    assert!(world.engine.lanes.queued(hanging) <= 512, "and a bounded queue");
    assert_eq!(world.deliveries(hanging, Some(StatusFilter::Pending)).await.len(), 600);
}

#[tokio::test]
async fn what_does_not_fit_in_memory_waits_in_the_store_and_is_all_sent() {
    let mut world = World::new().await;
    let mut script = vec![Does::Hangs; 8];
    script.push(Does::Answers(200));
    let webhook = world.webhook("slow", &script).await;
    for _ in 0..600 {
        world.publish().await;
    }

    world.release(8).await;
    world.pass(Duration::from_secs(3_600)).await;

    assert_eq!(world.deliveries(webhook, Some(StatusFilter::Delivered)).await.len(), 600);
    assert_eq!(world.times("slow").len(), 608, "each once, and the eight that timed out once more");
}

#[tokio::test]
async fn a_crash_costs_at_most_a_duplicate_and_never_a_delivery() {
    let mut world = World::new().await;
    let webhook = world
        .webhook("receiver", &[Does::Hangs, Does::Answers(500), Does::Answers(200)])
        .await;
    world.publish().await;
    world.publish().await;

    world.crash().await;
    world.pass(Duration::from_secs(600)).await;

    let delivered = world.deliveries(webhook, Some(StatusFilter::Delivered)).await;
    assert_eq!(delivered.len(), 2);
    assert_eq!(
        world.times("receiver").len(),
        4,
        "the one under way was sent again, the failed one retried"
    );
}

#[tokio::test]
async fn with_another_master_key_nothing_starts_and_nothing_is_sent() {
    let mut world = World::new().await;
    let webhook = world.webhook("receiver", &[Does::Answers(500), Does::Answers(200)]).await;
    world.publish().await;
    world.shutdown.force();

    let refused = world.start_with([4; 32]).await.err().map(|error| error.to_string()).unwrap();
    assert!(
        refused.contains("start with the key") && refused.contains("master.key"),
        "{refused}"
    );
    assert_eq!(
        world.deliveries(webhook, Some(StatusFilter::Pending)).await.len(),
        1,
        "it waits for the right key"
    );
    assert!(world.start_with([3; 32]).await.is_ok());
}

#[tokio::test]
async fn an_event_never_misses_a_webhook_that_was_there_before_it() {
    let mut world = World::new().await;
    let webhook = world.unannounced_webhook("unheard").await;

    world.publish().await;

    assert_eq!(world.times("unheard").len(), 1);
    assert_eq!(world.deliveries(webhook, Some(StatusFilter::Delivered)).await.len(), 1);
}

#[tokio::test]
async fn an_answer_of_429_slows_the_whole_webhook_down() {
    let mut world = World::new().await;
    world
        .webhook("busy", &[Does::AnswersWith(429, "retry-after", "60"), Does::Answers(200)])
        .await;
    world.publish().await;
    world.publish().await;

    world.pass(Duration::from_secs(30)).await;
    assert_eq!(world.times("busy"), [0]);
    world.pass(Duration::from_secs(60)).await;
    let times = world.times("busy");
    assert_eq!(times.len(), 3);
    assert!(times[1..].iter().all(|at| *at >= MINUTE), "{times:?}");
}

#[tokio::test]
async fn a_single_503_holds_the_other_events_of_its_webhook_up_for_a_moment_only() {
    let mut world = World::new().await;
    world.webhook("hiccup", &[Does::Answers(503), Does::Answers(200)]).await;
    for _ in 0..3 {
        world.publish().await;
    }

    world.pass(Duration::from_secs(1)).await;

    let times = world.times("hiccup");
    assert_eq!(times.len(), 3, "all but the retry have been sent: {times:?}");
    assert!(times[1..].iter().all(|at| (250..=1_000).contains(at)), "{times:?}");
}

#[tokio::test]
async fn stopping_waits_for_what_is_under_way_and_gives_back_what_is_queued() {
    let mut world = World::new().await;
    let webhook = world.webhook("slow", &[Does::Hangs]).await;
    for _ in 0..20 {
        world.publish().await;
    }

    let engine = world.engine.clone();
    let ((), ()) = tokio::join!(engine.stop(Duration::from_secs(10)), world.release(8));

    assert_eq!(world.times("slow").len(), 8, "nothing new is sent");
    assert!(
        world
            .deliveries(webhook, Some(StatusFilter::Pending))
            .await
            .iter()
            .all(|delivery| !delivery.leased)
    );
}

#[tokio::test]
async fn an_attempt_that_outlasts_the_grace_does_not_hold_up_the_end() {
    let mut world = World::new().await;
    world.webhook("slow", &[Does::Hangs]).await;
    world.publish().await;
    let engine = world.engine.clone();

    tokio::join!(engine.stop(Duration::from_secs(2)), world.pass(Duration::from_secs(3)));
    world.shutdown.begin();
    world.leap(Duration::ZERO).await;

    assert_eq!(world.times("slow").len(), 1, "it is under way");
    assert_eq!(
        Arc::strong_count(&engine),
        2,
        "no task of the engine is left, only it here and in the world"
    );
}

#[tokio::test]
async fn retention_removes_what_is_old_and_finished() {
    let mut world = World::new().await;
    let webhook = world.webhook("receiver", &[Does::Answers(200)]).await;
    world.publish().await;
    world.leap(Duration::from_secs(29 * 24 * 3_600)).await;
    world.publish().await;

    world.leap(Duration::from_secs(2 * 24 * 3_600)).await;

    assert_eq!(world.deliveries(webhook, None).await.len(), 1);
    let webhooks = world
        .store
        .webhooks(world.environment, &WebhookFilter::default(), Page::first(10))
        .await
        .unwrap();
    assert_eq!(webhooks[0].health.attempts, 2, "the figures of the webhook stay");
}
