//! Whether anything moves on a connection.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tidings_runtime::Clock;

use crate::limits::{IDLE_SECONDS_MAX, REQUEST_SECONDS_MAX};

/// The requests of one connection.
pub(super) struct Activity {
    clock: Arc<dyn Clock>,
    under_way: AtomicUsize,
    moved_at_us: AtomicU64,
}

/// One request that is being read, handled or answered.
pub(super) struct UnderWay(Arc<Activity>);

impl Activity {
    /// A connection that has just come.
    pub(super) fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        let now = clock.monotonic_us();
        Arc::new(Self {
            clock,
            under_way: AtomicUsize::new(0),
            moved_at_us: AtomicU64::new(now),
        })
    }

    /// A request begins.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.under_way.fetch_add(1, Ordering::AcqRel);
        self.moved_at_us.store(self.clock.monotonic_us(), Ordering::Release);
        UnderWay(Arc::clone(self))
    }

    /// Waits until the connection has stood still for too long.
    pub(super) async fn stalled(&self) {
        loop {
            let seconds = match self.under_way.load(Ordering::Acquire) {
                0 => IDLE_SECONDS_MAX,
                _ => REQUEST_SECONDS_MAX,
            };
            let still = Duration::from_micros(self.clock.monotonic_us().saturating_sub(self.moved_at_us.load(Ordering::Acquire)));
            match Duration::from_secs(seconds).checked_sub(still).filter(|left| !left.is_zero()) {
                None => return,
                // Not past an idle deadline that begins in the meantime.
                Some(left) => self.clock.sleep(left.min(Duration::from_secs(IDLE_SECONDS_MAX))).await,
            }
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.moved_at_us.store(self.0.clock.monotonic_us(), Ordering::Release);
        self.0.under_way.fetch_sub(1, Ordering::AcqRel);
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
