//! What has to be true in the end, whatever happened: the promises, held against the world's own account and the ledger of the receivers.

mod deliveries;
mod events;
mod publishes;
mod receivers;

use std::collections::BTreeSet;

use tidings_model::{EnvironmentId, Timestamp};
use tidings_store::{AsOf, DeliveryDetail, DeliveryFilter, EventFilter, MemStore, Page, Place, Store as _};

pub(crate) use publishes::answer_of_a_publish;

use crate::model::Model;
use crate::network::Network;
use crate::play::{Figures, Weather};
use crate::store::Grave;

/// Attempts of one webhook that a node may have under way.
const UNDER_WAY_MAX: usize = 64;

/// A world that has come to its end.
pub(crate) struct Scene<'a> {
    pub(crate) store: &'a MemStore,
    pub(crate) network: &'a Network,
    pub(crate) grave: &'a Grave,
    pub(crate) model: &'a Model,
    pub(crate) weather: Weather,
    pub(crate) now: Timestamp,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) broken: Vec<String>,
    pub(crate) figures: Figures,
}

impl Found {
    fn unless(&mut self, right: bool, wrong: impl FnOnce() -> String) {
        if !right {
            self.broken.push(wrong());
        }
    }
}

/// Everything that can be checked at the end.
pub(crate) async fn everything(scene: &Scene<'_>) -> anyhow::Result<Found> {
    let mut found = Found {
        broken: scene.model.broken.clone(),
        ..Found::default()
    };
    let arrivals = scene.network.arrivals();
    let (mut details, mut live) = (scene.grave.deliveries.clone(), Vec::new());
    for environment in scene.store.environments().await? {
        details.extend(all_deliveries(scene, environment.id).await?);
        live.extend(
            scene
                .store
                .events(&EventFilter::of(environment.id), Page::first(usize::MAX))
                .await?,
        );
    }
    for detail in &details {
        if let Some(place) = scene.model.place(detail.event.environment).filter(|place| place.stands()) {
            deliveries::one(&mut found, detail, place, scene.weather);
        }
    }
    let pruned = scene.grave.events.iter().map(|(event, _)| event);
    let stored: BTreeSet<String> = live.iter().chain(pruned).map(|event| event.id.to_string()).collect();
    events::accepted(&mut found, scene.model, &details, &stored.iter().map(String::as_str).collect());
    events::retention(&mut found, scene, &live);
    events::resent(&mut found, scene.model, &details);
    receivers::arrivals(&mut found, scene, &details, &arrivals);
    receivers::switched_off(&mut found, scene, &arrivals);
    receivers::deleted_environments(&mut found, scene, &arrivals);
    receivers::signatures(&mut found, scene, &arrivals);
    sound(&mut found, scene).await?;
    let left = scene.store.deleted_environments().await?;
    found.unless(left.is_empty(), || {
        format!("events of deleted environments are still there: {left:?}")
    });
    let most = scene.network.most_to_one();
    found.unless(most <= UNDER_WAY_MAX, || {
        format!("{most} attempts of one webhook were under way on one node")
    });
    found.figures = Figures {
        accepted: scene.model.sent.iter().filter(|sent| sent.id.is_some()).count() as u64,
        deliveries: details.len() as u64,
        arrivals: arrivals.len() as u64,
        pruned: scene.grave.events.len() as u64,
        ..Figures::default()
    };
    Ok(found)
}

/// The store is as a store always is.
async fn sound(found: &mut Found, scene: &Scene<'_>) -> anyhow::Result<()> {
    let as_of = AsOf {
        at: scene.now,
        served_since: Some(Timestamp::from_millis(0)),
    };
    let mut place = Some(Place::start());
    while let Some(here) = place {
        let step = scene.store.verify(&here, as_of, usize::MAX).await?;
        found
            .broken
            .extend(step.findings.iter().map(|finding| format!("not sound: {finding:?}")));
        place = step.next;
    }
    Ok(())
}

async fn all_deliveries(scene: &Scene<'_>, environment: EnvironmentId) -> anyhow::Result<Vec<DeliveryDetail>> {
    let filter = DeliveryFilter::of(environment);
    let listed = scene.store.deliveries(&filter, Page::first(usize::MAX), scene.now).await?;
    let mut details = Vec::new();
    for delivery in listed {
        details.extend(scene.store.delivery(environment, delivery.id, scene.now).await?);
    }
    Ok(details)
}
