//! Places for connections: how many there are, and who gives one up when all are taken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tidings_runtime::Clock;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

use super::seldom::Seldom;
use crate::limits::SETTLED_SECONDS;

/// When a connection became idle, and its number: the first is the one that has been idle for longest.
type IdleSince = (u64, u64);

/// The places of a server. Connections that are idle, or keep us waiting for the rest of a request, hold theirs only until somebody else needs it, so
/// that neither silence nor dripping locks anybody out.
pub(super) struct Places {
    clock: Arc<dyn Clock>,
    count: usize,
    free: Arc<Semaphore>,
    numbers: AtomicU64,
    idle: Mutex<BTreeMap<IdleSince, Place>>,
    full: Seldom,
}

/// The right of one connection to be open.
pub(super) struct Place {
    number: u64,
    taken: Arc<Notify>,
    permit: OwnedSemaphorePermit,
}

impl Places {
    /// So many places, at least one.
    pub(super) fn new(count: usize, clock: Arc<dyn Clock>) -> Arc<Self> {
        let count = count.max(1);
        Arc::new(Self {
            full: Seldom::new(Arc::clone(&clock)),
            clock,
            count,
            free: Arc::new(Semaphore::new(count)),
            numbers: AtomicU64::new(0),
            idle: Mutex::default(),
        })
    }

    /// A place for a connection that has come: a free one, or that of the connection that has been idle for longest. Waits while all are busy.
    pub(super) async fn take(&self) -> Place {
        loop {
            if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
                return self.place(permit);
            }
            if self.full.now() {
                tracing::warn!(
                    connections_max = self.count,
                    "every connection is taken: the longest idle ones are closed for new ones, and new ones wait while none is idle; \
                     raise max_connections (and the limit of open files) if these are callers of yours"
                );
            }
            if let Some(permit) = self.reclaim() {
                return self.place(permit);
            }
            tokio::select! {
                biased;
                permit = Arc::clone(&self.free).acquire_owned() => return self.place(permit.expect("nobody closes the semaphore")),
                () = self.clock.sleep(Duration::from_secs(SETTLED_SECONDS)) => {}
            }
        }
    }

    /// Closes the connection that has been idle for longest, and gives its permit back. One whose last answer may still be on its way is not idle yet.
    pub(super) fn reclaim(&self) -> Option<OwnedSemaphorePermit> {
        let settled_us = Duration::from_secs(SETTLED_SECONDS).as_micros() as u64;
        let now_us = self.clock.monotonic_us();
        let mut idle = self.idle.lock();
        let longest = idle.first_entry().filter(|entry| entry.key().0 + settled_us <= now_us)?;
        let place = longest.remove();
        place.taken.notify_one();
        Some(place.permit)
    }

    /// From now on, others may have that place.
    pub(super) fn offer(&self, place: Place, since_us: u64) {
        self.idle.lock().insert((since_us, place.number), place);
    }

    /// The place that was offered, unless somebody has it.
    pub(super) fn take_back(&self, number: u64, since_us: u64) -> Option<Place> {
        self.idle.lock().remove(&(since_us, number))
    }

    fn place(&self, permit: OwnedSemaphorePermit) -> Place {
        Place {
            number: self.numbers.fetch_add(1, Ordering::Relaxed),
            taken: Arc::new(Notify::new()),
            permit,
        }
    }
}

impl Place {
    /// Tells this place from the others.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// Rings when somebody else has the place.
    pub(super) fn taken(&self) -> Arc<Notify> {
        Arc::clone(&self.taken)
    }
}
