//! Being told to stop.

use anyhow::bail;
use tokio::signal::unix::{SignalKind, signal};

/// Does some work unless the process is told to stop: then the work is dropped, which ends the processes it has started and removes its folders.
pub async fn unless_told_to_stop<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let (mut interrupted, mut terminated, mut left) = (
        signal(SignalKind::interrupt())?,
        signal(SignalKind::terminate())?,
        signal(SignalKind::hangup())?,
    );
    tokio::select! {
        biased;
        _ = interrupted.recv() => bail!("stopped; what it had started is ended"),
        _ = terminated.recv() => bail!("told to stop; what it had started is ended"),
        _ = left.recv() => bail!("nobody looks on any more; what it had started is ended"),
        done = work => done,
    }
}
