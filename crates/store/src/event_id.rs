//! How events are numbered: one rule for every store.

use tidings_model::{EventId, Timestamp};

/// Gives out event ids that ascend strictly, whatever the clock does.
///
/// An id is `max(milliseconds << 15, last id + 1)`. So the first event of a millisecond has the sequence 0; a clock that goes back leaves the
/// millisecond where it was; and when the 32,768 numbers of a millisecond are used up, the next millisecond begins early.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventIdSequence {
    last: i64,
}

impl EventIdSequence {
    /// Goes on after the newest id that was ever given out, also when its event has been pruned since; `None` in a new store.
    pub const fn after(last: Option<EventId>) -> Self {
        match last {
            Some(id) => Self { last: id.raw() },
            None => Self { last: 0 },
        }
    }

    /// The newest id that was given out: what a store has to remember.
    pub const fn last(&self) -> Option<EventId> {
        EventId::from_raw(self.last)
    }

    /// The id of an event that is accepted `at`.
    pub fn next(&mut self, at: Timestamp) -> EventId {
        let id = EventId::from_raw(EventId::new(at, 0).raw().max(self.last + 1)).expect("one more than a number that is not negative");
        self.last = id.raw();
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn after(millis: i64) -> Timestamp {
        Timestamp::from_millis(AT.as_millis() + millis)
    }

    #[test]
    fn the_sequence_starts_at_zero_in_every_millisecond() {
        let mut ids = EventIdSequence::default();
        assert_eq!(
            [AT, AT, after(1)].map(|at| ids.next(at)),
            [EventId::new(AT, 0), EventId::new(AT, 1), EventId::new(after(1), 0)]
        );
    }

    #[test]
    fn a_clock_that_goes_back_leaves_the_millisecond_where_it_was() {
        let mut ids = EventIdSequence::after(Some(EventId::new(AT, 7)));
        assert_eq!(ids.next(after(-60_000)), EventId::new(AT, 8));
        assert_eq!(ids.last(), Some(EventId::new(AT, 8)));
    }

    #[test]
    fn a_millisecond_that_is_used_up_lends_from_the_next() {
        let mut ids = EventIdSequence::after(Some(EventId::new(AT, 32_767)));
        assert_eq!(ids.next(AT), EventId::new(after(1), 0));
        assert_eq!(ids.next(after(1)), EventId::new(after(1), 1));
    }

    #[test]
    fn even_the_first_millisecond_of_all_gives_a_positive_id() {
        assert_eq!(EventIdSequence::default().next(Timestamp::from_millis(0)).raw(), 1);
    }
}
