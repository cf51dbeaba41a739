//! The ordinary: what arrives, what is reported, which connections are kept.

use std::net::SocketAddr;

use tidings_egress::AddressPolicies;
use tidings_model::FailureKind;
use tidings_testkit::{Behaviour, TestReceiver};

use crate::world::{DEADLINE, World, environment, failure, loopback, request};

#[tokio::test]
async fn the_receiver_gets_the_exact_bytes_and_no_header_that_was_not_given_but_host_and_length() {
    let receiver = TestReceiver::start().await;
    let exchange = World::local().post(&receiver.url("/hooks?a=1&b=%20")).await;
    assert!(exchange.is_success(), "{exchange:?}");

    let received = receiver.wait_for(1).await.remove(0);
    assert_eq!(
        (received.method.as_str(), received.path.as_str(), &received.body[..]),
        ("POST", "/hooks?a=1&b=%20", &b"{\"one\": 1}"[..])
    );
    let mut headers = received.headers;
    headers.sort();
    let host = receiver.address().to_string();
    let expected = [
        ("content-length", "10"),
        ("content-type", "application/json"),
        ("host", &host),
        ("webhook-id", "evt_1"),
    ];
    assert_eq!(headers, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn the_reply_is_reported_with_its_headers_and_body_and_the_address_and_times() {
    let receiver = TestReceiver::start().await;
    let headers = vec![("x-note".to_owned(), "seen".to_owned())];
    receiver.always(Behaviour::Reply {
        status: 202,
        headers,
        body: "thank you".into(),
    });
    let exchange = World::local().post(&receiver.url("/")).await;

    let reply = exchange.reply.as_ref().unwrap();
    assert_eq!(
        (reply.status, reply.header("x-note"), &reply.body[..]),
        (202, Some("seen"), &b"thank you"[..])
    );
    assert!(!reply.body_truncated && exchange.failure.is_none());
    assert_eq!(exchange.address, Some(receiver.address()));
    let timings = exchange.timings;
    assert!(
        timings.dns_us.is_none() && timings.tls_us.is_none() && timings.connect_us.is_some(),
        "{timings:?}"
    );
    assert!(timings.first_byte_us.unwrap() >= timings.connect_us.unwrap() && timings.total_us >= timings.first_byte_us.unwrap());
}

#[tokio::test]
async fn a_kept_connection_is_used_again_and_claims_no_setup_time() {
    let receiver = TestReceiver::start().await;
    let world = World::local().named("host.test");
    let first = world.post(&receiver.url_as("host.test", "/")).await;
    assert!(first.timings.dns_us.is_some() && first.timings.connect_us.is_some(), "{first:?}");
    let second = world.post(&receiver.url_as("host.test", "/")).await;
    assert_eq!(
        (second.timings.dns_us, second.timings.connect_us, second.address),
        (None, None, Some(receiver.address()))
    );
    assert_eq!((receiver.connections(), world.names.0.asked("host.test")), (1, 1));
}

#[tokio::test]
async fn environments_with_equal_policies_share_connections_and_others_never_do() {
    let receiver = TestReceiver::start().await;
    let exception = || vec!["127.0.0.1/32".parse().unwrap()];
    let policies = AddressPolicies::new(&[], [(environment(1), exception()), (environment(2), exception())]);
    let world = World::with(policies, None);
    for same in [1, 2] {
        assert!(world.post_as(environment(same), &receiver.url("/")).await.is_success());
    }
    assert_eq!(receiver.connections(), 1);
    let other = world.post_as(environment(3), &receiver.url("/")).await;
    assert_eq!(failure(&other).0, FailureKind::Refused);
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn the_next_address_is_tried_when_one_refuses() {
    let receiver = TestReceiver::start().await;
    let world = World::local();
    world.names.0.answer("host.test", &["127.0.0.2", "127.0.0.3", "127.0.0.1"]);
    let exchange = world.post(&receiver.url_as("host.test", "/")).await;
    assert!(exchange.is_success(), "{exchange:?}");
    assert_eq!(exchange.address, Some(receiver.address()));
}

#[tokio::test]
async fn a_refusal_by_every_address_is_one_failure_that_counts_them() {
    let receiver = TestReceiver::start().await;
    let world = World::local();
    world.names.0.answer("host.test", &["127.0.0.2", "127.0.0.3"]);
    let exchange = world.post(&receiver.url_as("host.test", "/")).await;
    let first = SocketAddr::new("127.0.0.2".parse().unwrap(), receiver.address().port());
    let expected = format!("connection refused by {first} (and 1 more of its addresses failed)");
    assert_eq!(failure(&exchange), (FailureKind::Connect, expected.as_str()));
}

#[tokio::test]
async fn a_name_that_does_not_resolve_says_so() {
    let exchange = World::strict().post("https://nowhere.test/").await;
    assert_eq!(
        failure(&exchange),
        (FailureKind::Dns, "nowhere.test does not resolve: there is no such name")
    );
    assert_eq!((exchange.address, exchange.reply), (None, None));
}

#[tokio::test]
async fn a_resolver_that_never_answers_ends_at_the_deadline() {
    let world = World::strict();
    world.names.0.hang("host.test");
    let exchange = world.post_within(DEADLINE, "https://host.test/").await;
    assert_eq!(
        failure(&exchange),
        (
            FailureKind::Timeout,
            "host.test was not resolved within 300 ms: the name server of the test did not answer"
        )
    );
}

#[tokio::test]
async fn many_sends_at_once_each_get_their_own_reply() {
    let receiver = TestReceiver::start().await;
    let world = World::local();
    let sends = (0..40).map(|number| {
        receiver.at(&format!("/{number}"), Behaviour::body(number.to_string()));
        let url = receiver.url(&format!("/{number}"));
        let world = &world;
        async move { (number, world.post(&url).await) }
    });
    for (number, exchange) in futures::future::join_all(sends).await {
        assert_eq!(exchange.reply.unwrap().body, number.to_string());
    }
}

#[tokio::test]
async fn a_header_that_would_change_the_framing_is_refused_before_anything_is_sent() {
    let receiver = TestReceiver::start().await;
    let mut smuggled = request(&receiver.url("/"));
    smuggled.headers.push(("transfer-encoding".to_owned(), "chunked".to_owned()));
    let exchange = World::with(loopback(), None).send(smuggled).await;
    assert_eq!(
        failure(&exchange),
        (FailureKind::Refused, "the header 'transfer-encoding' cannot be set")
    );
    assert_eq!(receiver.connections(), 0);
}
