//! Which connection carries a try.

use std::sync::Arc;

use http::Extensions;
use hyper_util::client::legacy::connect::{CaptureConnection, Connected};

use crate::progress::Setup;
use crate::stream::ConnectionInfo;

/// The connection that the pool chose for a try, once it has chosen.
#[derive(Default)]
pub(crate) struct Line {
    capture: Option<CaptureConnection>,
    pub(crate) info: Option<Arc<ConnectionInfo>>,
    pub(crate) setup: Option<Setup>,
}

impl Line {
    pub(crate) fn capturing(capture: CaptureConnection) -> Self {
        Self {
            capture: Some(capture),
            ..Self::default()
        }
    }

    pub(crate) fn settle(&mut self, info: Option<Arc<ConnectionInfo>>) {
        self.setup = info.as_ref().and_then(|info| info.take_setup());
        self.info = info;
    }

    /// Asks the pool, when no response has told.
    pub(crate) fn look_up(&mut self) {
        if self.info.is_none() {
            let mut extras = Extensions::new();
            self.connected(|connected| connected.get_extras(&mut extras));
            self.settle(extras.remove());
        }
    }

    pub(crate) fn is_reused(&self) -> bool {
        self.info.is_some() && self.setup.is_none()
    }

    /// Keeps a connection on which the receiver did not answer in time from being used again: other streams of it may end.
    pub(crate) fn poison(&self) {
        self.connected(Connected::poison);
    }

    fn connected(&self, act: impl FnOnce(&Connected)) {
        if let Some(capture) = &self.capture
            && let Some(connected) = capture.connection_metadata().as_ref()
        {
            act(connected);
        }
    }
}
