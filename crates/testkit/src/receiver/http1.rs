//! HTTP/1.1 by hand, for a receiver that may break every rule of it.

use std::io;

use bytes::{Bytes, BytesMut};
use tidings_runtime::Clock;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::{Behaviour, Received, Shared};

/// Bytes on their way, and the socket under them.
pub(super) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// What becomes of the connection after a reply.
enum After {
    Keep,
    Close,
    Reset,
}

/// Serves requests until the client leaves or the script ends the connection.
pub(super) async fn serve(mut wire: impl Wire, shared: &Shared, number: usize) -> io::Result<()> {
    let mut unread = BytesMut::new();
    while let Some(request) = read_request(&mut wire, &mut unread, shared, number).await? {
        let behaviour = shared.script.take(&request.path);
        shared.record(request);
        match act(behaviour, &mut wire, shared).await? {
            After::Keep => {}
            After::Close => break,
            After::Reset => return wire.tcp().set_zero_linger(),
        }
    }
    wire.shutdown().await
}

/// Answers the first bytes with these, and closes.
pub(super) async fn send_bytes(mut tcp: TcpStream, bytes: &[u8]) -> io::Result<()> {
    let mut ignored = BytesMut::with_capacity(16 * 1024);
    tcp.read_buf(&mut ignored).await?;
    tcp.write_all(bytes).await?;
    tcp.shutdown().await
}

async fn read_request(wire: &mut impl Wire, unread: &mut BytesMut, shared: &Shared, number: usize) -> io::Result<Option<Received>> {
    let head_end = loop {
        if let Some(end) = unread.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
        if wire.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    };
    let head = String::from_utf8_lossy(&unread.split_to(head_end)).into_owned();
    let mut lines = head.trim_end().split("\r\n");
    let mut request_line = lines.next().unwrap_or_default().split(' ');
    let (method, path) = (
        request_line.next().unwrap_or_default().to_owned(),
        request_line.next().unwrap_or_default().to_owned(),
    );
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers
        .iter()
        .find(|(name, _)| name == "content-length")
        .and_then(|(_, value)| value.parse().ok())
        .unwrap_or(0);
    while unread.len() < length {
        if wire.read_buf(unread).await? == 0 {
            return Ok(None);
        }
    }
    let body = unread.split_to(length).freeze();
    Ok(Some(Received {
        method,
        path,
        headers,
        body,
        at: shared.clock.now(),
        connection: number,
    }))
}

async fn act(behaviour: Behaviour, wire: &mut impl Wire, shared: &Shared) -> io::Result<After> {
    match behaviour {
        Behaviour::Reply { status, headers, body } => {
            wire.write_all(&reply(status, &headers, &body)).await?;
            return Ok(After::Keep);
        }
        Behaviour::Late(time) => {
            shared.clock.sleep(time).await;
            wire.write_all(&reply(200, &[], b"")).await?;
            return Ok(After::Keep);
        }
        Behaviour::Stall => until_client_leaves(wire).await?,
        Behaviour::DripHeaders => drip(wire, shared, "HTTP/1.1 200 OK\r\nx-drip: ").await?,
        Behaviour::DripBody => {
            wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n").await?;
            drip(wire, shared, "").await?;
        }
        Behaviour::Close | Behaviour::GoAway => {}
        Behaviour::CloseMidBody => {
            wire.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n20\r\nhalf of")
                .await?;
        }
        Behaviour::Reset => return Ok(After::Reset),
        Behaviour::Huge(bytes) => huge(wire, bytes).await?,
        Behaviour::GzipBomb => {
            let encoding = [("content-encoding".to_owned(), "gzip".to_owned())];
            wire.write_all(&reply(200, &encoding, &Behaviour::gzip_bomb())).await?;
            return Ok(After::Keep);
        }
        Behaviour::InformationalFlood => loop {
            wire.write_all(&b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n".repeat(100))
                .await?;
        },
        Behaviour::WrongContentLength => wire.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort").await?,
        Behaviour::ChunkedGarbage => {
            wire.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nnot a chunk size\r\n\r\n")
                .await?;
        }
        Behaviour::InvalidHeaderBytes => {
            wire.write_all(b"HTTP/1.1 200 OK\r\nx-bad: a\x00b\x07c\r\ncontent-length: 0\r\n\r\n")
                .await?;
        }
        Behaviour::ManyHeaders(count) => {
            let headers: Vec<_> = (0..count).map(|number| (format!("x-{number}"), "v".to_owned())).collect();
            wire.write_all(&reply(200, &headers, b"")).await?;
            return Ok(After::Keep);
        }
        Behaviour::BodyWithNoContent => wire.write_all(b"HTTP/1.1 204 No Content\r\n\r\nbut here is some").await?,
        Behaviour::CloseOnNextRequest => {
            wire.write_all(&reply(200, &[], b"")).await?;
            wire.read_exact(&mut [0]).await?; // the rest stays unread, so that closing resets
        }
        Behaviour::Raw(bytes) => wire.write_all(&bytes).await?,
    }
    Ok(After::Close)
}

/// A whole reply. Its content-length is one more than the given headers.
fn reply(status: u16, headers: &[(String, String)], body: &[u8]) -> Bytes {
    let given: String = headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect();
    let head = format!("HTTP/1.1 {status} Status\r\n{given}content-length: {}\r\n\r\n", body.len());
    Bytes::from([head.as_bytes(), body].concat())
}

async fn huge(wire: &mut impl Wire, bytes: usize) -> io::Result<()> {
    wire.write_all(format!("HTTP/1.1 200 OK\r\ncontent-length: {bytes}\r\n\r\n").as_bytes())
        .await?;
    let block = vec![b'x'; 16 * 1024];
    let mut left = bytes;
    while left > 0 {
        let size = left.min(block.len());
        wire.write_all(&block[..size]).await?;
        left -= size;
    }
    Ok(())
}

async fn drip(wire: &mut impl Wire, shared: &Shared, start: &str) -> io::Result<()> {
    for byte in start.bytes().chain(std::iter::repeat(b'.')) {
        wire.write_all(&[byte]).await?;
        shared.pause().await;
    }
    Ok(())
}

async fn until_client_leaves(wire: &mut impl Wire) -> io::Result<()> {
    let mut ignored = [0; 1_024];
    while wire.read(&mut ignored).await? > 0 {}
    Ok(())
}
