//! One webhook's lane: what is queued, what is under way, what waits in the store. A plain state machine: told the time, it does no I/O.

use std::collections::VecDeque;
use std::time::Duration;

use tidings_model::Timestamp;
use tidings_store::LeasedDelivery;

use crate::turns::{CrowdedId, OwnerId};

/// Deliveries that a lane holds in memory for each attempt that it may have under way, at most: a lane that moves slowly holds little.
const QUEUE_PER_ATTEMPT: usize = 64;
/// Attempts of one webhook under way at the same time, at most.
pub(crate) const LANE_CONCURRENCY_MAX: usize = 64;
/// Attempts under way that a webhook starts with.
const LANE_CONCURRENCY_START: usize = 8;
/// An answer that takes longer than this does not widen a lane.
pub(crate) const FAST: Duration = Duration::from_secs(1);
/// A lease that ends sooner than this is given back rather than sent with: the longest deadline and a margin to record the attempt.
pub(crate) const LEASE_LEFT_MIN: Duration = Duration::from_secs(75);
/// How long a lease lasts.
pub(crate) const LEASE: Duration = Duration::from_secs(180);
/// How long a webhook that answers 429 or 503 without Retry-After is left alone at first: one such answer among many good ones costs little.
const PAUSE_FIRST: Duration = Duration::from_millis(250);
/// To what that grows, doubled each time, while nothing goes well.
const PAUSE_UNASKED_MAX: Duration = Duration::from_secs(5);
/// Longest pause of a whole lane, whatever Retry-After says; the delivery that got the answer waits as long as it was told.
const PAUSE_ASKED_MAX: Duration = Duration::from_secs(300);

/// What a lane wants done next.
#[derive(Debug, PartialEq)]
pub(crate) enum Step {
    /// Send this; the lane counts it as under way until [`Lane::finished`].
    Send(Box<LeasedDelivery>),
    /// Lease up to so many from the store; no other refill is asked for until [`Lane::refilled`].
    Refill(usize),
    /// Give these leases back: they cannot be used in time.
    Release(Vec<LeasedDelivery>),
    /// Nothing now.
    Rest,
}

/// What the end of an attempt tells the lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    /// 2xx.
    Well,
    /// 2xx, but not before [`FAST`]: more at a time would not make it faster.
    Slowly,
    /// Anything else.
    Failed,
    /// 429 or 503: leave it alone for a while.
    Throttled(Option<Duration>),
    /// Nothing was sent.
    Unused,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Lane {
    queue: VecDeque<LeasedDelivery>,
    reserved: usize,
    in_flight: usize,
    concurrency: usize,
    /// The last attempt went well. A lane that has not shown that it answers gets no slot that others could need.
    proven: bool,
    paused_until: Timestamp,
    /// The next pause that nobody asked for.
    next_pause: Duration,
    /// When the store next has something for this lane, as far as is known.
    next_due: Option<Timestamp>,
    refilling: bool,
    /// Whose turns it takes.
    pub(crate) owner: OwnerId,
    /// In the line of lanes that want a turn, or aside from it.
    pub(crate) in_line: bool,
    /// Where it stands when it had no share of the places.
    pub(crate) crowded: Option<CrowdedId>,
}

impl Lane {
    pub(crate) const fn new(owner: OwnerId) -> Self {
        Self {
            queue: VecDeque::new(),
            reserved: 0,
            in_flight: 0,
            concurrency: LANE_CONCURRENCY_START,
            proven: false,
            paused_until: Timestamp::from_millis(0),
            next_pause: PAUSE_FIRST,
            next_due: None,
            refilling: false,
            owner,
            in_line: false,
            crowded: None,
        }
    }

    /// Takes a place for a delivery that is about to be appended. False: let it wait in the store.
    pub(crate) fn reserve(&mut self, at: Timestamp) -> bool {
        let behind = self.refilling || self.next_due.is_some_and(|due| due <= at); // what waits in the store goes first
        let room = self.room() > 0;
        let open = room && !behind && at >= self.paused_until;
        self.reserved += usize::from(open);
        open
    }

    fn room(&self) -> usize {
        (QUEUE_PER_ATTEMPT * self.concurrency).saturating_sub(self.queue.len() + self.reserved)
    }

    /// Attempts under way that are to be counted among those of lanes that have not shown that they answer.
    pub(crate) const fn unproven(&self) -> usize {
        if self.proven { 0 } else { self.in_flight }
    }

    /// Attempts under way.
    pub(crate) const fn in_flight(&self) -> usize {
        self.in_flight
    }

    /// Whether its last attempt went well.
    pub(crate) const fn is_proven(&self) -> bool {
        self.proven
    }

    /// Gives a reserved place back.
    pub(crate) fn unreserve(&mut self) {
        debug_assert!(self.reserved > 0, "a place is given back once");
        self.reserved = self.reserved.saturating_sub(1);
    }

    /// Queues a leased delivery.
    pub(crate) fn push(&mut self, delivery: LeasedDelivery) {
        self.queue.push_back(delivery);
    }

    /// Something waits in the store from that time on.
    pub(crate) fn note_due(&mut self, at: Timestamp) {
        self.next_due = Some(self.next_due.map_or(at, |due| due.min(at)));
    }

    /// What to do at that time, of so many nodes that send to the webhook.
    pub(crate) fn step(&mut self, at: Timestamp, nodes: usize) -> Step {
        if at < self.paused_until {
            return self.give_back(at);
        }
        let ours = (LANE_CONCURRENCY_MAX / nodes.max(1)).max(1);
        if self.in_flight < self.concurrency.min(ours) {
            match self.queue.front() {
                Some(first) if first.lease.until < at + LEASE_LEFT_MIN => return self.give_back(at),
                Some(_) => {}
                None => return self.refill(at),
            }
            if let Some(first) = self.queue.pop_front() {
                self.in_flight += 1;
                return Step::Send(Box::new(first));
            }
        }
        if self.queue.len() < LANE_CONCURRENCY_MAX {
            self.refill(at)
        } else {
            Step::Rest
        }
    }

    fn refill(&mut self, at: Timestamp) -> Step {
        if self.refilling || self.next_due.is_none_or(|due| due > at) {
            return Step::Rest;
        }
        self.refilling = true;
        self.next_due = None; // what is noted meanwhile, the refill may not have seen
        Step::Refill(self.room().min(4 * self.concurrency).max(1))
    }

    fn give_back(&mut self, at: Timestamp) -> Step {
        if self.queue.is_empty() {
            return Step::Rest;
        }
        self.note_due(at.max(self.paused_until));
        Step::Release(self.queue.drain(..).collect())
    }

    /// A refill has come back: what was leased is pushed by the caller; the store says when it has more.
    pub(crate) fn refilled(&mut self, next_due: Option<Timestamp>) {
        self.refilling = false;
        self.next_due = self.next_due.into_iter().chain(next_due).min();
    }

    /// A refill failed: try again then.
    pub(crate) fn refill_failed(&mut self, again_at: Timestamp) {
        self.refilling = false;
        self.next_due = Some(again_at);
    }

    /// An attempt that [`Step::Send`] began has ended.
    pub(crate) fn finished(&mut self, signal: Signal, at: Timestamp) {
        debug_assert!(self.in_flight > 0, "an attempt ends once");
        self.in_flight = self.in_flight.saturating_sub(1);
        if signal != Signal::Unused {
            self.proven = matches!(signal, Signal::Well | Signal::Slowly);
        }
        if self.proven {
            self.next_pause = PAUSE_FIRST;
        }
        match signal {
            Signal::Well => self.concurrency = (self.concurrency + 1).min(LANE_CONCURRENCY_MAX),
            Signal::Failed => self.concurrency = (self.concurrency / 2).max(1),
            Signal::Throttled(wish) => {
                self.concurrency = (self.concurrency / 2).max(1);
                let pause = wish.map_or_else(|| self.pause_unasked(at), |wish| wish.min(PAUSE_ASKED_MAX));
                self.paused_until = self.paused_until.max(at + pause);
            }
            Signal::Slowly | Signal::Unused => {}
        }
    }

    /// How long it is left alone without having said so. What was under way when the pause began tells nothing new.
    fn pause_unasked(&mut self, at: Timestamp) -> Duration {
        if at < self.paused_until {
            return Duration::ZERO;
        }
        let pause = self.next_pause;
        self.next_pause = (2 * pause).min(PAUSE_UNASKED_MAX);
        pause
    }

    /// When the lane should be looked at again without anybody asking, if ever.
    pub(crate) fn wake_at(&self) -> Option<Timestamp> {
        self.next_due.map(|due| due.max(self.paused_until))
    }

    /// Queued deliveries.
    pub(crate) fn queued(&self) -> usize {
        self.queue.len()
    }

    /// True when nothing of it is in memory and nothing is known to wait: it can be forgotten.
    pub(crate) fn is_idle(&self, at: Timestamp) -> bool {
        let empty = self.queue.is_empty() && self.reserved == 0 && self.in_flight == 0 && !self.refilling;
        empty && self.next_due.is_none() && at >= self.paused_until && self.concurrency >= LANE_CONCURRENCY_START
    }

    /// Takes everything queued out, to be given back.
    pub(crate) fn drain(&mut self) -> Vec<LeasedDelivery> {
        self.queue.drain(..).collect()
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tidings_model::{DeliveryId, EnvironmentId, EventId, Trigger, WebhookId};
    use tidings_store::{LeaseGrant, LeaseToken};

    use super::*;
    use crate::turns::Turns;

    const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);

    fn lane() -> Lane {
        Lane::new(Turns::default().join(None))
    }

    fn delivery(number: u16) -> LeasedDelivery {
        LeasedDelivery {
            id: DeliveryId {
                event: EventId::new(AT, number),
                ordinal: 0,
            },
            environment: EnvironmentId::from_chance([1; 16]),
            webhook: WebhookId::new(AT, 1),
            trigger: Trigger::Event,
            attempts: 0,
            due_at: AT,
            body: Bytes::from_static(b"{}"),
            lease: LeaseGrant {
                token: LeaseToken(i64::from(number)),
                until: AT + LEASE,
            },
        }
    }

    #[test]
    fn a_lane_sends_no_more_at_a_time_than_its_concurrency() {
        let mut lane = lane();
        (0..20).for_each(|number| lane.push(delivery(number)));
        let sent = std::iter::repeat_with(|| lane.step(AT, 1))
            .take_while(|step| matches!(step, Step::Send(_)))
            .count();
        assert_eq!(sent, LANE_CONCURRENCY_START);
        lane.finished(Signal::Well, AT);
        assert!(matches!(lane.step(AT, 1), Step::Send(_)));
        assert!(matches!(lane.step(AT, 1), Step::Send(_)), "a success widens the lane by one");
        assert_eq!(lane.step(AT, 1), Step::Rest);
    }

    #[test]
    fn a_webhook_that_answers_slowly_gets_no_more_at_a_time() {
        let mut lane = lane();
        (0..20).for_each(|number| lane.push(delivery(number)));
        while matches!(lane.step(AT, 1), Step::Send(_)) {}
        lane.finished(Signal::Slowly, AT);
        assert!(lane.is_proven());
        assert!(matches!(lane.step(AT, 1), Step::Send(_)));
        assert_eq!(lane.step(AT, 1), Step::Rest);
    }

    #[test]
    fn failures_narrow_a_lane_to_one_at_a_time() {
        let mut lane = lane();
        (0..20).for_each(|number| lane.push(delivery(number)));
        while matches!(lane.step(AT, 1), Step::Send(_)) {}
        (0..LANE_CONCURRENCY_START).for_each(|_| lane.finished(Signal::Failed, AT));
        assert!(matches!(lane.step(AT, 1), Step::Send(_)));
        assert_eq!(lane.step(AT, 1), Step::Rest);
    }

    #[test]
    fn a_throttled_lane_gives_its_leases_back_and_wakes_after_the_pause() {
        let mut lane = lane();
        lane.push(delivery(1));
        lane.push(delivery(2));
        assert!(matches!(lane.step(AT, 1), Step::Send(_)));
        lane.finished(Signal::Throttled(Some(Duration::from_secs(30))), AT);
        assert!(matches!(lane.step(AT, 1), Step::Release(back) if back.len() == 1));
        assert_eq!(lane.wake_at(), Some(AT + Duration::from_secs(30)));
        assert!(!lane.reserve(AT));
    }

    #[test]
    fn what_is_noted_while_a_refill_is_under_way_is_not_forgotten_with_its_answer() {
        let mut lane = lane();
        lane.note_due(AT);
        assert!(matches!(lane.step(AT, 1), Step::Refill(_)));
        assert!(!lane.reserve(AT), "what waits in the store goes first");
        lane.note_due(AT + Duration::from_secs(5));
        lane.refilled(Some(AT + LEASE));
        assert_eq!(lane.wake_at(), Some(AT + Duration::from_secs(5)));
    }

    /// Begins one attempt and ends it so; gives back for how long the lane then rests.
    fn rest_after(lane: &mut Lane, signal: Signal, at: Timestamp) -> Duration {
        lane.push(delivery(1));
        assert!(matches!(lane.step(at, 1), Step::Send(_)), "it is ready at {at}");
        lane.finished(signal, at);
        lane.paused_until.since(at)
    }

    #[test]
    fn an_unasked_pause_is_short_and_doubles_while_nothing_goes_well() {
        let (mut lane, mut at, mut pauses) = (lane(), AT, Vec::new());
        for _ in 0..7 {
            let pause = rest_after(&mut lane, Signal::Throttled(None), at);
            pauses.push(pause.as_millis());
            at = at + pause;
        }
        assert_eq!(pauses, [250, 500, 1_000, 2_000, 4_000, 5_000, 5_000]);
        rest_after(&mut lane, Signal::Well, at);
        assert_eq!(rest_after(&mut lane, Signal::Throttled(None), at), PAUSE_FIRST);
    }

    #[test]
    fn many_that_are_throttled_together_pause_the_lane_once() {
        let mut lane = lane();
        (0..20).for_each(|number| lane.push(delivery(number)));
        while matches!(lane.step(AT, 1), Step::Send(_)) {}
        (0..LANE_CONCURRENCY_START).for_each(|_| lane.finished(Signal::Throttled(None), AT + Duration::from_millis(1)));
        assert_eq!(lane.paused_until, AT + Duration::from_millis(1) + PAUSE_FIRST);
        assert_eq!(lane.concurrency, 1);
    }

    #[test]
    fn a_lease_that_would_end_during_the_attempt_is_not_sent_with() {
        let mut lane = lane();
        lane.push(delivery(1));
        assert!(matches!(lane.step(AT + LEASE, 1), Step::Release(_)));
        assert_eq!(lane.wake_at(), Some(AT + LEASE));
    }

    #[test]
    fn what_waits_in_the_store_goes_before_what_arrives() {
        let mut lane = lane();
        lane.note_due(AT);
        assert!(!lane.reserve(AT));
        assert!(matches!(lane.step(AT, 1), Step::Refill(_)));
        assert_eq!(lane.step(AT, 1), Step::Rest, "one refill at a time");
        lane.refilled(None);
        assert!(lane.reserve(AT));
    }

    #[test]
    fn a_full_lane_takes_no_more() {
        let mut lane = lane();
        assert_eq!(
            std::iter::repeat_with(|| lane.reserve(AT)).take_while(|taken| *taken).count(),
            QUEUE_PER_ATTEMPT * LANE_CONCURRENCY_START
        );
        lane.unreserve();
        assert!(lane.reserve(AT));
    }
}
