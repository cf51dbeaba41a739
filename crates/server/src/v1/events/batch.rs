//! Publishing many events with one request, each for itself.

use std::fmt;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
use tidings_app::publish::Accepted;
use tidings_app::{App, Problem};
use tidings_model::limits::BATCH_EVENTS_MAX;
use utoipa::ToSchema;

use super::idempotency::Idempotency;
use super::publish::{AcceptedEvent, NewEvent};
use crate::auth::Producer;
use crate::body::BatchBody;
use crate::json;
use crate::problem::{ApiProblem, FieldError, Refused};
use crate::state::ServerState;

/// Events to publish, 1 to 1,000.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewEvents<'a> {
    /// The events.
    #[serde(borrow)]
    #[schema(value_type = Vec<NewEvent>, min_items = 1, max_items = 1000)]
    events: Items<'a>,
}

/// The bytes of every event: one that cannot be read keeps no other out.
struct Items<'a>(Vec<&'a RawValue>);

impl<'de: 'a, 'a> Deserialize<'de> for Items<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;

        impl<'de> Visitor<'de> for Collect {
            type Value = Items<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of events")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Items<'de>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = sequence.next_element()? {
                    if items.len() == BATCH_EVENTS_MAX {
                        return Err(A::Error::custom(format_args!("holds more than {BATCH_EVENTS_MAX} events")));
                    }
                    items.push(item);
                }
                Ok(Items(items))
            }
        }

        deserializer.deserialize_seq(Collect)
    }
}

/// What became of a batch.
#[derive(Serialize, ToSchema)]
pub(super) struct BatchReport {
    /// What became of each event, in their order.
    results: Vec<BatchResult>,
    /// How many were accepted.
    accepted: usize,
    /// How many were not.
    refused: usize,
}

/// What became of one event of a batch.
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum BatchResult {
    /// It is durable, with its deliveries.
    Accepted {
        /// 202.
        status: u16,
        #[serde(flatten)]
        event: AcceptedEvent,
    },
    /// It was not accepted, and nothing of it was stored.
    Refused {
        /// The HTTP status that it would have got alone.
        status: u16,
        /// The kind of the problem, for programs.
        code: &'static str,
        /// What happened and what to do.
        detail: String,
        /// The fields that are wrong.
        errors: Vec<FieldError>,
    },
}

impl From<Problem> for BatchResult {
    fn from(problem: Problem) -> Self {
        Self::Refused {
            status: problem.code.status(),
            code: problem.code.name(),
            detail: problem.detail,
            errors: problem.fields.into_iter().map(FieldError::from).collect(),
        }
    }
}

impl BatchReport {
    /// What became of events that could be read as they stand, and of the others, in their order.
    fn new(events: Vec<Result<NewEvent<'_>, Problem>>, answers: Vec<Result<Accepted, Problem>>) -> Self {
        let mut answers = answers.into_iter();
        let mut accepted = 0;
        let results: Vec<_> = events
            .into_iter()
            .filter_map(|event| {
                let answer = match &event {
                    Ok(_) => answers.next()?, // as many answers as events that could be read
                    Err(problem) => Err(problem.clone()),
                };
                Some(match (event, answer) {
                    (Ok(event), Ok(answer)) => {
                        accepted += 1;
                        BatchResult::Accepted {
                            status: StatusCode::ACCEPTED.as_u16(),
                            event: AcceptedEvent::new(&event, &answer),
                        }
                    }
                    (_, Err(problem)) | (Err(problem), _) => problem.into(),
                })
            })
            .collect();
        Self {
            refused: results.len() - accepted,
            accepted,
            results,
        }
    }
}

/// Publish many events
///
/// Up to 1,000, each with its own result: one that cannot be taken does not keep the others out. Answers when all that are accepted are durable.
///
/// The same `Idempotency-Key` with the same bytes gives the same events again for 24 hours. Another request under a key that is used is refused whole:
/// what could be accepted of it is a conflict, and nothing of it is stored.
#[utoipa::path(
    post,
    path = "/v1/events/batch",
    operation_id = "publishEvents",
    tag = "Events",
    params(("Idempotency-Key" = Option<String>, Header, description = "Up to 256 visible characters, for the whole request.")),
    request_body = NewEvents,
    responses((status = 202, description = "Each event has its own result.", body = BatchReport), Refused)
)]
pub(super) async fn publish_batch(
    State(state): State<ServerState>,
    Producer(caller): Producer,
    idempotency: Idempotency,
    BatchBody(body): BatchBody,
) -> Result<(StatusCode, Json<BatchReport>), ApiProblem> {
    let NewEvents { events: Items(items) } = json::parse(&body)?;
    App::check_batch(items.len())?;
    let events: Vec<_> = items
        .into_iter()
        .map(|item| json::parse_named::<NewEvent<'_>>(item.get().as_bytes(), "the event"))
        .collect();
    let inputs: Vec<_> = events.iter().flatten().map(NewEvent::input).collect();
    let answers = state.app.publish_batch(&caller, &inputs, idempotency.of(&body)).await?;
    Ok((StatusCode::ACCEPTED, Json(BatchReport::new(events, answers))))
}
