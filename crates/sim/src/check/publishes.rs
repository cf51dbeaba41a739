//! Answers to producers, as soon as they come.

use std::time::Duration;

use tidings_model::limits::IDEMPOTENCY_HOURS;
use tidings_model::{EnvironmentId, EventId, Timestamp};

use crate::model::{Model, Sent};
use crate::node::Answer;

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
        404 if !model.stands(sent.environment) || is_new(model, sent.environment, now) => {}
        409 if others(false).is_empty() => wrong.push(format!("published {number}: a conflict with nothing: {}", answer.json)),
        202 | 409 | 503 => {}
        status => wrong.push(format!("published {number}: answered {status} {}", answer.json)),
    }
    model.broken.extend(wrong);
}

/// Whether an environment was made so lately that only the node that made it need know of it.
fn is_new(model: &Model, environment: EnvironmentId, now: Timestamp) -> bool {
    let place = model.place(environment);
    place.is_some_and(|place| now.as_millis() < place.made_ms + model.heard_ms)
}
