//! What a database says of an attempt: bytes that were damaged, or written by nobody, are read or named as damaged, and never bring the process down. An
//! input is four bytes and a time for the other columns, then the detail.
#![no_main]

use std::cell::RefCell;
use std::sync::Arc;

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use rusqlite::{Connection, params};
use tempfile::TempDir;
use tidings_fuzz::input::Input;
use tidings_model::{
    Attempt, DeliveryId, Environment, EnvironmentId, Exchange, SealedSecretSet, Settings, Subscription, Timestamp, Trigger, Verdict,
    Webhook, WebhookId, WebhookState,
};
use tidings_runtime::ManualClock;
use tidings_store::{LeaseGrant, LeaseToken, NewEvent, Settlement, Start, Store, StoreError, Target};
use tidings_store_sqlite::{SqliteOptions, SqliteStore};
use tokio::runtime::Runtime;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A store with one delivery that was tried once, and a second way to its file.
struct World {
    runtime: Runtime,
    store: SqliteStore,
    file: Connection,
    environment: EnvironmentId,
    delivery: DeliveryId,
    _folder: TempDir,
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let [as_text, reply, verdict, why] = input.bytes().map(i64::from);
    let retry_at = Some(i64::from_le_bytes(input.bytes())).filter(|at| *at != 0);
    let reply_body = (reply % 2 == 1).then_some(&b"a reply"[..]);
    let detail = input.0;
    WORLD.with_borrow(|world| {
        let columns = "UPDATE attempts SET detail = iif(?2, CAST(?1 AS TEXT), ?1), reply_body = ?3, verdict = ?4, retry_at = ?5, why = ?6";
        let mut statement = world.file.prepare_cached(columns).expect("the table has these columns");
        if statement
            .execute(params![
                detail,
                as_text % 2 == 1,
                reply_body,
                verdict % 8,
                retry_at,
                (why > 0).then_some(why - 1)
            ])
            .is_err()
        {
            return; // the schema itself refuses it
        }
        let found = world.runtime.block_on(world.store.delivery(world.environment, world.delivery, NOW));
        match found {
            Ok(found) => {
                let found = found.expect("the delivery is there whatever its attempt is");
                let [attempt] = found.attempts.as_slice() else {
                    panic!("one attempt was made: {:?}", found.attempts);
                };
                assert_eq!((attempt.delivery, attempt.number), (world.delivery, 1));
                let body = attempt.exchange.reply.as_ref().map(|reply| &reply.body[..]);
                assert_eq!(body, reply_body, "the reply is shown as it is stored");
            }
            Err(StoreError::Damaged(what)) => assert!(what.contains("attempts"), "{what}"),
            Err(other) => panic!("{other}"),
        }
    });
});

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("there is a folder for temporary files");
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
        let environment = EnvironmentId::from_chance([1; 16]);
        let (store, delivery) = runtime.block_on(async {
            let options = SqliteOptions::new(Arc::new(ManualClock::at(NOW)));
            let store = SqliteStore::open(folder.path(), options).expect("an empty folder becomes a store");
            let delivery = one_attempt(&store, environment).await;
            (store, delivery)
        });
        let file = Connection::open(folder.path().join("tidings.db")).expect("the file is there");
        file.execute_batch("PRAGMA synchronous = OFF; PRAGMA busy_timeout = 60000")
            .expect("pragmas are taken");
        Self {
            runtime,
            store,
            file,
            environment,
            delivery,
            _folder: folder,
        }
    }
}

/// A webhook, an event for it, and an attempt that failed.
async fn one_attempt(store: &SqliteStore, environment: EnvironmentId) -> DeliveryId {
    let webhook = WebhookId::new(NOW, 1);
    let described = Environment {
        id: environment,
        name: "Development".to_owned(),
        settings: Settings::default(),
        created_at: NOW,
    };
    store
        .create_environment(&described)
        .await
        .expect("it is written")
        .expect("the name is free");
    let described = Webhook {
        id: webhook,
        environment,
        tenant: None,
        name: "Orders".to_owned(),
        description: String::new(),
        url: "https://receiver.example/".to_owned(),
        secrets: SealedSecretSet::default(),
        subscription: Subscription::parse(["*"]).expect("a pattern"),
        headers: None,
        state: WebhookState::Active,
        created_at: NOW,
        updated_at: NOW,
    };
    assert!(store.create_webhook(&described).await.expect("it is written").is_ok());
    let grant = LeaseGrant {
        token: LeaseToken(7),
        until: Timestamp::from_millis(NOW.as_millis() + 60_000),
    };
    let event = NewEvent {
        environment,
        routing_version: 2, // the environment began with 1, the webhook raised it
        key: "order.placed".parse().expect("a key"),
        tenant: None,
        user: None,
        application: None,
        body: Bytes::from_static(b"{}"),
        at: NOW,
        idempotency: None,
        trigger: Trigger::Event,
        targets: vec![Target {
            webhook,
            start: Start::Leased(grant),
        }],
    };
    let appended = store.append(vec![event]).await.expect("it is written");
    let event = appended[0].as_ref().expect("the version is right").event;
    let delivery = DeliveryId { event, ordinal: 0 };
    let settlement = Settlement {
        webhook,
        lease: grant.token,
        attempt: Attempt {
            delivery,
            number: 1,
            started_at: NOW,
            url: "https://receiver.example/".to_owned(),
            request_headers: Vec::new(),
            exchange: Exchange::default(),
            verdict: Verdict::RetryAt(grant.until),
        },
        ended_at: NOW,
    };
    store.settle(Arc::from([settlement])).await.expect("it is written");
    delivery
}
