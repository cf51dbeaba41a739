//! Publishing: from what a producer sent to an event that may be accepted.

use aws_lc_rs::digest;
use bytes::Bytes;
pub use tidings_engine::Accepted;
use tidings_engine::intake::KeyReused;
use tidings_engine::{Draft, Routes};
use tidings_model::catalog::nearest;
use tidings_model::limits::{BATCH_EVENTS_MAX, IDEMPOTENCY_HOURS, IDEMPOTENCY_KEY_CHARS_MAX};
use tidings_model::payload::{self, EventContext};
use tidings_model::tenant::check_foreign_id;
use tidings_model::{TenantId, Timestamp};
use tidings_store::Idempotency;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Code, Problem};
use crate::validate::Faults;

/// An event as a producer sent it.
#[derive(Clone, Copy, Debug)]
pub struct EventInput<'a> {
    /// The key of its event type.
    pub event_key: &'a str,
    /// Its payload, the bytes of a JSON value.
    pub payload: &'a [u8],
    /// Its tenant.
    pub tenant_id: Option<&'a str>,
    /// Its user.
    pub user_id: Option<&'a str>,
    /// Its application.
    pub application_id: Option<&'a str>,
    /// Whether webhooks get it.
    pub for_webhooks: bool,
    /// What the producer calls the payload, for messages: `payload`, or a dialect's word.
    pub payload_name: &'a str,
}

/// A caller's promise that a repeated request is the same request.
#[derive(Clone, Copy, Debug)]
pub struct IdempotencyKey<'a> {
    /// The key.
    pub key: &'a str,
    /// The bytes of the whole request.
    pub request: &'a [u8],
}

impl App {
    /// Accepts one event.
    pub async fn publish(&self, caller: &Caller, event: EventInput<'_>, key: Option<IdempotencyKey<'_>>) -> Result<Accepted, Problem> {
        let answers = self.publish_batch(caller, &[event], key).await?;
        answers
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(Problem::new(Code::Internal, "the event got no answer")))
    }

    /// Accepts up to [`BATCH_EVENTS_MAX`] events, each for itself: one that cannot be taken does not keep the others out. No events, no
    /// answers.
    pub async fn publish_batch(
        &self,
        caller: &Caller,
        events: &[EventInput<'_>],
        key: Option<IdempotencyKey<'_>>,
    ) -> Result<Vec<Result<Accepted, Problem>>, Problem> {
        caller.can_write_environment()?;
        if events.is_empty() {
            return Ok(Vec::new()); // a batch none of whose events could be read
        }
        Self::check_batch(events.len())?;
        let idempotency = key.map(|key| self.idempotency(key)).transpose()?;
        let mut routes = self.routes(caller.environment)?;
        let mut current = false;
        let mut drafts = Vec::with_capacity(events.len());
        let mut answers: Vec<Option<Result<Accepted, Problem>>> = Vec::with_capacity(events.len());
        for (index, event) in events.iter().enumerate() {
            let own_key = idempotency.clone().map(|whole| own_key(whole, index, drafts.is_empty()));
            if routes.event_type(event.event_key).is_none() && !current {
                self.catch_up().await?; // another node may have made it just now
                (routes, current) = (self.routes(caller.environment)?, true);
            }
            match self.draft(&routes, event, own_key) {
                Ok(draft) => {
                    drafts.push(draft);
                    answers.push(None);
                }
                Err(problem) => answers.push(Some(Err(problem))),
            }
        }
        let accepted = self.accept_drafts(caller, drafts, idempotency.is_some()).await?;
        let mut accepted = accepted
            .into_iter()
            .map(|answer| answer.map_err(|reused| Problem::new(Code::Conflict, reused.to_string())));
        let missing = || Err(Problem::new(Code::Internal, "the event got no answer"));
        Ok(answers
            .into_iter()
            .map(|answer| answer.or_else(|| accepted.next()).unwrap_or_else(missing))
            .collect())
    }

    /// Accepts what could be read of a batch. With a key its first event goes first: the key is its own, so another request that has used it stops
    /// all of them before any is stored.
    async fn accept_drafts(
        &self,
        caller: &Caller,
        mut drafts: Vec<Draft>,
        keyed: bool,
    ) -> Result<Vec<Result<Accepted, KeyReused>>, Problem> {
        if drafts.is_empty() {
            return Ok(Vec::new());
        }
        let all = drafts.len();
        let rest = if keyed { drafts.split_off(1) } else { Vec::new() };
        let mut accepted = self.engine.accept(caller.environment, drafts).await?;
        match accepted.first() {
            Some(Err(reused)) if keyed => return Ok(vec![Err(*reused); all]),
            _ if rest.is_empty() => {}
            _ => accepted.extend(self.engine.accept(caller.environment, rest).await?),
        }
        Ok(accepted)
    }

    /// Checks how many events a batch has.
    pub fn check_batch(events: usize) -> Result<(), Problem> {
        if (1..=BATCH_EVENTS_MAX).contains(&events) {
            return Ok(());
        }
        Err(Problem::field(
            "events",
            format!("has to hold between 1 and {BATCH_EVENTS_MAX} events, not {events}"),
        ))
    }

    fn idempotency(&self, key: IdempotencyKey<'_>) -> Result<Idempotency, Problem> {
        let visible = key.key.chars().all(|letter| !letter.is_control());
        if key.key.is_empty() || key.key.chars().count() > IDEMPOTENCY_KEY_CHARS_MAX || !visible {
            let message = format!("has to be 1 to {IDEMPOTENCY_KEY_CHARS_MAX} visible characters");
            return Err(Problem::field("Idempotency-Key", message));
        }
        let hash = digest::digest(&digest::SHA256, key.request);
        Ok(Idempotency {
            key: key.key.to_owned(),
            fingerprint: hash.as_ref().try_into().expect("SHA-256 has 32 bytes"),
            expires_at: expiry(self.clock.now()),
        })
    }

    fn draft(&self, routes: &Routes, event: &EventInput<'_>, idempotency: Option<Idempotency>) -> Result<Draft, Problem> {
        let Some(event_type) = routes.event_type(event.event_key) else {
            return Err(unknown_key(routes, "eventKey", event.event_key));
        };
        if event.payload.len() > self.payload_bytes_max {
            let detail = format!(
                "{} has {} bytes; at most {} are taken",
                event.payload_name,
                event.payload.len(),
                self.payload_bytes_max
            );
            return Err(Problem::new(Code::TooLarge, detail));
        }
        let mut faults = Faults::default();
        faults.check(event.payload_name, payload::check(event.payload));
        let tenant = event.tenant_id.and_then(|id| faults.check("tenantId", id.parse::<TenantId>()));
        for (field, id) in [("userId", event.user_id), ("applicationId", event.application_id)] {
            if let Some(id) = id {
                faults.check(field, check_foreign_id(id));
            }
        }
        faults.into_result()?;
        self.schemas
            .check(routes.environment, event_type, event.payload)
            .map_err(|message| {
                Problem::field(
                    event.payload_name,
                    format!("does not satisfy the schema of '{}': {message}", event.event_key),
                )
            })?;
        let context = EventContext {
            vendor_id: &routes.vendor_id,
            tenant_id: event.tenant_id,
            user_id: event.user_id,
            application_id: event.application_id,
        };
        Ok(Draft {
            event_type: event_type.clone(),
            tenant,
            user: event.user_id.map(str::to_owned),
            application: event.application_id.map(str::to_owned),
            body: Bytes::from(payload::splice(event.payload, &context, &event_type.key)),
            idempotency,
            for_webhooks: event.for_webhooks,
        })
    }
}

/// The key of one event of a request: the first that could be read has the request's own, the others one that nobody can send.
fn own_key(whole: Idempotency, index: usize, first: bool) -> Idempotency {
    let key = if first { whole.key } else { format!("{}\u{1f}{index}", whole.key) };
    Idempotency { key, ..whole }
}

fn expiry(at: Timestamp) -> Timestamp {
    at + std::time::Duration::from_secs(IDEMPOTENCY_HOURS.unsigned_abs() * 3_600)
}

/// An unknown event key, with the known ones that are nearest.
pub(crate) fn unknown_key(routes: &Routes, field: &str, key: &str) -> Problem {
    let near = nearest(key, routes.event_types().map(|event_type| event_type.key.as_str()));
    let hint = if near.is_empty() {
        "list the known ones with 'tidings event-types list'".to_owned()
    } else {
        format!("did you mean {}?", near.join(", "))
    };
    let shown: String = key.chars().take(128).collect();
    Problem::field(field, format!("'{shown}' is not a known event key; {hint}"))
}
