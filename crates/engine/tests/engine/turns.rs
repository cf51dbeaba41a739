//! Fair turns and fair shares of places between tenants, when there is more to send than may be under way.

use std::time::Duration;

use tidings_engine::AcceptError;
use tidings_engine::lanes::{IN_FLIGHT_MAX, UNPROVEN_MAX};
use tidings_model::limits::REQUEST_DELIVERIES_MAX;

use crate::support::{Does, World};

/// Whom the requests went to after the first so many.
fn tenants_after(world: &World, count: usize) -> Vec<String> {
    let tenant = |receiver: &String| receiver.split('-').next().unwrap().to_owned();
    world.receivers().iter().skip(count).map(tenant).collect()
}

#[tokio::test]
async fn a_tenant_whose_webhooks_answered_and_then_all_hang_leaves_half_of_all_places_to_others() {
    let mut world = World::new().await;
    world.webhooks_of("large", 300, &[Does::Answers(200), Does::Hangs]).await;
    world.webhooks_of("small", 1, &[Does::Answers(200)]).await;
    world.publish_of("large", 1).await; // who has answered once may take every place
    world.publish_of("large", 20).await;
    let before = world.receivers().len();
    let half = IN_FLIGHT_MAX / 2;
    assert!((half - 8..=half).contains(&(before - 300)), "{} are under way", before - 300);

    world.publish_of("small", 3).await;
    assert_eq!(tenants_after(&world, before), ["small"; 3]);

    world.release(6).await;
    assert_eq!(
        tenants_after(&world, before + 3),
        ["large"; 6],
        "each place that is given back is taken again"
    );
}

#[tokio::test]
async fn a_webhook_that_answers_goes_on_when_all_others_of_its_tenant_hang() {
    let mut world = World::new().await;
    world.webhook_of("large", "large-well", &[Does::Answers(200)]).await;
    world.webhooks_of("large", 300, &[Does::Answers(200), Does::Hangs]).await;
    world.publish_of("large", 1).await;
    for _ in 0..20 {
        world.publish_of("large", 1).await;
    }
    assert_eq!(world.times("large-well").len(), 21);
}

#[tokio::test]
async fn a_webhook_gets_a_place_that_another_tenant_gives_back() {
    let mut world = World::new().await;
    world.webhook_of("large", "large-well", &[Does::Answers(200)]).await;
    world.webhooks_of("large", 200, &[Does::Answers(200), Does::Hangs]).await;
    world.webhooks_of("busy", 200, &[Does::Answers(200), Does::Hangs]).await;
    for tenant in ["large", "busy"] {
        world.publish_of(tenant, 1).await;
    }
    world.publish_of("busy", 4).await; // 800 places
    world.publish_of("large", 20).await;
    world.publish_of("busy", 10).await;
    world.release(100).await; // the first that hang: of busy
    assert_eq!(world.times("large-well").len(), 21);
}

#[tokio::test]
async fn what_was_held_back_for_want_of_places_goes_out_when_they_are_free() {
    let mut world = World::new().await;
    world.webhooks_of("large", 300, &[Does::Answers(200), Does::Hangs]).await;
    world.publish_of("large", 1).await;
    world.publish_of("large", 20).await;
    world.release(300 * 20).await; // who timed out waits for a retry, and all others go first
    assert_eq!(world.receivers().len(), 300 * 21);
}

#[tokio::test]
async fn tenants_whose_webhooks_all_hang_hold_a_new_webhook_of_another_up_by_no_more_than_a_turn() {
    let mut world = World::new().await;
    for tenant in ["large", "huge"] {
        world.webhooks_of(tenant, 300, &[Does::Hangs]).await;
    }
    world.webhooks_of("small", 1, &[Does::Answers(200)]).await;
    for tenant in ["large", "huge"] {
        world.publish_of(tenant, 10).await;
    }
    assert_eq!(
        world.receivers().len(),
        UNPROVEN_MAX,
        "every place of those who have not answered is taken"
    );

    world.publish_of("small", 1).await;
    assert_eq!(world.receivers().len(), UNPROVEN_MAX);
    world.release(3).await;

    let next = tenants_after(&world, UNPROVEN_MAX);
    assert!(next[..3].contains(&"small".to_owned()), "{next:?}");
}

#[tokio::test]
async fn what_is_found_in_the_store_after_a_crash_takes_turns_of_its_tenant_too() {
    let mut world = World::new().await;
    world.webhooks_of("large", 300, &[Does::Hangs]).await;
    world.webhooks_of("small", 1, &[Does::Answers(200)]).await;
    world.publish_of("large", 10).await;
    world.crash().await;
    world.pass(Duration::from_secs(200)).await; // the leases of the process that died have ended
    let before = world.receivers().len();

    world.publish_of("small", 1).await;
    world.release(2).await;

    let next = tenants_after(&world, before);
    assert!(next[..2].contains(&"small".to_owned()), "{next:?}"); // a turn of the other may be spent on leasing more
}

#[tokio::test]
async fn events_that_become_more_deliveries_than_one_call_may_make_are_refused_and_hold_no_places() {
    let mut world = World::new().await;
    world.webhooks_of("large", 200, &[Does::Answers(200)]).await;
    let whole = REQUEST_DELIVERIES_MAX / 200;

    let refused = world.try_to_accept(Some("large"), whole + 1).await;
    assert!(matches!(refused, Err(AcceptError::TooMany)), "{refused:?}");
    assert_eq!(world.receivers().len(), 0);

    world.publish_of("large", 5).await;
    assert_eq!(world.receivers().len(), 5 * 200, "all places are free");
}
