//! Counting what happened.

use std::sync::Arc;

use tidings_model::{EnvironmentId, Timestamp, WebhookId};

use super::world::{Done, World, at, at_ms, environment_id, webhook};
use crate::{Activity, ActivityCounts, Store};

const fn counts(accepted: u64, delivered: u64, failed: u64) -> ActivityCounts {
    ActivityCounts {
        accepted,
        delivered,
        failed,
    }
}

fn span(environment: EnvironmentId, webhook: Option<WebhookId>, from: Timestamp, counts: ActivityCounts) -> Activity {
    Activity {
        environment,
        webhook,
        from,
        counts,
    }
}

/// What was counted in a span is added to what was counted in it before, also inside one call, and to nothing else.
pub async fn counts_of_a_span_add_up(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let other = world.beside(2).await;
    let (here, there) = (world.environment, other.environment);
    let hook = world.webhook(1).await;
    store
        .add_activity(vec![
            span(here, None, at(0), counts(1, 2, 3)),
            span(here, None, at(0), counts(10, 0, 0)),
            span(here, Some(hook), at(0), counts(0, 5, 6)),
            span(there, None, at(0), counts(7, 0, 0)),
        ])
        .await
        .done();
    store
        .add_activity(vec![span(here, None, at(0), counts(100, 200, 300))])
        .await
        .done();
    store.add_activity(Vec::new()).await.done();

    let read = async |environment, webhooks: &[WebhookId]| store.activity(environment, webhooks, at(0), at(1)).await.done();
    assert_eq!(read(here, &[]).await, [span(here, None, at(0), counts(111, 202, 303))]);
    assert_eq!(read(here, &[hook]).await, [span(here, Some(hook), at(0), counts(0, 5, 6))]);
    assert_eq!(read(there, &[]).await, [span(there, None, at(0), counts(7, 0, 0))]);
    assert_eq!(read(there, &[hook]).await, [], "of another environment");
}

/// A range holds the spans that begin in it: its first millisecond does, its last does not.
pub async fn a_range_holds_the_spans_that_begin_in_it(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let here = world.environment;
    let spans: Vec<_> = (0..4).map(|minute| span(here, None, at(minute * 60), counts(1, 0, 0))).collect();
    store.add_activity(spans.iter().rev().copied().collect()).await.done();

    let read = async |from, until| store.activity(here, &[], from, until).await.done();
    assert_eq!(read(at(60), at(180)).await, spans[1..3]);
    assert_eq!(read(at_ms(60_001), at_ms(180_001)).await, spans[2..4]);
    assert_eq!(read(Timestamp::from_millis(0), Timestamp::MAX).await, spans);
    assert_eq!(read(at(60), at(60)).await, []);
    assert_eq!(read(at(180), at(60)).await, []);
}

/// Webhooks are shown by time, then by webhook, each once however often it is asked for, without those of which nothing was counted.
pub async fn activity_of_webhooks_comes_by_time_and_webhook(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let here = world.environment;
    let [first, second, unasked, idle] = [1, 2, 3, 4].map(|number| webhook(here, number).id);
    let hour = 3_600;
    let spans = [
        span(here, Some(first), at(0), counts(0, 1, 0)),
        span(here, Some(second), at(0), counts(0, 2, 0)),
        span(here, Some(first), at(hour), counts(0, 3, 0)),
        span(here, Some(second), at(hour), counts(0, 4, 0)),
    ];
    store.add_activity(spans.iter().rev().copied().collect()).await.done();
    store
        .add_activity(vec![
            span(here, None, at(0), counts(9, 9, 9)),
            span(here, Some(unasked), at(0), counts(0, 9, 9)),
        ])
        .await
        .done();
    let read = async |webhooks: &[WebhookId]| store.activity(here, webhooks, at(0), at(2 * hour)).await.done();
    assert_eq!(read(&[second, idle, first]).await, spans);
    assert_eq!(read(&[first, second, first]).await, spans);
    assert_eq!(read(&[second]).await, [spans[1], spans[3]]);
}

/// Nothing is counted of environments that do not exist, and what was counted of one that is deleted is not shown.
pub async fn activity_of_unknown_environments_is_passed_over(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (here, nowhere) = (world.environment, environment_id(9));
    let spans = vec![
        span(nowhere, None, at(0), counts(1, 1, 1)),
        span(here, None, at(0), counts(1, 1, 1)),
    ];
    store.add_activity(spans).await.done();
    let read = async |environment| store.activity(environment, &[], at(0), at(1)).await.done();
    assert_eq!(read(here).await.len(), 1);
    assert_eq!(read(nowhere).await, []);

    store.delete_environment(here, true).await.done().done();
    store.add_activity(vec![span(here, None, at(0), counts(1, 1, 1))]).await.done();
    assert_eq!(read(here).await, []);
}

/// Old spans are forgotten up to the limit.
pub async fn old_spans_are_forgotten(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let here = world.environment;
    let hook = world.webhook(1).await;
    let spans = vec![
        span(here, None, at(0), counts(1, 0, 0)),
        span(here, Some(hook), at(0), counts(0, 1, 0)),
        span(here, None, at(60), counts(1, 0, 0)),
    ];
    store.add_activity(spans).await.done();
    let forget = async |before, limit| store.forget_history(at(0), at(0), before, limit).await.done();
    assert_eq!(forget(at(0), 10).await, 0, "began then, not before");
    assert_eq!(forget(at_ms(1), 0).await, 0);
    assert_eq!(forget(at_ms(1), 1).await, 1);
    assert_eq!(forget(at_ms(1), 10).await, 1);
    assert_eq!(forget(at(60), 10).await, 0);
    assert_eq!(store.activity(here, &[hook], at(0), at(99)).await.done(), []);
    assert_eq!(store.activity(here, &[], at(0), at(99)).await.done().len(), 1);
}
