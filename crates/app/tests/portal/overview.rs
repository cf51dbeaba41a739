use std::time::Duration;

use tidings_app::overview::Span;
use tidings_app::{Page, WebhookFilter};
use tidings_runtime::Clock;

use super::jobs::{EVENTS, delivered};
use crate::support::{World, draft};

#[tokio::test]
async fn what_was_accepted_and_delivered_is_in_the_last_step_of_every_chart() {
    let world = World::new().await;
    delivered(&world).await;
    let operator = &world.operator;
    for (span, points, seconds) in [(Span::Hour, 60, 60), (Span::Day, 48, 1_800), (Span::Week, 84, 7_200)] {
        let overview = world.app.overview(operator, span).await.unwrap();
        let series = &overview.series;
        assert_eq!((series.points.len(), series.step), (points, Duration::from_secs(seconds)));
        let end = series.from + series.step * u32::try_from(points).unwrap();
        assert!(end > world.clock.now() && end - series.step <= world.clock.now());
        let last = series.points.last().unwrap();
        assert_eq!((last.accepted, last.delivered, last.failed), (EVENTS as u64, EVENTS as u64, 0));
        assert_eq!(overview.counts, *last);
        assert_eq!((overview.pending, overview.retrying, overview.in_trouble), (0, 0, 0));
    }
}

#[tokio::test]
async fn each_webhook_has_a_chart_of_its_own_also_without_activity() {
    let world = World::new().await;
    delivered(&world).await;
    world.clock.advance(Duration::from_millis(1)); // ids are in the order of their time
    world.app.create_webhook(&world.operator, draft()).await.unwrap();
    let webhooks = world
        .app
        .webhooks(&world.operator, WebhookFilter::default(), Page::first(10))
        .await
        .unwrap();
    let ids: Vec<_> = webhooks.iter().map(|found| found.webhook.id).collect();
    let series = world.app.activity(&world.operator, &ids, Span::Day).await.unwrap();
    let seen: Vec<_> = series
        .iter()
        .map(|series| (series.webhook.unwrap(), series.points.len(), series.total().delivered))
        .collect();
    assert_eq!(seen, [(ids[0], 24, 0), (ids[1], 24, EVENTS as u64)]);
}

#[tokio::test]
async fn the_pulse_beats_when_something_is_accepted() {
    let world = World::new().await;
    let mut pulse = world.app.pulse(&world.operator).unwrap();
    pulse.mark_unchanged();
    delivered(&world).await;
    assert!(pulse.has_changed().unwrap());
}
