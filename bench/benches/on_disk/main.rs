//! What the store's verbs on the road of an event cost, on a real disk, by how many events or deliveries a call holds.
//!
//! Every call waits for its fsync, so the figures are those of the disk too; compare them on one machine.

mod bench_store;

use std::cell::Cell;
use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BatchSize, BenchmarkGroup, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};

use bench_store::BenchStore;

/// A group whose benchmarks end before their database is large.
fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    group
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    group
}

fn appending(criterion: &mut Criterion) {
    for fan_out in [1, 10] {
        let mut group = group(criterion, &format!("append to {fan_out}"));
        for events in [1, 8, 32, 256] {
            let store = BenchStore::open(fan_out);
            group.throughput(Throughput::Elements(events as u64));
            group.bench_function(BenchmarkId::new("events", events), |bencher| {
                bencher.iter_batched(|| store.leased_events(events), |batch| store.append(batch), BatchSize::PerIteration);
            });
        }
        group.finish();
    }
}

fn settling(criterion: &mut Criterion) {
    let mut group = group(criterion, "settle");
    for deliveries in [1, 32, 256] {
        let store = BenchStore::open(1);
        group.throughput(Throughput::Elements(deliveries as u64));
        group.bench_function(BenchmarkId::new("deliveries", deliveries), |bencher| {
            let settlements = || store.delivered(&store.append(store.leased_events(deliveries)));
            bencher.iter_batched(settlements, |settlements| store.settle(settlements), BatchSize::PerIteration);
        });
    }
    group.finish();
}

/// Leases some of what waits in the store: the cost must not grow with what is left there.
fn leasing(criterion: &mut Criterion) {
    let mut group = group(criterion, "lease");
    for (deliveries, waiting) in [(1, 10_240), (32, 10_240), (256, 10_240), (32, 102_400)] {
        let store = BenchStore::open(1);
        (0..waiting / 256).for_each(|_| drop(store.append(store.due_events(256))));
        let leased = Cell::new(Vec::new());
        group.throughput(Throughput::Elements(deliveries as u64));
        group.bench_function(BenchmarkId::new(format!("of {waiting} waiting"), deliveries), |bencher| {
            bencher.iter_batched(
                || store.release(leased.take()),
                |()| leased.set(store.lease(deliveries)),
                BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, appending, settling, leasing);
criterion_main!(benches);
