//! Fair turns between tenants, when there is more to send than may be under way.

use std::iter::repeat_n;
use std::time::Duration;

use tidings_engine::lanes::{IN_FLIGHT_MAX, UNPROVEN_MAX};

use crate::support::{Does, World};

/// Whom the requests went to after the first so many.
fn tenants_after(world: &World, count: usize) -> Vec<String> {
    let tenant = |receiver: &String| receiver.split('-').next().unwrap().to_owned();
    world.receivers().iter().skip(count).map(tenant).collect()
}

#[tokio::test]
async fn a_tenant_with_many_webhooks_and_a_backlog_holds_another_up_by_no_more_than_a_turn() {
    let mut world = World::new().await;
    world.webhooks_of("large", 300, &[Does::Answers(200), Does::Hangs]).await;
    world.webhooks_of("small", 1, &[Does::Answers(200)]).await;
    world.publish_of("large", 1).await; // who has answered once may take every place
    world.publish_of("large", 20).await;
    let before = 300 + IN_FLIGHT_MAX;
    assert_eq!(world.receivers().len(), before, "every place is taken");

    world.publish_of("small", 3).await;
    assert_eq!(world.receivers().len(), before);
    world.release(6).await;

    let expected: Vec<_> = repeat_n(["large", "small"], 3).flatten().chain(["large"; 3]).collect();
    assert_eq!(tenants_after(&world, before), expected);
}

#[tokio::test]
async fn a_tenant_whose_webhooks_all_hang_holds_a_new_webhook_of_another_up_by_no_more_than_a_turn() {
    let mut world = World::new().await;
    world.webhooks_of("large", 300, &[Does::Hangs]).await;
    world.webhooks_of("small", 1, &[Does::Answers(200)]).await;
    world.publish_of("large", 10).await;
    assert_eq!(
        world.receivers().len(),
        UNPROVEN_MAX,
        "every place of those who have not answered is taken"
    );

    world.publish_of("small", 1).await;
    assert_eq!(world.receivers().len(), UNPROVEN_MAX);
    world.release(2).await;

    assert_eq!(tenants_after(&world, UNPROVEN_MAX)[..2], ["large", "small"]);
}

#[tokio::test]
async fn what_is_found_in_the_store_after_a_crash_takes_turns_of_its_tenant_too() {
    let mut world = World::new().await;
    world.webhooks_of("large", 300, &[Does::Hangs]).await;
    world.webhooks_of("small", 1, &[Does::Answers(200)]).await;
    world.publish_of("large", 10).await;
    world.crash().await;
    world.pass(Duration::from_secs(200)).await; // the leases of the process that died have ended
    let before = 2 * UNPROVEN_MAX;
    assert_eq!(world.receivers().len(), before);

    world.publish_of("small", 1).await;
    world.release(2).await;

    let next = tenants_after(&world, before);
    assert!(next[..2].contains(&"small".to_owned()), "{next:?}"); // a turn of the other may be spent on leasing more
}
