//! A data folder with one environment and one webhook, and short ways to do what the tests do often.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::TempDir;
use tidings_model::{
    Environment, EnvironmentId, EventId, SealedSecretSet, Settings, Subscription, Timestamp, Trigger, Webhook, WebhookId, WebhookState,
};
use tidings_runtime::ManualClock;
use tidings_store::{LeaseGrant, LeaseToken, NewEvent, Start, Store, Target};
use tidings_store_sqlite::{SqliteOptions, SqliteStore};

pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Verbs that make a [`World`], each of which commits alone.
pub(crate) const COMMITS_OF_A_WORLD: usize = 2;

/// So many seconds after the start.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(START.as_millis() + seconds * 1_000)
}

pub(crate) fn options() -> SqliteOptions {
    SqliteOptions::new(Arc::new(ManualClock::at(START)))
}

pub(crate) fn open(folder: &Path) -> SqliteStore {
    SqliteStore::open(folder, options()).unwrap()
}

pub(crate) fn database(folder: &Path) -> PathBuf {
    folder.join("tidings.db")
}

/// A lease of one minute.
pub(crate) fn grant(token: i64, from: i64) -> LeaseGrant {
    LeaseGrant {
        token: LeaseToken(token),
        until: at(from + 60),
    }
}

/// A data folder whose store has an environment and a webhook.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    pub(crate) environment: EnvironmentId,
    pub(crate) webhook: WebhookId,
}

impl World {
    /// Makes the folder, and opens its store with what the test wants of it.
    pub(crate) async fn with(options: SqliteOptions) -> (Self, SqliteStore) {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(folder.path(), options).unwrap();
        let world = Self {
            folder,
            environment: EnvironmentId::from_chance([1; 16]),
            webhook: WebhookId::new(START, 1),
        };
        let environment = Environment {
            id: world.environment,
            name: "Development".to_owned(),
            settings: Settings::default(),
            created_at: START,
        };
        store.create_environment(&environment).await.unwrap().unwrap();
        assert!(store.create_webhook(&world.described_webhook()).await.unwrap().is_ok());
        (world, store)
    }

    pub(crate) async fn new() -> (Self, SqliteStore) {
        Self::with(options()).await
    }

    fn described_webhook(&self) -> Webhook {
        Webhook {
            id: self.webhook,
            ..Self::webhook_of(self.environment)
        }
    }

    /// An active webhook of an environment.
    pub(crate) fn webhook_of(environment: EnvironmentId) -> Webhook {
        Webhook {
            id: WebhookId::new(START, 0),
            environment,
            tenant: None,
            name: "Orders".to_owned(),
            description: String::new(),
            url: "https://receiver.example/".to_owned(),
            secrets: SealedSecretSet::default(),
            subscription: Subscription::parse(["*"]).unwrap(),
            headers: None,
            state: WebhookState::Active,
            created_at: START,
            updated_at: START,
        }
    }

    /// An event for the webhook, accepted so many seconds after the start.
    pub(crate) fn event(&self, seconds: i64, start: Start) -> NewEvent {
        NewEvent {
            environment: self.environment,
            routing_version: 2, // the environment began with 1, the webhook raised it
            key: "order.placed".parse().unwrap(),
            tenant: None,
            user: None,
            application: None,
            body: Bytes::from(format!(r#"{{"second":{seconds}}}"#)),
            at: at(seconds),
            idempotency: None,
            trigger: Trigger::Event,
            targets: vec![Target {
                webhook: self.webhook,
                start,
            }],
        }
    }

    /// Appends an event after the webhook was changed.
    pub(crate) async fn append_for_current_routes(&self, store: &SqliteStore, event: NewEvent) -> EventId {
        let routing_version = store.routing(event.environment).await.unwrap().unwrap().version;
        self.append(store, NewEvent { routing_version, ..event }).await
    }

    pub(crate) async fn append(&self, store: &SqliteStore, event: NewEvent) -> EventId {
        store.append(vec![event]).await.unwrap()[0].unwrap().event
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }
}
