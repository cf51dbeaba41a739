//! Verifying a store while it is used: no false alarm, whatever the writer is in the middle of.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidings_model::{DisableReason, EnvironmentId, Timestamp, Verdict, Webhook, WebhookId, WebhookState};
use tidings_store::{AsOf, Place, Start, Store};
use tidings_store_sqlite::SqliteStore;
use tokio::task::JoinSet;

use crate::story::{first, second_environment, settlement, verify};
use crate::world::{World, at, grant};

/// What a server does, a little of each, so many seconds after the start.
async fn serve_a_second(world: &World, store: &SqliteStore, second: i64) {
    let webhook = world.webhook;
    let leased = world
        .append_for_current_routes(store, world.event(second, Start::Leased(grant(second, second))))
        .await;
    let verdict = if second % 3 == 0 {
        Verdict::RetryAt(at(second + 2))
    } else {
        Verdict::Delivered
    };
    store
        .settle(vec![settlement(first(leased), webhook, second, verdict)].into())
        .await
        .unwrap();
    world.append_for_current_routes(store, world.event(second, Start::Due)).await;
    world
        .append_for_current_routes(store, world.event(second, Start::Leased(grant(-second, second))))
        .await;
    let batch = store
        .lease_due(webhook, at(second), 3, grant(second + 10_000, second))
        .await
        .unwrap();
    let settled = batch.deliveries.iter().map(|delivery| {
        let mut settled = settlement(delivery.id, webhook, second + 10_000, Verdict::Delivered);
        settled.attempt.number = delivery.attempts + 1;
        settled
    });
    store.settle(settled.collect()).await.unwrap();
    store.resend(world.environment, first(leased), at(second)).await.unwrap().unwrap();
    store.disable_webhook(webhook, DisableReason::Operator, at(second)).await.unwrap();
    store.cancel_pending(webhook, at(second), 1).await.unwrap();
    let off = store.webhook(world.environment, webhook).await.unwrap().unwrap().webhook;
    let read = off.updated_at;
    let on = Webhook {
        state: WebhookState::Active,
        ..off
    };
    assert!(store.replace_webhook(&on, read).await.unwrap().is_ok());
    let passing = Webhook {
        id: WebhookId::new(at(second), 9),
        ..World::webhook_of(EnvironmentId::from_chance([2; 16]))
    };
    assert!(store.create_webhook(&passing).await.unwrap().is_ok());
    assert!(store.delete_webhook(passing.environment, passing.id, at(second)).await.unwrap());
    store.prune(world.environment, at(second - 20), 50).await.unwrap();
    store.forget_keys(at(second), 10).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_use_is_verified_again_and_again_without_a_false_alarm() {
    let (world, store) = World::new().await;
    second_environment(&store).await;
    let (world, store) = (Arc::new(world), Arc::new(store));
    let done = Arc::new(AtomicBool::new(false));
    let beside = tokio::task::spawn_blocking({
        let (world, done) = (Arc::clone(&world), Arc::clone(&done));
        move || {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) || rounds == 0 {
                let as_of = AsOf {
                    at: at(130),
                    served_since: Some(Timestamp::from_millis(0)),
                };
                assert_eq!(verify(world.path(), as_of, 1 + rounds % 60), []);
                rounds += 1;
            }
            rounds
        }
    });
    let mut serving = JoinSet::new();
    serving.spawn({
        let (world, store) = (Arc::clone(&world), Arc::clone(&store));
        async move {
            for second in 1..120 {
                serve_a_second(&world, &store, second).await;
            }
        }
    });
    let served = serving.join_next().await.unwrap();
    done.store(true, Ordering::Relaxed); // also when it failed: who looks would look for ever
    served.unwrap();
    assert!(beside.await.unwrap() > 0);
    let after = store
        .verify(
            &Place::start(),
            AsOf {
                at: at(130),
                served_since: Some(Timestamp::from_millis(0)),
            },
            10,
        )
        .await
        .unwrap();
    assert!(after.findings.is_empty() && after.next.is_some(), "the verb takes the same steps");
}
