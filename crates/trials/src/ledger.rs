//! What the client knows: which events it sent, which were answered 202, and which arrived where. The server's own word is held against it.
//!
//! Every event has a number, and its payload follows from the number: whatever arrives can be told from what was never sent, and from what was altered.
//!
//! Never knows: how the server is tormented.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fmt;
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
    arrived: HashMap<(Manner, u64), u32>,
    /// What was accepted and has not arrived where it has to.
    missing: HashSet<(Manner, u64)>,
    arrivals: u64,
    refused: u64,
    repeated: u64,
    /// While the disk is being taken away, any answer but 202 will do.
    excused: bool,
    broken: Broken,
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

/// The part of a delivered body that the ledger wrote.
#[derive(Deserialize)]
struct Written {
    number: u64,
    filling: String,
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
        for manner in Manner::ALL.into_iter().filter(|manner| manner.must_get(number)) {
            if !book.arrived.contains_key(&(manner, number)) {
                book.missing.insert((manner, number));
            }
        }
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

    /// A delivery was received whole; `well`: and was answered 2xx.
    pub(crate) fn arrived(&self, manner: Manner, id: Option<&str>, body: &[u8], well: bool) {
        let mut book = self.book.lock();
        book.arrivals += 1;
        let Ok(written) = serde_json::from_slice::<Written>(body) else {
            return book
                .broken
                .add(format!("what arrived as {id:?} was never sent: {}", String::from_utf8_lossy(body)));
        };
        if written.number >= book.sent {
            return book.broken.add(format!("event {} arrived and was never sent", written.number));
        }
        if written.filling != filling(written.number) {
            return book.broken.add(format!("event {} arrived altered", written.number));
        }
        let Some(id) = id.and_then(|id| id.parse::<EventId>().ok()) else {
            return book.broken.add(format!("event {} arrived as {id:?}", written.number));
        };
        if let Some(accepted) = book.accepted.get(&written.number).copied()
            && accepted != id
        {
            book.broken
                .add(format!("event {} was accepted as {accepted} and arrived as {id}", written.number));
        }
        if well {
            *book.arrived.entry((manner, written.number)).or_default() += 1;
            book.missing.remove(&(manner, written.number));
        }
        drop(book);
        self.moved.notify_waiters();
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

    /// Waits until so many more requests were refused for the moment. False: for so long nothing moved any more.
    pub(crate) async fn is_refused_more(&self, clock: &dyn Clock, patience: Duration, more: u64) -> bool {
        let wanted = self.refused_count() + more;
        self.until(clock, patience, |book| book.refused >= wanted).await
    }

    /// Waits until everything that was accepted has arrived where it has to. False: for so long nothing moved any more.
    pub(crate) async fn everything_arrives(&self, clock: &dyn Clock, patience: Duration) -> bool {
        self.until(clock, patience, |book| book.missing.is_empty()).await
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
            duplicates: book.arrived.values().map(|times| u64::from(*times) - 1).sum(),
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

    fn delivered(ledger: &Ledger, number: u64, id: EventId) {
        for manner in Manner::ALL {
            ledger.arrived(manner, Some(&id.to_string()), payload(number).as_bytes(), true);
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
        assert!(words.starts_with("1 events accepted") && words.contains("5 duplicates"), "{words}");
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
        ledger.arrived(Manner::Healthy, Some(&id(1).to_string()), altered.as_bytes(), true);
        assert!(told(&ledger, &[id(1)]).contains("arrived altered"));
    }
}
