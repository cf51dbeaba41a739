//! Taking a port, and what to do when it cannot be had.

use std::io;
use std::net::SocketAddr;

use tokio::net::TcpListener;

/// An address cannot be listened on; the message says what to do.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} ({source}): {}", advice(.source))]
pub(crate) struct ListenError {
    /// The address.
    pub(crate) address: SocketAddr,
    /// What the operating system says.
    pub(crate) source: io::Error,
}

impl ListenError {
    /// Whether this user may not take that port.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

/// Takes the address; gives the one that it became, because port 0 means any.
pub(crate) async fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), ListenError> {
    let taken = TcpListener::bind(address).await.and_then(|listener| {
        let taken = listener.local_addr()?;
        Ok((listener, taken))
    });
    taken.map_err(|source| ListenError { address, source })
}

fn advice(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => "another program has it; stop it, or choose another --listen",
        io::ErrorKind::AddrNotAvailable => "it is no address of this machine; choose another --listen",
        io::ErrorKind::PermissionDenied => "ports below 1024 are for root; choose another --listen",
        _ => "choose another --listen",
    }
}
