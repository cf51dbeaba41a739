//! Who lives of the nodes of a store, seen by somebody who is none of them.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use futures::FutureExt;
use tidings_model::Timestamp;
use tidings_runtime::{Clock, ManualClock};
use tidings_store::{BEAT_EVERY, MISSED_BEATS_MAX, MemStore, NewNode, Node, NodeNumber, Pulse, Store, watch_roll};

async fn joined(store: &MemStore, name: &str, clock: &ManualClock) -> NodeNumber {
    let node = NewNode {
        name: name.to_owned(),
        version: "1".to_owned(),
        at: clock.now(),
    };
    store.join(&node).await.unwrap()
}

fn pulse(clock: &ManualClock) -> Pulse {
    Pulse {
        at: clock.now(),
        queued: 0,
        in_flight: 0,
        lag_ms: 0,
    }
}

fn numbers(nodes: &[Node]) -> Vec<NodeNumber> {
    nodes.iter().map(|node| node.number).collect()
}

#[tokio::test]
async fn those_that_beat_are_told_from_those_that_are_silent_for_too_long() {
    let (store, clock) = (MemStore::new(), ManualClock::at(Timestamp::from_seconds(1_700_000_000)));
    assert_eq!(watch_roll(&store, &clock).await.unwrap(), (vec![], vec![]), "nobody is on the roll");
    let silent = joined(&store, "silent", &clock).await;
    let beating = joined(&store, "beating", &clock).await;

    let mut watching = Box::pin(watch_roll(&store, &clock));
    for _ in 0..=MISSED_BEATS_MAX {
        assert!((&mut watching).now_or_never().is_none(), "the silent one may beat yet");
        store.beat(beating, pulse(&clock)).await.unwrap();
        clock.advance(BEAT_EVERY);
    }
    let (alive, gone) = watching.await.unwrap();
    assert_eq!((numbers(&alive), numbers(&gone)), (vec![beating], vec![silent]));
    assert_eq!(store.nodes().await.unwrap().len(), 2, "who only watches changes nothing");
}

#[tokio::test]
async fn nobody_waits_longer_than_until_all_have_beaten() {
    let (store, clock) = (MemStore::new(), ManualClock::at(Timestamp::from_seconds(1_700_000_000)));
    let node = joined(&store, "one", &clock).await;
    let mut watching = Box::pin(watch_roll(&store, &clock));
    assert!((&mut watching).now_or_never().is_none());
    store.beat(node, pulse(&clock)).await.unwrap();
    clock.advance(BEAT_EVERY);
    assert_eq!(numbers(&watching.await.unwrap().0), [node]);
}
