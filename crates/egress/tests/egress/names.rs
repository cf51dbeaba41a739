//! Names asked of a name server that the operator named.

use std::net::{IpAddr, UdpSocket};

use tidings_egress::{Resolve, SystemResolver};
use tidings_testkit::TestNameServer;

/// What the resolver says of a name, in order.
async fn resolved(server: &TestNameServer, name: &str) -> Result<Vec<String>, String> {
    let mut found = SystemResolver::asking(&[server.address()]).resolve(name).await?;
    found.sort();
    Ok(found.iter().map(IpAddr::to_string).collect())
}

#[tokio::test]
async fn addresses_of_both_families_are_found() {
    let server = TestNameServer::start().await;
    server.answer("both.test", &["192.0.2.7", "2001:db8::7"]);
    assert_eq!(resolved(&server, "both.test").await.unwrap(), ["192.0.2.7", "2001:db8::7"]);
    server.answer("four.test", &["192.0.2.7"]);
    assert_eq!(resolved(&server, "four.test").await.unwrap(), ["192.0.2.7"]);
    server.answer("six.test", &["2001:db8::7"]);
    assert_eq!(resolved(&server, "six.test").await.unwrap(), ["2001:db8::7"]);
}

#[tokio::test]
async fn names_for_names_are_followed_however_they_are_told() {
    let server = TestNameServer::start().await;
    server
        .answer("end.test", &["192.0.2.7"])
        .alias("a.test", "b.test")
        .alias("b.test", "end.test");
    assert_eq!(resolved(&server, "a.test").await.unwrap(), ["192.0.2.7"]);
    server.alias_alone("c.test", "d.test").alias_alone("d.test", "end.test");
    assert_eq!(resolved(&server, "c.test").await.unwrap(), ["192.0.2.7"]);
}

#[tokio::test]
async fn a_chain_of_names_without_end_ends() {
    let server = TestNameServer::start().await;
    server
        .alias_alone("round.test", "about.test")
        .alias_alone("about.test", "round.test");
    server.alias("self.test", "self.test");
    for name in ["round.test", "self.test"] {
        resolved(&server, name).await.expect_err(name);
    }
    assert!(server.asked("round.test") < 100, "{}", server.asked("round.test"));
}

#[tokio::test]
async fn an_answer_that_does_not_fit_in_a_datagram_is_asked_for_again() {
    let server = TestNameServer::start().await;
    let many: Vec<_> = (0..1_000)
        .map(|number| format!("192.0.{}.{}", number / 250, number % 250))
        .collect();
    server.answer("many.test", &many.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(resolved(&server, "many.test").await.unwrap().len(), 1_000);
}

#[tokio::test]
async fn a_name_that_does_not_exist_and_one_without_an_address_are_told_apart() {
    let server = TestNameServer::start().await;
    server.answer("empty.test", &[]);
    assert_eq!(resolved(&server, "nowhere.test").await, Err("there is no such name".to_owned()));
    assert_eq!(resolved(&server, "empty.test").await, Err("the name has no address".to_owned()));
}

#[tokio::test]
async fn an_answer_that_nobody_may_remember_is_asked_for_again() {
    let server = TestNameServer::start().await;
    server.answer("turns.test", &["192.0.2.7"]).answer("turns.test", &["192.0.2.8"]);
    let resolver = SystemResolver::asking(&[server.address()]);
    for expected in ["192.0.2.7", "192.0.2.8", "192.0.2.8"] {
        let found = resolver.resolve("turns.test").await.unwrap();
        assert_eq!(found, [expected.parse::<IpAddr>().unwrap()]);
    }
}

/// Time runs only while nothing else does, so that what waits for an answer has waited at once.
#[tokio::test(start_paused = true)]
async fn a_name_server_that_does_not_answer_is_named_after_two_short_tries() {
    let server = TestNameServer::start().await;
    server.hang("host.test");
    let silent = format!("the name server {} did not answer", server.address());
    assert_eq!(resolved(&server, "host.test").await, Err(silent));
    // Both kinds of address; the resolver itself repeats a datagram that may be lost.
    assert!(server.asked("host.test") <= 8, "{}", server.asked("host.test"));
}

#[tokio::test(start_paused = true)]
async fn a_name_server_that_is_not_there_is_named() {
    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let resolver = SystemResolver::asking(&[nobody]);
    let named = format!("the name server {nobody} ");
    for reason in [
        resolver.resolve("host.test").await.unwrap_err(),
        resolver.answers().await.unwrap_err(),
    ] {
        assert!(reason.starts_with(&named), "{reason}");
    }
}

#[tokio::test]
async fn a_name_server_that_knows_nothing_answers() {
    let server = TestNameServer::start().await;
    assert_eq!(SystemResolver::asking(&[server.address()]).answers().await, Ok(()));
}
