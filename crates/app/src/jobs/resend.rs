//! Sending many deliveries again.

use std::convert::Infallible;
use std::sync::Arc;

use tidings_model::delivery::StatusFilter;
use tidings_model::limits::PAGE_ROWS_MAX;
use tidings_model::{Delivery, DeliveryState};
use tidings_runtime::OnError;
use tidings_store::{DeliveryFilter, Page};

use crate::app::App;
use crate::audit::Actor;
use crate::caller::Caller;
use crate::jobs::registry::{Kind, NewJob, Running};
use crate::jobs::{Job, JobState};
use crate::log::COUNT_MAX;
use crate::problem::{Code, Problem};

/// Most deliveries that one job sends again, or finds it cannot.
pub const RESEND_MAX: usize = COUNT_MAX;

/// How far it is.
#[derive(Clone, Copy, Default)]
struct Tally {
    resent: u64,
    skipped: u64,
}

impl Tally {
    const fn done(self) -> u64 {
        self.resent + self.skipped
    }

    fn summary(self) -> String {
        let resent = format!("{} resent", deliveries(self.resent));
        if self.skipped == 0 {
            return resent;
        }
        format!(
            "{resent}; {} left out: the webhook is disabled or deleted, the delivery is still on its way, or the disk altered its event",
            self.skipped
        )
    }
}

fn deliveries(count: u64) -> String {
    if count == 1 {
        "1 delivery".to_owned()
    } else {
        format!("{count} deliveries")
    }
}

impl App {
    /// Begins to resend, one after the other and newest first, the deliveries that a filter admits, at most [`RESEND_MAX`]. Those that are still on
    /// their way are left out, and those whose webhook is disabled or deleted or whose event was altered.
    ///
    /// # Errors
    /// [`Code::Conflict`] while such a job runs in the caller's environment; [`Code::NotFound`] when the filter admits nothing.
    pub async fn resend_many(self: &Arc<Self>, caller: &Caller, filter: DeliveryFilter) -> Result<Job, Problem> {
        caller.can_write_environment()?;
        let filter = DeliveryFilter {
            environment: caller.environment,
            ..filter
        };
        let total = self.count_deliveries(caller, filter.clone()).await?;
        if total == 0 {
            return Err(Problem::new(Code::NotFound, "there is no such delivery to resend"));
        }
        let new = NewJob {
            id: data_encoding::HEXLOWER.encode(&self.entropy.bytes16()),
            kind: Kind::Resend,
            environment: caller.environment,
            title: format!("Resend {}", deliveries(total as u64)),
            total: Some(total as u64),
            by: Actor::from(caller).to_string(),
        };
        let running = self.jobs.start(new, Arc::clone(&self.clock))?;
        let job = running.job().clone();
        self.record(
            caller,
            "delivery.resent-many",
            Some(caller.environment),
            &format!("job {}", job.id),
            &format!("{}: {}", deliveries(total as u64), told(&filter)),
        )
        .await;
        let (app, caller) = (Arc::clone(self), caller.clone());
        self.tasks.spawn("resend many", OnError::Log, async move {
            let state = app.resend_all(&caller, filter, &running).await;
            running.end(state);
            Ok::<(), Infallible>(())
        });
        Ok(job)
    }

    async fn resend_all(self: &Arc<Self>, caller: &Caller, filter: DeliveryFilter, running: &Running) -> JobState {
        let mut tally = Tally::default();
        let mut before = None;
        loop {
            // The list is walked from its newest end, so what is accepted or resent meanwhile is never met.
            let page = Page {
                before,
                ..Page::first(PAGE_ROWS_MAX)
            };
            let deliveries = match self.deliveries(caller, filter.clone(), page).await {
                Ok(deliveries) => deliveries,
                Err(problem) => return JobState::Failed(problem),
            };
            let Some(last) = deliveries.last() else {
                return JobState::Done(tally.summary());
            };
            before = Some(last.id);
            for delivery in &deliveries {
                if running.is_cancelled() {
                    return JobState::Cancelled(tally.summary());
                }
                if self.tasks.shutdown().has_begun() {
                    let detail = format!("the server was stopped; until then: {}", tally.summary());
                    return JobState::Failed(Problem::new(Code::Unavailable, detail));
                }
                if tally.done() >= RESEND_MAX as u64 {
                    return JobState::Done(format!("{}; that is as many as one job does", tally.summary()));
                }
                match self.resend_finished(caller, delivery).await {
                    Ok(true) => tally.resent += 1,
                    Ok(false) => tally.skipped += 1,
                    Err(problem) => return JobState::Failed(problem),
                }
                running.note(tally.done());
            }
        }
    }

    /// False: it cannot be resent, or not yet.
    async fn resend_finished(&self, caller: &Caller, delivery: &Delivery) -> Result<bool, Problem> {
        if matches!(delivery.state, DeliveryState::Pending { .. }) {
            return Ok(false);
        }
        match self.resend_unrecorded(caller, delivery.id).await {
            Ok(_) => Ok(true),
            Err(problem) if matches!(problem.code, Code::Conflict | Code::NotFound) => Ok(false),
            Err(problem) => Err(problem),
        }
    }
}

/// What a filter narrows to, for the audit log.
fn told(filter: &DeliveryFilter) -> String {
    let status = |status: StatusFilter| format!("{status:?}").to_lowercase();
    let parts = [
        Some("newest first".to_owned()),
        filter.webhook.map(|id| format!("to {id}")),
        filter.event.map(|id| format!("of {id}")),
        filter.status.map(status),
        filter.event_key.as_ref().map(|key| format!("of {key}")),
        filter.tenant.as_ref().map(|tenant| format!("of tenant {tenant}")),
        filter.from.map(|from| format!("from {from}")),
        filter.until.map(|until| format!("until {until}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
