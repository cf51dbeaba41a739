//! What an event costs on its way where no disk and no network is: matching, splicing, signing, deciding.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tidings_model::payload::{self, EventContext};
use tidings_model::subscription::SubscriptionIndex;
use tidings_model::{
    EventKey, Exchange, FailureKind, Jitter, Reply, RetryPolicy, RetrySchedule, Subscription, TenantId, Timestamp, Trigger, WebhookId,
    decide,
};
use tidings_signing::{BodyDigest, Secret, SignInput, Signer};

/// The event of all benchmarks.
const EVENT_KEY: &str = "frontegg.user.created";
/// Its category.
const CATEGORY: &str = "User Management";
/// When they happen.
const AT: Timestamp = Timestamp::from_seconds(1_700_000_000);

fn event_key() -> EventKey {
    EVENT_KEY.parse().expect("a key of the catalogue")
}

fn tenant(number: u32) -> TenantId {
    format!("tenant-{number}").parse().expect("a good tenant")
}

/// A JSON object of one kilobyte.
fn payload() -> Vec<u8> {
    let head = r#"{"user":{"id":"7d9f6e0c","email":"person@example.com","verified":true,"roles":["admin","reader"]},"note":""#;
    let note: String = "The quick brown fox. ".chars().cycle().take(1_024 - head.len() - 2).collect();
    format!("{head}{note}\"}}").into_bytes()
}

/// One webhook of each of so many tenants, and one event of one of them: the cost must not grow with the others.
fn matching(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("match");
    for webhooks in [1, 1_000, 100_000] {
        let subscription = Subscription::parse([EVENT_KEY]).expect("a good pattern");
        let mut index = SubscriptionIndex::default();
        for number in 0..webhooks {
            let id = WebhookId::new(AT + std::time::Duration::from_millis(u64::from(number)), 1);
            index.add(id, Some(&tenant(number)), &subscription);
        }
        let (key, tenant) = (event_key(), tenant(webhooks / 2));
        assert_eq!(index.matching(&key, CATEGORY, Some(&tenant)).len(), 1);
        group.bench_function(BenchmarkId::new("one of so many webhooks", webhooks), |bencher| {
            bencher.iter(|| index.matching(black_box(&key), CATEGORY, Some(&tenant)));
        });
    }
    group.finish();
}

fn splicing(criterion: &mut Criterion) {
    let (payload, key) = (payload(), event_key());
    let context = EventContext {
        vendor_id: "0b5c2ad6-8f3e-4d3a-9a71-9a1d2f0b4c11",
        tenant_id: Some("0b5c2ad6-8f3e-4d3a-9a71-000000000001"),
        user_id: Some("7d9f6e0c-2b41-4c55-8a1e-000000000001"),
        application_id: None,
    };
    let mut group = criterion.benchmark_group("splice");
    group.throughput(Throughput::Bytes(payload.len() as u64));
    group.bench_function("check a payload of 1 KB", |bencher| {
        bencher.iter(|| payload::check(black_box(&payload)));
    });
    group.bench_function("payload of 1 KB into its body", |bencher| {
        bencher.iter(|| payload::splice(black_box(&payload), &context, &key));
    });
    group.finish();
}

fn signing(criterion: &mut Criterion) {
    let body = payload();
    let (current, before) = (Secret::generate(&[1; 32]), Secret::generate(&[2; 32]));
    let (one, rotating) = (Signer::new([&current]), Signer::new([&current, &before]));
    let input = SignInput {
        message_id: "evt_1hf8wz3m60000",
        timestamp_secs: AT.as_seconds().unsigned_abs(),
        body: &body,
    };
    let digest = BodyDigest::of(&body);
    let mut group = criterion.benchmark_group("sign");
    group.throughput(Throughput::Bytes(body.len() as u64));
    group.bench_function("1 KB in both schemes", |bencher| bencher.iter(|| one.sign(black_box(&input))));
    group.bench_function("1 KB in both schemes, its digest known", |bencher| {
        bencher.iter(|| one.sign_with_digest(black_box(&input), &digest));
    });
    group.bench_function("1 KB in both schemes, two secrets", |bencher| {
        bencher.iter(|| rotating.sign(black_box(&input)));
    });
    group.finish();
}

fn deciding(criterion: &mut Criterion) {
    let policy = RetryPolicy {
        schedule: RetrySchedule::default(),
        trigger: Trigger::Event,
    };
    let replied = |status, headers| Exchange {
        reply: Some(Reply {
            status,
            headers,
            body: bytes::Bytes::new(),
            body_truncated: false,
        }),
        ..Exchange::default()
    };
    let retry_after = vec![("retry-after".to_owned(), "Tue, 14 Nov 2023 22:15:20 GMT".to_owned())];
    let cases = [
        ("200", replied(200, Vec::new())),
        ("503 with a date in Retry-After", replied(503, retry_after)),
        ("no connection", Exchange::failed(FailureKind::Connect, "connection refused")),
    ];
    let mut group = criterion.benchmark_group("decide");
    for (name, exchange) in &cases {
        group.bench_function(*name, |bencher| {
            bencher.iter(|| decide(black_box(exchange), 1, &policy, AT, Jitter::NONE));
        });
    }
    group.finish();
}

criterion_group!(benches, matching, splicing, signing, deciding);
criterion_main!(benches);
