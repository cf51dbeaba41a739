//! Environments: made, tuned, and deleted with everything in them.

use std::sync::Arc;

use serde_json::json;
use tidings_model::{EnvironmentId, Settings};
use tidings_runtime::Clock as _;

use super::World;
use crate::model::{End, Place, Tuning};
use crate::node::Ask;

/// Environments that there are at the same time, at most.
const PLACES_MAX: usize = 4;
/// Schedules that an environment can get, each with the days that its events are kept.
const SCHEDULES: [(&[u64], u32); 4] = [(&[0, 5, 30, 600], 1), (&[0], 1), (&[0, 2, 7_200], 2), (&[0, 60, 3_600, 36_000], 1)];

impl World {
    /// An environment that is there, or was there and may be gone.
    pub(super) fn some_environment(&self) -> Option<EnvironmentId> {
        let known: Vec<_> = self.model.lock().places.iter().map(|place| place.id).collect();
        self.dice.pick(&known).copied()
    }

    fn some_settings(&self) -> Settings {
        let (schedule, days) = self.dice.pick(&SCHEDULES).copied().unwrap_or(SCHEDULES[0]);
        let usual = Settings::default();
        Settings {
            retry_schedule: schedule.to_vec().try_into().unwrap_or(usual.retry_schedule),
            timeout_ms: 1_000 + 1_000 * self.dice.below(15),
            retention_days: days,
            ..usual
        }
    }

    pub(super) fn make_place(&self) {
        let (Some(node), Some(first)) = (self.some_node(), self.model.lock().places.first().map(|place| place.id)) else {
            return;
        };
        if self.model.lock().places.len() >= PLACES_MAX {
            return;
        }
        let settings = self.some_settings();
        let name = format!("Place {}", self.dice.below(1_000_000));
        let ask = Ask {
            method: "POST",
            path: "/v1/environments".to_owned(),
            environment: first,
            key: None,
            body: Some(json!({"name": name, "settings": wire(&settings)})),
        };
        self.trace.note(format_args!("n{} makes {name}", node.number));
        let (trace, shared, clock) = (self.trace.clone(), Arc::clone(&self.model), self.clock.clone());
        node.ask(ask, move |answer| {
            trace.note(format_args!("{name}: {} {}", answer.status, answer.json["id"]));
            let mut model = shared.lock();
            let id = answer.json["id"].as_str().and_then(|id| id.parse().ok());
            match (answer.status, id) {
                (201, Some(id)) => model.places.push(Place {
                    id,
                    made_ms: clock.now().as_millis(),
                    first: settings,
                    story: Vec::new(),
                    deleted: None,
                }),
                (503, _) => {}
                _ => model.broken.push(format!("{name}: answered {} {}", answer.status, answer.json)),
            }
        });
    }

    /// An environment to which nothing is being done, by its number. The first stays: operators name it.
    fn some_place(&self) -> Option<(usize, EnvironmentId)> {
        let model = self.model.lock();
        let others = model.places.iter().enumerate().skip(1);
        let idle: Vec<_> = others
            .filter(|(_, place)| place.stands() && !place.is_busy())
            .map(|(number, place)| (number, place.id))
            .collect();
        self.dice.pick(&idle).copied()
    }

    pub(super) fn tune_place(&self) {
        let (Some(node), Some((number, id))) = (self.some_node(), self.some_place()) else {
            return;
        };
        let settings = self.some_settings();
        let ask = Ask {
            method: "PATCH",
            path: format!("/v1/environments/{id}"),
            environment: id,
            key: None,
            body: Some(json!({"settings": wire(&settings)})),
        };
        self.trace.note(format_args!("n{} tunes {id}: {settings:?}", node.number));
        let mut model = self.model.lock();
        let change = model.places[number].story.len();
        model.places[number].story.push(Tuning {
            node: node.number,
            asked_ms: self.clock.now().as_millis(),
            end: End::Open,
            settings,
        });
        drop(model);
        let (trace, shared, clock) = (self.trace.clone(), Arc::clone(&self.model), self.clock.clone());
        node.ask(ask, move |answer| {
            let at = trace.note(format_args!("tuned: {}", answer.status));
            let mut model = shared.lock();
            model.places[number].story[change].end = match answer.status {
                200 => End::Done(at, clock.now().as_millis()),
                503 => End::Unknown(at),
                _ => End::Refused(at),
            };
            if !matches!(answer.status, 200 | 404 | 503) {
                model.broken.push(format!("{id} tuned: answered {} {}", answer.status, answer.json));
            }
        });
    }

    pub(super) fn delete_place(&self) {
        let (Some(node), Some((number, id))) = (self.some_node(), self.some_place()) else {
            return;
        };
        let ask = Ask {
            method: "DELETE",
            path: format!("/v1/environments/{id}?force=true"),
            environment: id,
            key: None,
            body: None,
        };
        self.trace.note(format_args!("n{} deletes {id}", node.number));
        self.model.lock().places[number].deleted = Some((node.number, End::Open));
        let (trace, shared, clock) = (self.trace.clone(), Arc::clone(&self.model), self.clock.clone());
        let of = node.number;
        node.ask(ask, move |answer| {
            let at = trace.note(format_args!("{id} is deleted: {}", answer.status));
            let mut model = shared.lock();
            let end = match answer.status {
                204 => End::Done(at, clock.now().as_millis()),
                _ => End::Unknown(at),
            };
            model.places[number].deleted = Some((of, end));
            if !matches!(answer.status, 204 | 404 | 503) {
                model
                    .broken
                    .push(format!("{id} deleted: answered {} {}", answer.status, answer.json));
            }
        });
    }
}

fn wire(settings: &Settings) -> serde_json::Value {
    json!({
        "retrySchedule": settings.retry_schedule,
        "timeoutMs": settings.timeout_ms,
        "retentionDays": settings.retention_days,
    })
}
