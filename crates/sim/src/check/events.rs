//! Events against webhooks, and against retention.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidings_model::{Catalog, Event, Trigger};
use tidings_store::DeliveryDetail;

use super::{Found, Scene};
use crate::model::{End, Hook, Model, Place, Sent, Shape};

/// The furthest that two clocks are apart.
const SKEW_MAX: Duration = Duration::from_secs(2 * 3_600);
/// How long retention may take when nothing is in its way: it has a turn every minute.
const PRUNED_WITHIN: Duration = Duration::from_secs(120);

/// Events against webhooks: who was there and subscribed all the while has a delivery, who was not has none, and nothing is half there.
pub(super) fn accepted(found: &mut Found, model: &Model, details: &[DeliveryDetail], stored: &BTreeSet<&str>) {
    let mut by_event: BTreeMap<String, Vec<&DeliveryDetail>> = BTreeMap::new();
    for detail in details.iter().filter(|detail| detail.delivery.trigger == Trigger::Event) {
        by_event.entry(detail.delivery.id.event.to_string()).or_default().push(detail);
    }
    for (number, sent) in model.sent.iter().enumerate() {
        let (Some(id), End::Done(answered, _)) = (&sent.id, sent.end) else {
            continue;
        };
        if !model.stands(sent.environment) {
            continue; // what is left of it is not promised
        }
        found.unless(stored.contains(id.as_str()), || {
            format!("published {number}: {id} was accepted and is not there")
        });
        let deliveries = by_event.get(id).map(Vec::as_slice).unwrap_or_default();
        found.unless(sent.deliveries == Some(deliveries.len() as u64), || {
            format!(
                "{id}: {:?} deliveries were promised, {} are there",
                sent.deliveries,
                deliveries.len()
            )
        });
        // A repeated request was matched when the first of them was.
        let alike = model
            .sent
            .iter()
            .filter(|other| other.idempotency.is_some() && other.idempotency == sent.idempotency);
        let asked = alike.map(|other| other.asked).min().unwrap_or(sent.asked);
        for hook in &model.hooks {
            matched(found, id, sent, (asked, answered), hook, deliveries);
        }
    }
    let accepted: BTreeSet<_> = model.sent.iter().filter_map(|sent| sent.id.as_deref()).collect();
    let open = model
        .sent
        .iter()
        .filter(|sent| matches!(sent.end, End::Open | End::Unknown(_)))
        .count();
    let extra = stored.iter().filter(|id| !accepted.contains(*id)).count();
    found.unless(extra <= open, || {
        format!("{extra} events are there that nobody was told of, of {open} that may be")
    });
}

fn matched(found: &mut Found, id: &str, sent: &Sent, (asked, answered): (u64, u64), hook: &Hook, deliveries: &[&DeliveryDetail]) {
    let (Some(hook_id), Some(event_type)) = (&hook.id, Catalog::built_in().get(sent.key)) else {
        return;
    };
    let is_there = deliveries.iter().any(|detail| detail.delivery.webhook.to_string() == *hook_id);
    let sees = hook.environment == sent.environment && (hook.tenant.is_none() || hook.tenant == sent.tenant);
    let shapes = hook.shapes(asked, answered);
    let wants = |shape: &Shape| sees && shape.wants(&event_type.key, &event_type.category);
    if shapes.iter().all(wants) {
        found.unless(is_there, || format!("{id}: nothing goes to {}, which was subscribed", hook.url));
    } else if !shapes.iter().any(wants) {
        found.unless(!is_there, || {
            format!("{id}: a delivery goes to {}, which was not subscribed", hook.url)
        });
    }
}

/// What retention removed had its time, and what it left behind is not too old.
pub(super) fn retention(found: &mut Found, scene: &Scene<'_>, live: &[Event]) {
    let skew = if scene.weather.skew { SKEW_MAX } else { Duration::ZERO };
    let kept = |place: &Place, from: i64, until: i64| {
        let possible = place.settings(from, until, scene.weather.heard_ms());
        let kept = possible.iter().map(|settings| settings.retention());
        (kept.clone().min().unwrap_or_default(), kept.max().unwrap_or_default())
    };
    for (event, pruned_at) in &scene.grave.events {
        let Some(place) = scene.model.place(event.environment) else {
            continue;
        };
        let (shortest, _) = kept(place, pruned_at.as_millis(), pruned_at.as_millis());
        let age = pruned_at.since(event.id.timestamp());
        found.unless(!place.stands() || age + skew >= shortest, || {
            format!("{} was removed after {age:?}, and is to be kept for {shortest:?}", event.id)
        });
    }
    for event in live {
        let Some(place) = scene.model.place(event.environment) else {
            continue;
        };
        let (_, longest) = kept(place, scene.now.as_millis() - scene.weather.heard_ms(), scene.now.as_millis());
        let age = scene.now.since(event.id.timestamp());
        found.unless(age <= longest + PRUNED_WITHIN + skew, || {
            format!("{} is still there after {age:?}, and was to be kept for {longest:?}", event.id)
        });
    }
}

/// What was answered to a resend is there.
pub(super) fn resent(found: &mut Found, model: &Model, details: &[DeliveryDetail]) {
    let there: BTreeSet<String> = details.iter().map(|detail| detail.delivery.id.to_string()).collect();
    for (id, environment) in &model.resent {
        found.unless(there.contains(id) || !model.stands(*environment), || {
            format!("{id} was made by a resend and is not there")
        });
    }
}
