//! TLS that comes about, and every way in which it does not.

use tidings_model::{Exchange, FailureKind};
use tidings_testkit::{Behaviour, Certificate, TestReceiver};

use crate::world::{DEADLINE, World, failure};

async fn meet(certificate: Certificate) -> Exchange {
    let receiver = TestReceiver::start_tls(certificate).await;
    let world = World::trusting(&receiver).named("receiver.test");
    let exchange = world.post(&receiver.url_as("receiver.test", "/")).await;
    assert_eq!(
        receiver.received().len(),
        usize::from(exchange.failure.is_none()),
        "nothing is sent before the certificate is checked"
    );
    exchange
}

#[tokio::test]
async fn a_good_certificate_is_accepted_and_the_name_is_kept() {
    let receiver = TestReceiver::start_tls(Certificate::Good).await;
    let world = World::trusting(&receiver).named("receiver.test");
    let first = world.post(&receiver.url_as("receiver.test", "/")).await;
    assert!(
        first.is_success() && first.timings.tls_us.is_some() && first.timings.dns_us.is_some(),
        "{first:?}"
    );
    let second = world.post(&receiver.url_as("receiver.test", "/")).await;
    assert_eq!(
        (second.is_success(), second.timings.tls_us, receiver.connections()),
        (true, None, 1)
    );
    let host = format!("receiver.test:{}", receiver.address().port());
    assert_eq!(receiver.received()[0].header("host"), Some(host.as_str()));
}

#[tokio::test]
async fn a_certificate_for_an_address_serves_a_url_with_that_address() {
    let receiver = TestReceiver::start_tls(Certificate::Good).await;
    let exchange = World::trusting(&receiver).post(&receiver.url("/")).await;
    assert!(exchange.is_success(), "{exchange:?}");
}

#[tokio::test]
async fn an_expired_certificate_is_refused_with_its_date() {
    let exchange = meet(Certificate::Expired).await;
    assert_eq!(
        failure(&exchange),
        (FailureKind::Tls, "TLS certificate of receiver.test expired on 2020-01-01")
    );
    assert!(
        exchange.address.is_some() && exchange.timings.connect_us.is_some(),
        "it says how far it came: {exchange:?}"
    );
}

#[tokio::test]
async fn a_certificate_of_the_future_is_refused_with_its_date() {
    let exchange = meet(Certificate::NotYetValid).await;
    assert_eq!(
        failure(&exchange),
        (FailureKind::Tls, "TLS certificate of receiver.test is not valid before 4000-01-01")
    );
}

#[tokio::test]
async fn a_certificate_for_another_name_is_refused_with_its_names() {
    let exchange = meet(Certificate::WrongName).await;
    let (kind, message) = failure(&exchange);
    assert_eq!(kind, FailureKind::Tls);
    assert!(
        message.starts_with("TLS certificate of receiver.test is not valid for that name") && message.contains("elsewhere.test"),
        "{message}"
    );
}

#[tokio::test]
async fn self_signed_certificates_are_refused() {
    let leaf = meet(Certificate::SelfSigned).await;
    assert_eq!(
        failure(&leaf),
        (
            FailureKind::Tls,
            "TLS certificate of receiver.test is self-signed or from an unknown issuer"
        )
    );
    let authority = meet(Certificate::SelfSignedAuthority).await;
    assert_eq!(
        failure(&authority),
        (FailureKind::Tls, "TLS certificate of receiver.test is self-signed")
    );
}

#[tokio::test]
async fn a_good_certificate_of_an_unknown_authority_is_refused() {
    let receiver = TestReceiver::start_tls(Certificate::Good).await;
    let exchange = World::local()
        .named("receiver.test")
        .post(&receiver.url_as("receiver.test", "/"))
        .await;
    assert_eq!(
        failure(&exchange),
        (
            FailureKind::Tls,
            "TLS certificate of receiver.test is self-signed or from an unknown issuer"
        )
    );
}

#[tokio::test]
async fn old_versions_of_tls_are_refused() {
    let alert = TestReceiver::start_bytes(&b"\x15\x03\x01\x00\x02\x02\x46"[..]).await; // fatal: protocol_version
    let hello = [&b"\x16\x03\x01\x00\x2a\x02\x00\x00\x26\x03\x01"[..], &[7; 32], b"\x00\x00\x2f\x00"].concat(); // a ServerHello of TLS 1.0
    let hello = TestReceiver::start_bytes(hello).await;
    for receiver in [alert, hello] {
        let exchange = World::local()
            .named("old.test")
            .post(&receiver.url_as("old.test", "/").replace("http:", "https:"))
            .await;
        assert_eq!(
            failure(&exchange),
            (
                FailureKind::Tls,
                "old.test speaks no version of TLS that is safe; TLS 1.2 or 1.3 is needed"
            )
        );
    }
}

#[tokio::test]
async fn a_port_without_tls_says_so() {
    let receiver = TestReceiver::start_bytes("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let exchange = World::local()
        .named("plain.test")
        .post(&receiver.url_as("plain.test", "/").replace("http:", "https:"))
        .await;
    assert_eq!(failure(&exchange), (FailureKind::Tls, "plain.test does not speak TLS on this port"));
}

#[tokio::test]
async fn a_handshake_that_is_cut_off_or_never_answered_says_so() {
    let closing = TestReceiver::start_bytes("").await;
    let exchange = World::local()
        .named("shy.test")
        .post(&closing.url_as("shy.test", "/").replace("http:", "https:"))
        .await;
    assert_eq!(
        failure(&exchange),
        (FailureKind::Tls, "shy.test closed the connection during the TLS handshake")
    );

    let silent = TestReceiver::start().await; // waits for the end of a request that never comes
    let exchange = World::local()
        .post_within(DEADLINE, &silent.url("/").replace("http:", "https:"))
        .await;
    let expected = format!("no TLS with {} within 300 ms", silent.address());
    assert_eq!(failure(&exchange), (FailureKind::Timeout, expected.as_str()));
    assert_eq!(exchange.address, Some(silent.address()));
}

#[tokio::test]
async fn a_reply_cut_off_behind_tls_is_not_a_whole_one() {
    let receiver = TestReceiver::start_tls(Certificate::Good).await;
    let world = World::trusting(&receiver);
    receiver.next([Behaviour::CloseMidBody, Behaviour::Reset, Behaviour::Close]);
    for _ in 0..3 {
        assert_eq!(failure(&world.post(&receiver.url("/")).await).0, FailureKind::Disconnected);
    }
}
