//! A new master key in the place of an old one, through every crash that can come in between.

use std::sync::Arc;

use parking_lot::Mutex;
use tidings_app::Code;
use tidings_app::keys::{KeeperError, KeyKeeper, Keyring, KeyringParts, MasterKeys};
use tidings_app::tokens::{AUDIENCE, Claims, TokenKind};
use tidings_app::webhooks::{SecretChange, WebhookChange, WebhookDraft};
use tidings_engine::sealing::{open_headers, open_secret};
use tidings_model::Scopes;
use tidings_runtime::{Clock, SeededEntropy, Shutdown, TaskSet};
use tidings_signing::{MasterKey, TokenKeys, Vault};
use tidings_store::{AuditFilter, MasterKeyState, Page, Store};

use crate::support::{CLIENT_ID, CLIENT_SECRET, MASTER_KEY, World, app_with, draft};

/// A place for a key and the next one, as a data folder is. It outlives every process.
#[derive(Debug)]
struct Shelf {
    key: Mutex<MasterKey>,
    next: Mutex<Option<MasterKey>>,
}

impl Shelf {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            key: Mutex::new(MasterKey::from_bytes(MASTER_KEY)),
            next: Mutex::default(),
        })
    }

    /// What a start finds.
    fn found(self: &Arc<Self>) -> MasterKeys {
        let (own, next) = (self.key.lock().clone(), self.next.lock().clone());
        let (current, older) = match next {
            Some(next) => (next, vec![own]),
            None => (own, Vec::new()),
        };
        MasterKeys {
            current,
            older,
            keeper: self.clone(),
        }
    }
}

impl KeyKeeper for Shelf {
    fn prepare(&self, next: &MasterKey) -> Result<MasterKey, KeeperError> {
        Ok(self.next.lock().get_or_insert_with(|| next.clone()).clone())
    }

    fn finish(&self) -> Result<(), KeeperError> {
        if let Some(next) = self.next.lock().take() {
            *self.key.lock() = next;
        }
        Ok(())
    }

    fn may_change(&self) -> bool {
        true
    }
}

/// A process that starts on what is there.
async fn start(world: &World, shelf: &Arc<Shelf>) -> (Keyring, Arc<Vault>) {
    let master_keys = shelf.found();
    let vault = Arc::new(master_keys.vault());
    let parts = KeyringParts {
        store: world.store.clone(),
        vault: Arc::clone(&vault),
        master_keys,
        clock: Arc::new(world.clock.clone()),
        entropy: Arc::new(SeededEntropy::new(world.clock.now().as_millis().unsigned_abs())),
    };
    (Keyring::open(parts).await.unwrap(), vault)
}

/// A world with three webhooks that keep something sealed: a secret, one that is being rotated out, headers.
async fn world() -> World {
    let world = World::new().await;
    for number in 0..3 {
        let draft = WebhookDraft {
            secret: SecretChange::Set(format!("secret number {number}")),
            headers: vec![("x-key".to_owned(), format!("header {number}"))],
            ..draft()
        };
        let made = world.app.create_webhook(&world.operator, draft).await.unwrap();
        let (id, next) = (made.saved.webhook.id, SecretChange::Set(format!("rotated number {number}")));
        world.app.rotate_secret(&world.operator, id, next, None).await.unwrap();
    }
    world
}

/// Everything that is sealed, opened with one key alone.
async fn opened_with(world: &World, key: &MasterKey) -> Vec<(String, String, String)> {
    let vault = Vault::new(key, &[]);
    let webhooks = world.store.routing(world.operator.environment()).await.unwrap().unwrap().webhooks;
    let open = |webhook: &tidings_model::Webhook| {
        let secret = |sealed| open_secret(&vault, webhook.environment, sealed).unwrap().expose().to_owned();
        let headers = open_headers(&vault, webhook.environment, webhook.headers.as_ref()).unwrap();
        let (old, _) = webhook.secrets.rotating_out.as_ref().unwrap();
        (secret(webhook.secrets.current.as_ref().unwrap()), secret(old), headers[0].1.clone())
    };
    webhooks.iter().map(open).collect()
}

fn everything() -> Vec<(String, String, String)> {
    let of = |number| {
        (
            format!("rotated number {number}"),
            format!("secret number {number}"),
            format!("header {number}"),
        )
    };
    (0..3).map(of).collect()
}

#[tokio::test]
async fn after_a_crash_at_any_step_the_next_start_finishes_the_change_of_the_master_key() {
    for crash_after in 1..=6 {
        let (world, shelf) = (world().await, Shelf::new());
        let (old, next) = (MasterKey::from_bytes(MASTER_KEY), MasterKey::from_bytes([crash_after; 32]));
        drop(start(&world, &shelf).await);
        // One: the next key lies beside the old one.
        shelf.prepare(&next).unwrap();
        if crash_after >= 2 {
            world.store.change_master_key(next.id().bytes(), world.clock.now()).await.unwrap();
        }
        if crash_after == 3 {
            drop(start(&world, &shelf).await); // a process sealed with the next key, and nothing anew
        }
        if crash_after == 4 {
            // Half of it is sealed anew.
            let (_, vault) = start(&world, &shelf).await;
            let found = world.store.sealed_webhooks(next.id().bytes(), None, 1).await.unwrap();
            let (anew, closed) = tidings_engine::sealing::reseal_webhook(&vault, &SeededEntropy::new(4), &found[0]);
            assert_eq!((anew.len(), closed), (3, None));
            assert_eq!(world.store.reseal(anew).await.unwrap(), 3);
        }
        if crash_after >= 5 {
            let (keyring, _) = start(&world, &shelf).await;
            assert!(keyring.tick().await.unwrap());
        }
        if crash_after == 5 {
            // The last step was not taken: the old key is still there.
            *shelf.key.lock() = old.clone();
            *shelf.next.lock() = Some(next.clone());
        }

        let (keyring, _) = start(&world, &shelf).await;
        assert!(keyring.tick().await.unwrap(), "after step {crash_after}");

        assert_eq!(opened_with(&world, &next).await, everything(), "after step {crash_after}");
        assert!(
            shelf.next.lock().is_none() && shelf.key.lock().id() == next.id(),
            "after step {crash_after}"
        );
        let kept = world.store.master_keys().await.unwrap();
        let states: Vec<_> = kept.iter().map(|key| (key.id, key.state)).collect();
        let wanted = [
            (next.id().bytes(), MasterKeyState::Current),
            (old.id().bytes(), MasterKeyState::Retired),
        ];
        assert_eq!(states, wanted, "after step {crash_after}");
        assert_eq!(kept[1].sealed, 0);
    }
}

#[tokio::test]
async fn a_rotation_seals_everything_anew_and_the_old_key_opens_nothing_any_more() {
    let (world, shelf) = (world().await, Shelf::new());
    let (keyring, _) = start(&world, &shelf).await;
    let before = keyring.list().await.unwrap();
    assert_eq!((before.master[0].sealed, before.given), (3 * 3 + 2, false));

    let stale = keyring.rotate_master(Some("0a1b2c3d"), false).await.unwrap_err();
    assert_eq!(stale.code, Code::Conflict, "a key that whoever asks has not seen stays");
    assert_eq!(keyring.list().await.unwrap().master.len(), 1);
    let (from, to) = keyring.rotate_master(Some(&before.master[0].name), false).await.unwrap();
    let again = keyring.rotate_master(None, false).await.unwrap_err();
    assert_eq!(again.code, Code::Conflict, "one at a time");
    let between = keyring.list().await.unwrap();
    assert_eq!(between.master[0].name, to.to_string());
    assert_eq!(
        (between.master[1].name.clone(), between.master[1].state),
        (from.to_string(), "retiring")
    );
    assert!(keyring.tick().await.unwrap());

    let after = keyring.list().await.unwrap();
    assert_eq!((after.master[1].state, after.master[1].sealed), ("retired", 0));
    assert_eq!(after.master[0].sealed, 3 * 3 + 3, "with one more key of access tokens");
    let key = shelf.key.lock().clone();
    assert_eq!((key.id(), opened_with(&world, &key).await), (to, everything()));
}

#[tokio::test]
async fn a_master_key_that_is_given_from_outside_is_changed_there_and_the_answer_says_how() {
    let world = world().await;
    let refused = world.app.rotate_master_key(&world.operator, None, false).await.unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    assert!(refused.detail.contains("TIDINGS_OLD_MASTER_KEY"), "{}", refused.detail);

    let next = MasterKey::from_bytes([77; 32]);
    let master_keys = MasterKeys {
        older: vec![MasterKey::from_bytes(MASTER_KEY)],
        ..MasterKeys::given(next.clone())
    };
    let parts = KeyringParts {
        store: world.store.clone(),
        vault: Arc::new(master_keys.vault()),
        master_keys,
        clock: Arc::new(world.clock.clone()),
        entropy: Arc::new(SeededEntropy::new(8)),
    };
    let keyring = Keyring::open(parts).await.unwrap();
    assert!(keyring.tick().await.unwrap());
    assert_eq!(opened_with(&world, &next).await, everything());
}

#[tokio::test]
async fn a_webhook_that_is_edited_while_the_key_changes_is_not_written_back_under_the_old_key() {
    let (world, shelf) = (world().await, Shelf::new());
    let next = shelf.prepare(&MasterKey::from_bytes([5; 32])).unwrap();
    // It does not get to sealing anything anew by itself: its tasks end at once.
    let ending = Shutdown::new();
    ending.begin();
    let tasks = TaskSet::new(ending);
    let app = app_with(shelf.found(), &world.store, &world.clock, &world.network, &tasks).await;
    let sealed = world.store.sealed_webhooks(next.id().bytes(), None, 10).await.unwrap();
    assert_eq!(sealed.len(), 3);
    for webhook in sealed {
        let change = WebhookChange {
            name: Some("another name".to_owned()),
            ..WebhookChange::default()
        };
        app.change_webhook(&world.operator, webhook.id, change).await.unwrap();
    }
    assert_eq!(opened_with(&world, &next).await, everything());
    let audit = world.store.audit(&AuditFilter::default(), Page::first(1)).await.unwrap();
    let told = (audit[0].entry.action.as_str(), audit[0].entry.detail.as_str());
    assert_eq!(told, ("webhook.changed", "name"), "nobody changed the secret");
}

#[tokio::test]
async fn access_tokens_outlive_a_rotation_until_they_expire_or_end_with_it_at_once() {
    let world = World::new().await;
    let token = world.app.vendor_token(CLIENT_ID, CLIENT_SECRET).unwrap().token;
    world.app.authenticate_token(&token).unwrap();

    let keys = world.app.rotate_token_key(&world.operator, false).await.unwrap();
    assert!(keys.tokens[0].ends_at.is_some() && keys.tokens[1].ends_at.is_none());
    world.app.authenticate_token(&token).unwrap();
    let fresh = world.app.vendor_token(CLIENT_ID, CLIENT_SECRET).unwrap().token;
    world.app.authenticate_token(&fresh).unwrap();

    let keys = world.app.rotate_token_key(&world.operator, true).await.unwrap();
    assert_eq!(keys.tokens.len(), 1);
    for token in [token, fresh] {
        let refused = world.app.authenticate_token(&token).unwrap_err();
        assert_eq!(refused.code, Code::Unauthenticated, "also one that was verified a moment ago");
    }
    let newest = world.app.vendor_token(CLIENT_ID, CLIENT_SECRET).unwrap().token;
    world.app.authenticate_token(&newest).unwrap();
}

#[tokio::test]
async fn a_token_of_the_local_kind_is_refused_under_the_key_of_access_tokens_and_the_other_way_round() {
    let world = World::new().await;
    let now = world.clock.now().as_seconds().unsigned_abs();
    let environment = world.operator.environment();
    let claims = |kind| Claims {
        kind,
        aud: AUDIENCE.to_owned(),
        sub: Some(CLIENT_ID.parse().unwrap()),
        vendor_id: Some(environment),
        tenant_id: None,
        scopes: Scopes::OPERATOR.to_string(),
        iat: now,
        exp: now + 60,
    };
    let key = |purpose| TokenKeys::new(&MasterKey::from_bytes(MASTER_KEY).derive(purpose), &[]);
    let (tokens, local) = (key("tidings access tokens"), key(tidings_app::keys::LOCAL_TOKEN_PURPOSE));
    for (keys, kind, good) in [
        (&tokens, TokenKind::Vendor, true),
        (&tokens, TokenKind::Local, false),
        (&local, TokenKind::Local, true),
        (&local, TokenKind::Vendor, false),
    ] {
        let token = keys.mint(&claims(kind)).unwrap();
        assert_eq!(world.app.authenticate_token(&token).is_ok(), good, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_credential_stays_revoked_whatever_is_made_and_revoked_beside_it() {
    let world = World::new().await;
    for _ in 0..100 {
        let environment = world.operator.environment();
        let make = |name: &'static str| world.app.create_credential(&world.operator, environment, name, None);
        let revoked = make("revoked").await.unwrap();
        let id = revoked.credential.id.clone();
        let token = world.app.vendor_token(id.as_str(), &revoked.secret).unwrap().token;
        let (other, gone) = tokio::join!(make("other"), world.app.revoke_credential(&world.operator, environment, id.clone()));
        gone.unwrap();
        assert!(world.app.authenticate_basic(id.as_str(), &revoked.secret).is_err());
        assert!(world.app.authenticate_token(&token).is_err());
        let other = other.unwrap().credential.id;
        world.app.revoke_credential(&world.operator, environment, other).await.unwrap();
    }
}
