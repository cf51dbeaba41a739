//! Holding two stores against each other, record by record, and what each consists of: how many of each kind, and a checksum over them in their order.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Write as _};

use aws_lc_rs::digest::{Context, SHA256};

use super::record::key_in_words;
use super::{Chunk, ChunkSize, Kind, Position, Record, Transfer, Value};
use crate::StoreError;

/// What a store has of a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Records.
    pub records: u64,
    /// SHA-256 over them, in their order.
    pub checksum: String,
}

/// A kind, as both stores have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Which kind.
    pub kind: Kind,
    /// What the source has.
    pub source: Tally,
    /// What the target has.
    pub target: Tally,
    /// The first record that is not the same.
    pub difference: Option<Difference>,
}

/// What is not the same in two stores.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// The target lacks a record of that key.
    Missing(String),
    /// The target has a record that the source has not.
    Added(String),
    /// A record has another value.
    Other {
        /// Its key.
        key: String,
        /// In which column.
        column: &'static str,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(key) => write!(f, "{key} is missing in the target"),
            Self::Added(key) => write!(f, "{key} is in the target alone"),
            Self::Other { key, column } => write!(f, "{key} has another {column} in the target"),
        }
    }
}

/// Which of two stores did not answer.
pub(super) enum Failed {
    Source(StoreError),
    Target(StoreError),
}

/// A store while it is gone through.
struct Side<'a> {
    store: &'a dyn Transfer,
    /// Where it goes on; `None` at the end.
    next: Option<Position>,
    /// What was read and not held against the other yet.
    read: BTreeMap<Kind, VecDeque<Record>>,
    sums: BTreeMap<Kind, (u64, Context)>,
}

impl<'a> Side<'a> {
    fn new(store: &'a dyn Transfer) -> Self {
        Self {
            store,
            next: Some(Position::START),
            read: BTreeMap::new(),
            sums: BTreeMap::new(),
        }
    }

    /// Whether it is not further than the other.
    fn is_behind(&self, other: &Self) -> bool {
        match (&self.next, &other.next) {
            (Some(own), Some(other)) => own <= other,
            (own, _) => own.is_some(),
        }
    }

    async fn step(&self, size: ChunkSize, wanted: bool) -> Result<Option<Chunk>, StoreError> {
        match self.next.as_ref().filter(|_| wanted) {
            Some(from) => self.store.read_chunk(from, size).await.map(Some),
            None => Ok(None),
        }
    }

    fn take(&mut self, chunk: Option<Chunk>) {
        let Some(chunk) = chunk else { return };
        for (kind, records) in chunk.records {
            let (count, sum) = self.sums.entry(kind).or_insert_with(|| (0, Context::new(&SHA256)));
            for record in &records {
                *count += 1;
                add(sum, record);
            }
            self.read.entry(kind).or_default().extend(records);
        }
        self.next = chunk.next;
    }

    fn tally(&mut self, kind: Kind) -> Tally {
        let (records, sum) = self.sums.remove(&kind).unwrap_or_else(|| (0, Context::new(&SHA256)));
        let checksum = sum.finish().as_ref().iter().fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}"); // a string takes everything
            text
        });
        Tally { records, checksum }
    }
}

/// Adds a record to a checksum, so that no two records add the same bytes.
fn add(sum: &mut Context, record: &Record) {
    for value in &record.0 {
        let (tag, bytes) = match value {
            Value::Empty => (0, &[][..]),
            Value::Number(number) => (1, &number.to_le_bytes()[..]),
            Value::Text(text) => (2, text.as_bytes()),
            Value::Bytes(bytes) => (3, bytes.as_slice()),
        };
        sum.update(&[tag]);
        sum.update(&(bytes.len() as u64).to_le_bytes());
        sum.update(bytes);
    }
}

/// Reads both stores from their beginnings to their ends, in step, and says what of each kind is the same.
pub(super) async fn compare(
    source: &dyn Transfer,
    target: &dyn Transfer,
    size: ChunkSize,
    told: &(dyn Fn(u64) + Sync),
) -> Result<Vec<Compared>, Failed> {
    let (mut source, mut target) = (Side::new(source), Side::new(target));
    let mut differences = BTreeMap::new();
    while source.next.is_some() || target.next.is_some() {
        let (of_source, of_target) = (source.is_behind(&target), target.is_behind(&source));
        let (from_source, from_target) = tokio::join!(source.step(size, of_source), target.step(size, of_target));
        source.take(from_source.map_err(Failed::Source)?);
        target.take(from_target.map_err(Failed::Target)?);
        for kind in Kind::ALL {
            hold(kind, &mut source.read, &mut target.read, &mut differences);
        }
        told(source.sums.get(&Kind::Events).map_or(0, |(count, _)| *count));
    }
    for kind in Kind::ALL {
        left_over(kind, &source.read, &target.read, &mut differences);
    }
    let compared = Kind::ALL.into_iter().map(|kind| Compared {
        kind,
        source: source.tally(kind),
        target: target.tally(kind),
        difference: differences.remove(&kind),
    });
    Ok(compared.collect())
}

type Read = BTreeMap<Kind, VecDeque<Record>>;

/// Holds what both have read of a kind against each other, as far as both have. After the first difference nothing of it is kept.
fn hold(kind: Kind, source: &mut Read, target: &mut Read, differences: &mut BTreeMap<Kind, Difference>) {
    let (source, target) = (source.entry(kind).or_default(), target.entry(kind).or_default());
    while let (Some(ours), Some(theirs)) = (source.front(), target.front())
        && !differences.contains_key(&kind)
    {
        if let Some(difference) = difference(kind, ours, theirs) {
            differences.insert(kind, difference);
        }
        source.pop_front();
        target.pop_front();
    }
    if differences.contains_key(&kind) {
        source.clear();
        target.clear();
    }
}

fn difference(kind: Kind, source: &Record, target: &Record) -> Option<Difference> {
    let (ours, theirs) = (source.key(kind), target.key(kind));
    match ours.cmp(theirs) {
        std::cmp::Ordering::Less => return Some(Difference::Missing(key_in_words(ours))),
        std::cmp::Ordering::Greater => return Some(Difference::Added(key_in_words(theirs))),
        std::cmp::Ordering::Equal => {}
    }
    let mut columns = kind.columns().iter().zip(source.0.iter().zip(&target.0));
    let (column, _) = columns.find(|(_, (ours, theirs))| ours != theirs)?;
    Some(Difference::Other {
        key: key_in_words(ours),
        column: column.0,
    })
}

/// What only one of them has after the last that both have.
fn left_over(kind: Kind, source: &Read, target: &Read, differences: &mut BTreeMap<Kind, Difference>) {
    let first = |read: &Read| {
        read.get(&kind)
            .and_then(VecDeque::front)
            .map(|record| key_in_words(record.key(kind)))
    };
    let found = first(source)
        .map(Difference::Missing)
        .or_else(|| first(target).map(Difference::Added));
    if let Some(difference) = found {
        differences.entry(kind).or_insert(difference);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counter(name: &str, number: i64) -> Record {
        Record(vec![Value::Text(name.to_owned()), Value::Number(number)])
    }

    fn found(source: &[Record], target: &[Record]) -> Option<Difference> {
        let read = |records: &[Record]| Read::from([(Kind::Counters, records.to_vec().into())]);
        let (mut source, mut target, mut differences) = (read(source), read(target), BTreeMap::new());
        hold(Kind::Counters, &mut source, &mut target, &mut differences);
        left_over(Kind::Counters, &source, &target, &mut differences);
        differences.remove(&Kind::Counters)
    }

    #[test]
    fn what_is_not_the_same_is_named_by_its_key_and_its_column() {
        let (audit, pruned) = (counter("audit", 1), counter("pruned", 2));
        let both = [audit.clone(), pruned.clone()];
        assert_eq!(found(&both, &both), None);
        assert_eq!(
            found(&both, std::slice::from_ref(&pruned)),
            Some(Difference::Missing("audit".to_owned()))
        );
        assert_eq!(
            found(&both, std::slice::from_ref(&audit)),
            Some(Difference::Missing("pruned".to_owned()))
        );
        assert_eq!(
            found(std::slice::from_ref(&audit), &both),
            Some(Difference::Added("pruned".to_owned()))
        );
        let other = found(&both, &[audit, counter("pruned", 3)]);
        assert_eq!(
            other.map(|difference| difference.to_string()),
            Some("pruned has another number in the target".to_owned())
        );
    }

    #[test]
    fn no_two_records_have_the_same_checksum() {
        let sum = |values: &[Value]| {
            let mut sum = Context::new(&SHA256);
            add(&mut sum, &Record(values.to_vec()));
            sum.finish().as_ref().to_vec()
        };
        let text = |text: &str| Value::Text(text.to_owned());
        let sums = [
            sum(&[text("ab"), text("c")]),
            sum(&[text("a"), text("bc")]),
            sum(&[Value::Bytes(b"ab".to_vec()), text("c")]),
            sum(&[text(""), text("abc")]),
            sum(&[Value::Empty, text("abc")]),
        ];
        for (place, one) in sums.iter().enumerate() {
            assert!(!sums[..place].contains(one));
        }
    }
}
