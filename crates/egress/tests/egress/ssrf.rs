//! Nobody gets the server to speak with what it should not speak with.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tidings_egress::{AddressPolicies, AddressPolicy};
use tidings_model::limits::DNS_ADDRESSES_MAX;
use tidings_model::{FailureKind, Timestamp};
use tidings_runtime::ManualClock;
use tidings_testkit::{LOOPBACK_SPELLINGS, TestReceiver, forbidden_ends, neighbours};

use crate::world::{World, environment, failure, loopback, url};

fn in_url(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => format!("http://{v4}:9/"),
        IpAddr::V6(v6) => format!("http://[{v6}]:9/"),
    }
}

#[test]
fn every_range_is_refused_from_its_first_address_to_its_last_and_its_neighbours_are_not() {
    let policy = AddressPolicy::default();
    for (address, word) in forbidden_ends() {
        let refusal = policy.check(address).expect_err(&address.to_string());
        assert!(
            refusal.range.contains(word),
            "{address} is called '{}', not '{word}'",
            refusal.range
        );
    }
    let neighbours = neighbours();
    assert!(neighbours.len() > 30, "{neighbours:?}");
    for address in neighbours {
        assert_eq!(policy.check(address), Ok(()), "{address}");
    }
    for text in ["8.8.8.8", "2001:4860:4860::8888", "2606:4700::1111", "2a00:1450::1"] {
        assert_eq!(policy.check(text.parse().unwrap()), Ok(()), "{text}");
    }
    let beyond = policy.check("4000::1".parse().unwrap()).unwrap_err();
    assert!(beyond.range.contains("global unicast"), "{}", beyond.range);
}

#[test]
fn an_exception_allows_what_it_names_and_not_other_spellings_of_it() {
    let policy = |nets: &[&str]| AddressPolicy::new(nets.iter().map(|net| net.parse().unwrap()).collect());
    let allowed = |policy: &AddressPolicy, text: &str| policy.check(text.parse().unwrap()).is_ok();
    let v4 = policy(&["10.0.0.0/8", "127.0.0.1/32"]);
    assert!(allowed(&v4, "10.9.8.7") && allowed(&v4, "127.0.0.1") && !allowed(&v4, "127.0.0.2"));
    assert!(!allowed(&v4, "::ffff:10.9.8.7") && !allowed(&v4, "::127.0.0.1") && !allowed(&v4, "64:ff9b::a00:1") && !allowed(&v4, "::1"));
    let v6 = policy(&["::ffff:10.0.0.0/104", "fd00::/8"]);
    assert!(allowed(&v6, "::ffff:10.9.8.7") && allowed(&v6, "fd00:ec2::254") && !allowed(&v6, "10.9.8.7"));
}

#[tokio::test]
async fn forbidden_literals_are_refused_by_vet_and_by_send() {
    let world = World::strict();
    for (address, word) in forbidden_ends() {
        let url = in_url(address);
        let vetted = world.vet(&url).await.expect_err(&url);
        assert!(
            vetted.kind == FailureKind::Refused && vetted.message.contains(word),
            "{url}: {vetted}"
        );
        let sent = world.post(&url).await;
        assert_eq!(sent.failure.as_ref(), Some(&vetted), "{url}");
        assert_eq!(sent.address, None, "{url}");
    }
}

#[tokio::test]
async fn names_that_lead_to_forbidden_addresses_are_refused_by_vet_and_by_send() {
    let world = World::strict();
    for (number, (address, word)) in forbidden_ends().into_iter().enumerate() {
        let (name, text) = (format!("h{number}.test"), address.to_string());
        world.names.0.answer(&name, &[&text]);
        let url = format!("https://{name}/");
        let vetted = world.vet(&url).await.expect_err(&text);
        assert!(
            vetted.kind == FailureKind::Refused && vetted.message.contains(word),
            "{text}: {vetted}"
        );
        assert_eq!(world.post(&url).await.failure, Some(vetted), "{text}");
    }
}

#[tokio::test]
async fn no_spelling_of_the_loopback_reaches_a_receiver_there() {
    let receiver = TestReceiver::start().await;
    let world = World::strict();
    for name in ["localhost", "localhost.", "receiver.test", "127.0.0.1.nip.test"] {
        world.names.0.answer(name, &["127.0.0.1"]);
    }
    let names = ["receiver.test", "127.0.0.1.nip.test"];
    for host in LOOPBACK_SPELLINGS.iter().chain(&names) {
        let url = receiver.url_as(host, "/");
        let exchange = world.post(&url).await;
        assert_eq!(failure(&exchange).0, FailureKind::Refused, "{url}: {exchange:?}");
        assert_eq!(world.vet(&url).await.expect_err(&url).kind, FailureKind::Refused);
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn the_systems_own_resolver_is_guarded_too() {
    let receiver = TestReceiver::start().await;
    let config = tidings_egress::EgressConfig::new(AddressPolicies::default());
    let egress = tidings_egress::Egress::new(config, Arc::new(tidings_runtime::SystemClock::new())).unwrap();
    let exchange = tidings_model::Transport::send(&egress, &crate::world::request(&receiver.url_as("localhost", "/"))).await;
    assert_eq!(failure(&exchange).0, FailureKind::Refused);
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn one_forbidden_address_refuses_the_whole_name() {
    let receiver = TestReceiver::start().await;
    let world = World::local();
    world.names.0.answer("host.test", &["127.0.0.1", "169.254.169.254"]);
    let exchange = world.post(&receiver.url_as("host.test", "/")).await;
    let expected = "host.test is refused: its address 169.254.169.254 is a cloud metadata address and refused by policy; the operator can allow \
                    it with --egress-allow 169.254.169.254/32";
    assert_eq!(failure(&exchange), (FailureKind::Refused, expected));
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn a_name_with_too_many_addresses_is_refused() {
    let world = World::strict();
    let mut addresses: Vec<String> = (0..1_000).map(|number| format!("1.1.{}.{}", number / 250, number % 250)).collect();
    world
        .names
        .0
        .answer("many.test", &addresses.iter().map(String::as_str).collect::<Vec<_>>());
    let exchange = world.post("https://many.test/").await;
    let expected = format!("many.test is refused: it has 1000 addresses, and a name may have {DNS_ADDRESSES_MAX}");
    assert_eq!(failure(&exchange), (FailureKind::Refused, expected.as_str()));
    addresses.truncate(DNS_ADDRESSES_MAX);
    world
        .names
        .0
        .answer("just.test", &addresses.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(world.vet("https://just.test/").await, Ok(()));
}

#[tokio::test]
async fn a_connection_goes_to_the_address_that_was_vetted_whatever_the_name_says_next() {
    let receiver = TestReceiver::start().await;
    let world = World::local();
    world
        .names
        .0
        .answer("host.test", &["127.0.0.1"])
        .answer("host.test", &["169.254.169.254"]);
    let exchange = world.post(&receiver.url_as("host.test", "/")).await;
    assert_eq!((exchange.is_success(), exchange.address), (true, Some(receiver.address())));
    assert_eq!(world.names.0.asked("host.test"), 1);
}

#[tokio::test]
async fn a_name_that_turned_bad_after_it_was_vetted_is_refused_when_it_is_sent_to() {
    let receiver = TestReceiver::start().await;
    let world = World::local();
    world.names.0.answer("host.test", &["127.0.0.1"]).answer("host.test", &["10.0.0.5"]);
    let target = receiver.url_as("host.test", "/");
    assert_eq!(world.vet(&target).await, Ok(()));
    assert_eq!(failure(&world.post(&target).await).0, FailureKind::Refused);
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn one_environments_exception_does_not_open_the_door_for_another() {
    let receiver = TestReceiver::start().await;
    let policies = AddressPolicies::new(&[], [(environment(7), vec!["127.0.0.1/32".parse().unwrap()])]);
    let world = World::with(policies, None);
    assert!(world.post_as(environment(7), &receiver.url("/")).await.is_success());
    assert_eq!(
        failure(&world.post_as(environment(8), &receiver.url("/")).await).0,
        FailureKind::Refused
    );
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn vetting_does_not_refuse_a_name_that_does_not_resolve_now() {
    assert_eq!(World::strict().vet("https://nowhere.test/").await, Ok(()));
}

#[tokio::test]
async fn vetting_does_not_wait_for_ever_for_a_resolver() {
    let clock = ManualClock::at(Timestamp::from_millis(1_000));
    let world = World::on_clock(loopback(), None, Arc::new(clock.clone()));
    world.names.0.hang("host.test");
    let vetting = world.vet("https://host.test/");
    let time = async {
        while clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        clock.advance(Duration::from_secs(5));
    };
    assert_eq!(futures::future::join(vetting, time).await.0, Ok(()));
}

#[test]
fn the_addresses_of_this_list_are_spelled_as_urls_spell_them() {
    let mut seen = String::new();
    for (address, _) in forbidden_ends() {
        let host = url(&in_url(address)).host().to_string();
        write!(seen, "{host} ").unwrap();
        assert_eq!(
            SocketAddr::new(address, 0).ip(),
            host.trim_matches(['[', ']']).parse::<IpAddr>().unwrap()
        );
    }
    assert!(seen.contains("[::ffff:0:0]"), "{seen}");
}
