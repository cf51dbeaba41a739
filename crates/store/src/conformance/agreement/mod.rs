//! Random operations on two stores at once: the reference model and the one under test. They have to answer everything alike, ids included.
//!
//! The world is small (two environments, three webhooks, a few keys, a clock that jumps), so that operations meet each other. Only what a caller may
//! rely on is compared: routing versions by what raised them, lists without an order in some order, nothing of a deleted environment's log.

mod actor;
mod configure;
mod history;
mod look;
mod moving;
mod op;
mod people;
mod read;
mod road;

use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use tidings_model::Timestamp;

pub use self::moving::agrees_while_moving;

use self::actor::Actor;
use self::op::Op;
use super::world::verify;
use crate::{AsOf, MemStore, Store};

/// Runs random operations against a new store and against [`MemStore`], so many times over, and panics with the shortest run of operations that it
/// finds where the two answer differently. A seed can be given as `PROPTEST_RNG_SEED`.
pub async fn agrees_with_model<Fresh, Made, Kept>(fresh: Fresh, cases: u32)
where
    Fresh: Fn() -> Made,
    Made: Future<Output = (Arc<dyn Store>, Kept)>,
{
    let runs = op::run();
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..cases {
        let mut tree = runs.new_tree(&mut runner).expect("every run is a good one");
        let Err(first) = compare(&fresh, &tree.current()).await else {
            continue;
        };
        let mut shortest = first;
        let mut more = tree.simplify();
        while more {
            more = match compare(&fresh, &tree.current()).await {
                Err(difference) => {
                    shortest = difference;
                    tree.simplify()
                }
                Ok(()) => tree.complicate(),
            };
        }
        panic!("the store does not answer as the model does\n{shortest}");
    }
}

/// One run. The error tells what was done and where the answers part.
async fn compare<Fresh, Made, Kept>(fresh: &Fresh, ops: &[Op]) -> Result<(), String>
where
    Fresh: Fn() -> Made,
    Made: Future<Output = (Arc<dyn Store>, Kept)>,
{
    let (tested, kept) = fresh().await;
    let mut model = Actor::new(Arc::new(MemStore::new()));
    let mut tested = Actor::new(tested);
    let mut told = String::new();
    for op in ops {
        let _ = writeln!(told, "  {op:?}");
        let (expected, answer) = (model.perform(op).await, tested.perform(op).await);
        if expected != answer {
            return Err(format!("{told}the model answers\n  {expected}\nthe store answers\n  {answer}"));
        }
        let (expected, seen) = (model.look().await, tested.look().await);
        if let Some((expected, seen)) = expected.into_iter().zip(seen).find(|(expected, seen)| expected != seen) {
            return Err(format!("{told}then the model shows\n  {expected}\nthe store shows\n  {seen}"));
        }
    }
    // Later than any lease: the clock of these runs goes back, too.
    let as_of = AsOf {
        at: Timestamp::MAX,
        served_since: None,
    };
    for (name, store) in [("model", &model.store), ("store", &tested.store)] {
        let findings = verify(&**store, as_of, 3).await;
        if !findings.is_empty() {
            return Err(format!("{told}then the {name} is not sound\n  {findings:?}"));
        }
    }
    drop(tested);
    drop(kept);
    Ok(())
}
