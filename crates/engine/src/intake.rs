//! Accepting: match against the snapshot, append durably, hand the leased deliveries over in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use tidings_model::limits::REQUEST_DELIVERIES_MAX;
use tidings_model::{CancelReason, DeliveryId, EnvironmentId, EventId, EventType, TenantId, Timestamp, Trigger, WebhookId};
use tidings_store::{AppendRefusal, Appended, Idempotency, LeasedDelivery, NewEvent, Start, StoreError, Target};

use crate::directory::{Destination, Routes};
use crate::engine::Engine;

/// Bytes of events and their deliveries that are being accepted at the same time, at most; beyond it callers are told to come back.
pub const ACCEPTING_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a delivery that is being accepted takes beside the body of its event, about.
const DELIVERY_BYTES: usize = 128;
/// How often an append is matched anew because the routing changed under it.
const REMATCHES_MAX: usize = 8;

/// An event that may be accepted: authorised and validated, its body complete.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Its event type, as the environment knows it.
    pub event_type: Arc<EventType>,
    /// Its tenant.
    pub tenant: Option<TenantId>,
    /// Its user.
    pub user: Option<String>,
    /// Its application.
    pub application: Option<String>,
    /// The body to deliver.
    pub body: Bytes,
    /// The caller's idempotency key.
    pub idempotency: Option<Idempotency>,
    /// Whether webhooks get it; an event meant for other channels is only kept.
    pub for_webhooks: bool,
}

/// An event that is durable, with its deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its id.
    pub event: EventId,
    /// False when its idempotency key was seen before.
    pub fresh: bool,
    /// How many deliveries it has, those to disabled webhooks included.
    pub deliveries: u32,
}

/// Why a call accepted nothing.
#[derive(Debug, thiserror::Error)]
pub enum AcceptError {
    /// The events become more deliveries than one call may make.
    #[error("these events become more than {REQUEST_DELIVERIES_MAX} deliveries")]
    TooMany,
    /// Too much is being accepted at the moment.
    #[error("too many events are being accepted at the moment")]
    Overloaded,
    /// The environment does not exist any more.
    #[error("there is no such environment")]
    NoEnvironment,
    /// The routing changed again and again.
    #[error("the environment's webhooks are changing too fast to match events against")]
    Changing,
    /// The store could not append.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why one event of a call was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the idempotency key was used for another request, which became {event}")]
pub struct KeyReused {
    /// The event that the key was used for.
    pub event: EventId,
}

impl Engine {
    /// Accepts events of one environment. What comes back as accepted is durable, with its deliveries.
    pub async fn accept(
        self: &Arc<Self>,
        environment: EnvironmentId,
        drafts: Vec<Draft>,
    ) -> Result<Vec<Result<Accepted, KeyReused>>, AcceptError> {
        if self.roll.is_off() {
            let why = "this node was taken off the roll of nodes, and cannot join anew: ask another, and see its log";
            return Err(StoreError::Unavailable(why.to_owned()).into());
        }
        let kibibytes = drafts.iter().map(|draft| draft.body.len() / 1_024 + 1).sum::<usize>();
        let permits = u32::try_from(kibibytes.min(ACCEPTING_BYTES_MAX / 1_024)).unwrap_or(u32::MAX);
        let Ok(_under_way) = self.accepting.try_acquire_many(permits) else {
            self.metrics.overloaded.inc_by(drafts.len() as u64);
            return Err(AcceptError::Overloaded);
        };
        let mut answers = vec![None; drafts.len()];
        let mut open: Vec<usize> = (0..drafts.len()).collect();
        let mut routes = self.directory.routes(environment).ok_or(AcceptError::NoEnvironment)?;
        open = self.append(&routes, &drafts, open, &mut answers).await?;
        if !open.is_empty() {
            let gate = Arc::clone(&routes.gate);
            let _unchanged = gate.read().await; // what this process changes waits; what others change can still come between
            for _ in 0..REMATCHES_MAX {
                let newer = self.directory.newer(environment, routes.version).await?;
                routes = newer.ok_or(AcceptError::NoEnvironment)?;
                open = self.append(&routes, &drafts, open, &mut answers).await?;
                if open.is_empty() {
                    break;
                }
            }
        }
        if !open.is_empty() {
            return Err(AcceptError::Changing);
        }
        self.pump();
        Ok(answers
            .into_iter()
            .map(|answer| answer.expect("every draft that is not open any more has its answer"))
            .collect())
    }

    /// Appends the open drafts as matched by these routes, and says which have to be matched anew.
    async fn append(
        self: &Arc<Self>,
        routes: &Routes,
        drafts: &[Draft],
        open: Vec<usize>,
        answers: &mut [Option<Result<Accepted, KeyReused>>],
    ) -> Result<Vec<usize>, AcceptError> {
        let at = self.clock.now();
        let mut places = Places {
            engine: self,
            taken: VecDeque::new(),
        };
        let (mut events, mut deliveries) = (Vec::with_capacity(open.len()), 0);
        for index in &open {
            let event = self.event(routes, &drafts[*index], at, &mut places);
            deliveries += event.targets.len();
            events.push(event);
            if deliveries > REQUEST_DELIVERIES_MAX && events.len() > 1 {
                return Err(AcceptError::TooMany);
            }
        }
        let permits = u32::try_from(deliveries * DELIVERY_BYTES / 1_024).unwrap_or(u32::MAX);
        let Ok(_under_way) = self.accepting.try_acquire_many(permits) else {
            self.metrics.overloaded.inc_by(events.len() as u64);
            return Err(AcceptError::Overloaded);
        };
        let targets: Vec<Vec<Target>> = events.iter().map(|event| event.targets.clone()).collect();
        let (mut stale, mut fresh) = (Vec::new(), 0);
        for ((index, targets), answer) in open.into_iter().zip(targets).zip(self.store.append(events).await?) {
            match answer {
                Ok(appended) => {
                    fresh += u64::from(appended.fresh);
                    self.appended(routes, &drafts[index], &targets, appended, at, &mut places);
                    answers[index] = Some(Ok(Accepted {
                        event: appended.event,
                        fresh: appended.fresh,
                        deliveries: appended.deliveries,
                    }));
                }
                Err(AppendRefusal::KeyReused { event }) => answers[index] = Some(Err(KeyReused { event })),
                Err(AppendRefusal::StaleRouting) => stale.push(index),
                Err(AppendRefusal::NoEnvironment) => return Err(AcceptError::NoEnvironment),
            }
        }
        if fresh > 0 {
            self.activity.accepted(routes.environment, fresh, at);
        }
        Ok(stale)
    }

    fn event(&self, routes: &Routes, draft: &Draft, at: Timestamp, places: &mut Places<'_>) -> NewEvent {
        let matched = if draft.for_webhooks {
            routes.matching(&draft.event_type, draft.tenant.as_ref())
        } else {
            Vec::new()
        };
        let targets = matched
            .iter()
            .map(|destination| {
                let start = if !destination.active {
                    Start::Skipped(CancelReason::WebhookDisabled)
                } else if places.take(destination, draft.body.len(), at) {
                    Start::Leased(self.lanes.grant(at))
                } else {
                    Start::Due
                };
                Target {
                    webhook: destination.webhook,
                    start,
                }
            })
            .collect();
        NewEvent {
            environment: routes.environment,
            routing_version: routes.version,
            key: draft.event_type.key.clone(),
            tenant: draft.tenant.clone(),
            user: draft.user.clone(),
            application: draft.application.clone(),
            body: draft.body.clone(),
            at,
            idempotency: draft.idempotency.clone(),
            trigger: Trigger::Event,
            targets,
        }
    }

    /// Hands the deliveries of an appended event to their lanes.
    fn appended(
        self: &Arc<Self>,
        routes: &Routes,
        draft: &Draft,
        targets: &[Target],
        appended: Appended,
        at: Timestamp,
        places: &mut Places<'_>,
    ) {
        if !appended.fresh {
            return; // nothing was written, so nothing was leased: the places go back
        }
        self.metrics.accepted.inc();
        self.metrics.deliveries.inc_by(u64::from(appended.deliveries));
        for (target, ordinal) in targets.iter().zip(0..) {
            match target.start {
                Start::Leased(lease) => {
                    places.keep(target.webhook, draft.body.len());
                    let lost = self.lanes.hand_over(LeasedDelivery {
                        id: DeliveryId {
                            event: appended.event,
                            ordinal,
                        },
                        environment: routes.environment,
                        webhook: target.webhook,
                        trigger: Trigger::Event,
                        attempts: 0,
                        due_at: at,
                        body: draft.body.clone(),
                        lease,
                    });
                    if let Some(lost) = lost {
                        let engine = Arc::clone(self);
                        self.run("release", async move { engine.return_to_lanes(vec![lost]).await });
                    }
                }
                Start::Due => {
                    let owner = routes.destination(target.webhook).map(|destination| &destination.owner);
                    self.lanes.note_due(target.webhook, owner, at, at);
                }
                Start::Skipped(_) => {}
            }
        }
    }
}

/// Places taken in lanes for deliveries that are not appended yet; what is not kept goes back, also when the append is abandoned midway.
struct Places<'a> {
    engine: &'a Engine,
    taken: VecDeque<(WebhookId, usize)>,
}

impl Places<'_> {
    fn take(&mut self, destination: &Destination, bytes: usize, at: Timestamp) -> bool {
        let webhook = destination.webhook;
        let taken = self.engine.lanes.reserve(webhook, &destination.owner, bytes, at);
        if taken {
            self.taken.push_back((webhook, bytes));
        }
        taken
    }

    /// Keeps the first of those that are left; they are asked for in the order in which they were taken. Those before it are of events that were not written.
    fn keep(&mut self, webhook: WebhookId, bytes: usize) {
        while let Some(taken) = self.taken.pop_front() {
            if taken == (webhook, bytes) {
                return;
            }
            self.engine.lanes.unreserve(taken.0, taken.1);
        }
    }
}

impl Drop for Places<'_> {
    fn drop(&mut self) {
        for (webhook, bytes) in self.taken.drain(..) {
            self.engine.lanes.unreserve(webhook, bytes);
        }
    }
}
