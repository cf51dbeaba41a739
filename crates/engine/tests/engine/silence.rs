//! Whether anybody serves a store, seen by somebody who does not.

use std::time::Duration;

use futures::FutureExt;
use tidings_engine::{BEAT_EVERY, wait_for_silence};
use tidings_model::Timestamp;
use tidings_runtime::{Clock, ManualClock};
use tidings_store::{MemStore, NewNode, NodeNumber, Pulse, Store};

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

#[tokio::test]
async fn a_node_that_beats_is_told_and_one_that_is_silent_is_taken_off_the_roll() {
    let (store, clock) = (MemStore::new(), ManualClock::at(Timestamp::from_seconds(1_700_000_000)));
    assert_eq!(wait_for_silence(&store, &clock).await.unwrap(), [], "nobody is on the roll");
    joined(&store, "silent", &clock).await;
    let beating = joined(&store, "beating", &clock).await;

    let mut watching = Box::pin(wait_for_silence(&store, &clock));
    assert!((&mut watching).now_or_never().is_none());
    store.beat(beating, pulse(&clock)).await.unwrap();
    clock.advance(BEAT_EVERY);
    let alive = watching.await.unwrap();
    assert_eq!(alive.iter().map(|node| node.number).collect::<Vec<_>>(), [beating]);
    assert_eq!(store.nodes().await.unwrap().len(), 2);

    let mut watching = Box::pin(wait_for_silence(&store, &clock));
    let alive = loop {
        if let Some(alive) = (&mut watching).now_or_never() {
            break alive.unwrap();
        }
        clock.advance(Duration::from_secs(1));
    };
    assert_eq!((alive, store.nodes().await.unwrap()), (Vec::new(), Vec::new()));
}
