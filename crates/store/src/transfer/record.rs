//! Records as every store reads and writes them, and chunks of them.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Holds, Kind};

/// What a column of a record holds.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Nothing.
    Empty,
    /// A number, a time or a flag.
    Number(i64),
    /// A text.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
}

/// Of texts and bytes it shows the length alone: people's addresses and what is sealed are among them.
impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "Text({})", text.len()),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
        }
    }
}

impl Value {
    /// What every key that can be is greater than.
    pub const fn least(holds: Holds) -> Self {
        match holds {
            Holds::Number | Holds::Flag => Self::Number(i64::MIN),
            Holds::Text => Self::Text(String::new()),
            Holds::Bytes | Holds::Uuid => Self::Bytes(Vec::new()),
        }
    }

    /// The number that it is.
    pub const fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Empty | Self::Text(_) | Self::Bytes(_) => None,
        }
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<Option<i64>> for Value {
    fn from(number: Option<i64>) -> Self {
        number.map_or(Self::Empty, Self::Number)
    }
}

impl From<Option<String>> for Value {
    fn from(text: Option<String>) -> Self {
        text.map_or(Self::Empty, Self::Text)
    }
}

impl From<Option<Vec<u8>>> for Value {
    fn from(bytes: Option<Vec<u8>>) -> Self {
        bytes.map_or(Self::Empty, Self::Bytes)
    }
}

/// The values of a record, in the order of its kind's columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record(pub Vec<Value>);

impl Record {
    /// The part of it that is its key.
    pub fn key(&self, kind: Kind) -> &[Value] {
        &self.0[..kind.key().len()]
    }
}

/// A key in words. Digests of sessions are none of anybody's business.
pub(super) fn key_in_words(key: &[Value]) -> String {
    let words = key.iter().map(|value| match value {
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.escape_debug().to_string(),
        Value::Empty | Value::Bytes(_) => "…".to_owned(),
    });
    words.collect::<Vec<_>>().join("/")
}

/// Where a chunk begins: after the record of a kind that has this key; at the first where there is no key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// Which kind. Events stand for their deliveries and attempts, too.
    pub kind: Kind,
    /// The key of the last record before it.
    pub after: Vec<Value>,
}

impl Position {
    /// The beginning of everything.
    pub const START: Self = Self::of(Kind::ALL[0]);

    /// The beginning of a kind.
    pub const fn of(kind: Kind) -> Self {
        Self { kind, after: Vec::new() }
    }

    /// As text, for the note of a move.
    pub fn written(&self) -> String {
        serde_json::to_string(self).expect("a kind, numbers and texts have a form in JSON")
    }

    /// The key after which its records begin.
    pub fn key(&self) -> Vec<Value> {
        if self.after.is_empty() {
            return self.kind.key().iter().map(|(_, holds)| Value::least(*holds)).collect();
        }
        self.after.clone()
    }

    /// Where the next chunk begins after one that holds these records; it was not full when that is the last of the kind.
    pub fn next(&self, last: Option<&Record>, full: bool) -> Option<Self> {
        match last.filter(|_| full) {
            Some(last) => Some(Self {
                kind: self.kind,
                after: last.key(self.kind).to_vec(),
            }),
            None => self.kind.following().map(Self::of),
        }
    }
}

/// Records that lie one after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins.
    pub from: Position,
    /// The records, kind by kind: those of one kind, or those of events with their deliveries and attempts.
    pub records: Vec<(Kind, Vec<Record>)>,
    /// Where the next one begins; `None` after the last.
    pub next: Option<Position>,
}

impl Chunk {
    /// The records of a kind.
    pub fn of(&self, kind: Kind) -> &[Record] {
        self.records
            .iter()
            .find(|(of, _)| *of == kind)
            .map_or(&[], |(_, records)| records.as_slice())
    }
}

/// How large a chunk may become. One event is never parted, so a chunk may be as large as what belongs to one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkSize {
    /// Records at most; of events with what belongs to them, events.
    pub records: usize,
    /// Of events: bytes, as [`event_bytes`] counts them; what is kept of each attempt is counted beside those.
    pub bytes: u64,
}

impl ChunkSize {
    /// What keeps both stores busy without taking much memory.
    pub const USUAL: Self = Self {
        records: 2_048,
        bytes: 4 * 1_024 * 1_024,
    };

    /// Records of that kind at most.
    pub fn of(&self, kind: Kind) -> usize {
        self.records.min(kind.chunk_max()).max(1)
    }
}

/// What a delivery takes in a chunk.
const DELIVERY_BYTES: u64 = 1_024;

/// What an event takes in a chunk: its body, and what comes along with it.
pub const fn event_bytes(body: u64, deliveries: u64) -> u64 {
    body + DELIVERY_BYTES * (1 + deliveries)
}
