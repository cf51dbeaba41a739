//! The roll of nodes, and leases that end with their node.

use std::sync::Arc;

use tidings_model::Verdict;

use super::world::{Done, LEASE, World, at, credential, event_type, key, nth, settlement, webhook};
use crate::{LeaseGrant, NewNode, NodeNumber, Pulse, Settled, Start, Store};

fn new_node(name: &str) -> NewNode {
    NewNode {
        name: name.to_owned(),
        version: "1.2.3".to_owned(),
        at: at(1),
    }
}

fn pulse(seconds: i64, queued: u64) -> Pulse {
    Pulse {
        at: at(seconds),
        queued,
        in_flight: 2 * queued,
        lag_ms: 3 * queued,
    }
}

async fn numbers(store: &Arc<dyn Store>) -> Vec<NodeNumber> {
    store.nodes().await.done().into_iter().map(|node| node.number).collect()
}

/// Numbers ascend and are never given out again; a node is shown as it joined, with what it said last.
pub async fn a_node_is_on_the_roll_from_when_it_joins(store: &Arc<dyn Store>) {
    let first = store.join(&new_node("a")).await.done();
    let second = store.join(&new_node("b")).await.done();
    assert!(NodeNumber(0) < first && first < second, "{first} {second}");

    assert!(store.beat(second, pulse(5, 7)).await.done().is_some());
    assert!(store.beat(second, pulse(6, 8)).await.done().is_some());
    let nodes = store.nodes().await.done();
    let shown: Vec<_> = nodes
        .iter()
        .map(|node| (node.number, node.joined.clone(), node.beats, node.pulse))
        .collect();
    let expected = [(first, new_node("a"), 0, pulse(1, 0)), (second, new_node("b"), 2, pulse(6, 8))];
    assert_eq!(shown, expected);

    assert!(store.strike_node(second, None).await.done());
    assert!(store.join(&new_node("b")).await.done() > second);
}

/// Only who has not beaten since is struck; who was struck learns it with its next beat, and stays off.
pub async fn a_node_that_beats_stays_on_the_roll(store: &Arc<dyn Store>) {
    let node = store.join(&new_node("a")).await.done();
    store.beat(node, pulse(2, 0)).await.done();
    assert!(!store.strike_node(node, Some(0)).await.done(), "it has beaten since");
    assert!(store.strike_node(node, Some(1)).await.done());
    assert!(!store.strike_node(node, Some(1)).await.done(), "it is gone already");
    assert_eq!(store.beat(node, pulse(3, 0)).await.done(), None);
    assert_eq!(numbers(store).await, []);
}

/// What nodes keep in memory cannot change without a beat that says so; events and deliveries change nothing.
pub async fn a_beat_tells_of_changes(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let node = store.join(&new_node("a")).await.done();
    let mut last = store.beat(node, pulse(2, 0)).await.done().done();
    let hook = webhook(world.environment, 1);
    macro_rules! tells {
        ($what:expr) => {
            let _ = $what.await.done();
            let now = store.beat(node, pulse(3, 0)).await.done().done();
            assert!(now > last, "{} is not told", stringify!($what));
            last = now;
        };
    }
    tells!(store.create_webhook(&hook));
    tells!(store.create_event_type(world.environment, &event_type("order.made")));
    tells!(store.delete_event_type(world.environment, &key("order.made")));
    tells!(store.create_credential(&credential(9, world.environment)));
    tells!(store.delete_credential(world.environment, &credential(9, world.environment).id));
    world.publish(at(3), &[hook.id]).await;
    assert_eq!(store.beat(node, pulse(4, 0)).await.done(), Some(last));
    tells!(store.delete_webhook(world.environment, hook.id, at(4)));
    tells!(store.delete_environment(world.environment, true));
    assert_eq!(store.beat(node, pulse(5, 0)).await.done(), Some(last));
}

/// The leases of a node that is off the roll are ended, those of others are not; what began leased is free as well.
pub async fn leases_end_with_their_node(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let hook = world.webhook(1).await;
    let (lost, alive) = (store.join(&new_node("a")).await.done(), store.join(&new_node("b")).await.done());
    let grant = |node: NodeNumber, nth: u64| LeaseGrant {
        token: node.lease(nth),
        until: at(1) + LEASE,
    };
    let begun = world
        .append(world.event(at(1), &[(hook, Start::Leased(grant(lost, 1)))]).await)
        .await
        .event;
    let others = world
        .append(world.event(at(1), &[(hook, Start::Leased(grant(alive, 1)))]).await)
        .await
        .event;
    let waiting = world.publish(at(2), &[hook]).await;
    assert_eq!(store.lease_due(hook, at(3), 1, grant(lost, 2)).await.done().deliveries.len(), 1);
    assert_eq!(store.end_lost_leases().await.done(), 0, "both are on the roll");

    store.strike_node(lost, None).await.done();
    assert_eq!(store.end_lost_leases().await.done(), 2);
    assert_eq!(store.end_lost_leases().await.done(), 0);
    let taken = store.lease_due(hook, at(3), 10, grant(alive, 2)).await.done().deliveries;
    let ids: Vec<_> = taken.iter().map(|delivery| (delivery.id, delivery.due_at)).collect();
    assert_eq!(ids, [(nth(begun, 0), at(1)), (nth(waiting, 0), at(2))]);

    let mut late = settlement(&taken[0], Verdict::Delivered, at(4));
    late.lease = grant(lost, 1).token;
    assert_eq!(
        world.settle(late).await,
        Settled::LeaseLost,
        "who lost it does not settle what another has"
    );
    assert_eq!(
        world.settle(settlement(&taken[0], Verdict::Delivered, at(4))).await,
        Settled::Recorded { failing_since: None }
    );
    assert_eq!(
        store.lease_due(hook, at(4), 10, grant(alive, 3)).await.done().deliveries,
        [],
        "{others} is in the hands of who lives"
    );
}
