//! What every page can reach.

use std::sync::Arc;

use tidings_app::App;
use tidings_runtime::{Clock, Shutdown};
use tokio::sync::Semaphore;

use crate::limits::LIVE_STREAMS_MAX;

/// What the portal is made of.
pub struct PortalParts {
    /// The application.
    pub app: Arc<App>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Begins when live streams have to end.
    pub shutdown: Shutdown,
    /// Whether browsers reach it by https: cookies are then never sent without it.
    pub https: bool,
}

/// What every page can reach. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Portal {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shutdown: Shutdown,
    pub(crate) https: bool,
    /// A permit for every live stream.
    pub(crate) streams: Arc<Semaphore>,
}

impl From<PortalParts> for Portal {
    fn from(parts: PortalParts) -> Self {
        Self {
            app: parts.app,
            clock: parts.clock,
            shutdown: parts.shutdown,
            https: parts.https,
            streams: Arc::new(Semaphore::new(LIVE_STREAMS_MAX)),
        }
    }
}
