//! Reading deliveries.
//!
//! What did not go as it should has rows, with an index for each state ([`rows`]). The rest is found event by event, the newest first ([`blocks`]), and
//! put together ([`assemble`]). A tenant's list is the lists of its webhooks, merged.

use std::collections::HashSet;
use std::ops::{ControlFlow, Range};

use rusqlite::{Connection, params};
use tidings_model::delivery::StatusFilter;
use tidings_model::{Delivery, DeliveryId, DeliveryState, EnvironmentId, TenantId, Timestamp, WebhookId};
use tidings_store::{DeliveryDetail, DeliveryFilter, Page};

use crate::assemble::{self, EventHead};
use crate::blocks::{self, Scope};
use crate::fault::Outcome;
use crate::fresh::FreshView;
use crate::record::Record;
use crate::rows::{self, Search};
use crate::{attempts, environments, events};

/// Rows of deliveries apart that are read at a time.
const APART: usize = 256;

/// What every part of a search knows.
struct Wanted<'a> {
    connection: &'a Connection,
    fresh: &'a FreshView,
    filter: &'a DeliveryFilter,
    environment: i64,
    before: Option<DeliveryId>,
    /// The webhooks of the tenant whose list it is.
    owned: Option<HashSet<WebhookId>>,
    at: Timestamp,
}

impl<'a> Wanted<'a> {
    fn new(
        connection: &'a Connection,
        fresh: &'a FreshView,
        filter: &'a DeliveryFilter,
        before: Option<DeliveryId>,
        at: Timestamp,
    ) -> Outcome<Option<Self>> {
        let Some(environment) = environments::logged_id(connection, filter.environment)? else {
            return Ok(None);
        };
        let owned = match &filter.owner {
            Some(owner) => Some(owned(connection, environment, owner)?),
            None => None,
        };
        Ok(Some(Self {
            connection,
            fresh,
            filter,
            environment,
            before,
            owned,
            at,
        }))
    }

    /// The webhooks whose lists together are what is wanted; `None` stands for the environment's own.
    fn parts(&self) -> Vec<Option<WebhookId>> {
        match (&self.owned, self.filter.webhook) {
            (Some(owned), Some(webhook)) => owned.get(&webhook).map(|webhook| Some(*webhook)).into_iter().collect(),
            (Some(owned), None) => owned.iter().map(|webhook| Some(*webhook)).collect(),
            (None, webhook) => vec![webhook],
        }
    }

    fn ids(&self) -> Range<i64> {
        let mut ids = events::ids_between(self.filter.from, self.filter.until);
        if let Some(event) = self.filter.event {
            ids = ids.start.max(event.raw())..ids.end.min(event.raw().saturating_add(1));
        }
        if let Some(before) = self.before {
            ids.end = ids.end.min(before.event.raw().saturating_add(1));
        }
        ids
    }

    /// What the events that are asked for have in common beside `whose`.
    fn scopes(&self, whose: Scope<'a>) -> Vec<Scope<'a>> {
        let (key, tenant) = (self.filter.event_key.as_ref(), self.filter.tenant.as_ref());
        events::scopes(self.environment, whose, key, tenant)
    }

    /// What is asked of the event.
    fn admits_event(&self, head: &EventHead) -> bool {
        head.environment == self.environment
            && self.filter.event_key.as_ref().is_none_or(|key| *key == head.key)
            && self
                .filter
                .tenant
                .as_ref()
                .is_none_or(|tenant| head.tenant.as_ref() == Some(tenant))
    }

    /// What is asked of the delivery, its event being admitted.
    fn admits(&self, delivery: &Delivery) -> bool {
        let state = match (self.filter.status, delivery.state) {
            (None, _)
            | (Some(StatusFilter::Pending), DeliveryState::Pending { .. })
            | (Some(StatusFilter::Delivered), DeliveryState::Delivered { .. })
            | (Some(StatusFilter::Exhausted), DeliveryState::Exhausted { .. })
            | (Some(StatusFilter::Cancelled), DeliveryState::Cancelled { .. }) => true,
            (Some(StatusFilter::Retrying), DeliveryState::Pending { .. }) => delivery.attempts > 0,
            _ => false,
        };
        state
            && self.before.is_none_or(|before| delivery.id < before)
            && (!self.filter.attempted || delivery.attempts > 0)
            && self.filter.webhook.is_none_or(|webhook| delivery.webhook == webhook)
            && self.owned.as_ref().is_none_or(|owned| owned.contains(&delivery.webhook))
    }

    /// The first deliveries of a part, newest first.
    fn list(&self, part: Option<WebhookId>, limit: usize) -> Outcome<Vec<Delivery>> {
        let search = Search::new(self.filter, self.environment, part, self.before).filter(|_| self.filter.event.is_none());
        let Some(search) = search else {
            let mut found = Vec::new();
            self.walk(part, |delivery| {
                found.push(delivery);
                Ok(if found.len() < limit {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            })?;
            found.truncate(limit); // of a page of none
            return Ok(found);
        };
        let mut found = search.list(self.connection, limit, self.at)?;
        if self.filter.status == Some(StatusFilter::Pending) {
            found.extend(self.in_hand(part)?);
            found.sort_unstable_by_key(|delivery| std::cmp::Reverse(delivery.id));
            found.truncate(limit);
        }
        Ok(found)
    }

    fn count(&self, part: Option<WebhookId>, cap: usize) -> Outcome<usize> {
        let search = Search::new(self.filter, self.environment, part, self.before).filter(|_| self.filter.event.is_none());
        let Some(search) = search else {
            let mut counted = 0;
            self.walk(part, |_| {
                counted += 1;
                Ok(if counted < cap {
                    ControlFlow::Continue(())
                } else {
                    ControlFlow::Break(())
                })
            })?;
            return Ok(counted.min(cap));
        };
        let counted = search.count(self.connection, cap)?;
        let in_hand = match self.filter.status {
            Some(StatusFilter::Pending) if counted < cap => self.in_hand(part)?.len(),
            _ => 0,
        };
        Ok((counted + in_hand).min(cap))
    }

    /// What is pending without a row, in no order.
    fn in_hand(&self, part: Option<WebhookId>) -> Outcome<Vec<Delivery>> {
        let ids = self.ids();
        let mut found = Vec::new();
        for (id, held) in self.fresh.list(part) {
            if held.environment != self.environment || !ids.contains(&id.event.raw()) {
                continue;
            }
            let Some(head) = assemble::head(self.connection, id.event.raw())?.filter(|head| self.admits_event(head)) else {
                continue;
            };
            let of_event = assemble::deliveries(self.connection, &head, self.filter.environment, Some(held.webhook), self.at)?;
            let this = of_event.into_iter().find(|found| found.delivery.id == id && !found.has_row); // others are found by their rows
            found.extend(this.map(|found| found.delivery).filter(|delivery| self.admits(delivery)));
        }
        Ok(found)
    }

    /// Visits the admitted deliveries of a part event by event, newest first.
    fn walk(&self, part: Option<WebhookId>, mut visit: impl FnMut(Delivery) -> Outcome<ControlFlow<()>>) -> Outcome<()> {
        let mut last = None;
        let mut look = |event: i64| {
            if last.replace(event) == Some(event) {
                return Ok(ControlFlow::Continue(())); // it has several deliveries to the webhook, which were visited together
            }
            let Some(head) = assemble::head(self.connection, event)?.filter(|head| self.admits_event(head)) else {
                return Ok(ControlFlow::Continue(()));
            };
            for found in assemble::deliveries(self.connection, &head, self.filter.environment, part, self.at)? {
                if self.admits(&found.delivery) && visit(found.delivery)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
            Ok(ControlFlow::Continue(()))
        };
        let ids = self.ids();
        match (self.filter.event, part) {
            (Some(event), _) if ids.contains(&event.raw()) => look(event.raw()).map(|_| ()),
            (Some(_), _) => Ok(()),
            (None, None) => blocks::walk(self.connection, &self.scopes(Scope::Environment(self.environment)), &ids, look),
            (None, Some(webhook)) => {
                let scopes = self.scopes(Scope::Webhook(webhook.raw()));
                walk_webhook(self.connection, webhook, &scopes, &ids, look)
            }
        }
    }
}

/// Visits the events in some scopes that went to a webhook, and all those whose deliveries to it lie apart, newest first.
fn walk_webhook(
    connection: &Connection,
    webhook: WebhookId,
    scopes: &[Scope<'_>],
    ids: &Range<i64>,
    mut look: impl FnMut(i64) -> Outcome<ControlFlow<()>>,
) -> Outcome<()> {
    let mut apart = Apart {
        connection,
        webhook,
        ids: ids.clone(),
        read: Vec::new(),
    };
    let mut broken = false;
    blocks::walk(connection, scopes, ids, |event| {
        while let Some(newer) = apart.next_above(event)? {
            if look(newer)?.is_break() {
                broken = true;
                return Ok(ControlFlow::Break(()));
            }
        }
        let flow = look(event)?;
        broken = flow.is_break();
        Ok(flow)
    })?;
    while !broken {
        let Some(event) = apart.next_above(0)? else { break };
        broken = look(event)?.is_break();
    }
    Ok(())
}

/// The events whose deliveries to a webhook lie apart, newest first, some at a time.
struct Apart<'a> {
    connection: &'a Connection,
    webhook: WebhookId,
    /// What has not been read.
    ids: Range<i64>,
    /// What has been read, the newest last.
    read: Vec<i64>,
}

impl Apart<'_> {
    /// The next, when it is newer than that event.
    fn next_above(&mut self, event: i64) -> Outcome<Option<i64>> {
        if self.read.is_empty() && !self.ids.is_empty() {
            self.read = rows::apart(self.connection, self.webhook, self.ids.start, self.ids.end, APART)?;
            self.ids.end = self
                .read
                .last()
                .copied()
                .filter(|_| self.read.len() == APART)
                .unwrap_or(self.ids.start);
            self.read.dedup();
            self.read.reverse();
        }
        Ok(self.read.pop_if(|next| *next > event))
    }
}

/// Deliveries, newest first.
pub(crate) fn list(
    connection: &Connection,
    fresh: &FreshView,
    filter: &DeliveryFilter,
    page: Page<DeliveryId>,
    at: Timestamp,
) -> Outcome<Vec<Delivery>> {
    let Some(wanted) = Wanted::new(connection, fresh, filter, page.before, at)? else {
        return Ok(Vec::new());
    };
    let limit = page.skip.saturating_add(page.limit);
    let mut found = Vec::new();
    for part in wanted.parts() {
        found.extend(wanted.list(part, limit)?);
    }
    found.sort_unstable_by_key(|delivery| std::cmp::Reverse(delivery.id));
    Ok(found.into_iter().skip(page.skip).take(page.limit).collect())
}

/// How many deliveries a filter admits, counted up to `cap`.
pub(crate) fn count(connection: &Connection, fresh: &FreshView, filter: &DeliveryFilter, cap: usize) -> Outcome<usize> {
    let Some(wanted) = Wanted::new(connection, fresh, filter, None, Timestamp::from_millis(0))? else {
        return Ok(0);
    };
    let mut counted = 0;
    for part in wanted.parts() {
        if counted >= cap {
            break;
        }
        counted += wanted.count(part, cap - counted)?;
    }
    Ok(counted)
}

/// One delivery with its event and its attempts.
pub(crate) fn one(connection: &Connection, environment: EnvironmentId, id: DeliveryId, at: Timestamp) -> Outcome<Option<DeliveryDetail>> {
    let Some(event) = events::one(connection, environment, id.event)? else {
        return Ok(None);
    };
    let Some(head) = assemble::head(connection, id.event.raw())? else {
        return Ok(None);
    };
    let all = assemble::deliveries(connection, &head, environment, None, at)?;
    let Some(found) = all.into_iter().find(|found| found.delivery.id == id) else {
        return Ok(None);
    };
    Ok(Some(DeliveryDetail {
        delivery: found.delivery,
        event,
        attempts: attempts::of(connection, id)?,
    }))
}

/// The webhooks of a tenant, the deleted ones too.
fn owned(connection: &Connection, environment: i64, owner: &TenantId) -> Outcome<HashSet<WebhookId>> {
    connection
        .prepare_cached(
            "-- deliveries::owned: by a tenant
             SELECT id FROM webhooks INDEXED BY webhooks_by_tenant WHERE environment = ?1 AND tenant = ?2",
        )?
        .query_and_then(params![environment, owner.as_str()], |row| {
            Record::new(row, "webhooks", &["id"]).convert("id", WebhookId::from_raw)
        })?
        .collect()
}
