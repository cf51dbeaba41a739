//! Verifying a folder: each kind of damage, done on purpose, is found with its ids and nothing else is.

use std::time::Duration;

use tidings_model::{CredentialId, DeliveryId, EventId, Timestamp, WebhookId};
use tidings_store::{AsOf, Finding, Missing, OVERDUE_AFTER, Thing};
use tidings_store_sqlite::{Inspection, OpenError};

use crate::story::{STOPPED, Story, damaged, first, verify};
use crate::world::{World, at};

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
        "UPDATE people SET role = 7; INSERT INTO people VALUES (1, 'a@b.c', 7, '', 0, NULL)",
        "table people, column role, row a@b.c",
    );
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

#[tokio::test]
async fn a_bit_that_flips_inside_a_body_is_found_and_what_is_older_than_checksums_is_let_be() {
    let story = Story::told().await;
    let flip = format!("UPDATE bodies SET body = zeroblob(length(body)) WHERE event = {}", story.due.raw());
    assert_eq!(story.after(&flip, STOPPED), [Finding::AlteredBody { event: story.due }]);
    let older = format!("UPDATE bodies SET checksum = NULL WHERE event = {}; {flip}", story.due.raw());
    assert_eq!(story.after(&older, STOPPED), []);
}
