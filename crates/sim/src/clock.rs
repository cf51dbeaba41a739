//! The time that a node believes in.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tidings_model::Timestamp;
use tidings_runtime::{Clock, ManualClock};

/// The world's clock, read with a skew. Durations are those of the world.
#[derive(Clone)]
pub(crate) struct NodeClock {
    world: ManualClock,
    skew_ms: Arc<AtomicI64>,
}

impl NodeClock {
    /// Without a skew.
    pub(crate) fn new(world: ManualClock) -> Self {
        Self {
            world,
            skew_ms: Arc::default(),
        }
    }

    /// Jumps to that skew.
    pub(crate) fn set_skew(&self, skew_ms: i64) {
        self.skew_ms.store(skew_ms, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.world.now().as_millis() + self.skew_ms.load(Ordering::Relaxed))
    }

    fn monotonic_us(&self) -> u64 {
        self.world.monotonic_us()
    }

    async fn sleep(&self, duration: Duration) {
        self.world.sleep(duration).await;
    }
}
