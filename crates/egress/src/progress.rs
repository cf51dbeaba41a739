//! How far a try has come, noted by the connector for the send that waits for it.
//!
//! The pooled client stands between the two and passes nothing but a URI, so the note lies in the task. A connector that the client has moved to the
//! background (because another connection became free first) finds no note and writes none.

use std::cell::Cell;
use std::net::SocketAddr;

/// What a try is waiting for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// For the addresses of the name.
    #[default]
    Resolving,
    /// For a TCP connection.
    Connecting,
    /// For TLS.
    Securing,
    /// For a place in a connection, or for the reply.
    Connected,
}

/// How far a try has come with a connection of its own.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) phase: Phase,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) setup: Setup,
}

/// How long the parts of setting up a connection took, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_field_names, reason = "the unit belongs to the name")]
pub(crate) struct Setup {
    pub(crate) dns_us: Option<u64>,
    pub(crate) connect_us: Option<u64>,
    pub(crate) tls_us: Option<u64>,
}

tokio::task_local! {
    static PROGRESS: Cell<Progress>;
}

/// Runs a try with a note of its own.
pub(crate) async fn tracked<T>(attempt: impl Future<Output = T>) -> T {
    PROGRESS.scope(Cell::default(), attempt).await
}

/// Writes on the note of the try that waits, if one waits.
pub(crate) fn note(change: impl FnOnce(&mut Progress)) {
    let _ = PROGRESS.try_with(|cell| {
        let mut progress = cell.get();
        change(&mut progress);
        cell.set(progress);
    }); // nobody waits for a connection in the background
}

/// Reads the note of the try that is running.
pub(crate) fn reached() -> Progress {
    PROGRESS.try_with(Cell::get).unwrap_or_default()
}
