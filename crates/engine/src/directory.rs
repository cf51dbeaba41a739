//! The routing snapshot: who gets what, and how, as of one version per environment. Read without a lock on the hot path, replaced whole on change.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arc_swap::ArcSwap;
use tidings_model::subscription::SubscriptionIndex;
use tidings_model::{
    Catalog, EndpointUrl, EnvironmentId, EventKey, EventType, Origin, RetrySchedule, Settings, Subscription, TenantId, Timestamp, Webhook,
    WebhookId,
};
use tidings_signing::{Signer, Vault};
use tidings_store::{CustomEventType, Routing, RoutingChanges, Store, StoreError};
use tokio::sync::{Mutex, RwLock};

use crate::sealing::{UnsealError, open_headers, open_secret};

/// To whom a webhook belongs. Owners get equal turns at sending, however many webhooks they have.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Owner {
    /// The environment.
    pub environment: EnvironmentId,
    /// The tenant whose events its webhooks see; none: they see the events of all.
    pub tenant: Option<TenantId>,
}

/// One webhook, ready to be matched and sent to.
#[derive(Debug)]
pub struct Destination {
    /// The webhook.
    pub webhook: WebhookId,
    /// To whom it belongs.
    pub owner: Owner,
    /// Whether it gets deliveries.
    pub active: bool,
    /// How to send to it; when that is not possible, why.
    pub sending: Result<Sending, String>,
    /// As which it is in the index.
    subscription: Subscription,
}

/// What an attempt needs.
#[derive(Debug)]
pub struct Sending {
    /// Where to.
    pub url: EndpointUrl,
    /// Custom headers, names in lower case.
    pub headers: Vec<(String, String)>,
    signer: Signer,
    /// Signs with the secret before the current one too, until that time.
    rotating: Option<(Signer, Timestamp)>,
}

impl Sending {
    /// The signer of an attempt that is made `at`.
    pub fn signer(&self, at: Timestamp) -> &Signer {
        match &self.rotating {
            Some((both, until)) if at < *until => both,
            _ => &self.signer,
        }
    }
}

/// An environment as accepting and sending see it.
#[derive(Debug)]
pub struct Routes {
    /// The environment.
    pub environment: EnvironmentId,
    /// The environment's id as text: the `vendorId` of every body.
    pub vendor_id: String,
    /// The version that an append has to name.
    pub version: u64,
    /// The environment's settings.
    pub settings: Settings,
    /// Changes of the environment pass it alone; who holds it open sees none. All versions of the routes have the same.
    pub(crate) gate: Arc<RwLock<()>>,
    index: SubscriptionIndex,
    custom: BTreeMap<EventKey, Arc<EventType>>,
    destinations: Destinations,
}

type Destinations = HashMap<WebhookId, Arc<Destination>>;

impl Routes {
    fn build(routing: Routing, vault: &Vault, gate: Arc<RwLock<()>>) -> Self {
        let nobody = (SubscriptionIndex::default(), HashMap::with_capacity(routing.webhooks.len()));
        Self::of(routing, vault, gate, nobody)
    }

    /// These routes with what has changed since. Nothing: the change concerns every webhook, and all of them have to be read.
    fn changed(&self, changes: RoutingChanges, vault: &Vault) -> Option<Self> {
        let routing = &changes.routing;
        if routing.settings.http_allowed != self.settings.http_allowed {
            return None; // says of every webhook whether it can be sent to
        }
        if routing.version < self.version {
            return None; // the store is one of before, and does not know what these know
        }
        let (mut index, mut destinations) = (self.index.clone(), self.destinations.clone());
        for id in routing.webhooks.iter().map(|webhook| &webhook.id).chain(&changes.deleted) {
            if let Some(before) = destinations.remove(id) {
                index.remove(*id, before.owner.tenant.as_ref(), &before.subscription);
            }
        }
        let gate = Arc::clone(&self.gate);
        Some(Self::of(changes.routing, vault, gate, (index, destinations)))
    }

    fn of(
        routing: Routing,
        vault: &Vault,
        gate: Arc<RwLock<()>>,
        (mut index, mut destinations): (SubscriptionIndex, Destinations),
    ) -> Self {
        for webhook in routing.webhooks {
            let destination = destination(webhook, &routing.settings, vault);
            index.add(destination.webhook, destination.owner.tenant.as_ref(), &destination.subscription);
            destinations.insert(destination.webhook, Arc::new(destination));
        }
        let custom = routing
            .event_types
            .into_iter()
            .map(|custom| (custom.key.clone(), Arc::new(event_type(custom))))
            .collect();
        Self {
            environment: routing.environment,
            vendor_id: routing.environment.to_string(),
            version: routing.version,
            settings: routing.settings,
            gate,
            index,
            custom,
            destinations,
        }
    }

    /// The event type of that key: built-in, or the environment's own.
    pub fn event_type(&self, key: &str) -> Option<&Arc<EventType>> {
        Catalog::built_in().get(key).or_else(|| self.custom.get(key))
    }

    /// The environment's own event types, by key.
    pub fn custom_event_types(&self) -> impl Iterator<Item = &Arc<EventType>> {
        self.custom.values()
    }

    /// All event types: the built-in ones in their order, then the environment's own.
    pub fn event_types(&self) -> impl Iterator<Item = &Arc<EventType>> {
        Catalog::built_in().events().chain(self.custom.values())
    }

    /// The webhooks that an event goes to, the disabled ones too.
    pub fn matching(&self, event_type: &EventType, tenant: Option<&TenantId>) -> Vec<Arc<Destination>> {
        let found = self.index.matching(&event_type.key, &event_type.category, tenant);
        found.iter().filter_map(|id| self.destinations.get(id).cloned()).collect()
    }

    /// How many webhooks, of whichever tenant and the disabled ones too, are subscribed to an event.
    pub fn subscribers(&self, event_type: &EventType) -> usize {
        self.index.count(&event_type.key, &event_type.category)
    }

    /// One webhook.
    pub fn destination(&self, webhook: WebhookId) -> Option<&Arc<Destination>> {
        self.destinations.get(&webhook)
    }

    /// The schedule of its retries.
    pub const fn retry_schedule(&self) -> &RetrySchedule {
        &self.settings.retry_schedule
    }
}

fn destination(webhook: Webhook, settings: &Settings, vault: &Vault) -> Destination {
    Destination {
        webhook: webhook.id,
        active: webhook.state.is_active(),
        sending: sending(&webhook, settings, vault),
        owner: Owner {
            environment: webhook.environment,
            tenant: webhook.tenant,
        },
        subscription: webhook.subscription,
    }
}

fn sending(webhook: &Webhook, settings: &Settings, vault: &Vault) -> Result<Sending, String> {
    let url = EndpointUrl::parse(&webhook.url, settings.http_allowed).map_err(|error| format!("the webhook's URL is {error}"))?;
    let closed = |what: &str, error: &UnsealError| format!("the webhook's {what} cannot be used: {error}");
    let open = |sealed| open_secret(vault, webhook.environment, sealed).map_err(|error| closed("secret", &error));
    let current = webhook.secrets.current.as_ref().map(open).transpose()?;
    let rotating = match &webhook.secrets.rotating_out {
        Some((sealed, until)) => Some((Signer::new(current.iter().chain([&open(sealed)?])), *until)),
        None => None,
    };
    let headers = open_headers(vault, webhook.environment, webhook.headers.as_ref()).map_err(|error| closed("headers", &error))?;
    Ok(Sending {
        url,
        headers,
        signer: Signer::new(current.iter()),
        rotating,
    })
}

fn event_type(custom: CustomEventType) -> EventType {
    let document = |text: Option<String>| {
        text.and_then(|text| serde_json::value::RawValue::from_string(text).ok())
            .map(Arc::from)
    };
    EventType {
        key: custom.key,
        category: custom.category,
        display_name: custom.display_name,
        description: custom.description,
        payload_objects: Vec::new(),
        example: document(custom.example),
        example_context: tidings_model::catalog::ExampleContext::default(),
        schema: document(custom.schema),
        origin: Origin::Custom {
            created_at: custom.created_at,
        },
    }
}

/// All environments' routes.
pub struct Directory {
    store: Arc<dyn Store>,
    vault: Arc<Vault>,
    routes: ArcSwap<BTreeMap<EnvironmentId, Arc<Routes>>>,
    /// One reload at a time: an older answer of the store must not replace a newer one.
    reloading: Mutex<()>,
}

impl Directory {
    /// Empty until [`Directory::sync`].
    pub fn new(store: Arc<dyn Store>, vault: Arc<Vault>) -> Self {
        Self {
            store,
            vault,
            routes: ArcSwap::default(),
            reloading: Mutex::new(()),
        }
    }

    /// The routes of an environment that is known.
    pub fn routes(&self, environment: EnvironmentId) -> Option<Arc<Routes>> {
        self.routes.load().get(&environment).cloned()
    }

    /// The environments that are known, by id.
    pub fn environments(&self) -> Vec<EnvironmentId> {
        self.routes.load().keys().copied().collect()
    }

    /// Reads one environment anew, and forgets it when it is gone.
    pub async fn reload(&self, environment: EnvironmentId) -> Result<Option<Arc<Routes>>, StoreError> {
        let _one_at_a_time = self.reloading.lock().await;
        self.replace(environment).await
    }

    /// Routes that are newer than that version, which the store has refused.
    pub async fn newer(&self, environment: EnvironmentId, version: u64) -> Result<Option<Arc<Routes>>, StoreError> {
        let _one_at_a_time = self.reloading.lock().await;
        match self.routes(environment) {
            Some(routes) if routes.version > version => Ok(Some(routes)), // somebody has read them meanwhile
            _ => self.replace(environment).await,
        }
    }

    async fn replace(&self, environment: EnvironmentId) -> Result<Option<Arc<Routes>>, StoreError> {
        let fresh = self.read(environment).await?;
        self.routes.rcu(|current| {
            let mut next = BTreeMap::clone(current);
            match &fresh {
                Some(routes) => next.insert(environment, Arc::clone(routes)),
                None => next.remove(&environment),
            };
            next
        });
        Ok(fresh)
    }

    /// The routes of an environment as they are now: of one that is known, only what has changed is read.
    async fn read(&self, environment: EnvironmentId) -> Result<Option<Arc<Routes>>, StoreError> {
        let mut gate = Arc::default();
        if let Some(known) = self.routes(environment) {
            let Some(changes) = self.store.routing_changes(environment, known.version).await? else {
                return Ok(None);
            };
            if let Some(changed) = known.changed(changes, &self.vault) {
                return Ok(Some(Arc::new(changed)));
            }
            gate = Arc::clone(&known.gate);
        }
        self.read_whole(environment, gate).await
    }

    async fn read_whole(&self, environment: EnvironmentId, gate: Arc<RwLock<()>>) -> Result<Option<Arc<Routes>>, StoreError> {
        let routing = self.store.routing(environment).await?;
        Ok(routing.map(|routing| Arc::new(Routes::build(routing, &self.vault, gate))))
    }

    /// Reads every environment anew, whatever its version.
    pub(crate) async fn sync_anew(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.reloading.lock().await;
        let known = self.routes.load_full();
        let mut next = BTreeMap::new();
        for (environment, _) in self.store.routing_versions().await? {
            let gate = known.get(&environment).map(|routes| Arc::clone(&routes.gate)).unwrap_or_default();
            let fresh = self.read_whole(environment, gate).await?;
            next.extend(fresh.map(|routes| (environment, routes)));
        }
        self.routes.store(Arc::new(next));
        Ok(())
    }

    /// Reads every environment whose version has moved, and forgets those that are gone.
    pub async fn sync(&self) -> Result<(), StoreError> {
        let _one_at_a_time = self.reloading.lock().await;
        let known = self.routes.load_full();
        let mut next = BTreeMap::new();
        let mut moved = false;
        for (environment, version) in self.store.routing_versions().await? {
            match known.get(&environment) {
                Some(routes) if routes.version == version => {
                    next.insert(environment, Arc::clone(routes));
                }
                _ => {
                    moved = true;
                    let fresh = self.read(environment).await?;
                    next.extend(fresh.map(|routes| (environment, routes)));
                }
            }
        }
        if moved || next.len() != known.len() {
            self.routes.store(Arc::new(next));
        }
        Ok(())
    }
}
