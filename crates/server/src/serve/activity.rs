//! Whether anything moves on a connection.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use parking_lot::Mutex;
use tidings_runtime::Clock;
use tokio::sync::Notify;

use super::places::{Place, Places};
use crate::limits::{ARRIVING_SECONDS, FIRST_REQUEST_SECONDS_MAX, IDLE_SECONDS_MAX, REQUEST_SECONDS_MAX, SETTLED_SECONDS};

/// How much younger a connection counts whose requests are arriving than one that is idle.
const ARRIVING_GRACE_US: u64 = (ARRIVING_SECONDS - SETTLED_SECONDS) * 1_000_000;

/// The requests of one connection, and its place: its own while one of them is at work, on offer while none is under way, or while the peer keeps all
/// of them waiting for their bodies.
pub(super) struct Activity {
    clock: Arc<dyn Clock>,
    places: Arc<Places>,
    number: u64,
    taken: Arc<Notify>,
    state: Mutex<State>,
}

struct State {
    under_way: usize,
    /// Those of them whose bodies are waited for: since when, and which.
    arriving: BTreeSet<(u64, u64)>,
    /// Requests so far.
    asked: u64,
    moved_at_us: u64,
    place: Held,
}

/// Who has the place of a connection.
enum Held {
    /// The connection.
    Own(Place),
    /// Whoever needs it first; since when it is on offer.
    OnOffer(u64),
    /// Another.
    Lost,
}

/// One request that is being read, handled or answered.
pub(super) struct UnderWay {
    activity: Arc<Activity>,
    began_at_us: u64,
    number: u64,
}

impl Activity {
    /// A connection that has just come.
    pub(super) fn new(clock: Arc<dyn Clock>, places: Arc<Places>, place: Place) -> Arc<Self> {
        let moved_at_us = clock.monotonic_us();
        let (number, taken) = (place.number(), place.taken());
        places.offer(place, moved_at_us);
        let state = Mutex::new(State {
            under_way: 0,
            arriving: BTreeSet::new(),
            asked: 0,
            moved_at_us,
            place: Held::OnOffer(moved_at_us),
        });
        Arc::new(Self {
            clock,
            places,
            number,
            taken,
            state,
        })
    }

    /// A request begins, unless the connection has lost its place: then it is about to be closed.
    pub(super) fn begin(self: &Arc<Self>) -> Option<UnderWay> {
        let began_at_us = self.clock.monotonic_us();
        let mut state = self.state.lock();
        state.under_way += 1;
        state.asked += 1;
        state.moved_at_us = began_at_us;
        self.place(&mut state).then(|| UnderWay {
            activity: Arc::clone(self),
            began_at_us,
            number: state.asked,
        })
    }

    /// Offers the place or takes it back, as the requests are. False when another has it.
    fn place(&self, state: &mut State) -> bool {
        let wanted = match state.arriving.first() {
            _ if state.under_way == 0 => Some(state.moved_at_us),
            // Counted from its beginning: a body that drips is not younger for it.
            Some((since_us, _)) if state.arriving.len() == state.under_way => Some(since_us + ARRIVING_GRACE_US),
            _ => None,
        };
        let place = match std::mem::replace(&mut state.place, Held::Lost) {
            Held::Own(place) => Some(place),
            Held::OnOffer(since_us) if Some(since_us) == wanted => {
                state.place = Held::OnOffer(since_us);
                return true;
            }
            Held::OnOffer(since_us) => self.places.take_back(self.number, since_us),
            Held::Lost => None,
        };
        let Some(place) = place else {
            return false;
        };
        state.place = match wanted {
            Some(since_us) => {
                self.places.offer(place, since_us);
                Held::OnOffer(since_us)
            }
            None => Held::Own(place),
        };
        true
    }

    /// Waits until the connection's place has gone to another.
    pub(super) async fn displaced(&self) {
        self.taken.notified().await;
    }

    /// Waits until the connection has stood still for too long.
    pub(super) async fn stalled(&self) {
        loop {
            let (seconds, moved_at_us) = {
                let state = self.state.lock();
                let seconds = match (state.under_way, state.asked) {
                    (0, 0) => FIRST_REQUEST_SECONDS_MAX,
                    (0, _) => IDLE_SECONDS_MAX,
                    _ => REQUEST_SECONDS_MAX,
                };
                (seconds, state.moved_at_us)
            };
            let still = Duration::from_micros(self.clock.monotonic_us().saturating_sub(moved_at_us));
            match Duration::from_secs(seconds).checked_sub(still).filter(|left| !left.is_zero()) {
                None => return,
                // Not past an idle deadline that begins in the meantime.
                Some(left) => self.clock.sleep(left.min(Duration::from_secs(IDLE_SECONDS_MAX))).await,
            }
        }
    }
}

impl Drop for Activity {
    fn drop(&mut self) {
        if let Held::OnOffer(since_us) = self.state.get_mut().place {
            self.places.take_back(self.number, since_us); // free again, unless another has it
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.activity.state.lock();
        state.under_way -= 1;
        state.moved_at_us = self.activity.clock.monotonic_us();
        self.activity.place(&mut state);
    }
}

/// A request's body; the peer keeps its request waiting while no more of it is there.
pub(super) struct Arriving {
    body: Incoming,
    activity: Arc<Activity>,
    began_at_us: u64,
    number: u64,
    waiting: bool,
}

impl Arriving {
    pub(super) fn new(body: Incoming, under_way: &UnderWay) -> Self {
        Self {
            body,
            activity: Arc::clone(&under_way.activity),
            began_at_us: under_way.began_at_us,
            number: under_way.number,
            waiting: false,
        }
    }

    /// Notes whether the body is waited for. False when the connection has lost its place.
    fn wait(&mut self, waiting: bool) -> bool {
        if waiting == self.waiting {
            return true;
        }
        self.waiting = waiting;
        let mut state = self.activity.state.lock();
        let entry = (self.began_at_us, self.number);
        if waiting {
            state.arriving.insert(entry);
        } else {
            state.arriving.remove(&entry);
        }
        self.activity.place(&mut state)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.wait(false);
    }
}

impl HttpBody for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if self.wait(polled.is_pending()) {
            polled
        } else {
            Poll::Pending // until the connection is dropped: its place has gone to another
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A reply's body; its request is under way until the last of it is handed over.
pub(super) struct Answering {
    body: Body,
    _under_way: UnderWay,
}

impl Answering {
    pub(super) const fn new(body: Body, under_way: UnderWay) -> Self {
        Self {
            body,
            _under_way: under_way,
        }
    }
}

impl HttpBody for Answering {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
