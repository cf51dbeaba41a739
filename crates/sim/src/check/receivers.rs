//! Deliveries and webhooks against what reached the receivers.

use std::collections::BTreeMap;

use tidings_model::DeliveryState;
use tidings_signing::Secret;
use tidings_signing::standard::{Headers, verify};
use tidings_store::DeliveryDetail;

use super::{Found, Scene};
use crate::model::{Deed, End, FIRST_SECRET, HEARD_MS, Hook};
use crate::network::Arrival;

/// Deliveries against what reached the receivers.
pub(super) fn arrivals(found: &mut Found, scene: &Scene<'_>, details: &[DeliveryDetail], arrivals: &[Arrival]) {
    let mut taken: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for arrival in arrivals {
        if arrival.status.is_some_and(|status| (200..300).contains(&status)) {
            *taken.entry((&arrival.event, &arrival.url)).or_default() += 1;
        }
        let owner = arrival.url.rsplit('/').next().unwrap_or_default();
        found.unless(owner == "-" || arrival.tenant.as_deref() == Some(owner), || {
            format!("an event of {:?} reached {}", arrival.tenant, arrival.url)
        });
        let hook = scene.model.hooks.iter().find(|hook| hook.url == arrival.url);
        found.unless(hook.is_some_and(|hook| hook.environment == arrival.environment), || {
            format!("environment {} sent to {}", arrival.environment, arrival.url)
        });
    }
    let mut delivered: BTreeMap<(String, String), u64> = BTreeMap::new();
    for detail in details {
        let url = detail.attempts.last().map(|attempt| attempt.url.clone());
        if let (DeliveryState::Delivered { .. }, Some(url)) = (detail.delivery.state, url) {
            *delivered.entry((detail.delivery.id.event.to_string(), url)).or_default() += 1;
        }
    }
    let calm = !scene.weather.crashes && !scene.weather.store_faults && !scene.weather.skew;
    for ((event, url), count) in &delivered {
        let came = taken.get(&(event.as_str(), url.as_str())).copied().unwrap_or(0);
        found.unless(came >= *count, || {
            format!("{event}: {count} deliveries to {url} are said to have arrived, {came} did")
        });
        found.unless(!calm || came == *count, || {
            format!("{event}: {url} took it {came} times for {count} deliveries, and nothing had gone wrong")
        });
    }
}

/// Nothing is sent to a webhook that was switched off or deleted, once that was answered.
pub(super) fn switched_off(found: &mut Found, scene: &Scene<'_>, arrivals: &[Arrival]) {
    let alone = scene.weather.nodes == 1;
    if !alone && (scene.weather.store_faults || scene.weather.crashes) {
        return; // the others may hear of it late
    }
    for hook in &scene.model.hooks {
        for (number, chapter) in hook.story.iter().enumerate() {
            let (Deed::Switched(false) | Deed::Deleted, End::Done(answered, answered_ms)) = (&chapter.deed, chapter.end) else {
                continue;
            };
            let on_again = hook.story[number + 1..].iter().find(|later| later.deed == Deed::Switched(true));
            let until = on_again.map_or(u64::MAX, |later| later.asked);
            let late = arrivals.iter().find(|arrival| {
                let heard = alone || arrival.at_ms > answered_ms + HEARD_MS;
                arrival.url == hook.url && (answered..until).contains(&arrival.number) && heard
            });
            if let Some(late) = late {
                found.unless(false, || {
                    format!("{} reached {} after it was off: {:?}", late.event, hook.url, chapter.deed)
                });
            }
        }
    }
}

/// Nothing of an environment is sent once its deletion was answered and heard of.
pub(super) fn deleted_environments(found: &mut Found, scene: &Scene<'_>, arrivals: &[Arrival]) {
    if scene.weather.store_faults || scene.weather.crashes {
        return; // some may hear of it late
    }
    for place in &scene.model.places {
        let Some((_, End::Done(_, deleted_ms))) = place.deleted else {
            continue;
        };
        let of_it = arrivals.iter().filter(|arrival| arrival.environment == place.id);
        for late in of_it.filter(|arrival| arrival.at_ms > deleted_ms + HEARD_MS) {
            found.unless(false, || {
                format!("{} reached {} after its environment was deleted", late.event, late.url)
            });
        }
    }
}

/// Every request is signed with the secret of its webhook, and not with one whose time is over.
pub(super) fn signatures(found: &mut Found, scene: &Scene<'_>, arrivals: &[Arrival]) {
    let calm = !scene.weather.store_faults && !scene.weather.crashes && !scene.weather.skew;
    for arrival in arrivals {
        let Some(hook) = scene.model.hooks.iter().find(|hook| hook.url == arrival.url) else {
            continue;
        };
        let secrets = Secrets::at(hook, arrival);
        let signs = |secret: &&str| is_signed(arrival, secret);
        found.unless(secrets.given.iter().any(signs), || {
            format!("{} reached {} without a signature of one of its secrets", arrival.event, hook.url)
        });
        if !calm {
            continue; // some may hear of a rotation late
        }
        found.unless(secrets.must.iter().any(signs), || {
            format!("{} reached {} signed with a secret from before a rotation", arrival.event, hook.url)
        });
        found.unless(!secrets.over.iter().any(signs), || {
            format!(
                "{} reached {} signed with a secret whose overlap had ended",
                arrival.event, hook.url
            )
        });
    }
}

/// The secrets of a webhook when something arrived.
struct Secrets<'a> {
    /// All that it may have had.
    given: Vec<&'a str>,
    /// The one that everybody knew of, and those that may have come after it.
    must: Vec<&'a str>,
    /// Those whose overlap had ended for everybody.
    over: Vec<&'a str>,
}

impl<'a> Secrets<'a> {
    fn at(hook: &'a Hook, arrival: &Arrival) -> Self {
        let mut secrets = Self {
            given: vec![FIRST_SECRET],
            must: vec![FIRST_SECRET],
            over: Vec::new(),
        };
        for chapter in hook.story.iter().filter(|chapter| chapter.asked < arrival.number) {
            let Deed::Rotated(secret, overlap) = &chapter.deed else {
                continue;
            };
            match chapter.end {
                End::Refused(_) => continue,
                End::Done(_, at_ms) if at_ms + HEARD_MS < arrival.at_ms => {
                    if at_ms + HEARD_MS + 1_000 * i64::from(*overlap) < arrival.at_ms {
                        secrets.over = secrets.given.clone();
                    }
                    secrets.must = vec![secret];
                }
                _ => secrets.must.push(secret),
            }
            secrets.given.push(secret);
        }
        secrets
    }
}

fn is_signed(arrival: &Arrival, secret: &str) -> bool {
    let headers = Headers {
        id: &arrival.event,
        timestamp: &arrival.timestamp,
        signature: &arrival.signature,
    };
    let now = arrival.at_ms.unsigned_abs() / 1_000;
    Secret::new(secret).is_ok_and(|secret| verify(&secret, &headers, &arrival.body, now, u64::MAX).is_ok())
}
