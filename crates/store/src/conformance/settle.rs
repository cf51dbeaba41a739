//! Settling: the attempt, the delivery's move and the webhook's health.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tidings_model::{
    Attempt, CancelReason, DeliveryState, Exchange, Failure, FailureKind, Reply, Timestamp, Timings, Verdict, WebhookHealth, WebhookId,
};

use super::world::{Done, LEASE, World, at, nth, replied, settlement};
use crate::{LeaseToken, LeasedDelivery, Settled, Settlement, Store};

const fn recorded(failing_since: Option<Timestamp>) -> Settled {
    Settled::Recorded { failing_since }
}

async fn health(world: &World, webhook: WebhookId) -> WebhookHealth {
    world.store.webhook(world.environment, webhook).await.done().done().health
}

async fn attempts(world: &World, leased: &LeasedDelivery) -> Vec<Attempt> {
    world
        .store
        .delivery(world.environment, leased.id, at(0))
        .await
        .done()
        .done()
        .attempts
}

/// A delivery moves as the verdict says, and nobody has it any more.
pub async fn a_delivery_moves_as_the_verdict_says(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let ended_at = at(9);
    let cancelled = |why| (Verdict::Cancel(why), DeliveryState::Cancelled { at: ended_at, why }, Some(410));
    for (verdict, state, last_status) in [
        (Verdict::Delivered, DeliveryState::Delivered { at: ended_at }, Some(200)),
        (Verdict::Exhausted, DeliveryState::Exhausted { at: ended_at }, Some(503)),
        cancelled(CancelReason::Gone),
        cancelled(CancelReason::WebhookDisabled),
        cancelled(CancelReason::WebhookDeleted),
        (
            Verdict::RetryAt(at(700)),
            DeliveryState::Pending { next_attempt_at: at(700) },
            Some(503),
        ),
    ] {
        let event = world.publish(at(1), &[webhook]).await;
        let mut expected = world.delivery(nth(event, 0), at(9)).await;
        let leased = world.lease_one(webhook, at(8)).await;
        assert!(matches!(
            world.settle(settlement(&leased, verdict, ended_at)).await,
            Settled::Recorded { .. }
        ));
        (expected.state, expected.attempts, expected.last_status) = (state, 1, last_status);
        assert_eq!(world.delivery(nth(event, 0), at(9)).await, expected, "after {verdict:?}");
    }
}

/// Attempts are counted, and the last status is that of the last attempt: none, when nothing came back.
pub async fn attempts_are_counted_with_the_status_of_the_last(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let event = world.publish(at(1), &[webhook]).await;
    let failed = Exchange::failed(FailureKind::Dns, "no such name");
    for (number, exchange, status) in [(1, replied(500), Some(500)), (2, failed, None), (3, replied(404), Some(404))] {
        let now = at(i64::from(number) * 100);
        let leased = world.lease_one(webhook, now).await;
        assert_eq!(leased.attempts, number - 1);
        let mut settlement = settlement(&leased, Verdict::RetryAt(now), now);
        settlement.attempt.exchange = exchange;
        world.settle(settlement).await;
        let delivery = world.delivery(nth(event, 0), now).await;
        assert_eq!((delivery.attempts, delivery.last_status), (number, status));
    }
}

/// Only who has the lease settles, and only once; nothing is written for anybody else.
pub async fn only_who_has_the_lease_settles(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let event = world.publish(at(1), &[webhook]).await;
    let unleased = world.publish(at(99), &[webhook]).await;
    let leased = world.lease_one(webhook, at(2)).await;
    let good = settlement(&leased, Verdict::Delivered, at(3));
    let wrong_token = Settlement {
        lease: LeaseToken(good.lease.0 + 1),
        ..good.clone()
    };
    let elsewhere = |delivery| {
        let mut other = good.clone();
        other.attempt.delivery = delivery;
        other
    };
    let strangers = vec![wrong_token, elsewhere(nth(event, 1)), elsewhere(nth(unleased, 0))];
    assert_eq!(store.settle(strangers.into()).await.done(), [Settled::LeaseLost; 3]);
    assert_eq!(attempts(&world, &leased).await, []);
    assert_eq!(health(&world, webhook).await, WebhookHealth::default());
    assert!(world.delivery(leased.id, at(3)).await.leased);

    let twice = vec![good.clone(), good.clone()];
    assert_eq!(store.settle(twice.into()).await.done(), [recorded(None), Settled::LeaseLost]);
    assert_eq!(world.settle(good.clone()).await, Settled::LeaseLost);
    assert_eq!(attempts(&world, &leased).await, [good.attempt]);
    assert_eq!(health(&world, webhook).await.attempts, 1);
    assert_eq!(store.settle(Vec::new().into()).await.done(), []);
}

/// A lease that has ended is still good for settling while nobody has taken the delivery: what was sent was sent.
pub async fn a_lease_that_ended_untaken_still_settles(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    world.publish(at(1), &[webhook]).await;
    let leased = world.lease_one(webhook, at(1)).await;
    let late = at(9) + LEASE;
    assert!(!world.delivery(leased.id, late).await.leased);
    assert_eq!(world.settle(settlement(&leased, Verdict::Delivered, late)).await, recorded(None));
    assert_eq!(world.delivery(leased.id, late).await.state, DeliveryState::Delivered { at: late });
}

/// Health counts attempts and failures, and knows since when a webhook has failed without one success.
pub async fn health_follows_every_attempt(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (webhook, bystander) = (world.webhook(1).await, world.webhook(2).await);
    let mut expected = WebhookHealth::default();
    let cancel = Verdict::Cancel(CancelReason::Gone);
    for (seconds, verdict, failing_since) in [
        (10, Verdict::Delivered, None),
        (20, Verdict::Exhausted, Some(at(20))),
        (30, cancel, Some(at(20))),
        (40, Verdict::Delivered, None),
        (50, Verdict::RetryAt(at(9_000)), Some(at(50))),
        (60, Verdict::Exhausted, Some(at(50))),
    ] {
        world.publish(at(seconds), &[webhook]).await;
        assert_eq!(
            world.attempt(webhook, verdict, at(seconds)).await,
            recorded(failing_since),
            "after {verdict:?}"
        );
        expected.attempts += 1;
        expected.failures += u64::from(verdict != Verdict::Delivered);
        (expected.last_attempt_at, expected.failing_since) = (Some(at(seconds)), failing_since);
        assert_eq!(health(&world, webhook).await, expected);
    }
    assert_eq!(health(&world, bystander).await, WebhookHealth::default());
}

/// Of many settlements in one call, each answer shows the health after its own, and each webhook has its own.
pub async fn settlements_of_one_call_come_one_after_the_other(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (one, two) = (world.webhook(1).await, world.webhook(2).await);
    for _ in 0..4 {
        world.publish(at(1), &[one]).await;
    }
    world.publish(at(1), &[two]).await;
    let ones = world.lease(one, at(2), 10).await.deliveries;
    let other = world.lease_one(two, at(2)).await;
    let settlements = vec![
        settlement(&ones[0], Verdict::Exhausted, at(3)),
        settlement(&other, Verdict::Exhausted, at(4)),
        settlement(&ones[1], Verdict::Exhausted, at(5)),
        settlement(&ones[2], Verdict::Delivered, at(6)),
        settlement(&ones[3], Verdict::RetryAt(at(90)), at(7)),
    ];
    let expected = [Some(at(3)), Some(at(4)), Some(at(3)), None, Some(at(7))].map(recorded);
    assert_eq!(store.settle(settlements.into()).await.done(), expected);
    let last = WebhookHealth {
        attempts: 4,
        failures: 3,
        last_attempt_at: Some(at(7)),
        failing_since: Some(at(7)),
    };
    assert_eq!(health(&world, one).await, last);
}

/// The attempt of a webhook that was deleted while it was sent is recorded; that of a disabled one counts in its health.
pub async fn an_attempt_outlives_its_webhook(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let (deleted, disabled) = (world.webhook(1).await, world.webhook(2).await);
    world.publish(at(1), &[deleted, disabled]).await;
    let (of_deleted, of_disabled) = (world.lease_one(deleted, at(2)).await, world.lease_one(disabled, at(2)).await);
    assert!(store.delete_webhook(world.environment, deleted, at(3)).await.done());
    world.disable(disabled).await;

    let settled = settlement(&of_deleted, Verdict::Exhausted, at(4));
    assert_eq!(world.settle(settled.clone()).await, recorded(None));
    assert_eq!(
        world.delivery(of_deleted.id, at(4)).await.state,
        DeliveryState::Exhausted { at: at(4) }
    );
    assert_eq!(attempts(&world, &of_deleted).await, [settled.attempt]);

    assert_eq!(
        world.settle(settlement(&of_disabled, Verdict::Exhausted, at(4))).await,
        recorded(Some(at(4)))
    );
    assert_eq!(health(&world, disabled).await.failures, 1);
}

/// Exchanges of every shape that there is.
fn exchanges() -> Vec<Exchange> {
    let pairs = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    };
    let address = |text: &str| Some(text.parse::<SocketAddr>().expect("a good address"));
    let timings = Timings {
        dns_us: Some(1),
        connect_us: Some(2),
        tls_us: Some(3),
        first_byte_us: Some(4),
        total_us: 5,
    };
    let reply = Reply {
        status: 599,
        headers: pairs(&[
            ("Set-Cookie", "a=1"),
            ("set-cookie", "b=\"2\""),
            ("x-empty", ""),
            ("x-text", "é 🙂"),
        ]),
        body: Bytes::from_static(b"\x00\xff\xfe not text \xc3"),
        body_truncated: true,
    };
    let broken = Some(Failure::new(FailureKind::Disconnected, "the connection broke"));
    let mut all = vec![
        Exchange::default(),
        Exchange {
            reply: Some(reply.clone()),
            failure: None,
            address: address("192.0.2.1:443"),
            timings,
        },
        Exchange {
            reply: Some(reply),
            failure: broken,
            address: address("[2001:db8::1]:8443"),
            timings,
        },
        Exchange {
            timings: Timings {
                total_us: u64::from(u32::MAX) + 1,
                ..Timings::default()
            },
            ..replied(200)
        },
    ];
    for kind in [
        FailureKind::Refused,
        FailureKind::Dns,
        FailureKind::Connect,
        FailureKind::Tls,
        FailureKind::Timeout,
        FailureKind::Disconnected,
        FailureKind::Protocol,
    ] {
        all.push(Exchange::failed(kind, format!("{kind:?}: \"é\"\n")));
    }
    all
}

/// Every field of an attempt comes back as it was given, attempts oldest first.
pub async fn an_attempt_comes_back_whole(store: &Arc<dyn Store>) {
    let world = World::new(store).await;
    let webhook = world.webhook(1).await;
    let event = world.publish(at(0), &[webhook]).await;
    let headers = [("webhook-id", "evt_1"), ("x-custom", "(not shown)"), ("x-custom", "")];
    let headers: Vec<_> = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut expected = Vec::new();
    let exchanges = exchanges();
    for (n, exchange) in (1..).zip(exchanges.iter()) {
        let leased = world.lease_one(webhook, at(n)).await;
        let last = n as usize == exchanges.len();
        let mut settlement = settlement(
            &leased,
            if last { Verdict::Exhausted } else { Verdict::RetryAt(at(n + 1)) },
            at(n + 1),
        );
        settlement.attempt.started_at = at(n);
        settlement.attempt.url = format!("https://receiver.example/ä?n={n}");
        settlement.attempt.request_headers = if n == 1 { Vec::new() } else { headers.clone() };
        settlement.attempt.exchange = exchange.clone();
        expected.push(settlement.attempt.clone());
        world.settle(settlement).await;
    }
    let detail = store.delivery(world.environment, nth(event, 0), at(0)).await.done().done();
    assert_eq!(detail.attempts, expected);

    for verdict in [CancelReason::Gone, CancelReason::WebhookDisabled, CancelReason::WebhookDeleted].map(Verdict::Cancel) {
        let event = world.publish(at(200), &[webhook]).await;
        world.attempt(webhook, verdict, at(200)).await;
        let detail = store.delivery(world.environment, nth(event, 0), at(0)).await.done().done();
        assert_eq!(detail.attempts[0].verdict, verdict);
    }
}
