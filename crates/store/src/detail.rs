//! What of an attempt only people look at: one column, written with every attempt and hardly ever read.
//!
//! Postcard, behind a byte that says which form it is: it writes lengths and bytes, where JSON looks at every character. Databases that are older have
//! the text of a JSON document there, which is still read.

use std::borrow::Cow;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tidings_model::{Attempt, Exchange, Failure, FailureKind, Reply, Timings};

use crate::codes::Code;

/// The form that [`Detail`] has now.
const FORM: u8 = 1;
/// Room for a detail with both signatures and a short reply.
const CAPACITY: usize = 1_024;

/// The members, in the order in which they are written, are part of the schema.
#[derive(Serialize, Deserialize)]
struct Detail<'a> {
    url: Cow<'a, str>,
    request_headers: Cow<'a, [(String, String)]>,
    reply: Option<ReplyHead<'a>>,
    failure: Option<FailureLine<'a>>,
    address: Option<SocketAddr>,
    timings: TimingsLine,
}

/// A reply without its body, which is bytes and has a column.
#[derive(Serialize, Deserialize)]
struct ReplyHead<'a> {
    status: u16,
    headers: Cow<'a, [(String, String)]>,
    body_truncated: bool,
}

/// The code of its kind, and its message.
#[derive(Serialize, Deserialize)]
struct FailureLine<'a>(i64, Cow<'a, str>);

/// DNS, connect, TLS, first byte, and the whole, in microseconds.
#[derive(Serialize, Deserialize)]
struct TimingsLine(Option<u64>, Option<u64>, Option<u64>, Option<u64>, u64);

/// An attempt's detail, read back.
pub struct Read {
    /// The URL it went to.
    pub url: String,
    /// The headers as sent.
    pub request_headers: Vec<(String, String)>,
    /// Without the body of the reply.
    pub exchange: Exchange,
}

/// The detail of an attempt, as it is stored.
pub fn write(attempt: &Attempt) -> Result<Vec<u8>, postcard::Error> {
    let exchange = &attempt.exchange;
    let timings = exchange.timings;
    let detail = Detail {
        url: Cow::Borrowed(&attempt.url),
        request_headers: Cow::Borrowed(&attempt.request_headers),
        reply: exchange.reply.as_ref().map(|reply| ReplyHead {
            status: reply.status,
            headers: Cow::Borrowed(&reply.headers),
            body_truncated: reply.body_truncated,
        }),
        failure: exchange
            .failure
            .as_ref()
            .map(|failure| FailureLine(failure.kind.code(), Cow::Borrowed(&failure.message))),
        address: exchange.address,
        timings: TimingsLine(
            timings.dns_us,
            timings.connect_us,
            timings.tls_us,
            timings.first_byte_us,
            timings.total_us,
        ),
    };
    let mut bytes = Vec::with_capacity(CAPACITY);
    bytes.push(FORM);
    postcard::to_extend(&detail, bytes)
}

/// Reads what [`write`] wrote; nothing when it cannot have been that.
pub fn read(bytes: &[u8]) -> Option<Read> {
    let (form, rest) = bytes.split_first()?;
    if *form != FORM {
        return None;
    }
    let detail: Detail<'_> = postcard::from_bytes(rest).ok()?;
    let failure = match detail.failure {
        Some(FailureLine(kind, message)) => Some(Failure::new(FailureKind::from_code(kind)?, message)),
        None => None,
    };
    let TimingsLine(dns_us, connect_us, tls_us, first_byte_us, total_us) = detail.timings;
    Some(Read {
        url: detail.url.into_owned(),
        request_headers: detail.request_headers.into_owned(),
        exchange: Exchange {
            reply: detail.reply.map(ReplyHead::into_reply),
            failure,
            address: detail.address,
            timings: Timings {
                dns_us,
                connect_us,
                tls_us,
                first_byte_us,
                total_us,
            },
        },
    })
}

/// The document of an older database.
#[derive(Deserialize)]
struct Older<'a> {
    url: String,
    request_headers: Vec<(String, String)>,
    #[serde(default)]
    reply: Option<ReplyHead<'a>>,
    #[serde(default)]
    failure: Option<Failure>,
    #[serde(default)]
    address: Option<SocketAddr>,
    timings: Timings,
}

/// Reads the text of an older database.
pub fn read_older(text: &str) -> serde_json::Result<Read> {
    let older: Older<'_> = serde_json::from_str(text)?;
    Ok(Read {
        url: older.url,
        request_headers: older.request_headers,
        exchange: Exchange {
            reply: older.reply.map(ReplyHead::into_reply),
            failure: older.failure,
            address: older.address,
            timings: older.timings,
        },
    })
}

impl ReplyHead<'_> {
    fn into_reply(self) -> Reply {
        Reply {
            status: self.status,
            headers: self.headers.into_owned(),
            body: bytes::Bytes::new(),
            body_truncated: self.body_truncated,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_detail_of_an_older_database_is_read() {
        let read = read_older(
            r#"{"url":"https://host.test/","request_headers":[["webhook-id","evt_1"]],"reply":{"status":200,"headers":[],"body_truncated":false},
                "address":"192.0.2.1:443","timings":{"connectUs":7,"totalUs":9}}"#,
        )
        .unwrap();
        assert_eq!(read.request_headers, [("webhook-id".to_owned(), "evt_1".to_owned())]);
        assert_eq!((read.exchange.status(), read.exchange.failure), (Some(200), None));
        assert_eq!((read.exchange.timings.connect_us, read.exchange.timings.total_us), (Some(7), 9));
    }

    #[test]
    fn bytes_that_are_no_detail_are_not_read_as_one() {
        assert!(
            [&b""[..], b"\x02", b"\x01\xff\xff", b"{}"]
                .into_iter()
                .all(|bytes| read(bytes).is_none())
        );
    }
}
