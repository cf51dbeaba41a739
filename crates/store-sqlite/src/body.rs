//! The bytes of an event on the disk, and whether they are still those that were written.

use bytes::Bytes;

use crate::fault::Outcome;
use crate::record::Record;

/// A body as it was read.
pub(crate) enum Body {
    /// As it was written.
    Whole(Bytes),
    /// Other bytes than were written.
    Altered,
}

/// CRC-32 (IEEE): every flipped bit shows, and every burst of up to 32.
pub(crate) fn checksum(body: &[u8]) -> u32 {
    crc32fast::hash(body)
}

/// Reads the columns `body` and `checksum`.
pub(crate) fn read(record: &Record<'_, '_>) -> Outcome<Body> {
    let body: Vec<u8> = record.get("body")?;
    let written: Option<u32> = record.get("checksum")?;
    Ok(if written.is_none_or(|written| written == checksum(&body)) {
        Body::Whole(body.into())
    } else {
        Body::Altered
    })
}
