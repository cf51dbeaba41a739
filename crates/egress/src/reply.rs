//! What the receiver answered, under the caps.

use bytes::Bytes;
use http::header::HeaderMap;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tidings_model::limits::{
    REPLY_HEADER_BYTES_MAX, REPLY_HEADERS_KEPT_BYTES_MAX, REPLY_HEADERS_MAX, REPLY_KEPT_BYTES_MAX, REPLY_READ_BYTES_MAX,
};

/// The body of a reply as far as it came; survives a reading that is given up.
#[derive(Default)]
pub(crate) struct KeptBody {
    kept: Vec<u8>,
    received: usize,
}

impl KeptBody {
    /// Reads until the end or [`REPLY_READ_BYTES_MAX`]. What lies beyond is never read: dropping the body ends the connection.
    pub(crate) async fn read(&mut self, mut body: Incoming) -> Result<(), hyper::Error> {
        if let Some(announced) = body.size_hint().exact() {
            self.kept
                .reserve_exact(usize::try_from(announced).unwrap_or(usize::MAX).min(REPLY_KEPT_BYTES_MAX));
        }
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame?.into_data() else { continue }; // trailers say nothing that is kept
            let room = REPLY_KEPT_BYTES_MAX - self.kept.len();
            self.kept.extend_from_slice(&data[..data.len().min(room)]);
            self.received += data.len();
            if self.received > REPLY_READ_BYTES_MAX {
                return Ok(());
            }
        }
        Ok(())
    }

    /// True when more came than is kept.
    pub(crate) fn is_truncated(&self) -> bool {
        self.received > self.kept.len()
    }

    pub(crate) fn into_bytes(self) -> Bytes {
        Bytes::from(self.kept)
    }
}

/// More headers than are accepted, or larger ones. The HTTP library stops at such sizes too, but only roughly.
pub(crate) fn are_too_many(headers: &HeaderMap) -> bool {
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    headers.len() > REPLY_HEADERS_MAX || bytes > REPLY_HEADER_BYTES_MAX
}

/// The headers as text, whatever their bytes are, up to [`REPLY_HEADERS_KEPT_BYTES_MAX`].
pub(crate) fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let mut room = REPLY_HEADERS_KEPT_BYTES_MAX;
    let mut kept = Vec::with_capacity(headers.len());
    for (name, value) in headers {
        let Some(left) = room.checked_sub(name.as_str().len() + value.len()) else {
            break;
        };
        room = left;
        kept.push((name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    }
    kept
}
