//! Seeds keep all promises, are the same each time, and find what is broken on purpose.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use tidings_sim::{Sabotage, play};

/// Seeds of one test; there are five, which run beside each other.
const SEEDS: u64 = 100;

#[track_caller]
fn keep_all_promises(first: u64) {
    for seed in first..first + SEEDS {
        let outcome = play(seed, Sabotage::Nothing).unwrap();
        assert!(
            outcome.broken.is_empty(),
            "{:#?}\nagain, with what happened: cargo xtask sim --first {seed} --trace",
            outcome.broken
        );
    }
}

#[test]
fn seeds_0_to_99_keep_all_promises() {
    keep_all_promises(0);
}

#[test]
fn seeds_100_to_199_keep_all_promises() {
    keep_all_promises(100);
}

#[test]
fn seeds_200_to_299_keep_all_promises() {
    keep_all_promises(200);
}

#[test]
fn seeds_300_to_399_keep_all_promises() {
    keep_all_promises(300);
}

#[test]
fn seeds_400_to_499_keep_all_promises() {
    keep_all_promises(400);
}

/// Six in which stores failed so often that nodes heard of a change minutes late, and two in which two nodes came upon the same id of a webhook.
#[test]
fn seeds_that_broke_a_promise_once_keep_it() {
    for seed in [28_533, 31_417, 31_724, 33_523, 34_786, 37_393, 79_878, 81_068] {
        let broken = play(seed, Sabotage::Nothing).unwrap().broken;
        assert!(broken.is_empty(), "seed {seed}: {broken:#?}");
    }
}

#[test]
fn the_same_seed_gives_the_same_trace_to_the_byte() {
    for seed in 1_000..1_010 {
        let [one, same] = [(); 2].map(|()| play(seed, Sabotage::Nothing).unwrap().trace);
        assert!(one == same, "seed {seed}");
        assert!(one.lines().count() > 100);
    }
}

#[track_caller]
fn is_found(sabotage: Sabotage) {
    let found = (2_000..2_100).any(|seed| !play(seed, sabotage).unwrap().broken.is_empty());
    assert!(found, "nothing was found in a hundred seeds");
}

#[test]
fn a_store_that_loses_deliveries_is_found() {
    is_found(Sabotage::LosesTargets);
}

#[test]
fn a_failure_that_is_called_a_delivery_is_found() {
    is_found(Sabotage::CallsFailuresDelivered);
}

#[test]
fn attempts_that_are_not_consecutive_are_found() {
    is_found(Sabotage::SkipsNumbers);
}

#[test]
fn retries_before_their_time_are_found() {
    is_found(Sabotage::RetriesTooSoon);
}

#[test]
fn an_event_that_reaches_another_tenant_is_found() {
    is_found(Sabotage::MixesTenants);
}

#[test]
fn sending_to_a_webhook_that_is_off_is_found() {
    is_found(Sabotage::SendsToTheDisabled);
}

#[test]
fn retention_that_removes_too_soon_is_found() {
    is_found(Sabotage::PrunesTooSoon);
}

#[test]
fn signing_with_a_secret_from_before_a_rotation_is_found() {
    is_found(Sabotage::KeepsOldSecrets);
}

#[test]
fn events_that_stay_behind_a_deleted_environment_are_found() {
    is_found(Sabotage::ForgetsTheDeleted);
}
