//! The one place of the bench that asks the operating system for the time, or to wait: in microseconds, which the clock of `runtime` does not tell.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime};
use tokio::io::unix::AsyncFd;

/// Microseconds since 1970, as the other processes of this machine read them.
#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
pub(crate) fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// A clock that tells microseconds since 1970 and never goes back: one reading serves as a stamp and as the start of a measurement.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
    started_us: u64,
}

impl Clock {
    /// Agrees with the wall now.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    pub(crate) fn start() -> Self {
        Self {
            started: Instant::now(),
            started_us: wall_us(),
        }
    }

    /// Microseconds since 1970.
    pub(crate) fn now_us(&self) -> u64 {
        self.started_us + u64::try_from(self.started.elapsed().as_micros()).unwrap_or(u64::MAX / 2)
    }
}

/// Holds this thread for that long, where nothing can be awaited.
#[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
pub(crate) fn hold(duration: Duration) {
    std::thread::sleep(duration);
}

/// Waits that long, to about a millisecond.
#[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
pub(crate) async fn pause(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Runs a future, but not longer than that.
#[expect(clippy::disallowed_methods, reason = "this is the one place that waits")]
pub(crate) async fn within<F: Future>(limit: Duration, work: F) -> Option<F::Output> {
    tokio::time::timeout(limit, work).await.ok()
}

/// Waits to about a hundredth of a millisecond, on a timer of the kernel's: those of the runtime are good to a millisecond.
pub(crate) struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    /// An alarm that is not set.
    #[expect(
        deprecated,
        reason = "its successor is unsafe, which is forbidden here; a descriptor of our own stays what it is"
    )]
    pub(crate) fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(AsyncFd::new(timer)?))
    }

    /// Waits that long, or a little less: whoever cares looks at the clock.
    pub(crate) async fn after(&self, wait: Duration) -> io::Result<()> {
        let once = Itimerspec {
            it_interval: Timespec::default(),
            it_value: Timespec::try_from(wait.max(Duration::from_nanos(1))).unwrap_or_default(), // nothing would never ring
        };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        self.0.readable().await?.clear_ready(); // setting it again takes back that it rang, so that nobody has to read it
        Ok(())
    }
}
