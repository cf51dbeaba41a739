//! HTTP/2, chosen by ALPN: one connection for many, and its own ways to break.

use tidings_model::FailureKind;
use tidings_model::limits::REPLY_KEPT_BYTES_MAX;
use tidings_testkit::{Behaviour, TestReceiver};

use crate::world::{DEADLINE, World, failure};

#[tokio::test]
async fn many_requests_share_one_connection() {
    let receiver = TestReceiver::start_http2().await;
    receiver.always(Behaviour::body("two"));
    let world = World::trusting(&receiver).named("receiver.test");
    let first = world.post(&receiver.url_as("receiver.test", "/")).await;
    assert!(first.is_success() && first.timings.tls_us.is_some(), "{first:?}");
    let sends = (0..20).map(|number| {
        let (world, url) = (&world, receiver.url_as("receiver.test", &format!("/{number}")));
        async move { world.post(&url).await }
    });
    for exchange in futures::future::join_all(sends).await {
        assert_eq!(&exchange.reply.unwrap().body[..], b"two");
        assert_eq!((exchange.address, exchange.timings.tls_us), (Some(receiver.address()), None));
    }
    assert_eq!(receiver.connections(), 1);
    let received = &receiver.received()[0];
    assert_eq!(
        (&received.body[..], received.header("content-length"), received.header("webhook-id")),
        (&b"{\"one\": 1}"[..], Some("10"), Some("evt_1"))
    );
}

#[tokio::test]
async fn a_reply_without_end_costs_one_stream_and_not_the_connection() {
    let receiver = TestReceiver::start_http2().await;
    receiver.next([Behaviour::Huge(5 * 1024 * 1024)]);
    let world = World::trusting(&receiver);
    let exchange = world.post(&receiver.url("/")).await;
    assert!(exchange.is_success(), "{:?}", exchange.failure);
    let reply = exchange.reply.unwrap();
    assert_eq!((reply.body.len(), reply.body_truncated), (REPLY_KEPT_BYTES_MAX, true));
    assert!(world.post(&receiver.url("/")).await.is_success());
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn too_many_headers_are_refused_in_http2_too() {
    let receiver = TestReceiver::start_http2().await;
    let world = World::trusting(&receiver);
    for count in [150, 10_000] {
        receiver.next([Behaviour::ManyHeaders(count)]);
        let exchange = world.post(&receiver.url("/")).await;
        assert_eq!(
            (failure(&exchange).0, exchange.reply.is_none()),
            (FailureKind::Protocol, true),
            "{exchange:?}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_did_not_answer_in_time_is_not_used_again() {
    let receiver = TestReceiver::start_http2().await;
    receiver.next([Behaviour::status(200), Behaviour::Stall]);
    let world = World::trusting(&receiver);
    assert!(world.post(&receiver.url("/")).await.is_success());
    let stalled = world.post_within(DEADLINE, &receiver.url("/")).await;
    assert_eq!(
        (failure(&stalled).0, stalled.address),
        (FailureKind::Timeout, Some(receiver.address()))
    );
    assert!(world.post(&receiver.url("/")).await.is_success());
    assert_eq!(receiver.connections(), 2);
}

#[tokio::test]
async fn a_connection_that_goes_away_in_the_middle_of_a_reply_is_a_failure() {
    let receiver = TestReceiver::start_http2().await;
    receiver.always(Behaviour::GoAway);
    let exchange = World::trusting(&receiver).post(&receiver.url("/")).await;
    let (kind, message) = failure(&exchange);
    assert_eq!(kind, FailureKind::Disconnected, "{message}");
    assert!(message.contains("GOAWAY"), "{message}");
    assert_eq!((exchange.status(), exchange.is_success()), (Some(200), false));
}
