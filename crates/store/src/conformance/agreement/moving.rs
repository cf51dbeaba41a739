//! Random operations on a store that is moved elsewhere again and again: it has to go on answering as the model does, which stays where it is.

use std::fmt::Write as _;
use std::future::Future;
use std::sync::Arc;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};

use super::actor::Actor;
use super::op::{self, Op};
use crate::conformance::world::Done;
use crate::{MemStore, Store};

/// Moves of a run.
const MOVES: usize = 3;

/// Runs random operations against a new store and against [`MemStore`], so many times over. Some times a run `relocate` takes the store away and gives
/// what it has become elsewhere. Panics with the operations when the two answer differently.
pub async fn agrees_while_moving<Fresh, Made, Kept, Relocate, Gone>(fresh: Fresh, relocate: Relocate, cases: u32)
where
    Fresh: Fn() -> Made,
    Made: Future<Output = (Arc<dyn Store>, Kept)>,
    Relocate: Fn(Arc<dyn Store>, Kept) -> Gone,
    Gone: Future<Output = (Arc<dyn Store>, Kept)>,
{
    let runs = op::run();
    let mut runner = TestRunner::new(Config::default());
    for _ in 0..cases {
        let ops = runs.new_tree(&mut runner).expect("every run is a good one").current();
        let (store, mut kept) = fresh().await;
        let mut model = Actor::new(Arc::new(MemStore::new()));
        let mut moved = Actor::new(store);
        let mut told = String::new();
        for part in ops.chunks(ops.len().div_ceil(MOVES)) {
            perform(part, &mut model, &mut moved, &mut told).await;
            give_back(&model).await;
            give_back(&moved).await;
            let store = std::mem::replace(&mut moved.store, Arc::new(MemStore::new()));
            (moved.store, kept) = relocate(store, kept).await;
            told.push_str("  it is moved\n");
            same(&mut model, &mut moved, &told).await;
        }
        perform(&ops, &mut model, &mut moved, &mut told).await;
    }
}

async fn perform(ops: &[Op], model: &mut Actor, moved: &mut Actor, told: &mut String) {
    for op in ops {
        let _ = writeln!(told, "  {op:?}");
        let (expected, answer) = (model.perform(op).await, moved.perform(op).await);
        assert_eq!(expected, answer, "the model and the moved store answer differently:\n{told}");
    }
}

async fn same(model: &mut Actor, moved: &mut Actor, told: &str) {
    for (expected, seen) in model.look().await.into_iter().zip(moved.look().await) {
        assert_eq!(expected, seen, "the model and the moved store show something else:\n{told}");
    }
}

/// Nobody's leases are moved.
async fn give_back(actor: &Actor) {
    let leases = actor.leases.iter().map(|held| (held.delivery, held.token));
    actor.store.release(leases.collect()).await.done();
}
