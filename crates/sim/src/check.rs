//! What has to be true in the end, whatever happened: the promises, held against the world's own account and the ledger of the receivers.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tidings_model::limits::{IDEMPOTENCY_HOURS, RETRY_JITTER_PERCENT};
use tidings_model::{Attempt, CancelReason, Catalog, DeliveryState, EnvironmentId, EventId, Settings, Timestamp, Trigger, Verdict};
use tidings_store::{DeliveryDetail, DeliveryFilter, EventFilter, MemStore, Page, Store as _};

use crate::model::{Deed, End, Hook, Model, Sent};
use crate::network::{Arrival, Network};
use crate::node::Answer;
use crate::play::{Figures, Weather};

/// Rows of a page.
const PAGE: usize = 1_000;
/// Attempts of one webhook that a node may have under way.
const UNDER_WAY_MAX: usize = 64;
/// How long other nodes may go on sending to a webhook that one has switched off: they look every 30 seconds, and an attempt takes its time.
const HEARD_MS: i64 = 50_000;
/// The longest Retry-After of the receivers.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);

/// A world that has come to its end.
pub(crate) struct Scene<'a> {
    pub(crate) store: &'a MemStore,
    pub(crate) network: &'a Network,
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

/// The answer of a publish, as soon as it comes: idempotency keys give the same event for the same bytes and a conflict for others.
pub(crate) fn answer_of_a_publish(model: &mut Model, number: usize, answer: &Answer, now: Timestamp) {
    let sent = model.sent[number].clone();
    let others = |same_bytes: bool| {
        let (key, used) = sent.idempotency.clone().unwrap_or_default();
        let is_other = move |(at, other): &(usize, &Sent)| {
            let told = other.idempotency.as_ref();
            *at != number && told.is_some_and(|(other_key, other_used)| *other_key == key && (*other_used == used) == same_bytes)
        };
        model
            .sent
            .iter()
            .enumerate()
            .filter(is_other)
            .map(|(_, other)| other)
            .collect::<Vec<_>>()
    };
    // A key is as new when the event that it was used for is a day old; the clocks of nodes may be two hours apart.
    let lately = |other: &Sent| {
        let made = other.id.as_deref().and_then(|id| id.parse::<EventId>().ok());
        let hours = Duration::from_secs((IDEMPOTENCY_HOURS.unsigned_abs() - 3) * 3_600);
        made.is_some_and(|made| now.since(made.timestamp()) < hours)
    };
    let mut wrong = Vec::new();
    match answer.status {
        202 if sent.idempotency.is_some() => {
            if let Some(other) = others(true).into_iter().find(|other| lately(other) && other.id != sent.id) {
                wrong.push(format!(
                    "published {number}: the same request became {:?} and {:?}",
                    other.id, sent.id
                ));
            }
            if others(false).into_iter().any(lately) {
                wrong.push(format!("published {number}: its key was used for other bytes, and it was accepted"));
            }
        }
        409 if others(false).is_empty() => wrong.push(format!("published {number}: a conflict with nothing: {}", answer.json)),
        202 | 409 | 503 => {}
        status => wrong.push(format!("published {number}: answered {status} {}", answer.json)),
    }
    model.broken.extend(wrong);
}

/// Everything that can be checked at the end.
pub(crate) async fn everything(scene: &Scene<'_>) -> anyhow::Result<Found> {
    let mut found = Found {
        broken: scene.model.broken.clone(),
        ..Found::default()
    };
    let arrivals = scene.network.arrivals();
    let mut details = Vec::new();
    let mut events = BTreeMap::new();
    for environment in scene.store.environments().await? {
        let of_environment = all_deliveries(scene, environment.id).await?;
        for detail in &of_environment {
            one_delivery(&mut found, detail, &environment.settings, scene.weather);
        }
        details.extend(of_environment);
        for event in scene
            .store
            .events(&EventFilter::of(environment.id), Page::first(100 * PAGE))
            .await?
        {
            events.insert(event.id.to_string(), event);
        }
    }
    let stored: BTreeSet<&str> = events.keys().map(String::as_str).collect();
    accepted_events(&mut found, scene.model, &details, &stored);
    receivers(&mut found, scene, &details, &arrivals);
    switched_off(&mut found, scene, &arrivals);
    let most = scene.network.most_to_one();
    found.unless(most <= UNDER_WAY_MAX, || {
        format!("{most} attempts of one webhook were under way on one node")
    });
    found.figures = Figures {
        accepted: scene.model.sent.iter().filter(|sent| sent.id.is_some()).count() as u64,
        deliveries: details.len() as u64,
        arrivals: arrivals.len() as u64,
        ..Figures::default()
    };
    Ok(found)
}

async fn all_deliveries(scene: &Scene<'_>, environment: EnvironmentId) -> anyhow::Result<Vec<DeliveryDetail>> {
    let filter = DeliveryFilter::of(environment);
    let listed = scene.store.deliveries(&filter, Page::first(100 * PAGE), scene.now).await?;
    let mut details = Vec::new();
    for delivery in listed {
        details.extend(scene.store.delivery(environment, delivery.id, scene.now).await?);
    }
    Ok(details)
}

/// A delivery by itself: it has ended, its attempts follow each other, each in its time, and its end is that of its last attempt.
fn one_delivery(found: &mut Found, detail: &DeliveryDetail, settings: &Settings, weather: Weather) {
    let (delivery, attempts) = (&detail.delivery, &detail.attempts);
    let id = delivery.id;
    let numbers: Vec<u16> = attempts.iter().map(|attempt| attempt.number).collect();
    found.unless(numbers.iter().copied().eq(1..=delivery.attempts), || {
        format!("{id}: {} attempts are recorded, numbered {numbers:?}", delivery.attempts)
    });
    for pair in attempts.windows(2) {
        retry(found, &pair[0], &pair[1], settings, weather);
    }
    for attempt in attempts {
        let delivered = attempt.verdict == Verdict::Delivered;
        found.unless(delivered == attempt.exchange.is_success(), || {
            format!(
                "{id}: attempt {} was judged {:?} after {}",
                attempt.number,
                attempt.verdict,
                attempt.exchange.summary()
            )
        });
    }
    let last = attempts.last().map(|attempt| attempt.verdict);
    let fits = match delivery.state {
        DeliveryState::Pending { .. } => false,
        DeliveryState::Delivered { .. } => last == Some(Verdict::Delivered),
        DeliveryState::Exhausted { .. } => last == Some(Verdict::Exhausted) && attempts.len() == settings.retry_schedule.attempts(),
        DeliveryState::Cancelled {
            why: CancelReason::Gone, ..
        } => last == Some(Verdict::Cancel(CancelReason::Gone)) || matches!(last, None | Some(Verdict::RetryAt(_))),
        DeliveryState::Cancelled { .. } => matches!(last, None | Some(Verdict::RetryAt(_))),
    };
    found.unless(fits, || format!("{id}: ended as {:?} after {last:?}", delivery.state));
}

/// One attempt after another: not before its time, which lies on the schedule.
fn retry(found: &mut Found, before: &Attempt, after: &Attempt, settings: &Settings, weather: Weather) {
    let what = format!("{}: attempt {}", before.delivery, after.number);
    let Verdict::RetryAt(due) = before.verdict else {
        return found.unless(false, || format!("{what} was made after {:?}", before.verdict));
    };
    let Some(step) = settings.retry_schedule.delay_before(after.number) else {
        return found.unless(false, || format!("{what} is beyond the schedule"));
    };
    if weather.skew {
        return; // the two may have been made by clocks that are apart
    }
    found.unless(after.started_at >= due, || {
        format!("{what} was made at {}, and due at {due}", after.started_at)
    });
    let spread = step * u32::try_from(RETRY_JITTER_PERCENT).unwrap_or(0) / 100;
    let (earliest, latest) = (
        before.started_at + step.saturating_sub(spread),
        before.started_at + settings.timeout() + step.max(RETRY_AFTER_MAX) + spread,
    );
    found.unless((earliest..=latest).contains(&due), || {
        format!("{what} was due at {due}, not from {earliest} to {latest}")
    });
}

/// Events against webhooks: who was there and subscribed all the while has a delivery, who was not has none, and nothing is half there.
fn accepted_events(found: &mut Found, model: &Model, details: &[DeliveryDetail], stored: &BTreeSet<&str>) {
    let mut by_event: BTreeMap<String, Vec<&DeliveryDetail>> = BTreeMap::new();
    for detail in details.iter().filter(|detail| detail.delivery.trigger == Trigger::Event) {
        by_event.entry(detail.delivery.id.event.to_string()).or_default().push(detail);
    }
    for (number, sent) in model.sent.iter().enumerate() {
        let (Some(id), End::Done(answered, _)) = (&sent.id, sent.end) else {
            continue;
        };
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
    let wants = |shape: &crate::model::Shape| sees && shape.wants(&event_type.key, &event_type.category);
    if shapes.iter().all(wants) {
        found.unless(is_there, || format!("{id}: nothing goes to {}, which was subscribed", hook.url));
    } else if !shapes.iter().any(wants) {
        found.unless(!is_there, || {
            format!("{id}: a delivery goes to {}, which was not subscribed", hook.url)
        });
    }
}

/// Deliveries against what reached the receivers.
fn receivers(found: &mut Found, scene: &Scene<'_>, details: &[DeliveryDetail], arrivals: &[Arrival]) {
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
fn switched_off(found: &mut Found, scene: &Scene<'_>, arrivals: &[Arrival]) {
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
