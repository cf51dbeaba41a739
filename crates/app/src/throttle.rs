//! Slows down whoever guesses passwords.
//!
//! Every attempt counts as a failure until it has succeeded, so that many at once are not more than many in turn. After some failures whoever failed
//! waits, longer after each further one, also with the right password. Counted are one person's failures from one network, one person's from anywhere
//! (many machines guess at one), and those from one network at anybody (one machine guesses at many).

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use parking_lot::Mutex;
use tidings_model::Timestamp;

/// Wait after the first failure that is one too many; it doubles with each further one.
const WAIT: Duration = Duration::from_secs(30);
/// Longest wait.
const WAIT_MAX: Duration = Duration::from_secs(15 * 60);
/// Failures are forgotten that long after the last one.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 60);
/// Counters at most; beyond, the one whose last failure is the oldest goes.
const COUNTERS_MAX: usize = 10_000;

/// What failures are counted of.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    PersonFrom(String, IpAddr),
    Person(String),
    From(IpAddr),
    /// Guesses at the old password by somebody who is signed in.
    Change(String),
}

impl Counted {
    /// Failures before the first wait.
    const fn free(&self) -> u32 {
        match self {
            Self::PersonFrom(..) | Self::Change(_) => 4,
            Self::Person(_) | Self::From(_) => 49,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Counter {
    failures: u32,
    last: Timestamp,
}

impl Counter {
    fn waits_until(self, free: u32) -> Option<Timestamp> {
        let beyond = self.failures.checked_sub(free + 1)?;
        let wait = WAIT.saturating_mul(1_u32.checked_shl(beyond).unwrap_or(u32::MAX));
        Some(self.last + wait.min(WAIT_MAX))
    }

    fn is_forgotten(self, now: Timestamp) -> bool {
        now.since(self.last) >= FORGOTTEN_AFTER
    }
}

/// Whom an attempt is about, and where it comes from.
#[derive(Debug)]
pub(crate) struct Attempt(Vec<Counted>);

impl Attempt {
    /// Somebody signs in.
    pub(crate) fn sign_in(email: &str, address: IpAddr) -> Self {
        let network = network(address);
        Self(vec![
            Counted::PersonFrom(email.to_owned(), network),
            Counted::Person(email.to_owned()),
            Counted::From(network),
        ])
    }

    /// Somebody who is signed in says the old password.
    pub(crate) fn change(email: &str) -> Self {
        Self(vec![Counted::Change(email.to_owned())])
    }
}

/// An attempt has to wait that long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Wait(pub(crate) Duration);

/// The counters: in memory and of bounded size, so a restart forgets them.
#[derive(Debug, Default)]
pub(crate) struct Throttle(Mutex<HashMap<Counted, Counter>>);

impl Throttle {
    /// Lets an attempt through and counts it as failed for now, or says how long it has to wait; an attempt that has to wait is not counted.
    pub(crate) fn admit(&self, attempt: &Attempt, now: Timestamp) -> Result<(), Wait> {
        let mut counters = self.0.lock();
        if let Some(wait) = wait(&counters, attempt, now) {
            return Err(wait);
        }
        for counted in &attempt.0 {
            make_room(&mut counters, counted, now);
            let counter = counters.entry(counted.clone()).or_insert(Counter { failures: 0, last: now });
            let before = if counter.is_forgotten(now) { 0 } else { counter.failures };
            *counter = Counter {
                failures: before.saturating_add(1),
                last: now,
            };
        }
        Ok(())
    }

    /// How long the next attempt has to wait: an attempt that failed may have brought this about.
    pub(crate) fn wait(&self, attempt: &Attempt, now: Timestamp) -> Option<Wait> {
        wait(&self.0.lock(), attempt, now)
    }

    /// The attempt succeeded. What was counted of the person from there is forgotten; of the others only this attempt is taken back, or whoever has an
    /// account could go on guessing at those of others by signing in between.
    pub(crate) fn succeeded(&self, attempt: &Attempt) {
        let mut counters = self.0.lock();
        for counted in &attempt.0 {
            match counted {
                Counted::PersonFrom(..) | Counted::Change(_) => {
                    counters.remove(counted);
                }
                Counted::Person(_) | Counted::From(_) => {
                    if let Some(counter) = counters.get_mut(counted) {
                        counter.failures = counter.failures.saturating_sub(1);
                    }
                }
            }
        }
    }
}

fn wait(counters: &HashMap<Counted, Counter>, attempt: &Attempt, now: Timestamp) -> Option<Wait> {
    let until = attempt
        .0
        .iter()
        .filter_map(|counted| counters.get(counted)?.waits_until(counted.free()))
        .max()?;
    (until > now).then(|| Wait(until.since(now)))
}

fn make_room(counters: &mut HashMap<Counted, Counter>, counted: &Counted, now: Timestamp) {
    if counters.len() < COUNTERS_MAX || counters.contains_key(counted) {
        return;
    }
    counters.retain(|_, counter| !counter.is_forgotten(now));
    if counters.len() >= COUNTERS_MAX {
        let oldest = counters
            .iter()
            .min_by_key(|(_, counter)| counter.last)
            .map(|(counted, _)| counted.clone());
        oldest.and_then(|counted| counters.remove(&counted));
    }
}

/// What one machine can easily have all of: an IPv4 address, or 64 bits of an IPv6 one.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(1_700_000_000 + seconds)
    }

    #[test]
    fn the_fifth_failure_makes_the_sixth_attempt_wait_and_waits_grow_up_to_their_limit() {
        let throttle = Throttle::default();
        let attempt = Attempt::sign_in("zoe@example.com", HOME);
        for _ in 0..5 {
            throttle.admit(&attempt, at(0)).unwrap();
        }
        let mut now = 0;
        for wait in [30, 60, 120, 240, 480, 900, 900] {
            let refused = throttle.admit(&attempt, at(now + wait - 1)).unwrap_err();
            assert_eq!(refused, Wait(Duration::from_secs(1)));
            now += wait;
            throttle.admit(&attempt, at(now)).unwrap();
        }
    }

    #[test]
    fn success_forgets_the_failures_of_the_person_but_not_those_at_others() {
        let throttle = Throttle::default();
        for number in 0..49 {
            let guess = Attempt::sign_in(&format!("victim{number}@example.com"), HOME);
            throttle.admit(&guess, at(0)).unwrap();
        }
        let own = Attempt::sign_in("mallory@example.com", HOME);
        for _ in 0..10 {
            throttle.admit(&own, at(0)).unwrap();
            throttle.succeeded(&own);
        }
        throttle.admit(&Attempt::sign_in("another@example.com", HOME), at(0)).unwrap();
        assert_eq!(throttle.admit(&own, at(0)), Err(Wait(WAIT)));
    }

    #[test]
    fn failures_are_forgotten_after_an_hour_without_one() {
        let throttle = Throttle::default();
        let attempt = Attempt::change("zoe@example.com");
        for _ in 0..5 {
            throttle.admit(&attempt, at(0)).unwrap();
        }
        throttle.admit(&attempt, at(3_600)).unwrap();
        assert_eq!(throttle.wait(&attempt, at(3_600)), None);
    }

    #[test]
    fn the_counters_stay_within_their_bound_and_keep_the_newest() {
        let throttle = Throttle::default();
        for number in 0..COUNTERS_MAX + 10 {
            throttle
                .admit(&Attempt::change(&number.to_string()), at(i64::try_from(number).unwrap() / 10))
                .unwrap();
        }
        let counters = throttle.0.lock();
        assert_eq!(counters.len(), COUNTERS_MAX);
        assert!(counters.contains_key(&Counted::Change((COUNTERS_MAX + 9).to_string())));
    }

    #[test]
    fn addresses_of_one_ipv6_network_are_one_and_an_ipv4_address_is_itself_in_both_writings() {
        let (one, other) = ("2001:db8:1:2::1".parse().unwrap(), "2001:db8:1:2:ffff::9".parse().unwrap());
        assert_eq!(network(one), network(other));
        assert_ne!(network(one), network("2001:db8:1:3::1".parse().unwrap()));
        assert_eq!(network("::ffff:127.0.0.1".parse().unwrap()), HOME);
    }
}
