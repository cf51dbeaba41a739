//! What every handler can reach.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tidings_app::App;
use tidings_runtime::Clock;
use tokio::sync::Semaphore;

use crate::limits::{BODIES_BYTES_MAX, STRANGERS_BYTES_MAX};
use crate::metrics::MetricsPage;

/// Whether this node wants traffic. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Not yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on, or not any more.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    /// Whether it wants traffic.
    pub fn is_ready(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What every handler can reach. Cloned several times for every request: one count goes up, whatever is in it.
#[derive(Clone)]
pub struct ServerState(Arc<Shared>);

/// What clones of a [`ServerState`] share.
pub struct Shared {
    /// The application.
    pub app: Arc<App>,
    /// Whether this node wants traffic.
    pub ready: Readiness,
    /// The figures of the process.
    pub metrics: MetricsPage,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// A permit for every byte of the bodies that are being read.
    pub(crate) bodies: Semaphore,
    /// The same for those of strangers, so that they take no room from anybody else.
    pub(crate) strangers: Semaphore,
}

impl ServerState {
    /// From what the process is made of.
    pub fn new(app: Arc<App>, ready: Readiness, metrics: MetricsPage, clock: Arc<dyn Clock>) -> Self {
        Self(Arc::new(Shared {
            app,
            ready,
            metrics,
            clock,
            bodies: Semaphore::new(BODIES_BYTES_MAX),
            strangers: Semaphore::new(STRANGERS_BYTES_MAX),
        }))
    }
}

impl Deref for ServerState {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}
