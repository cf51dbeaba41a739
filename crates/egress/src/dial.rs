//! TCP to the first of some addresses that answers.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tidings_model::limits::CONNECT_STAGGER_MS;
use tidings_runtime::Clock;
use tokio::net::TcpStream;

use crate::progress;

/// No address took the connection; the reason is that of the first that refused.
#[derive(Debug, thiserror::Error)]
#[error("{}{}", in_words(*.address, .reason), others(*.tried))]
pub(crate) struct DialError {
    address: SocketAddr,
    reason: io::Error,
    tried: usize,
}

/// Tries the addresses in order: the next one when one fails, or beside it when it keeps us waiting. The first connection wins.
pub(crate) async fn dial(addresses: &[SocketAddr], clock: &dyn Clock) -> Result<(TcpStream, SocketAddr), DialError> {
    let mut left = addresses.iter().copied();
    let mut running = FuturesUnordered::new();
    let mut failed: Option<DialError> = None;
    loop {
        if let Some(address) = left.next() {
            progress::note(|progress| progress.address = Some(address));
            running.push(async move { (address, TcpStream::connect(address).await) });
        }
        tokio::select! {
            biased;
            Some((address, result)) = running.next() => match result {
                Ok(stream) => return Ok((stream, address)),
                Err(reason) => {
                    failed.get_or_insert(DialError { address, reason, tried: 0 }).tried += 1;
                }
            },
            () = clock.sleep(Duration::from_millis(CONNECT_STAGGER_MS)), if left.len() > 0 => {}
            else => return Err(failed.expect("an address is tried before the end is reached, and it ended by failing")),
        }
    }
}

fn in_words(address: SocketAddr, reason: &io::Error) -> String {
    match reason.kind() {
        io::ErrorKind::ConnectionRefused => format!("connection refused by {address}"),
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => format!("connection reset by {address}"),
        io::ErrorKind::HostUnreachable => format!("host {address} is unreachable"),
        io::ErrorKind::NetworkUnreachable => format!("no route to the network of {address}"),
        io::ErrorKind::TimedOut => format!("no answer from {address}"),
        _ => format!("no connection to {address}: {reason}"),
    }
}

fn others(tried: usize) -> String {
    if tried > 1 {
        format!(" (and {} more of its addresses failed)", tried - 1)
    } else {
        String::new()
    }
}
