//! What a receiver can do with a request.

use std::time::Duration;

use bytes::Bytes;

/// What a receiver does once it has read a request.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Answers, and keeps the connection.
    Reply {
        /// The status code.
        status: u16,
        /// Headers beside content-length.
        headers: Vec<(String, String)>,
        /// The body.
        body: Bytes,
    },
    /// Answers 200, but only after that long.
    Late(Duration),
    /// Never answers.
    Stall,
    /// Sends the head of a reply byte by byte, without end.
    DripHeaders,
    /// Announces a long body and sends it byte by byte.
    DripBody,
    /// Closes the connection instead of answering.
    Close,
    /// Announces a body and closes in the middle of it.
    CloseMidBody,
    /// Resets the connection instead of answering.
    Reset,
    /// Answers 200 with a body of that many bytes.
    Huge(usize),
    /// Answers 200 with [`Behaviour::gzip_bomb`].
    GzipBomb,
    /// Sends interim replies without end.
    InformationalFlood,
    /// Announces a longer body than it sends, and closes.
    WrongContentLength,
    /// Announces chunks and sends something else.
    ChunkedGarbage,
    /// Sends a header with bytes that may not be in one.
    InvalidHeaderBytes,
    /// Answers 200 with that many headers.
    ManyHeaders(usize),
    /// Answers 204 and sends a body all the same.
    BodyWithNoContent,
    /// Answers 200 like one who will keep the connection, and closes it when the next request comes in.
    CloseOnNextRequest,
    /// Sends these bytes and closes.
    Raw(Bytes),
    /// HTTP/2 only: begins a reply, then ends the connection with GOAWAY.
    GoAway,
}

impl Behaviour {
    /// A reply without a body.
    pub const fn status(status: u16) -> Self {
        Self::Reply {
            status,
            headers: Vec::new(),
            body: Bytes::new(),
        }
    }

    /// A 200 with a body.
    pub fn body(body: impl Into<Bytes>) -> Self {
        Self::Reply {
            status: 200,
            headers: Vec::new(),
            body: body.into(),
        }
    }

    /// A reply without a body that leads elsewhere.
    pub fn redirect(status: u16, to: &str) -> Self {
        Self::Reply {
            status,
            headers: vec![("location".to_owned(), to.to_owned())],
            body: Bytes::new(),
        }
    }

    /// A refusal that says when to come back, in whatever words.
    pub fn retry_after(status: u16, value: &str) -> Self {
        Self::Reply {
            status,
            headers: vec![("retry-after".to_owned(), value.to_owned())],
            body: Bytes::new(),
        }
    }

    /// Eight kilobytes of gzip that unpack to eight megabytes of zeros.
    pub fn gzip_bomb() -> Bytes {
        const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3];
        const TREES: [u8; 16] = [0xed, 0xc1, 0x31, 1, 0, 0, 0, 0xc2, 0xa0, 0xf5, 0x4f, 0x6d, 8, 0x5f, 0xa0, 0];
        const REPEATS: usize = 1_015;
        const END: [u8; 10] = [0x3e, 0x03, 0x1c, 0xea, 0x38, 0xa7, 0, 0, 0x10, 0];
        // Members of a gzip stream may follow each other: this one is a megabyte of zeros.
        let member = [&HEAD[..], &TREES, &[0; REPEATS], &END].concat();
        Bytes::from(member.repeat(8))
    }
}
