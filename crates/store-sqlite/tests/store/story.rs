//! A stopped folder in which events have gone every way, and what a verification says of copies that somebody has been at.

use std::fs;

use rusqlite::Connection;
use tempfile::TempDir;
use tidings_model::{
    Attempt, CancelReason, Credential, CredentialId, DeliveryId, Environment, EnvironmentId, EventId, Exchange, Reply, Scopes, Settings,
    Timings, Verdict, Webhook, WebhookId,
};
use tidings_store::{AsOf, CustomEventType, Finding, Idempotency, LeaseToken, NewEvent, Place, Settled, Settlement, Start, Store, Target};
use tidings_store_sqlite::{Inspection, SqliteStore};

use crate::world::{START, World, at, database, grant};

/// While nobody serves the folder.
pub(crate) const STOPPED: AsOf = AsOf {
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

/// The first attempt of a delivery.
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
pub(crate) struct Story {
    /// Where.
    pub(crate) world: World,
    /// Delivered after it waited, so that its delivery has a row.
    pub(crate) waited: EventId,
    /// Delivered at the first try, without a row; and sent again twice, which waits.
    pub(crate) at_once: EventId,
    /// Failed once, and waits.
    pub(crate) failed: EventId,
    /// Accepted under the key "order 1", and waits for its first try.
    pub(crate) due: EventId,
    /// Failed for good.
    pub(crate) exhausted: EventId,
    /// In the hands of a node, without a row.
    pub(crate) in_hand: EventId,
    /// Of another environment, to the webhook of that one.
    pub(crate) elsewhere: EventId,
    /// That webhook.
    pub(crate) other: WebhookId,
}

/// The delivery to an event's first target.
pub(crate) fn first(event: EventId) -> DeliveryId {
    DeliveryId { event, ordinal: 0 }
}

/// An environment with a credential, an event type and a webhook.
pub(crate) async fn second_environment(store: &SqliteStore) -> (EnvironmentId, WebhookId) {
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
    assert!(store.create_webhook(&webhook).await.unwrap().is_ok());
    (id, webhook.id)
}

impl Story {
    /// Plays it.
    pub(crate) async fn told() -> Self {
        let (world, store) = World::new().await;
        let webhook = world.webhook;
        let mut token = 100;
        let mut done = async |event: EventId, verdict| {
            let settled = store
                .settle(vec![settlement(first(event), webhook, token, verdict)].into())
                .await
                .unwrap();
            assert!(!matches!(settled[0], Settled::LeaseLost), "{event}");
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
    pub(crate) fn after(&self, sql: &str, as_of: AsOf) -> Vec<Finding> {
        let folder = damaged(&self.world, sql);
        let found = verify(folder.path(), as_of, 3);
        assert_eq!(verify(folder.path(), as_of, 1_000), found, "{sql}: the same in one step");
        found
    }
}

/// A copy of the folder that somebody has been at.
pub(crate) fn damaged(world: &World, sql: &str) -> TempDir {
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
