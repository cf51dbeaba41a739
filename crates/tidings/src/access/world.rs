//! A node in memory: everything that is served, one of each thing that can be asked for, and somebody of each kind who may ask.
//!
//! The things are a tenant's where a tenant can have them, so that every caller has something to find or not to find.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request, header};
use bytes::Bytes;
use prometheus_client::registry::Registry;
use tidings_app::bootstrap::Bootstrap;
use tidings_app::environments::SettingsChange;
use tidings_app::event_types::EventTypeDraft;
use tidings_app::keys::MasterKeys;
use tidings_app::publish::EventInput;
use tidings_app::webhooks::{SecretChange, WebhookDraft};
use tidings_app::{App, AppParts, Caller, DeliveryFilter, Page};
use tidings_engine::{Engine, EngineParts, Metrics, NodeParts};
use tidings_model::limits::PAYLOAD_BYTES_DEFAULT;
use tidings_model::{
    DeliveryId, EndpointUrl, EnvironmentId, EventId, Exchange, Failure, OutboundRequest, Reply, Scopes, Timestamp, Transport, WebhookId,
};
use tidings_portal::PortalParts;
use tidings_runtime::{ManualClock, SeededEntropy, Shutdown, TaskSet};
use tidings_server::{MetricsPage, Readiness, Refresh, ServerState};
use tidings_signing::{MasterKey, Vault};
use tidings_store::{MemStore, Person, PersonRole, Session, SessionId, Store};
use tower::ServiceExt;

use super::requests::Ask;

pub(super) const START: Timestamp = Timestamp::from_seconds(1_700_000_000);
/// The operator's client id and secret.
pub(super) const OPERATOR: (&str, &str) = ("operator", "a-secret-for-tests");
/// The tenant that the things belong to.
pub(super) const TENANT: &str = "acme";
/// A secret of a webhook, which no refusal may show.
pub(super) const WEBHOOK_SECRET: &str = "never-in-a-refusal";
/// A person whom others change.
pub(super) const OTHER_PERSON: &str = "other@example.test";
/// Everybody's password.
pub(super) const PASSWORD: &str = "a long enough password";

/// Every receiver answers 200.
struct Receivers;

#[async_trait]
impl Transport for Receivers {
    async fn send(&self, _: &OutboundRequest) -> Exchange {
        Exchange {
            reply: Some(Reply {
                status: 200,
                headers: Vec::new(),
                body: Bytes::new(),
                body_truncated: false,
            }),
            ..Exchange::default()
        }
    }

    async fn vet(&self, _: EnvironmentId, _: &EndpointUrl) -> Result<(), Failure> {
        Ok(())
    }
}

struct NoFigures;

#[async_trait]
impl Refresh for NoFigures {
    async fn refresh(&self) {}
}

/// What there is to ask about.
pub(super) struct Things {
    pub(super) environment: EnvironmentId,
    pub(super) neighbour: EnvironmentId,
    pub(super) webhook: WebhookId,
    pub(super) event: EventId,
    pub(super) delivery: DeliveryId,
    pub(super) job: String,
    /// A credential that can be revoked.
    pub(super) credential: String,
    /// When the webhook was last changed, in milliseconds.
    pub(super) changed_at: String,
    /// The address of a style sheet.
    pub(super) asset: String,
    /// The token of a link with which [`OTHER_PERSON`] chooses a password.
    pub(super) link: String,
}

impl Things {
    /// What nobody else may come to know of them, the environment first.
    pub(super) fn known_to_its_own(&self) -> [String; 4] {
        [
            self.environment.to_string(),
            self.webhook.to_string(),
            self.event.to_string(),
            "https://acme.test/".to_owned(),
        ]
    }
}

/// Client ids with their secrets, and tokens.
pub(super) struct Programs {
    pub(super) reader: (String, String),
    pub(super) writer: (String, String),
    pub(super) neighbour: (String, String),
    pub(super) tenant: String,
    pub(super) other_tenant: String,
    pub(super) expired: String,
    pub(super) revoked: String,
    pub(super) revoked_tenant: String,
}

/// See the module.
pub(super) struct World {
    pub(super) app: Arc<App>,
    pub(super) router: Router,
    pub(super) things: Things,
    pub(super) programs: Programs,
    store: Arc<MemStore>,
    shutdown: Shutdown,
}

/// Where somebody signs in from.
pub(super) fn browser() -> tidings_app::sessions::Browser {
    tidings_app::sessions::Browser {
        address: std::net::Ipv4Addr::LOCALHOST.into(),
        agent: "a test".to_owned(),
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Drop for World {
    fn drop(&mut self) {
        self.shutdown.begin();
    }
}

impl World {
    pub(super) async fn new(password_hash: &str) -> Self {
        let clock = ManualClock::at(START);
        let store = Arc::new(MemStore::new());
        let shutdown = Shutdown::new();
        let (app, router) = node(&store, &clock, &shutdown).await;
        let operator = app.authenticate_basic(OPERATOR.0, OPERATOR.1).unwrap();
        let programs = programs(&app, &operator, &clock).await;
        people(&store, &clock, password_hash).await;
        let things = things(&app, &operator, &programs).await;
        let mut world = Self {
            app,
            router,
            things,
            programs,
            store,
            shutdown,
        };
        world.things.asset = world.asset().await;
        world
    }

    pub(super) async fn send(&self, ask: Ask) -> Answer {
        let mut request = Request::builder()
            .method(ask.method.as_str())
            .uri(&ask.address)
            .header(header::HOST, "127.0.0.1:8080");
        for (name, value) in &ask.headers {
            request = request.header(*name, value);
        }
        let response = self
            .router
            .clone()
            .oneshot(request.body(Body::from(ask.body)).unwrap())
            .await
            .unwrap();
        let (parts, body) = response.into_parts();
        let streams = parts
            .headers
            .get(header::CONTENT_TYPE)
            .is_some_and(|kind| kind == "text/event-stream");
        let bytes = if streams {
            Bytes::new() // it ends when the server does
        } else {
            to_bytes(body, usize::MAX).await.unwrap()
        };
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
        }
    }

    /// The address of something that the sign-in page is made of.
    async fn asset(&self) -> String {
        let page = Ask {
            method: "GET".to_owned(),
            address: "/signin".to_owned(),
            headers: Vec::new(),
            body: String::new(),
        };
        let page = self.send(page).await.text;
        let (_, path) = page.split_once("\"/assets/").unwrap();
        format!("/assets/{}", path.split('"').next().unwrap())
    }

    /// The hash of a password that [`OTHER_PERSON`] chose.
    pub(super) async fn password_hash(&self) -> String {
        let people = self.store.people().await.unwrap();
        people
            .into_iter()
            .find(|person| person.email == OTHER_PERSON)
            .unwrap()
            .password_hash
    }

    /// Ends a session, as its person or an owner does.
    pub(super) async fn end(&self, session: Browser) {
        assert!(self.store.delete_session(session.id()).await.unwrap());
    }
}

/// The router of a node and the application behind it.
async fn node(store: &Arc<MemStore>, clock: &ManualClock, shutdown: &Shutdown) -> (Arc<App>, Router) {
    let master_key = MasterKey::from_bytes([3; 32]);
    let vault = Arc::new(Vault::new(&master_key, &[]));
    let entropy = Arc::new(SeededEntropy::new(1));
    let clock = Arc::new(clock.clone());
    let mut registry = Registry::default();
    let engine = Engine::start(EngineParts {
        store: store.clone(),
        transport: Arc::new(Receivers),
        vault: Arc::clone(&vault),
        clock: clock.clone(),
        entropy: entropy.clone(),
        tasks: TaskSet::new(shutdown.clone()),
        metrics: Metrics::register(&mut registry),
        node: NodeParts::named("test"),
    });
    let parts = AppParts {
        store: store.clone(),
        engine: engine.await.unwrap(),
        vault,
        master_keys: MasterKeys::given(master_key),
        clock: clock.clone(),
        entropy,
        tasks: TaskSet::new(shutdown.clone()),
        payload_bytes_max: PAYLOAD_BYTES_DEFAULT,
    };
    let app = Arc::new(App::new(parts).await.unwrap());
    let given = Bootstrap {
        client_id: Some(OPERATOR.0.to_owned()),
        client_secret: Some(OPERATOR.1.to_owned()),
        ..Bootstrap::default()
    };
    app.bootstrap(&given).await.unwrap();
    let metrics = MetricsPage::new(registry, NoFigures);
    let readiness = Readiness::new();
    readiness.set(true);
    let state = ServerState::new(Arc::clone(&app), readiness, metrics, clock.clone());
    let people = PortalParts {
        app: Arc::clone(&app),
        clock,
        shutdown: shutdown.clone(),
        https: false,
    };
    (app, crate::routes::router(state, people))
}

async fn programs(app: &App, operator: &Caller, clock: &ManualClock) -> Programs {
    let here = operator.environment();
    let credential = async |environment, scopes| {
        let new = app
            .create_credential(operator, environment, "Somebody", Some(scopes))
            .await
            .unwrap();
        (new.credential.id.to_string(), new.secret)
    };
    let neighbour = app
        .create_environment(operator, "Neighbour", SettingsChange::default())
        .await
        .unwrap();
    let neighbour = credential(neighbour.id, Scopes::READ_WRITE).await;
    let writer = credential(here, Scopes::READ_WRITE).await;
    let expired = app.vendor_token(&writer.0, &writer.1).unwrap();
    clock.advance(Duration::from_secs(expired.expires_in));

    let gone = credential(here, Scopes::READ_WRITE).await;
    let tenant_of = |caller: &Caller, tenant: &str| app.tenant_token(caller, tenant.parse().unwrap(), None, None).unwrap().token;
    let revoked_tenant = tenant_of(&app.authenticate_basic(&gone.0, &gone.1).unwrap(), TENANT);
    let revoked = app.vendor_token(&gone.0, &gone.1).unwrap().token;
    app.revoke_credential(operator, here, gone.0.parse().unwrap()).await.unwrap();
    Programs {
        reader: credential(here, Scopes::READ).await,
        writer,
        neighbour,
        tenant: tenant_of(operator, TENANT),
        other_tenant: tenant_of(operator, "other"),
        expired: expired.token,
        revoked,
        revoked_tenant,
    }
}

/// A browser, by the number that its session's key is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Browser {
    Viewer = 1,
    Admin,
    Owner,
    /// Of [`OTHER_PERSON`].
    Other,
    /// An owner's, over since the world began.
    Over,
    /// Nobody's: its session never was.
    Nobody,
}

impl Browser {
    const KNOWN: [(Self, &'static str, PersonRole); 5] = [
        (Self::Viewer, "viewer@example.test", PersonRole::Viewer),
        (Self::Admin, "admin@example.test", PersonRole::Admin),
        (Self::Owner, "owner@example.test", PersonRole::Owner),
        (Self::Other, OTHER_PERSON, PersonRole::Admin),
        (Self::Over, "over@example.test", PersonRole::Owner),
    ];

    fn key(self) -> [u8; 32] {
        [self as u8; 32]
    }

    /// What it keeps in its cookie.
    pub(super) fn token(self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&self.key())
    }

    fn id(self) -> SessionId {
        let hex = self.session();
        let bytes = data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap();
        SessionId(bytes.try_into().unwrap())
    }

    /// The name of its session, as forms send it.
    pub(super) fn session(self) -> String {
        tidings_signing::BodyDigest::of(&self.key()).to_string()
    }
}

async fn people(store: &MemStore, clock: &ManualClock, password_hash: &str) {
    let now = tidings_runtime::Clock::now(clock);
    for (browser, email, role) in Browser::KNOWN {
        let person = Person {
            email: email.to_owned(),
            role,
            password_hash: password_hash.to_owned(),
            created_at: START,
            recovered_until: None,
        };
        store.create_person(&person).await.unwrap().unwrap();
        let lasts = Duration::from_secs(if browser == Browser::Over { 0 } else { 3_600 });
        let session = Session {
            id: browser.id(),
            email: email.to_owned(),
            created_at: now,
            seen_at: now,
            ends_at: now + lasts,
            agent: "a test".to_owned(),
            address: "127.0.0.1".to_owned(),
        };
        assert!(store.create_session(&session).await.unwrap());
    }
}

/// Lets every task run until all of them wait: they share this thread.
async fn settle() {
    for _ in 0..200 {
        tokio::task::yield_now().await;
    }
}

async fn things(app: &Arc<App>, operator: &Caller, programs: &Programs) -> Things {
    let own_type = EventTypeDraft {
        key: "own.key".to_owned(),
        category: "Own".to_owned(),
        ..EventTypeDraft::default()
    };
    app.create_event_type(operator, own_type).await.unwrap();
    let draft = WebhookDraft {
        name: "Orders".to_owned(),
        url: "https://acme.test/".to_owned(),
        secret: SecretChange::Set(WEBHOOK_SECRET.to_owned()),
        event_keys: vec!["*".to_owned()],
        active: true,
        tenant_id: Some(TENANT.to_owned()),
        ..WebhookDraft::default()
    };
    let webhook = app.create_webhook(operator, draft).await.unwrap().saved.webhook;
    let event = EventInput {
        event_key: "own.key",
        payload: b"{}",
        tenant_id: Some(TENANT),
        user_id: None,
        application_id: None,
        for_webhooks: true,
        payload_name: "payload",
    };
    let event = app.publish(operator, event, None).await.unwrap().event;
    settle().await;
    let filter = DeliveryFilter::of(operator.environment());
    let found = app.deliveries(operator, filter.clone(), Page::first(1)).await.unwrap();
    let job = app.resend_many(operator, filter).await.unwrap().id;
    settle().await;
    let owner = app.visit(&Browser::Owner.token()).await.unwrap();
    let neighbour = app.authenticate_basic(&programs.neighbour.0, &programs.neighbour.1).unwrap();
    Things {
        environment: operator.environment(),
        neighbour: neighbour.environment(),
        webhook: webhook.id,
        event,
        changed_at: webhook.updated_at.as_millis().to_string(),
        asset: String::new(),
        delivery: found[0].id,
        job,
        credential: programs.reader.0.clone(),
        link: app.password_link(&owner, OTHER_PERSON).await.unwrap(),
    }
}
