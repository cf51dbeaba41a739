//! Verifying a folder: each kind of damage, done on purpose, is found with its ids and nothing else is; and a store in use gives no false alarm.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use tempfile::TempDir;
use tidings_model::{
    Attempt, CancelReason, Credential, CredentialId, DeliveryId, Environment, EnvironmentId, EventId, Exchange, Reply, Scopes, Settings,
    Timestamp, Timings, Verdict, Webhook, WebhookId,
};
use tidings_store::{
    AsOf, CustomEventType, Finding, Idempotency, LeaseToken, Missing, NewEvent, OVERDUE_AFTER, Place, Settlement, Start, Store, Target,
    Thing,
};
use tidings_store_sqlite::{Inspection, OpenError, SqliteStore};

use crate::world::{START, World, at, database, grant};

/// While nobody serves the folder.
const STOPPED: AsOf = AsOf {
    at: START,
    served_since: None,
};

/// Everything that is wrong in a folder.
pub(crate) fn verify(folder: &std::path::Path, as_of: AsOf, limit: usize) -> Vec<Finding> {
    let mut inspection = Inspection::open(folder).unwrap();
    let mut findings = Vec::new();
    let mut place = Some(Place::start());
    while let Some(here) = place {
        let step = inspection.step(&here, as_of, limit).unwrap();
        findings.extend(step.findings);
        place = step.next;
    }
    findings
}

pub(crate) fn settlement(delivery: DeliveryId, webhook: WebhookId, token: i64, verdict: Verdict) -> Settlement {
    let status = if verdict == Verdict::Delivered { 200 } else { 503 };
    Settlement {
        webhook,
        lease: LeaseToken(token),
        attempt: Attempt {
            delivery,
            number: 1,
            started_at: at(40),
            url: "https://receiver.example/".to_owned(),
            request_headers: Vec::new(),
            exchange: Exchange {
                reply: Some(Reply {
                    status,
                    headers: Vec::new(),
                    body: bytes::Bytes::new(),
                    body_truncated: false,
                }),
                failure: None,
                address: None,
                timings: Timings::default(),
            },
            verdict,
        },
        ended_at: at(41),
    }
}

/// A stopped folder in which events have gone every way.
struct Story {
    world: World,
    /// Delivered after it waited, so that its delivery has a row.
    waited: EventId,
    /// Delivered at the first try, without a row; and sent again twice, which waits.
    at_once: EventId,
    /// Failed once, and waits.
    failed: EventId,
    /// Accepted under the key "order 1", and waits for its first try.
    due: EventId,
    /// Failed for good.
    exhausted: EventId,
    /// In the hands of a node, without a row.
    in_hand: EventId,
    /// Of another environment, to the webhook of that one.
    elsewhere: EventId,
    other: WebhookId,
}

fn first(event: EventId) -> DeliveryId {
    DeliveryId { event, ordinal: 0 }
}

async fn second_environment(store: &SqliteStore) -> (EnvironmentId, WebhookId) {
    let id = EnvironmentId::from_chance([2; 16]);
    let environment = Environment {
        id,
        name: "Production".to_owned(),
        settings: Settings::default(),
        created_at: START,
    };
    store.create_environment(&environment).await.unwrap().unwrap();
    let credential = Credential {
        id: CredentialId::from_chance([2; 16]),
        environment: id,
        name: "Producer".to_owned(),
        scopes: Scopes::READ_WRITE,
        secret_hash: vec![7; 32],
        created_at: START,
    };
    store.create_credential(&credential).await.unwrap();
    let event_type = CustomEventType {
        key: "order.placed".parse().unwrap(),
        category: "Orders".to_owned(),
        display_name: "An order".to_owned(),
        description: String::new(),
        example: None,
        schema: None,
        created_at: START,
    };
    store.create_event_type(id, &event_type).await.unwrap().unwrap();
    let webhook = Webhook {
        id: WebhookId::new(START, 2),
        environment: id,
        ..World::webhook_of(id)
    };
    assert!(store.create_webhook(&webhook).await.unwrap());
    (id, webhook.id)
}

impl Story {
    async fn told() -> Self {
        let (world, store) = World::new().await;
        let webhook = world.webhook;
        let mut token = 100;
        let mut done = async |event: EventId, verdict| {
            let settled = store
                .settle(vec![settlement(first(event), webhook, token, verdict)].into())
                .await
                .unwrap();
            assert!(!matches!(settled[0], tidings_store::Settled::LeaseLost), "{event}");
            token += 1;
        };
        let waited = world.append(&store, world.event(1, Start::Due)).await;
        store.lease_due(webhook, at(1), 10, grant(100, 1)).await.unwrap();
        done(waited, Verdict::Delivered).await;
        let at_once = world.append(&store, world.event(2, Start::Leased(grant(101, 2)))).await;
        done(at_once, Verdict::Delivered).await;
        let failed = world.append(&store, world.event(3, Start::Leased(grant(102, 3)))).await;
        done(failed, Verdict::RetryAt(at(50))).await;
        let exhausted = world.append(&store, world.event(4, Start::Leased(grant(103, 4)))).await;
        done(exhausted, Verdict::Exhausted).await;
        let promise = Idempotency {
            key: "order 1".to_owned(),
            fingerprint: [1; 32],
            expires_at: at(90_000),
        };
        let due = NewEvent {
            idempotency: Some(promise),
            ..world.event(5, Start::Due)
        };
        let due = world.append(&store, due).await;
        for _ in 0..2 {
            store.resend(world.environment, first(at_once), at(6)).await.unwrap().unwrap();
        }
        let (environment, other) = second_environment(&store).await;
        let elsewhere = NewEvent {
            environment,
            routing_version: 3,
            targets: vec![Target {
                webhook: other,
                start: Start::Skipped(CancelReason::WebhookDisabled),
            }],
            ..world.event(7, Start::Due)
        };
        let elsewhere = world.append(&store, elsewhere).await;
        let in_hand = world.append(&store, world.event(8, Start::Leased(grant(104, 8)))).await;
        store.close().await;
        let story = Self {
            world,
            waited,
            at_once,
            failed,
            due,
            exhausted,
            in_hand,
            elsewhere,
            other,
        };
        assert_eq!(verify(story.world.path(), STOPPED, 3), [], "before anything is damaged");
        story
    }

    /// What is found in a copy of the folder that somebody has been at.
    fn after(&self, sql: &str, as_of: AsOf) -> Vec<Finding> {
        let folder = damaged(&self.world, sql);
        let found = verify(folder.path(), as_of, 3);
        assert_eq!(verify(folder.path(), as_of, 1_000), found, "{sql}: the same in one step");
        found
    }
}

/// A copy of the folder that somebody has been at.
fn damaged(world: &World, sql: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::copy(database(world.path()), database(folder.path())).unwrap();
    let connection = Connection::open(database(folder.path())).unwrap();
    connection
        .execute_batch("PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON")
        .unwrap();
    let before = connection.total_changes();
    connection.execute_batch(sql).unwrap();
    assert!(connection.total_changes() > before, "{sql} changes nothing");
    folder
}

#[tokio::test]
async fn what_pending_deliveries_have_lost_is_found() {
    let story = Story::told().await;
    let (due, webhook) = (story.due.raw(), story.world.webhook);
    let orphan = |webhook, missing| Finding::Orphan {
        delivery: first(story.due),
        webhook,
        missing,
    };
    let remnant = Finding::NoEvent {
        thing: Thing::Body(story.due),
        event: story.due,
    };
    let key = Finding::KeyWithoutEvent {
        environment: Some(story.world.environment),
        key: "order 1".to_owned(),
        event: story.due,
    };
    assert_eq!(
        story.after(&format!("DELETE FROM events WHERE id = {due}"), STOPPED),
        [orphan(webhook, Missing::Event), remnant, key]
    );
    assert_eq!(
        story.after(&format!("DELETE FROM bodies WHERE event = {due}"), STOPPED),
        [orphan(webhook, Missing::Body), Finding::NoBody { event: story.due }]
    );
    let nowhere = WebhookId::from_raw(12_345).unwrap();
    let found = story.after(&format!("UPDATE deliveries SET webhook = 12345 WHERE event = {due}"), STOPPED);
    assert_eq!(found[0], orphan(nowhere, Missing::Webhook));
    assert!(
        found[1].to_string().contains("goes to another webhook than its event promised"),
        "{found:?}"
    );
}

#[tokio::test]
async fn what_nobody_will_send_is_found() {
    let story = Story::told().await;
    let lost = |delivery, taken_up_at_start| Finding::Lost {
        delivery,
        webhook: Some(story.world.webhook),
        taken_up_at_start,
    };
    assert_eq!(
        story.after(&format!("DELETE FROM deliveries WHERE event = {}", story.due.raw()), STOPPED),
        [lost(first(story.due), true)],
        "its event was never in anybody's hands"
    );
    let mark = format!(
        "INSERT INTO blocks (first, last, settled_before) VALUES (1, 1, {} + 1)",
        story.in_hand.raw()
    );
    assert_eq!(
        story.after(&mark, STOPPED),
        [lost(first(story.in_hand), false)],
        "a start would not look for it: the low-water mark is beyond it"
    );
    let second = DeliveryId {
        event: story.at_once,
        ordinal: 1,
    };
    assert_eq!(
        story.after(
            &format!("DELETE FROM deliveries WHERE event = {} AND ordinal = 1", story.at_once.raw()),
            STOPPED
        ),
        [Finding::Lost {
            delivery: second,
            webhook: None,
            taken_up_at_start: false
        }],
        "the next resend has a higher number"
    );
}

#[tokio::test]
async fn what_a_server_does_not_get_round_to_is_found_while_it_serves() {
    let story = Story::told().await;
    let served = AsOf {
        at: at(8) + Duration::from_secs(60) + OVERDUE_AFTER,
        served_since: Some(Timestamp::from_millis(0)),
    };
    let overdue = Finding::Overdue {
        webhook: story.world.webhook,
        delivery: first(story.due),
        since: at(5),
    };
    let lost = Finding::Lost {
        delivery: first(story.in_hand),
        webhook: Some(story.world.webhook),
        taken_up_at_start: true,
    };
    assert_eq!(verify(story.world.path(), served, 3), [overdue, lost]);
    let stopped = AsOf {
        served_since: None,
        ..served
    };
    assert_eq!(verify(story.world.path(), stopped, 3), [], "nobody is late who does not serve");
    let sooner = AsOf { at: at(60), ..served };
    assert_eq!(verify(story.world.path(), sooner, 3), [], "a lease holds what is in hand");
}

#[tokio::test]
async fn a_lease_that_does_not_end_is_found_wherever_it_is_written() {
    let story = Story::told().await;
    let far = 9_000_000_000_000_i64;
    let too_long = |event| Finding::LeaseTooLong {
        delivery: first(event),
        until: Timestamp::from_millis(far),
    };
    let row = format!(
        "UPDATE deliveries SET lease_token = 1, lease_until = {far} WHERE event = {}",
        story.failed.raw()
    );
    assert_eq!(story.after(&row, STOPPED), [too_long(story.failed)]);
    let append = format!("UPDATE events SET lease_until = {far} WHERE id = {}", story.in_hand.raw());
    assert_eq!(story.after(&append, STOPPED), [too_long(story.in_hand)]);
}

#[tokio::test]
async fn attempts_that_do_not_fit_their_delivery_are_found() {
    let story = Story::told().await;
    let (at_once, failed) = (story.at_once.raw(), story.failed.raw());
    assert_eq!(
        story.after(&format!("UPDATE attempts SET number = 2 WHERE event = {at_once}"), STOPPED),
        [Finding::AttemptsNotNumbered {
            delivery: first(story.at_once),
            expected: 1,
            found: 2
        }]
    );
    assert_eq!(
        story.after(&format!("DELETE FROM attempts WHERE event = {failed}"), STOPPED),
        [Finding::AttemptsDisagree {
            delivery: first(story.failed),
            told: 1,
            found: 0
        }]
    );
    for (sql, event, words) in [
        (
            format!("UPDATE deliveries SET state = 1, due_at = NULL, ended_at = 1 WHERE event = {failed}"),
            story.failed,
            "is delivered, but its last attempt failed",
        ),
        (
            format!("UPDATE deliveries SET due_at = due_at + 1 WHERE event = {failed}"),
            story.failed,
            "is pending until 2023-11-14T22:14:10.001Z, but its last attempt failed and is to be followed by another at 2023-11-14T22:14:10.000Z",
        ),
        (
            format!("DELETE FROM deliveries WHERE event = {}", story.exhausted.raw()),
            story.exhausted,
            "is delivered, but its last attempt exhausted it",
        ),
        (
            format!("UPDATE deliveries SET last_status = 201 WHERE event = {}", story.waited.raw()),
            story.waited,
            "says that it was last answered 201, and its last attempt says 200",
        ),
        (
            format!("UPDATE attempts SET ordinal = 7 WHERE event = {at_once}"),
            story.at_once,
            "is not there, and 1 attempts of it are",
        ),
    ] {
        let found = story.after(&sql, STOPPED);
        let told = |finding: &Finding| matches!(finding, Finding::StateDisagrees { delivery, what } if delivery.event == event && what.contains(words));
        assert!(found.len() == 1 && told(&found[0]), "{sql}: {found:?}");
    }
}

#[tokio::test]
async fn what_is_left_of_events_that_are_not_there_is_found() {
    let story = Story::told().await;
    let gone = EventId::from_raw(4_242).unwrap();
    let left = |thing| [Finding::NoEvent { thing, event: gone }];
    assert_eq!(
        story.after(
            &format!("UPDATE deliveries SET event = 4242 WHERE event = {}", story.waited.raw()),
            STOPPED
        ),
        left(Thing::Delivery(first(gone)))
    );
    assert_eq!(
        story.after(
            &format!("UPDATE attempts SET event = 4242 WHERE event = {}", story.at_once.raw()),
            STOPPED
        ),
        left(Thing::Attempt(first(gone), 1))
    );
    assert_eq!(
        story.after("INSERT INTO bodies (event, body) VALUES (4242, x'7b7d')", STOPPED),
        left(Thing::Body(gone))
    );
}

#[tokio::test]
async fn what_points_out_of_its_environment_is_found() {
    let story = Story::told().await;
    let pointing = |thing, into| [Finding::OtherEnvironment { thing, into }];
    let targets = format!(
        "UPDATE events SET targets = (SELECT targets FROM events WHERE id = {}) WHERE id = {}",
        story.elsewhere.raw(),
        story.in_hand.raw()
    );
    assert_eq!(
        story.after(&targets, STOPPED),
        pointing(Thing::Delivery(first(story.in_hand)), Thing::Webhook(story.other))
    );
    assert_eq!(
        story.after(
            &format!("UPDATE deliveries SET environment = 2 WHERE event = {}", story.failed.raw()),
            STOPPED
        ),
        pointing(Thing::Delivery(first(story.failed)), Thing::Event(story.failed))
    );
    let key = format!("UPDATE idempotency SET event = {}", story.elsewhere.raw());
    assert_eq!(
        story.after(&key, STOPPED),
        pointing(Thing::IdempotencyKey("order 1".to_owned()), Thing::Event(story.elsewhere))
    );
}

#[tokio::test]
async fn what_has_no_environment_or_no_webhook_is_found() {
    let story = Story::told().await;
    let homeless = |thing| Finding::NoEnvironment { thing };
    assert_eq!(
        story.after("UPDATE environments SET deleted = 1 WHERE id = 2", STOPPED),
        [
            homeless(Thing::Credential(CredentialId::from_chance([2; 16]))),
            homeless(Thing::EventType("order.placed".parse().unwrap())),
            homeless(Thing::Webhook(story.other)),
        ]
    );
    let found = story.after("DELETE FROM environments WHERE id = 2", STOPPED);
    assert!(found.contains(&homeless(Thing::Event(story.elsewhere))), "{found:?}");
    assert_eq!(
        story.after(&format!("DELETE FROM webhooks WHERE id = {}", story.other.raw()), STOPPED),
        [Finding::NoWebhook {
            delivery: first(story.elsewhere),
            webhook: story.other
        }]
    );
    assert_eq!(
        story.after(
            &format!("UPDATE webhooks SET changed = 99 WHERE id = {}", story.other.raw()),
            STOPPED
        ),
        [Finding::ChangeAhead {
            webhook: story.other,
            changed: 99,
            version: 3
        }]
    );
}

#[tokio::test]
async fn a_key_that_answers_wrongly_is_found() {
    let story = Story::told().await;
    assert_eq!(
        story.after("UPDATE idempotency SET deliveries = 3", STOPPED),
        [Finding::KeyDisagrees {
            environment: Some(story.world.environment),
            key: "order 1".to_owned(),
            event: story.due,
            told: 3,
            found: 1
        }]
    );
}

#[tokio::test]
async fn a_file_that_is_not_whole_is_found_by_table() {
    let story = Story::told().await;
    let named = |sql: &str, words: &str| {
        let found = story.after(sql, STOPPED);
        let told = |finding: &Finding| {
            matches!(finding, Finding::Damaged { .. } | Finding::Unreadable { .. }) && finding.to_string().contains(words)
        };
        assert!(found.iter().any(told), "{sql}: {found:?}");
    };
    // An index that is said to hold more than it does: as if a page of it had been lost.
    named(
        "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'state >= 2', 'state >= 1') WHERE name = 'deliveries_failed'",
        "table deliveries: ",
    );
    named(
        "INSERT INTO sessions (id, person, created_at, seen_at, ends_at, agent, address) VALUES (zeroblob(32), 9, 0, 0, 0, '', '')",
        "table sessions: row refers to a row of people that is not there",
    );
    named(
        &format!("UPDATE events SET key = 'not a key' WHERE id = {}", story.at_once.raw()),
        &format!("table events, column key, row {}: ", story.at_once.raw()),
    );
    named(
        &format!("UPDATE webhooks SET subscription = '[' WHERE id = {}", story.other.raw()),
        &format!("table webhooks, column subscription, row {}: ", story.other.raw()),
    );
    named(
        "UPDATE people SET role = 7; INSERT INTO people VALUES (1, 'a@b.c', 7, '', 0)",
        "table people, column role, row a@b.c",
    );
}

#[tokio::test]
async fn lists_that_do_not_hold_what_they_should_are_found() {
    let (world, store) = World::new().await;
    let events = (0..4_200)
        .map(|number| world.event(number / 100, Start::Leased(grant(number, 0))))
        .collect();
    store.append(events).await.unwrap();
    store.close().await;
    let listed = |sql: &str| verify(damaged(&world, sql).path(), STOPPED, 1_000);
    assert_eq!(verify(world.path(), STOPPED, 1_000), []);

    let unlisted = listed("DELETE FROM parts WHERE kind = 1");
    let list = format!("webhook {}", world.webhook);
    let missing = |finding: &Finding| matches!(finding, Finding::ListDisagrees { list: told, listed: false, .. } if *told == list);
    assert!(unlisted.len() == 4_096 && unlisted.iter().all(missing), "{:?}", unlisted.first());

    let gone = EventId::new(START, 7);
    let too_many = listed(&format!(
        "DELETE FROM events WHERE id = {0}; DELETE FROM bodies WHERE event = {0}",
        gone.raw()
    ));
    let extra = |finding: &&Finding| matches!(finding, Finding::ListDisagrees { event, listed: true, .. } if *event == gone);
    assert_eq!((too_many.len(), too_many.iter().filter(extra).count()), (3, 3), "{too_many:?}");

    let outside = listed("UPDATE blocks SET first = first + 1; UPDATE parts SET block = block + 1");
    let first = EventId::new(START, 0);
    assert!(
        outside
            .iter()
            .any(|finding| matches!(finding, Finding::ListDisagrees { event, listed: false, .. } if *event == first)),
        "{:?}",
        outside.first()
    );
    for (sql, words) in [
        (
            "INSERT INTO blocks SELECT first + 1, last, settled_before FROM blocks",
            "begins before block",
        ),
        (
            "INSERT INTO parts VALUES (5, 0, 1, '', x'00')",
            "there are parts of block 5, which is not there",
        ),
        ("UPDATE parts SET events = x'ff' WHERE kind = 0", "its events cannot be read"),
    ] {
        let found = listed(sql);
        assert!(
            found.iter().any(|finding| finding.to_string().contains(words)),
            "{sql}: {:?}",
            found.first()
        );
    }
}

#[tokio::test]
async fn a_folder_of_an_older_schema_is_not_verified_and_says_what_to_do() {
    let (world, store) = World::new().await;
    store.close().await;
    let folder = damaged(
        &world,
        "DELETE FROM migrations WHERE version = (SELECT max(version) FROM migrations)",
    );
    let refused = Inspection::open(folder.path()).unwrap_err();
    assert!(
        matches!(refused, OpenError::Older { .. }) && refused.to_string().contains("tidings serve"),
        "{refused}"
    );
}

/// What a server does, a little of each, so many seconds after the start.
async fn serve_a_second(world: &World, store: &SqliteStore, second: i64) {
    let webhook = world.webhook;
    let leased = world.append(store, world.event(second, Start::Leased(grant(second, second)))).await;
    let verdict = if second % 3 == 0 {
        Verdict::RetryAt(at(second + 2))
    } else {
        Verdict::Delivered
    };
    store
        .settle(vec![settlement(first(leased), webhook, second, verdict)].into())
        .await
        .unwrap();
    world.append(store, world.event(second, Start::Due)).await;
    world
        .append(store, world.event(second, Start::Leased(grant(-second, second))))
        .await;
    let batch = store
        .lease_due(webhook, at(second), 3, grant(second + 10_000, second))
        .await
        .unwrap();
    let settled = batch.deliveries.iter().map(|delivery| {
        let mut settled = settlement(delivery.id, webhook, second + 10_000, Verdict::Delivered);
        settled.attempt.number = delivery.attempts + 1;
        settled
    });
    store.settle(settled.collect()).await.unwrap();
    store.resend(world.environment, first(leased), at(second)).await.unwrap().unwrap();
    store
        .cancel_pending(webhook, CancelReason::WebhookDisabled, at(second), 1)
        .await
        .unwrap();
    let passing = Webhook {
        id: WebhookId::new(at(second), 9),
        ..World::webhook_of(EnvironmentId::from_chance([2; 16]))
    };
    assert!(store.create_webhook(&passing).await.unwrap());
    assert!(store.delete_webhook(passing.environment, passing.id, at(second)).await.unwrap());
    store.prune(world.environment, at(second - 20), 50).await.unwrap();
    store.forget_keys(at(second), 10).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_in_use_is_verified_again_and_again_without_a_false_alarm() {
    let (world, store) = World::new().await;
    second_environment(&store).await;
    let (world, store) = (Arc::new(world), Arc::new(store));
    let done = Arc::new(AtomicBool::new(false));
    let beside = tokio::task::spawn_blocking({
        let (world, done) = (Arc::clone(&world), Arc::clone(&done));
        move || {
            let mut rounds = 0;
            while !done.load(Ordering::Relaxed) || rounds == 0 {
                let as_of = AsOf {
                    at: at(130),
                    served_since: Some(Timestamp::from_millis(0)),
                };
                assert_eq!(verify(world.path(), as_of, 1 + rounds % 60), []);
                rounds += 1;
            }
            rounds
        }
    });
    for second in 1..120 {
        serve_a_second(&world, &store, second).await;
    }
    done.store(true, Ordering::Relaxed);
    assert!(beside.await.unwrap() > 0);
    let after = store
        .verify(
            &Place::start(),
            AsOf {
                at: at(130),
                served_since: Some(Timestamp::from_millis(0)),
            },
            10,
        )
        .await
        .unwrap();
    assert!(after.findings.is_empty() && after.next.is_some(), "the verb takes the same steps");
}
