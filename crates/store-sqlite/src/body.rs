//! The bytes of an event on the disk, and whether they are still those that were written.

use rusqlite::Connection;
use tidings_model::EventBody;

use crate::fault::Outcome;
use crate::record::Record;

/// CRC-32 (IEEE): every flipped bit shows, and every burst of up to 32.
pub(crate) fn checksum(body: &[u8]) -> u32 {
    crc32fast::hash(body)
}

/// Reads the columns `body` and `checksum`.
pub(crate) fn read(record: &Record<'_, '_>) -> Outcome<EventBody> {
    let body: Vec<u8> = record.get("body")?;
    let written: Option<u32> = record.get("checksum")?;
    Ok(if written.is_none_or(|written| written == checksum(&body)) {
        EventBody::Whole(body.into())
    } else {
        EventBody::Altered
    })
}

/// The body of an event. `None`: it has none.
pub(crate) fn of(connection: &Connection, event: i64) -> Outcome<Option<EventBody>> {
    connection
        .prepare_cached(
            "-- body::of: its bytes, and what they were
             SELECT event, body, checksum FROM bodies WHERE event = ?1",
        )?
        .query_and_then([event], |row| read(&Record::new(row, "bodies", &["event"])))?
        .next()
        .transpose()
}
