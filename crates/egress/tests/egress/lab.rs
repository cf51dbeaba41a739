//! The hostile receiver's lab: each of them ends as a value, in words, within its bounds.

use std::io::Read;
use std::time::Duration;

use tidings_model::limits::{REPLY_HEADERS_KEPT_BYTES_MAX, REPLY_KEPT_BYTES_MAX};
use tidings_model::{Exchange, FailureKind};
use tidings_runtime::{Entropy, SeededEntropy};
use tidings_testkit::{Behaviour, TestReceiver};
use tokio::net::TcpListener;

use crate::world::{DEADLINE, World, failure};

/// Sends one request to a receiver that always behaves like that.
async fn meet(behaviour: Behaviour) -> (Exchange, TestReceiver) {
    let receiver = TestReceiver::start().await;
    receiver.always(behaviour);
    let exchange = World::local().post(&receiver.url("/")).await;
    (exchange, receiver)
}

/// The same, with a deadline that it will run into.
async fn meet_within_the_deadline(behaviour: Behaviour) -> (Exchange, TestReceiver) {
    let receiver = TestReceiver::start().await;
    receiver.always(behaviour);
    let exchange = World::local().post_within(DEADLINE, &receiver.url("/")).await;
    assert_eq!(
        exchange.address,
        Some(receiver.address()),
        "a try that ran out of time still says where it went"
    );
    (exchange, receiver)
}

fn text(bytes: &str) -> Behaviour {
    Behaviour::Raw(bytes.to_owned().into())
}

#[tokio::test]
async fn it_refuses_connections() {
    let address = TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap();
    let exchange = World::local().post(&format!("http://{address}/")).await;
    assert_eq!(
        failure(&exchange),
        (FailureKind::Connect, format!("connection refused by {address}").as_str())
    );
}

#[tokio::test]
async fn it_accepts_and_never_answers() {
    let (exchange, receiver) = meet_within_the_deadline(Behaviour::Stall).await;
    let expected = format!("no reply from {} within 300 ms", receiver.address());
    assert_eq!(failure(&exchange), (FailureKind::Timeout, expected.as_str()));
    assert_eq!((exchange.reply, exchange.timings.connect_us.is_some()), (None, true));
}

#[tokio::test]
async fn it_never_answers_on_a_connection_that_was_kept() {
    let receiver = TestReceiver::start().await;
    receiver.next([Behaviour::status(200), Behaviour::Stall]);
    let world = World::local();
    assert!(world.post(&receiver.url("/")).await.is_success());
    let stalled = world.post_within(DEADLINE, &receiver.url("/")).await;
    assert_eq!(
        (failure(&stalled).0, stalled.address),
        (FailureKind::Timeout, Some(receiver.address()))
    );
    assert!(world.post(&receiver.url("/")).await.is_success());
    assert_eq!(receiver.connections(), 2, "the stalled connection is not used again");
}

#[tokio::test]
async fn it_drips_headers() {
    let (exchange, _receiver) = meet_within_the_deadline(Behaviour::DripHeaders).await;
    assert_eq!((failure(&exchange).0, exchange.reply.is_none()), (FailureKind::Timeout, true));
}

#[tokio::test]
async fn it_drips_the_body() {
    let (exchange, receiver) = meet_within_the_deadline(Behaviour::DripBody).await;
    let expected = format!("the reply from {} was not complete within 300 ms", receiver.address());
    assert_eq!(failure(&exchange), (FailureKind::Timeout, expected.as_str()));
    assert!(!exchange.is_success() && exchange.timings.first_byte_us.is_some());
    let reply = exchange.reply.unwrap();
    assert!(reply.status == 200 && reply.body.starts_with(b".."), "what came is kept: {reply:?}");
}

#[tokio::test]
async fn it_closes_instead_of_answering() {
    let (exchange, receiver) = meet(Behaviour::Close).await;
    let expected = format!("{} closed the connection without a reply", receiver.address());
    assert_eq!(failure(&exchange), (FailureKind::Disconnected, expected.as_str()));
    assert_eq!(
        receiver.received().len(),
        1,
        "a fresh connection that was closed is not tried twice"
    );
}

#[tokio::test]
async fn it_closes_in_the_middle_of_the_body() {
    let (exchange, receiver) = meet(Behaviour::CloseMidBody).await;
    let expected = format!("{} closed the connection in the middle of the reply", receiver.address());
    assert_eq!(failure(&exchange), (FailureKind::Disconnected, expected.as_str()));
    assert_eq!(&exchange.reply.unwrap().body[..], b"half of");
}

#[tokio::test]
async fn it_sends_less_than_it_announced() {
    let (exchange, _receiver) = meet(Behaviour::WrongContentLength).await;
    assert_eq!(failure(&exchange).0, FailureKind::Disconnected);
    assert_eq!(&exchange.reply.unwrap().body[..], b"short");
}

#[tokio::test]
async fn it_resets() {
    let (exchange, receiver) = meet(Behaviour::Reset).await;
    let expected = format!("connection reset by {} without a reply", receiver.address());
    assert_eq!(failure(&exchange), (FailureKind::Disconnected, expected.as_str()));
}

#[tokio::test]
async fn it_sends_a_hundred_megabytes() {
    let (exchange, _receiver) = meet(Behaviour::Huge(100 * 1024 * 1024)).await;
    assert!(exchange.is_success(), "the status decides: {:?}", exchange.failure);
    let reply = exchange.reply.unwrap();
    assert_eq!((reply.body.len(), reply.body_truncated), (REPLY_KEPT_BYTES_MAX, true));
}

#[tokio::test]
async fn it_sends_more_than_is_kept_but_not_more_than_is_read() {
    let receiver = TestReceiver::start().await;
    receiver
        .always(Behaviour::body("x".repeat(REPLY_KEPT_BYTES_MAX + 1)))
        .at("/exact", Behaviour::body("x".repeat(REPLY_KEPT_BYTES_MAX)));
    let world = World::local();
    for (path, truncated) in [("/", true), ("/exact", false)] {
        let reply = world.post(&receiver.url(path)).await.reply.unwrap();
        assert_eq!((reply.body.len(), reply.body_truncated), (REPLY_KEPT_BYTES_MAX, truncated));
    }
    assert_eq!(receiver.connections(), 1);
}

#[tokio::test]
async fn it_sends_a_gzip_bomb() {
    let (exchange, _receiver) = meet(Behaviour::GzipBomb).await;
    let reply = exchange.reply.unwrap();
    assert_eq!(
        (&reply.body, reply.header("content-encoding")),
        (&Behaviour::gzip_bomb(), Some("gzip"))
    );
}

#[tokio::test]
async fn it_floods_with_interim_replies() {
    let (exchange, receiver) = meet(Behaviour::InformationalFlood).await;
    let expected = format!("{} sent more than 1048576 bytes of reply and no end of it", receiver.address());
    assert_eq!(failure(&exchange), (FailureKind::Protocol, expected.as_str()));
}

#[tokio::test]
async fn it_redirects_to_itself_and_to_others() {
    let (receiver, victim) = (TestReceiver::start().await, TestReceiver::start().await);
    let world = World::local();
    for status in [301, 302, 303, 307, 308] {
        for target in [
            victim.url("/"),
            "/again".to_owned(),
            "http://169.254.169.254/latest/meta-data".to_owned(),
        ] {
            receiver.next([Behaviour::redirect(status, &target)]);
            let exchange = world.post(&receiver.url("/")).await;
            assert_eq!((exchange.status(), exchange.is_success()), (Some(status), false));
            assert_eq!(exchange.reply.unwrap().header("location"), Some(target.as_str()));
        }
    }
    assert_eq!((receiver.received().len(), victim.connections()), (15, 0));
    assert!(receiver.received().iter().all(|request| request.path == "/"));
}

#[tokio::test]
async fn it_says_when_to_come_back_in_every_way() {
    let receiver = TestReceiver::start().await;
    let world = World::local();
    for value in [
        "1",
        "864000",
        "soon",
        "-1",
        "99999999999999999999",
        "Fri, 31 Dec 1999 23:59:59 GMT",
        "",
    ] {
        receiver.next([Behaviour::retry_after(429, value)]);
        let exchange = world.post(&receiver.url("/")).await;
        assert_eq!(
            (exchange.status(), exchange.reply.unwrap().header("retry-after")),
            (Some(429), Some(value))
        );
    }
}

#[tokio::test]
async fn it_answers_every_status() {
    let receiver = TestReceiver::start().await;
    let world = World::local();
    for status in (200..600).step_by(7).chain([101, 204, 304, 410, 599, 999]) {
        receiver.next([Behaviour::status(status)]);
        let exchange = world.post(&receiver.url("/")).await;
        assert_eq!(
            (exchange.status(), exchange.is_success()),
            (Some(status), (200..300).contains(&status)),
            "{exchange:?}"
        );
    }
}

#[tokio::test]
async fn it_sends_a_body_with_204() {
    let receiver = TestReceiver::start().await;
    receiver.next([Behaviour::BodyWithNoContent]);
    let world = World::local();
    let exchange = world.post(&receiver.url("/")).await;
    assert!(exchange.is_success() && exchange.reply.unwrap().body.is_empty());
    assert!(
        world.post(&receiver.url("/")).await.is_success(),
        "what it sent too much is no reply to the next request"
    );
}

#[tokio::test]
async fn it_sends_chunked_garbage() {
    let (exchange, _receiver) = meet(Behaviour::ChunkedGarbage).await;
    assert_eq!(failure(&exchange).0, FailureKind::Protocol);
    assert_eq!(exchange.status(), Some(200));
}

#[tokio::test]
async fn it_sends_invalid_header_bytes() {
    let (exchange, _receiver) = meet(Behaviour::InvalidHeaderBytes).await;
    assert_eq!(failure(&exchange).0, FailureKind::Protocol);
}

#[tokio::test]
async fn it_sends_a_header_that_is_no_text() {
    let bytes = b"HTTP/1.1 200 OK\r\nx-odd: caf\xe9\r\ncontent-length: 0\r\n\r\n";
    let (exchange, _receiver) = meet(Behaviour::Raw(bytes.to_vec().into())).await;
    assert_eq!(exchange.reply.unwrap().header("x-odd"), Some("caf\u{fffd}"));
}

#[tokio::test]
async fn it_sends_ten_thousand_headers() {
    for count in [10_000, 100] {
        let (exchange, receiver) = meet(Behaviour::ManyHeaders(count)).await;
        let expected = format!(
            "the reply from {} has more headers than are accepted (100, together 65536 bytes)",
            receiver.address()
        );
        assert_eq!(failure(&exchange), (FailureKind::Protocol, expected.as_str()));
    }
    let (exchange, _receiver) = meet(Behaviour::ManyHeaders(99)).await; // and content-length
    assert_eq!(exchange.reply.unwrap().headers.len(), 100);
}

#[tokio::test]
async fn it_sends_large_headers() {
    let large = |size: usize| {
        text(&format!(
            "HTTP/1.1 200 OK\r\nx-first: kept\r\nx-large: {}\r\ncontent-length: 0\r\n\r\n",
            "x".repeat(size)
        ))
    };
    let (exchange, _receiver) = meet(large(100_000)).await;
    assert_eq!(failure(&exchange).0, FailureKind::Protocol);
    let (exchange, _receiver) = meet(large(REPLY_HEADERS_KEPT_BYTES_MAX)).await;
    let headers = exchange.reply.unwrap().headers;
    assert_eq!(
        headers,
        [("x-first".to_owned(), "kept".to_owned())],
        "accepted, but too large to keep"
    );
}

#[tokio::test]
async fn it_does_not_speak_http() {
    for greeting in [
        "SSH-2.0-OpenSSH_9.9\r\n",
        "220 mail.test ESMTP\r\n",
        "HTTP/9.9 200 OK\r\n\r\n",
        "\u{15}\u{3}\u{1}\0\u{2}\u{2}F",
        "\n\n\n\n",
    ] {
        let (exchange, receiver) = meet(text(greeting)).await;
        let (kind, message) = failure(&exchange);
        assert!(
            kind == FailureKind::Protocol || kind == FailureKind::Disconnected,
            "{greeting:?}: {message}"
        );
        assert!(message.contains(&receiver.address().to_string()), "{message}");
    }
}

#[tokio::test]
async fn it_closes_a_kept_connection_exactly_when_the_next_request_goes_out() {
    let receiver = TestReceiver::start().await;
    receiver.next([Behaviour::CloseOnNextRequest]);
    let world = World::local();
    assert!(world.post(&receiver.url("/")).await.is_success());
    let second = world.post(&receiver.url("/")).await;
    assert!(second.is_success(), "{second:?}");
    assert_eq!((receiver.connections(), receiver.wait_for(2).await[1].connection), (2, 2));
}

#[tokio::test]
async fn it_closes_every_kept_connection_and_the_next_request_goes_out_on_a_new_one() {
    let receiver = TestReceiver::start().await;
    receiver.always(Behaviour::CloseOnNextRequest);
    let world = World::local();
    let url = receiver.url("/");
    let opened = futures::future::join_all((0..5).map(|_| world.post(&url))).await;
    assert!(opened.iter().all(Exchange::is_success));
    assert!(receiver.connections() > 2, "several were open at the same time");
    let next = world.post(&url).await;
    assert!(next.is_success(), "{next:?}");
}

#[tokio::test]
async fn it_closes_every_connection_that_is_used_twice() {
    let receiver = TestReceiver::start().await;
    receiver.always(Behaviour::CloseOnNextRequest);
    let world = World::local();
    for _ in 0..5 {
        assert!(world.post(&receiver.url("/")).await.is_success());
    }
}

/// Whatever bytes come back, the try ends with a reply or a reason.
#[tokio::test]
async fn it_sends_noise() {
    let entropy = SeededEntropy::new(7);
    let mut noise = std::iter::repeat_with(|| entropy.bytes32()).flatten();
    let receiver = TestReceiver::start().await;
    let world = World::local();
    let honest = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nx-a: b\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for round in 0..300 {
        let mut bytes = honest.to_vec();
        for _ in 0..=round % 4 {
            let place = usize::from(noise.next().unwrap()) % bytes.len();
            bytes[place] = noise.next().unwrap();
        }
        bytes.truncate(bytes.len() - usize::from(noise.next().unwrap() % 8));
        receiver.next([Behaviour::Raw(bytes.clone().into())]);
        let exchange = world.post_within(Duration::from_secs(5), &receiver.url("/")).await;
        assert!(exchange.reply.is_some() || exchange.failure.is_some());
        let timed_out = exchange.failure.is_some_and(|failure| failure.kind == FailureKind::Timeout);
        assert!(
            !timed_out,
            "{:?} kept the try waiting",
            bytes.as_slice().bytes().map_while(Result::ok).map(char::from).collect::<String>()
        );
    }
}
