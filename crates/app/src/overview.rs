//! How an environment and its webhooks are doing: figures for charts, what waits, and who needs somebody.

use std::collections::BTreeMap;
use std::time::Duration;

use tidings_model::delivery::StatusFilter;
use tidings_model::limits::PAGE_ROWS_MAX;
use tidings_model::{Timestamp, WebhookId};
use tidings_store::{Activity, ActivityCounts, DeliveryFilter, Page, WebhookFilter, WebhookWithHealth};
use tokio::sync::watch;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;

/// Most deliveries and webhooks that [`Overview`] counts; that many means so many or more.
pub const OVERVIEW_COUNT_MAX: usize = 1_000;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 3_600;

/// How far back a chart goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// One hour.
    Hour,
    /// 24 hours.
    #[default]
    Day,
    /// Seven days.
    Week,
}

impl Span {
    /// Points of a chart, and seconds of each. Webhooks are counted by the hour, so the hour of a webhook is one point.
    const fn steps(self, of_webhooks: bool) -> (usize, u64) {
        match (self, of_webhooks) {
            (Self::Hour, false) => (60, MINUTE_S),
            (Self::Hour, true) => (1, HOUR_S),
            (Self::Day, false) => (48, 30 * MINUTE_S),
            (Self::Day, true) => (24, HOUR_S),
            (Self::Week, _) => (84, 2 * HOUR_S),
        }
    }
}

/// What happened over a span, in steps of equal length; the last one is still under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// The webhook; `None` is the whole environment.
    pub webhook: Option<WebhookId>,
    /// When the first step begins.
    pub from: Timestamp,
    /// Length of a step.
    pub step: Duration,
    /// What happened in each, oldest first; steps in which nothing happened are there too.
    pub points: Vec<ActivityCounts>,
}

impl Series {
    /// Everything in it added up.
    pub fn total(&self) -> ActivityCounts {
        let mut total = ActivityCounts::default();
        self.points.iter().for_each(|counts| total.add(*counts));
        total
    }
}

/// How an environment is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overview {
    /// What happened over the span.
    pub series: Series,
    /// All of it added up.
    pub counts: ActivityCounts,
    /// Deliveries that are not finished now, counted up to [`OVERVIEW_COUNT_MAX`].
    pub pending: usize,
    /// Those of them that have failed at least once, counted likewise.
    pub retrying: usize,
    /// Deliveries of events of the span whose schedule has run out, counted likewise.
    pub exhausted: usize,
    /// Webhooks in trouble now, counted up to a page of them.
    pub in_trouble: usize,
}

impl App {
    /// What happened over a span: of the environment as a whole when `webhooks` is empty, else of each of them, in their order.
    pub async fn activity(&self, caller: &Caller, webhooks: &[WebhookId], span: Span) -> Result<Vec<Series>, Problem> {
        caller.can_read_environment()?;
        let (points, step_s) = span.steps(!webhooks.is_empty());
        let step = Duration::from_secs(step_s);
        let until = begin_of_step(self.clock.now(), step) + step;
        let from = until - step * u32::try_from(points).expect("a chart has few points");
        let read = self.engine.activity.read(caller.environment, webhooks, from, until).await?;
        let mut found: BTreeMap<Option<WebhookId>, Vec<Activity>> = BTreeMap::new();
        for activity in read {
            found.entry(activity.webhook).or_default().push(activity);
        }
        let series = |webhook| Series {
            webhook,
            from,
            step,
            points: spread(found.get(&webhook).map_or(&[], Vec::as_slice), from, step, points),
        };
        if webhooks.is_empty() {
            return Ok(vec![series(None)]);
        }
        Ok(webhooks.iter().map(|webhook| series(Some(*webhook))).collect())
    }

    /// How the caller's environment is doing now, and did over a span.
    pub async fn overview(&self, caller: &Caller, span: Span) -> Result<Overview, Problem> {
        let series = self.activity(caller, &[], span).await?.into_iter().next();
        let series = series.expect("an environment has one series");
        Ok(Overview {
            counts: series.total(),
            pending: self.count(caller, StatusFilter::Pending, None).await?,
            retrying: self.count(caller, StatusFilter::Retrying, None).await?,
            exhausted: self.count(caller, StatusFilter::Exhausted, Some(series.from)).await?,
            series,
            in_trouble: self.webhooks_in_trouble(caller, PAGE_ROWS_MAX).await?.len(),
        })
    }

    /// Webhooks that need somebody: failing, or disabled by Tidings; at most a page of them, those that have failed for longest first.
    pub async fn webhooks_in_trouble(&self, caller: &Caller, limit: usize) -> Result<Vec<WebhookWithHealth>, Problem> {
        let filter = WebhookFilter {
            in_trouble: true,
            ..WebhookFilter::default()
        };
        let mut found = self.webhooks(caller, filter, Page::first(PAGE_ROWS_MAX)).await?;
        found.sort_by_key(|found| found.health.failing_since.unwrap_or(Timestamp::MAX));
        found.truncate(limit);
        Ok(found)
    }

    /// Changes whenever something was accepted, sent or settled in the caller's environment: for pages that show it live.
    pub fn pulse(&self, caller: &Caller) -> Result<watch::Receiver<u64>, Problem> {
        caller.can_read_environment()?;
        Ok(self.engine.activity.pulse(caller.environment))
    }

    /// Deliveries that stand so, counted up to [`OVERVIEW_COUNT_MAX`].
    async fn count(&self, caller: &Caller, status: StatusFilter, from: Option<Timestamp>) -> Result<usize, Problem> {
        let filter = DeliveryFilter {
            status: Some(status),
            from,
            ..DeliveryFilter::of(caller.environment)
        };
        Ok(self.store.count_deliveries(&filter, OVERVIEW_COUNT_MAX).await?)
    }
}

/// Steps begin at whole multiples of their length since 1970, as what is counted does.
fn begin_of_step(at: Timestamp, step: Duration) -> Timestamp {
    let step_ms = i64::try_from(step.as_millis()).expect("a step is hours at most");
    Timestamp::from_millis(at.as_millis() - at.as_millis().rem_euclid(step_ms))
}

fn spread(activity: &[Activity], from: Timestamp, step: Duration, points: usize) -> Vec<ActivityCounts> {
    let mut spread = vec![ActivityCounts::default(); points];
    for counted in activity.iter().filter(|counted| counted.from >= from) {
        let index = counted.from.since(from).as_millis() / step.as_millis();
        if let Some(point) = usize::try_from(index).ok().and_then(|index| spread.get_mut(index)) {
            point.add(counted.counts);
        }
    }
    spread
}

#[cfg(test)]
mod tests {
    use tidings_model::EnvironmentId;

    use super::*;

    fn counted(from: i64, delivered: u64) -> Activity {
        Activity {
            environment: EnvironmentId::from_chance([1; 16]),
            webhook: None,
            from: Timestamp::from_seconds(from),
            counts: ActivityCounts {
                delivered,
                ..ActivityCounts::default()
            },
        }
    }

    #[test]
    fn counts_fall_into_their_steps_and_what_lies_outside_is_left_out() {
        let activity = [
            counted(540, 1),
            counted(600, 2),
            counted(660, 3),
            counted(1_200, 4),
            counted(1_800, 5),
        ];
        let points = spread(&activity, Timestamp::from_seconds(600), Duration::from_secs(600), 2);
        assert_eq!(points.iter().map(|counts| counts.delivered).collect::<Vec<_>>(), [5, 4]);
    }

    #[test]
    fn a_step_begins_at_a_whole_multiple_of_its_length() {
        let step = Duration::from_secs(HOUR_S);
        let whole = Timestamp::from_seconds(7_200);
        assert_eq!(begin_of_step(whole, step), whole);
        assert_eq!(begin_of_step(whole + step - Duration::from_millis(1), step), whole);
    }
}
