//! The road of an event: append, lease, settle, and what people do to a delivery on its way.

use std::collections::BTreeMap;

use tidings_model::{
    Attempt, CancelReason, Delivery, DeliveryId, DeliveryState, EnvironmentId, Event, EventBody, Timestamp, Trigger, Verdict, WebhookId,
    WebhookState,
};

use super::State;
use crate::{
    AppendRefusal, Appended, DueBatch, DueWebhook, Idempotency, LeaseGrant, LeaseToken, LeasedDelivery, NewEvent, ResendError, Settled,
    Settlement, Start, Target,
};

pub(super) struct EventRow {
    pub(super) event: Event,
    /// The n-th has the ordinal n.
    pub(super) deliveries: Vec<DeliveryRow>,
}

pub(super) struct DeliveryRow {
    pub(super) webhook: WebhookId,
    pub(super) trigger: Trigger,
    pub(super) state: DeliveryState,
    /// Only while it is pending.
    pub(super) lease: Option<LeaseGrant>,
    pub(super) created_at: Timestamp,
    pub(super) attempts: Vec<Attempt>,
}

/// What was answered to the first request with an idempotency key.
pub(super) struct KeyRow {
    pub(super) fingerprint: [u8; 32],
    pub(super) expires_at: Timestamp,
    pub(super) first: Appended,
}

impl DeliveryRow {
    fn begin(target: &Target, trigger: Trigger, at: Timestamp, created_at: Timestamp) -> Self {
        let (state, lease) = match target.start {
            Start::Leased(grant) => (DeliveryState::Pending { next_attempt_at: at }, Some(grant)),
            Start::Due => (DeliveryState::Pending { next_attempt_at: at }, None),
            Start::Skipped(why) => (DeliveryState::Cancelled { at, why }, None),
        };
        Self {
            webhook: target.webhook,
            trigger,
            state,
            lease,
            created_at,
            attempts: Vec::new(),
        }
    }

    pub(super) fn attempts_made(&self) -> u16 {
        self.attempts.last().map_or(0, |attempt| attempt.number)
    }

    pub(super) fn leased(&self, at: Timestamp) -> bool {
        self.lease.is_some_and(|lease| at < lease.until)
    }

    /// When it is due, while it is pending.
    pub(super) const fn due_at(&self) -> Option<Timestamp> {
        match self.state {
            DeliveryState::Pending { next_attempt_at } => Some(next_attempt_at),
            _ => None,
        }
    }

    /// From when on somebody may lease it, while it is pending.
    pub(super) fn free_at(&self) -> Option<Timestamp> {
        let due_at = self.due_at()?;
        Some(self.lease.map_or(due_at, |lease| due_at.max(lease.until)))
    }

    fn end(&mut self, state: DeliveryState) {
        self.state = state;
        self.lease = None;
    }
}

impl State {
    /// Every delivery with its id and its event, by id.
    pub(super) fn all_deliveries(&self) -> impl DoubleEndedIterator<Item = (DeliveryId, &EventRow, &DeliveryRow)> {
        self.events.iter().flat_map(|(event, row)| {
            let id = |ordinal: usize| DeliveryId {
                event: *event,
                ordinal: ordinal as u32,
            };
            row.deliveries
                .iter()
                .enumerate()
                .map(move |(ordinal, delivery)| (id(ordinal), row, delivery))
        })
    }

    fn delivery_mut(&mut self, id: DeliveryId) -> Option<&mut DeliveryRow> {
        self.events.get_mut(&id.event)?.deliveries.get_mut(id.ordinal as usize)
    }

    /// The pending deliveries of a webhook that nobody has leased `at`, with their due times, oldest due first.
    fn unleased(&self, webhook: WebhookId, at: Timestamp) -> Vec<(Timestamp, DeliveryId)> {
        let own = self
            .all_deliveries()
            .filter(|(_, _, delivery)| delivery.webhook == webhook && !delivery.leased(at));
        let mut found: Vec<_> = own.filter_map(|(id, _, delivery)| Some((delivery.due_at()?, id))).collect();
        found.sort_unstable();
        found
    }

    /// What the first request with the key of this event was answered, while the key is in force.
    fn repeated(&self, new: &NewEvent) -> Option<Result<Appended, AppendRefusal>> {
        let promise = new.idempotency.as_ref()?;
        let seen = self.keys.get(&(new.environment, promise.key.clone()))?;
        if new.at >= seen.expires_at {
            return None;
        }
        Some(if seen.fingerprint == promise.fingerprint {
            Ok(Appended {
                fresh: false,
                ..seen.first
            })
        } else {
            Err(AppendRefusal::KeyReused { event: seen.first.event })
        })
    }

    pub(super) fn append(&mut self, new: NewEvent) -> Result<Appended, AppendRefusal> {
        let version = self.environment(new.environment).ok_or(AppendRefusal::NoEnvironment)?.version;
        if let Some(answer) = self.repeated(&new) {
            return answer;
        }
        if version != new.routing_version {
            return Err(AppendRefusal::StaleRouting);
        }
        let id = self.ids.next(new.at);
        let begin = |target: &Target| DeliveryRow::begin(target, new.trigger, new.at, id.timestamp());
        let deliveries: Vec<_> = new.targets.iter().map(begin).collect();
        let appended = Appended {
            event: id,
            fresh: true,
            deliveries: deliveries.len() as u32,
        };
        if let Some(Idempotency {
            key,
            fingerprint,
            expires_at,
        }) = new.idempotency
        {
            self.keys.insert(
                (new.environment, key),
                KeyRow {
                    fingerprint,
                    expires_at,
                    first: appended,
                },
            );
        }
        let event = Event {
            id,
            environment: new.environment,
            key: new.key,
            tenant: new.tenant,
            user: new.user,
            application: new.application,
            body: EventBody::Whole(new.body),
        };
        self.events.insert(id, EventRow { event, deliveries });
        Ok(appended)
    }

    /// Puts a delivery into the hands of whoever gets that lease. One whose body was altered is cancelled instead.
    fn lease(&mut self, id: DeliveryId, due_at: Timestamp, lease: LeaseGrant, at: Timestamp) -> Option<LeasedDelivery> {
        let row = self.events.get_mut(&id.event)?;
        let delivery = row.deliveries.get_mut(id.ordinal as usize)?;
        let EventBody::Whole(body) = &row.event.body else {
            let why = CancelReason::BodyAltered;
            delivery.end(DeliveryState::Cancelled { at, why });
            return None;
        };
        delivery.lease = Some(lease);
        Some(LeasedDelivery {
            id,
            environment: row.event.environment,
            webhook: delivery.webhook,
            trigger: delivery.trigger,
            attempts: delivery.attempts_made(),
            due_at,
            body: body.clone(),
            lease,
        })
    }

    pub(super) fn lease_due(&mut self, webhook: WebhookId, at: Timestamp, want: usize, lease: LeaseGrant) -> DueBatch {
        let due: Vec<_> = self
            .unleased(webhook, at)
            .into_iter()
            .filter(|(due_at, _)| *due_at <= at)
            .take(want)
            .collect();
        let deliveries = due
            .into_iter()
            .filter_map(|(due_at, id)| self.lease(id, due_at, lease, at))
            .collect();
        let own = self.all_deliveries().filter(|(_, _, delivery)| delivery.webhook == webhook);
        DueBatch {
            deliveries,
            next_due: own.filter_map(|(_, _, delivery)| delivery.free_at()).min(),
        }
    }

    pub(super) fn due_webhooks(&self) -> Vec<DueWebhook> {
        let mut due: BTreeMap<WebhookId, DueWebhook> = BTreeMap::new();
        for (_, event, delivery) in self.all_deliveries() {
            let Some(free_at) = delivery.free_at() else { continue };
            let webhook = delivery.webhook;
            let first = due.entry(webhook).or_insert_with(|| DueWebhook {
                webhook,
                environment: event.event.environment,
                next_due: free_at,
                cancelled: self.cancelled(webhook),
            });
            first.next_due = first.next_due.min(free_at);
        }
        due.into_values().collect()
    }

    fn cancelled(&self, webhook: WebhookId) -> Option<CancelReason> {
        match self.webhooks.get(&webhook).map(|held| held.webhook.state) {
            None => Some(CancelReason::WebhookDeleted),
            Some(WebhookState::Disabled { .. }) => Some(CancelReason::WebhookDisabled),
            Some(WebhookState::Active) => None,
        }
    }

    pub(super) fn settle(&mut self, settlement: Settlement) -> Settled {
        let Settlement {
            webhook,
            lease,
            attempt,
            ended_at,
        } = settlement;
        let held = self
            .delivery_mut(attempt.delivery)
            .filter(|row| row.lease.is_some_and(|held| held.token == lease));
        let Some(delivery) = held else { return Settled::LeaseLost };
        let verdict = attempt.verdict;
        delivery.attempts.push(attempt);
        delivery.end(match verdict {
            Verdict::Delivered => DeliveryState::Delivered { at: ended_at },
            Verdict::RetryAt(next_attempt_at) => DeliveryState::Pending { next_attempt_at },
            Verdict::Exhausted => DeliveryState::Exhausted { at: ended_at },
            Verdict::Cancel(why) => DeliveryState::Cancelled { at: ended_at, why },
        });
        Settled::Recorded {
            failing_since: self.note_attempt(webhook, verdict == Verdict::Delivered, ended_at),
        }
    }

    pub(super) fn release(&mut self, leases: &[(DeliveryId, LeaseToken)]) {
        for (id, token) in leases {
            if let Some(delivery) = self
                .delivery_mut(*id)
                .filter(|row| row.lease.is_some_and(|held| held.token == *token))
            {
                delivery.lease = None;
            }
        }
    }

    pub(super) fn end_lost_leases(&mut self) -> usize {
        let mut ended = 0;
        for delivery in self.events.values_mut().flat_map(|row| &mut row.deliveries) {
            if delivery.lease.take_if(|lease| self.roll.is_lost(lease.token)).is_some() {
                ended += 1;
            }
        }
        ended
    }

    pub(super) fn cancel_pending(&mut self, webhook: WebhookId, at: Timestamp, limit: usize) -> usize {
        let Some(why) = self.cancelled(webhook) else { return 0 };
        let mut found = self.unleased(webhook, at);
        found.truncate(limit);
        for (_, id) in &found {
            if let Some(delivery) = self.delivery_mut(*id) {
                delivery.end(DeliveryState::Cancelled { at, why });
            }
        }
        found.len()
    }

    pub(super) fn resend(&mut self, environment: EnvironmentId, id: DeliveryId, at: Timestamp) -> Result<Delivery, ResendError> {
        let event = self.event_of(environment, id.event).ok_or(ResendError::NotFound)?;
        let webhook = event.deliveries.get(id.ordinal as usize).ok_or(ResendError::NotFound)?.webhook;
        match self.cancelled(webhook) {
            None => {}
            Some(CancelReason::WebhookDeleted) => return Err(ResendError::WebhookDeleted),
            Some(_) => return Err(ResendError::WebhookDisabled),
        }
        let row = self.events.get_mut(&id.event).ok_or(ResendError::NotFound)?;
        if row.event.body == EventBody::Altered {
            return Err(ResendError::BodyAltered);
        }
        let new = DeliveryId {
            event: id.event,
            ordinal: row.deliveries.len() as u32,
        };
        row.deliveries.push(DeliveryRow {
            webhook,
            trigger: Trigger::Resend,
            state: DeliveryState::Pending { next_attempt_at: at },
            lease: None,
            created_at: at,
            attempts: Vec::new(),
        });
        Ok(row.shown(new, &row.deliveries[new.ordinal as usize], at))
    }
}
