//! What the client knows: which events it sent, which were answered 202, and which arrived where. The server's own word is held against it.
//!
//! Every event has a number, and its payload follows from the number: whatever arrives can be told from what was never sent, and from what was altered.
//!
//! Never knows: how the server is tormented.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use parking_lot::Mutex;
use serde::Deserialize;
use tidings_model::EventId;
use tidings_runtime::{Clock, TimedOut, within};
use tokio::sync::Notify;

use crate::receivers::Manner;

/// Broken promises that are told in words; the others are counted.
const TOLD: usize = 10;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    book: Mutex<Book>,
    moved: Notify,
}

#[derive(Debug, Default)]
struct Book {
    sent: u64,
    accepted: HashMap<u64, EventId>,
    events: HashMap<EventId, u64>,
    /// Events that go nowhere but to that receiver, or to none at all.
    apart: HashMap<u64, Option<Manner>>,
    arrived: HashMap<(Manner, u64), Seen>,
    again: Vec<Again>,
    /// Receivers whose webhook may be there or not, and like this or that.
    uncertain: HashSet<Manner>,
    /// Events whose first attempt has no answer.
    held: HashSet<u64>,
    /// From then on every attempt has one.
    released_us: Option<u64>,
    /// When each address was heard of the last time.
    heard: HashMap<IpAddr, u64>,
    /// What was accepted and has not arrived where it has to.
    missing: HashSet<(Manner, u64)>,
    arrivals: u64,
    refused: u64,
    repeated: u64,
    /// While the disk is being taken away, any answer but 202 will do.
    excused: bool,
    broken: Broken,
}

/// A delivery that was received and answered 2xx: how often, and when the last time.
#[derive(Clone, Copy, Debug)]
struct Seen {
    times: u32,
    first: Moment,
    last_us: u64,
}

/// When something came, and from where.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    pub(crate) at_us: u64,
    pub(crate) from: IpAddr,
}

/// A delivery that came although it had come before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Again {
    pub(crate) event: EventId,
    /// When it had come before.
    pub(crate) before_us: u64,
}

/// What came to a receiver.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival<'a> {
    pub(crate) manner: Manner,
    pub(crate) id: Option<&'a str>,
    pub(crate) body: &'a [u8],
    /// Whether it is answered 2xx.
    pub(crate) well: bool,
    pub(crate) moment: Moment,
}

/// Broken promises.
#[derive(Clone, Debug, Default)]
struct Broken {
    count: u64,
    told: Vec<String>,
}

impl Broken {
    fn add(&mut self, words: impl Into<String>) {
        self.count += 1;
        if self.told.len() < TOLD {
            self.told.push(words.into());
        }
    }
}

impl Book {
    /// Whether an event may come to a receiver.
    fn gets(&self, manner: Manner, number: u64) -> bool {
        match self.apart.get(&number) {
            Some(only) => *only == Some(manner),
            None => manner.gets(number),
        }
    }

    /// Where an event has to come to.
    fn destinations(&self, number: u64) -> Vec<Manner> {
        match self.apart.get(&number) {
            Some(only) => only.iter().copied().collect(),
            None => Manner::ALL.into_iter().filter(|manner| manner.must_get(number)).collect(),
        }
    }

    /// Holds an arrival against what was sent, and gives the event.
    fn recognise(&mut self, arrival: &Arrival<'_>) -> Option<(u64, EventId)> {
        let Arrival {
            manner, id, body, well, ..
        } = *arrival;
        let Some(Written { number, filling: written }) = written(body) else {
            self.broken
                .add(format!("what arrived as {id:?} was never sent: {}", String::from_utf8_lossy(body)));
            return None;
        };
        if number >= self.sent {
            self.broken.add(format!("event {number} arrived and was never sent"));
            return None;
        }
        if written != filling(number) {
            self.broken.add(format!("event {number} arrived altered"));
            return None;
        }
        let Some(id) = id.and_then(|id| id.parse::<EventId>().ok()) else {
            self.broken.add(format!("event {number} arrived as {id:?}"));
            return None;
        };
        if let Some(accepted) = self.accepted.get(&number).copied()
            && accepted != id
        {
            self.broken
                .add(format!("event {number} was accepted as {accepted} and arrived as {id}"));
        }
        if well && !self.gets(manner, number) {
            self.broken.add(format!(
                "event {number}, which is {id}, arrived at {manner:?}, whose webhook may not have it"
            ));
        }
        Some((number, id))
    }
}

/// The part of a delivered body that the ledger wrote.
#[derive(Deserialize)]
struct Written {
    number: u64,
    filling: String,
}

fn written(body: &[u8]) -> Option<Written> {
    serde_json::from_slice(body).ok()
}

/// The number of the event whose body that is.
pub(crate) fn number_of(body: &[u8]) -> Option<u64> {
    written(body).map(|written| written.number)
}

/// The payload of the event with that number: 16 to 656 bytes of filling.
pub(crate) fn payload(number: u64) -> String {
    format!(r#"{{"number":{number},"filling":"{}"}}"#, filling(number))
}

fn filling(number: u64) -> String {
    format!("{:016x}", number.wrapping_mul(0x9e37_79b9_7f4a_7c15)).repeat(1 + (number % 41) as usize)
}

impl Ledger {
    /// Begins an event: nobody else has its number.
    pub(crate) fn begin(&self) -> u64 {
        let mut book = self.book.lock();
        book.sent += 1;
        book.sent - 1
    }

    /// The same for an event that goes nowhere but to that receiver, or to none.
    pub(crate) fn begin_apart(&self, only: Option<Manner>) -> u64 {
        let mut book = self.book.lock();
        let number = book.sent;
        book.apart.insert(number, only);
        book.sent += 1;
        number
    }

    /// The number that the next event will have.
    pub(crate) fn next(&self) -> u64 {
        self.book.lock().sent
    }

    /// What the webhook of that receiver is like, or whether there is one, is not known any more.
    pub(crate) fn is_uncertain(&self, manner: Manner) {
        let mut book = self.book.lock();
        book.missing.retain(|(missing, _)| *missing != manner);
        book.uncertain.insert(manner);
        drop(book);
        self.moved.notify_waiters();
    }

    /// Somebody sends from there.
    pub(crate) fn hears(&self, moment: Moment) {
        self.book.lock().heard.insert(moment.from, moment.at_us);
    }

    /// When that address was heard the last time.
    pub(crate) fn heard(&self, from: IpAddr) -> Option<u64> {
        self.book.lock().heard.get(&from).copied()
    }

    /// Whether this is the first attempt of an event, which has no answer.
    pub(crate) fn holds(&self, number: u64, at_us: u64) -> bool {
        let mut book = self.book.lock();
        let first = book.held.insert(number);
        let released = book.released_us.is_some_and(|released| at_us >= released);
        drop(book);
        self.moved.notify_waiters();
        first && !released
    }

    /// Has first attempts answered from then on, or never.
    pub(crate) fn release(&self, from_us: Option<u64>) {
        self.book.lock().released_us = from_us;
    }

    /// The event was answered 202, as a repetition of a request that had no answer or not.
    pub(crate) fn accepted(&self, number: u64, id: EventId, repeated: bool) {
        let mut book = self.book.lock();
        book.repeated += u64::from(repeated);
        if let Some(other) = book.accepted.insert(number, id)
            && other != id
        {
            book.broken
                .add(format!("event {number} was accepted twice, as {other} and as {id}"));
        }
        if let Some(other) = book.events.insert(id, number)
            && other != number
        {
            book.broken.add(format!("{id} was given to event {other} and to event {number}"));
        }
        for manner in book.destinations(number) {
            if !book.uncertain.contains(&manner) && !book.arrived.contains_key(&(manner, number)) {
                book.missing.insert((manner, number));
            }
        }
        drop(book);
        self.moved.notify_waiters();
    }

    /// The answer to an event does not count: it came while the disk was being cut off.
    pub(crate) fn forget(&self, id: EventId) {
        let mut book = self.book.lock();
        if let Some(number) = book.events.remove(&id) {
            book.accepted.remove(&number);
            for manner in Manner::ALL {
                book.missing.remove(&(manner, number));
            }
        }
    }

    /// The server said that it cannot take an event now, and when to come back.
    pub(crate) fn refused(&self) {
        self.book.lock().refused += 1;
        self.moved.notify_waiters();
    }

    /// Whether answers other than 202 and a refusal for the moment are excused from now on.
    pub(crate) fn excuse(&self, excused: bool) {
        self.book.lock().excused = excused;
    }

    /// An answer that no event may have, unless it is excused.
    pub(crate) fn answered_wrongly(&self, words: impl Into<String>) {
        let mut book = self.book.lock();
        if book.excused {
            book.refused += 1;
        } else {
            book.broken.add(words);
        }
    }

    /// Something that no answer and no delivery may be.
    pub(crate) fn broken(&self, words: impl Into<String>) {
        self.book.lock().broken.add(words);
    }

    /// A delivery was received whole.
    pub(crate) fn arrived(&self, arrival: &Arrival<'_>) {
        let (manner, moment) = (arrival.manner, arrival.moment);
        let mut book = self.book.lock();
        if book.uncertain.contains(&manner) {
            return;
        }
        book.arrivals += 1;
        let Some((number, event)) = book.recognise(arrival) else { return };
        if arrival.well {
            let at_us = moment.at_us;
            let before = book.arrived.get(&(manner, number)).copied();
            if let Some(Seen { last_us: before_us, .. }) = before {
                book.again.push(Again { event, before_us });
            }
            let seen = Seen {
                times: before.map_or(0, |seen| seen.times) + 1,
                first: before.map_or(moment, |seen| seen.first),
                last_us: at_us,
            };
            book.arrived.insert((manner, number), seen);
            book.missing.remove(&(manner, number));
        }
        drop(book);
        self.moved.notify_waiters();
    }

    /// The deliveries that came again, so far.
    pub(crate) fn again(&self) -> Vec<Again> {
        self.book.lock().again.clone()
    }

    /// When an event came to a receiver for the first time, of the times that were answered 2xx.
    pub(crate) fn came(&self, manner: Manner, number: u64) -> Option<Moment> {
        self.book.lock().arrived.get(&(manner, number)).map(|seen| seen.first)
    }

    /// Events that were answered 202, so far.
    pub(crate) fn accepted_count(&self) -> usize {
        self.book.lock().accepted.len()
    }

    /// Events that were refused for the moment, so far.
    pub(crate) fn refused_count(&self) -> u64 {
        self.book.lock().refused
    }

    /// Deliveries of all receivers that were received whole, so far.
    pub(crate) fn arrivals_count(&self) -> u64 {
        self.book.lock().arrivals
    }

    /// The ids of the events that were answered 202, so far.
    pub(crate) fn accepted_ids(&self) -> BTreeSet<EventId> {
        self.book.lock().accepted.values().copied().collect()
    }

    /// The events that were answered 202 so far, each with its number.
    pub(crate) fn accepted_numbers(&self) -> HashMap<EventId, u64> {
        self.book.lock().accepted.iter().map(|(number, id)| (*id, *number)).collect()
    }

    /// Waits until the book is as wanted. False: for so long nothing moved any more.
    async fn until(&self, clock: &dyn Clock, patience: Duration, wanted: impl Fn(&Book) -> bool) -> bool {
        loop {
            let moved = self.moved.notified();
            if wanted(&self.book.lock()) {
                return true;
            }
            if within(clock, patience, moved).await == Err(TimedOut) {
                return false;
            }
        }
    }

    /// Waits until so many more events are accepted. False: for so long nothing moved any more.
    pub(crate) async fn accepts_more(&self, clock: &dyn Clock, patience: Duration, more: usize) -> bool {
        let wanted = self.accepted_count() + more;
        self.until(clock, patience, |book| book.accepted.len() >= wanted).await
    }

    /// Waits until an event is accepted that has this number or a later one. False: none was.
    pub(crate) async fn accepts_from(&self, clock: &dyn Clock, patience: Duration, number: u64) -> bool {
        let accepted = self.until(clock, patience, |book| book.accepted.keys().any(|accepted| *accepted >= number));
        within(clock, patience, accepted).await == Ok(true)
    }

    /// Waits until so many more requests were refused for the moment. False: for so long nothing moved any more.
    pub(crate) async fn is_refused_more(&self, clock: &dyn Clock, patience: Duration, more: u64) -> bool {
        let wanted = self.refused_count() + more;
        self.until(clock, patience, |book| book.refused >= wanted).await
    }

    /// Waits until everything that was accepted has arrived where it has to. False: for so long nothing moved any more.
    pub(crate) async fn everything_arrives(&self, clock: &dyn Clock, patience: Duration) -> bool {
        self.until(clock, patience, |book| book.missing.is_empty()).await
    }

    /// Waits until an event has come where it has to. False: it did not.
    pub(crate) async fn arrives(&self, clock: &dyn Clock, patience: Duration, number: u64) -> bool {
        let wanted = |book: &Book| {
            let mut destinations = book.destinations(number).into_iter();
            destinations.all(|manner| book.arrived.contains_key(&(manner, number)))
        };
        within(clock, patience, self.until(clock, patience, wanted)).await == Ok(true)
    }

    /// Waits until the first attempt of an event is held. False: there was none.
    pub(crate) async fn is_held(&self, clock: &dyn Clock, patience: Duration, number: u64) -> bool {
        let held = self.until(clock, patience, |book| book.held.contains(&number));
        within(clock, patience, held).await == Ok(true)
    }

    /// Holds the book against what the server says that it has stored.
    pub(crate) fn audit(&self, stored: &BTreeSet<EventId>) -> Audit {
        let book = self.book.lock();
        let mut broken = book.broken.clone();
        for (manner, number) in &book.missing {
            broken.add(format!("event {number} was accepted and did not arrive at {manner:?}"));
        }
        for (number, id) in &book.accepted {
            if !stored.contains(id) {
                broken.add(format!("event {number} was accepted as {id} and is not stored"));
            }
        }
        for id in stored.iter().filter(|id| !book.events.contains_key(*id)) {
            broken.add(format!(
                "{id} is stored and was never answered, though all requests were sent until they were"
            ));
        }
        Audit {
            accepted: book.accepted.len(),
            deliveries: book.arrived.len(),
            duplicates: book.again.len() as u64,
            refused: book.refused,
            repeated: book.repeated,
            lost: book.missing.len(),
            broken,
        }
    }
}

/// What the book says in the end.
#[derive(Clone, Debug)]
pub struct Audit {
    /// Events that were answered 202.
    pub accepted: usize,
    /// Deliveries that were received and answered 2xx, each counted once.
    pub deliveries: usize,
    /// How often one of them came again.
    pub duplicates: u64,
    /// Requests that were refused for the moment.
    pub refused: u64,
    /// Requests without an answer that had been stored all the same, and were told so when they were sent again.
    pub repeated: u64,
    /// Deliveries of accepted events that did not arrive where they had to.
    pub lost: usize,
    broken: Broken,
}

impl Audit {
    /// Whether every promise was kept.
    pub const fn is_clean(&self) -> bool {
        self.broken.count == 0
    }

    /// Fails unless every promise was kept.
    pub fn hold(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.is_clean(),
            "{} promises were broken:\n  {}",
            self.broken.count,
            self.broken.told.join("\n  ")
        );
        Ok(())
    }
}

impl fmt::Display for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} events accepted ({} of them known again by their key), {} deliveries, {} lost, {} duplicates, {} requests refused for the moment",
            self.accepted, self.repeated, self.deliveries, self.lost, self.duplicates, self.refused
        )
    }
}

#[cfg(test)]
mod tests {
    use tidings_model::Timestamp;

    use super::*;

    fn id(number: u16) -> EventId {
        EventId::new(Timestamp::from_seconds(1_700_000_000), number)
    }

    fn arrived(ledger: &Ledger, manner: Manner, id: EventId, body: &str) {
        ledger.arrived(&Arrival {
            manner,
            id: Some(&id.to_string()),
            body: body.as_bytes(),
            well: true,
            moment: Moment {
                at_us: 0,
                from: IpAddr::from([127, 0, 0, 1]),
            },
        });
    }

    fn delivered(ledger: &Ledger, number: u64, id: EventId) {
        for manner in Manner::ALL.into_iter().filter(|manner| manner.gets(number)) {
            arrived(ledger, manner, id, &payload(number));
        }
    }

    fn told(ledger: &Ledger, stored: &[EventId]) -> String {
        let audit = ledger.audit(&stored.iter().copied().collect());
        audit.hold().map_or_else(|broken| broken.to_string(), |()| audit.to_string())
    }

    #[test]
    fn what_is_accepted_and_arrives_and_is_stored_is_all_there_is_to_say() {
        let ledger = Ledger::default();
        let number = ledger.begin();
        ledger.accepted(number, id(1), false);
        delivered(&ledger, number, id(1));
        delivered(&ledger, number, id(1));
        let words = told(&ledger, &[id(1)]);
        assert!(words.starts_with("1 events accepted") && words.contains("4 duplicates"), "{words}");
    }

    #[test]
    fn every_broken_promise_is_found() {
        let accepted = || {
            let ledger = Ledger::default();
            let number = ledger.begin();
            ledger.accepted(number, id(1), false);
            (ledger, number)
        };
        let (ledger, _) = accepted();
        assert!(told(&ledger, &[id(1)]).contains("did not arrive at Healthy"));
        let (ledger, number) = accepted();
        delivered(&ledger, number, id(1));
        assert!(told(&ledger, &[]).contains("is not stored"));
        assert!(told(&ledger, &[id(1), id(2)]).contains("never answered"));
        ledger.accepted(number, id(2), true);
        assert!(told(&ledger, &[id(1), id(2)]).contains("accepted twice"));
        let (ledger, number) = accepted();
        delivered(&ledger, number, id(3));
        assert!(told(&ledger, &[id(1)]).contains("arrived as"));
        let (ledger, number) = accepted();
        delivered(&ledger, number + 1, id(1));
        assert!(told(&ledger, &[id(1)]).contains("was never sent"));
        let (ledger, number) = accepted();
        let altered = payload(number).replace("filling\":\"0", "filling\":\"1");
        arrived(&ledger, Manner::Healthy, id(1), &altered);
        assert!(told(&ledger, &[id(1)]).contains("arrived altered"));
        let (ledger, number) = accepted();
        arrived(&ledger, Manner::Hanging, id(1), &payload(number));
        assert!(told(&ledger, &[id(1)]).contains("may not have it"));
    }

    #[test]
    fn an_event_apart_goes_where_it_is_meant_to_go_and_nowhere_else() {
        let (ledger, here) = (Ledger::default(), Manner::Changing(1));
        let (one, none) = (ledger.begin_apart(Some(here)), ledger.begin_apart(None));
        ledger.accepted(one, id(1), false);
        ledger.accepted(none, id(2), false);
        assert!(told(&ledger, &[id(1), id(2)]).contains("did not arrive at Changing(1)"));
        arrived(&ledger, here, id(1), &payload(one));
        assert!(told(&ledger, &[id(1), id(2)]).contains("0 lost"));
        arrived(&ledger, here, id(2), &payload(none));
        assert!(told(&ledger, &[id(1), id(2)]).contains("may not have it"));
    }
}
