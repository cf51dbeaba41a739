//! Whether anything moves on a connection.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use parking_lot::Mutex;
use tidings_runtime::Clock;
use tokio::sync::Notify;

use super::places::{Place, Places};
use crate::limits::{FIRST_REQUEST_SECONDS_MAX, IDLE_SECONDS_MAX, REQUEST_SECONDS_MAX};

/// The requests of one connection, and its place: its own while one of them is under way, on offer while none is.
pub(super) struct Activity {
    clock: Arc<dyn Clock>,
    places: Arc<Places>,
    number: u64,
    taken: Arc<Notify>,
    state: Mutex<State>,
}

struct State {
    under_way: usize,
    /// Whether there has been a request at all.
    asked: bool,
    moved_at_us: u64,
    /// There while requests are under way.
    place: Option<Place>,
}

/// One request that is being read, handled or answered.
pub(super) struct UnderWay(Arc<Activity>);

impl Activity {
    /// A connection that has just come.
    pub(super) fn new(clock: Arc<dyn Clock>, places: Arc<Places>, place: Place) -> Arc<Self> {
        let moved_at_us = clock.monotonic_us();
        let (number, taken) = (place.number(), place.taken());
        places.offer(place, moved_at_us);
        let state = Mutex::new(State {
            under_way: 0,
            asked: false,
            moved_at_us,
            place: None,
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
        let mut state = self.state.lock();
        if state.under_way == 0 {
            state.place = Some(self.places.take_back(self.number, state.moved_at_us)?);
        }
        state.under_way += 1;
        state.asked = true;
        state.moved_at_us = self.clock.monotonic_us();
        Some(UnderWay(Arc::clone(self)))
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
                    (0, false) => FIRST_REQUEST_SECONDS_MAX,
                    (0, true) => IDLE_SECONDS_MAX,
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
        self.places.take_back(self.number, self.state.get_mut().moved_at_us); // free again, unless another has it
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.0.state.lock();
        state.under_way -= 1;
        state.moved_at_us = self.0.clock.monotonic_us();
        if state.under_way == 0
            && let Some(place) = state.place.take()
        {
            self.0.places.offer(place, state.moved_at_us);
        }
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
