//! An open connection: the bytes, a bound on them, and where they go.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tidings_model::limits::REPLY_WIRE_BYTES_MAX;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::progress::Setup;

/// Where a connection goes and what it cost. Travels with every response of the connection.
#[derive(Debug)]
pub(crate) struct ConnectionInfo {
    pub(crate) address: SocketAddr,
    setup: Setup,
    unused: AtomicBool,
}

impl ConnectionInfo {
    pub(crate) fn new(address: SocketAddr, setup: Setup) -> Arc<Self> {
        Arc::new(Self {
            address,
            setup,
            unused: AtomicBool::new(true),
        })
    }

    /// What the connection cost, told to the first who asks: later requests did not wait for it.
    pub(crate) fn take_setup(&self) -> Option<Setup> {
        self.unused.swap(false, Ordering::Relaxed).then_some(self.setup)
    }
}

/// The receiver sent more than any accepted reply needs, without our writing anything in between.
#[derive(Debug, thiserror::Error)]
#[error("more than {REPLY_WIRE_BYTES_MAX} bytes of reply")]
pub(crate) struct TooMuch;

/// A connection that the pool may keep.
pub(crate) struct Stream {
    wire: Wire,
    info: Arc<ConnectionInfo>,
    /// What may still be read before the next write. Bounds what no other cap sees, such as interim replies without end.
    readable: usize,
}

enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    pub(crate) fn plain(tcp: TcpStream, info: Arc<ConnectionInfo>) -> Self {
        Self {
            wire: Wire::Plain(tcp),
            info,
            readable: REPLY_WIRE_BYTES_MAX,
        }
    }

    pub(crate) fn tls(tls: TlsStream<TcpStream>, info: Arc<ConnectionInfo>) -> Self {
        Self {
            wire: Wire::Tls(Box::new(tls)),
            info,
            readable: REPLY_WIRE_BYTES_MAX,
        }
    }

    fn wrote(&mut self, result: io::Result<usize>) -> Poll<io::Result<usize>> {
        self.readable = REPLY_WIRE_BYTES_MAX;
        Poll::Ready(result)
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(Arc::clone(&self.info));
        match &self.wire {
            Wire::Tls(tls) if tls.get_ref().1.alpn_protocol() == Some(b"h2") => connected.negotiated_h2(),
            _ => connected,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.readable == 0 {
            return Poll::Ready(Err(io::Error::other(TooMuch)));
        }
        let before = buffer.filled().len();
        ready!(match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_read(cx, buffer),
            Wire::Tls(tls) => Pin::new(tls).poll_read(cx, buffer),
        })?;
        self.readable = self.readable.saturating_sub(buffer.filled().len() - before);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let result = ready!(match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write(cx, buffer),
            Wire::Tls(tls) => Pin::new(tls).poll_write(cx, buffer),
        });
        self.wrote(result)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffers: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let result = ready!(match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, buffers),
            Wire::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, buffers),
        });
        self.wrote(result)
    }

    fn is_write_vectored(&self) -> bool {
        match &self.wire {
            Wire::Plain(tcp) => tcp.is_write_vectored(),
            Wire::Tls(tls) => tls.is_write_vectored(),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Wire::Tls(tls) => Pin::new(tls).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Wire::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
        }
    }
}
