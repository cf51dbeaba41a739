//! HTTP/1.1 as far as two programs need it that know each other: messages with a length, one after the other.
//!
//! Never knows: what the messages mean.

use anyhow::{Context as _, ensure};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Most bytes of one message.
const MESSAGE_BYTES_MAX: usize = 16 << 20;

/// One message: its first line and its body.
pub(super) struct Message {
    pub(super) first_line: String,
    pub(super) body: Vec<u8>,
}

impl Message {
    /// The status, when it is an answer.
    pub(super) fn status(&self) -> Option<u16> {
        self.first_line.split(' ').nth(1)?.parse().ok()
    }
}

/// Reads the next message. `None`: the other side has closed.
pub(super) async fn read(from: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> anyhow::Result<Option<Message>> {
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break String::from_utf8_lossy(&buffer[..end]).into_owned();
        }
        if from.read_buf(buffer).await? == 0 {
            ensure!(buffer.is_empty(), "a message ended in the middle of its head");
            return Ok(None);
        }
        ensure!(buffer.len() < MESSAGE_BYTES_MAX, "a head without an end");
    };
    let mut lines = head.lines();
    let first_line = lines.next().unwrap_or_default().to_owned();
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .map_or(Ok(0), |(_, value)| value.trim().parse::<usize>())
        .context("a length that is no number")?;
    ensure!(length < MESSAGE_BYTES_MAX, "a body of {length} bytes");
    let end = head.len() + 4 + length;
    while buffer.len() < end {
        ensure!(from.read_buf(buffer).await? > 0, "a message ended in the middle of its body");
    }
    let body = buffer[head.len() + 4..end].to_vec();
    buffer.drain(..end);
    Ok(Some(Message { first_line, body }))
}
