//! The last 24 hours of webhooks: a share of success and a chart.

use tidings_app::overview::{Series, Span};
use tidings_app::{ActivityCounts, Caller, Problem};
use tidings_model::{Timestamp, WebhookId};

use crate::chart::{self, Bar, Legend};
use crate::markup::Markup;
use crate::state::Portal;
use crate::words;

/// Heights of the chart in a row and on a page of its own, in units of the drawing.
const ROW: usize = 24;
const PAGE: usize = 96;

const LEGEND: Legend = Legend {
    what: "Attempts in the last 24 hours",
    good: "delivered",
    bad: "failed",
};

/// What happened to one webhook in 24 hours.
pub(super) struct Traffic {
    pub(super) total: ActivityCounts,
    bars: Vec<Bar>,
}

/// The traffic of webhooks, in their order.
pub(super) async fn of(portal: &Portal, caller: &Caller, webhooks: &[WebhookId]) -> Result<Vec<Traffic>, Problem> {
    if webhooks.is_empty() {
        return Ok(Vec::new());
    }
    let series = portal.app.activity(caller, webhooks, Span::Day).await?;
    Ok(series.iter().map(Traffic::of).collect())
}

impl Traffic {
    fn of(series: &Series) -> Self {
        let mut from = series.from;
        let bar = |counts: &ActivityCounts| {
            let label = hour(from);
            from = from + series.step;
            Bar {
                label,
                good: counts.delivered,
                bad: counts.failed,
            }
        };
        Self {
            total: series.total(),
            bars: series.points.iter().map(bar).collect(),
        }
    }

    pub(super) const fn attempts(&self) -> u64 {
        self.total.delivered + self.total.failed
    }

    /// The share of attempts that delivered; `None` without attempts.
    pub(super) fn share(&self) -> Option<String> {
        words::share(self.total.delivered, self.attempts())
    }

    pub(super) fn spark(&self) -> Markup {
        chart::bars(&self.bars, ROW, LEGEND)
    }

    pub(super) fn chart(&self) -> Markup {
        chart::bars(&self.bars, PAGE, LEGEND)
    }
}

/// When a bar begins: `14:00 UTC`.
fn hour(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    at.strftime("%H:%M UTC").to_string()
}
