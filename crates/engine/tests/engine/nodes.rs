//! Several nodes on one store: who is gone is noticed, and who was only away does no harm.

use std::time::Duration;

use tidings_model::delivery::{CancelReason, StatusFilter};
use tidings_model::{Environment, EnvironmentId, Settings, WebhookId};
use tidings_store::{MISSED_BEATS_MAX, Start, Store as _};

use crate::support::{BEAT_EVERY, Does, START, World, pass, settle};

/// Until the others are sure that a node is gone.
fn noticed() -> Duration {
    BEAT_EVERY * (MISSED_BEATS_MAX + 1)
}

#[tokio::test]
async fn what_a_dead_node_had_is_sent_by_another_as_soon_as_that_is_noticed() {
    let mut world = World::new().await;
    let neighbour = world.neighbour().await;
    let webhook = world.webhook("receiver", &[Does::Hangs, Does::Answers(200)]).await;
    world.publish().await;
    assert_eq!(world.times("receiver").len(), 1);

    world.shutdown.force(); // it dies with the request under way
    pass(
        &neighbour.clock,
        (BEAT_EVERY * MISSED_BEATS_MAX).saturating_sub(Duration::from_secs(1)),
    )
    .await;
    assert_eq!(world.times("receiver").len(), 1, "it may live");
    pass(&neighbour.clock, BEAT_EVERY * 2).await;

    assert_eq!(world.times("receiver").len(), 2, "well before its lease ends by itself");
    assert_eq!(world.deliveries(webhook, Some(StatusFilter::Delivered)).await.len(), 1);
    assert_eq!(world.store.nodes().await.unwrap().len(), 1);
    drop(neighbour.engine);
}

#[tokio::test]
async fn what_a_node_that_stopped_left_under_way_is_sent_by_another_with_its_next_beat() {
    let mut world = World::new().await;
    let neighbour = world.neighbour().await;
    let webhook = world.webhook("receiver", &[Does::Hangs, Does::Answers(200)]).await;
    world.publish().await;

    tokio::join!(world.engine.stop(Duration::from_secs(1)), world.pass(Duration::from_secs(2)));
    world.shutdown.force();
    pass(&neighbour.clock, BEAT_EVERY + Duration::from_secs(1)).await;

    assert_eq!(world.times("receiver").len(), 2);
    assert_eq!(world.deliveries(webhook, Some(StatusFilter::Delivered)).await.len(), 1);
}

#[tokio::test]
async fn a_node_that_was_stopped_sends_and_settles_nothing_that_others_took_over() {
    let mut world = World::new().await;
    let webhook = world.webhook("receiver", &[Does::Hangs]).await;
    for _ in 0..20 {
        world.publish().await;
    }
    assert_eq!((world.times("receiver").len(), world.engine.lanes.queued(webhook)), (8, 12));
    world.answer("receiver", &[Does::Answers(200)]);
    let neighbour = world.neighbour().await;

    pass(&neighbour.clock, noticed()).await; // meanwhile nothing happens at the first
    assert_eq!(world.deliveries(webhook, Some(StatusFilter::Delivered)).await.len(), 20);
    assert_eq!(world.times("receiver").len(), 8 + 20);

    world.leap(noticed()).await; // it wakes up
    world.release(8).await;
    for _ in 0..=MISSED_BEATS_MAX {
        world.pass(BEAT_EVERY).await;
        pass(&neighbour.clock, BEAT_EVERY).await;
    }
    assert_eq!(world.times("receiver").len(), 8 + 20, "what it had queued it sends no more");
    let deliveries = world.deliveries(webhook, None).await;
    let attempts: usize = deliveries.iter().map(|delivery| usize::from(delivery.attempts)).sum();
    assert_eq!(attempts, 20, "what it had under way it does not settle");
    assert_eq!(world.store.nodes().await.unwrap().len(), 2, "it joined anew");

    world.publish().await;
    assert_eq!(world.times("receiver").len(), 8 + 20 + 1, "and goes on");
    neighbour.shutdown.force();
}

#[tokio::test]
async fn nobody_looks_dead_because_the_store_was_away_or_a_clock_is_wrong() {
    let world = World::new().await;
    let neighbour = world.neighbour().await;
    let numbers = |nodes: Vec<tidings_store::Node>| nodes.iter().map(|node| node.number).collect::<Vec<_>>();
    let before = numbers(world.store.nodes().await.unwrap());

    neighbour.clock.advance(Duration::from_secs(5 * 24 * 3_600)); // one beat, days later by its own clock
    for _ in 0..3 * MISSED_BEATS_MAX {
        world.pass(BEAT_EVERY).await;
        pass(&neighbour.clock, BEAT_EVERY).await;
    }

    assert_eq!(numbers(world.store.nodes().await.unwrap()), before);
}

#[tokio::test]
async fn several_nodes_share_the_concurrency_of_a_webhook() {
    let mut world = World::new().await;
    let neighbour = world.neighbour().await;
    world.pass(BEAT_EVERY).await;
    let webhook = world.webhook("receiver", &[Does::Answers(200)]).await;
    for _ in 0..100 {
        world.publish().await; // widens the lane
    }
    world.answer("receiver", &[Does::Hangs]);

    for _ in 0..100 {
        world.publish().await;
    }
    assert_eq!(world.engine.metrics.in_flight.get(), 64 / 2);

    neighbour.engine.stop(Duration::from_secs(1)).await;
    neighbour.shutdown.force();
    world.pass(BEAT_EVERY).await;
    world.publish().await;
    assert_eq!(world.engine.metrics.in_flight.get(), 64, "who leaves is not counted");
    assert!(world.engine.lanes.queued(webhook) > 0);
}

#[tokio::test]
async fn what_one_node_changes_the_others_know_as_soon_as_they_are_told() {
    let mut world = World::new().await;
    let neighbour = world.neighbour().await;
    let webhook = world.webhook("receiver", &[Does::Answers(200)]).await;
    let knows = || {
        let routes = neighbour.engine.directory.routes(world.environment).unwrap();
        routes.destination(webhook).is_some()
    };
    settle().await; // and no time passes
    assert!(knows());
}

#[tokio::test]
async fn whoever_becomes_the_eldest_looks_the_store_through() {
    let mut world = World::new().await;
    let neighbour = world.neighbour().await;
    let webhook = world.webhook("receiver", &[Does::Answers(200)]).await;
    misplace_a_delivery(&world, webhook).await;
    for _ in 0..3 {
        world.pass(BEAT_EVERY).await;
        pass(&neighbour.clock, BEAT_EVERY).await;
    }
    assert_eq!(
        neighbour.engine.metrics.unsound.get(),
        0,
        "as long as an older one lives, that is not its work"
    );

    world.shutdown.force();
    pass(&neighbour.clock, noticed() + BEAT_EVERY * 2).await;

    assert_eq!(neighbour.engine.metrics.unsound.get(), 1);
}

#[tokio::test]
async fn a_store_that_is_away_while_it_is_looked_through_is_looked_through_when_it_is_back() {
    let mut world = World::new().await;
    let webhook = world.webhook("receiver", &[Does::Answers(200)]).await;
    misplace_a_delivery(&world, webhook).await;
    world.store.refuse_looks(3); // the count of orphans may take one of them
    world.crash().await;

    world.pass(noticed() + BEAT_EVERY * 5).await;

    assert_eq!(world.engine.metrics.unsound.get(), 1);
}

/// An event of another environment that goes to that webhook, which no store is asked for.
async fn misplace_a_delivery(world: &World, webhook: WebhookId) {
    let other = Environment {
        id: EnvironmentId::from_chance([9; 16]),
        name: "Other".to_owned(),
        settings: Settings::default(),
        created_at: START,
    };
    world.store.create_environment(&other).await.unwrap().unwrap();
    world.append(other.id, webhook, Start::Skipped(CancelReason::WebhookDisabled)).await;
}
