//! How an environment is doing: figures, charts, the webhooks that need somebody, the newest deliveries.

mod trouble;

use std::borrow::Borrow;

use askama::Template;
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tidings_app::overview::{OVERVIEW_COUNT_MAX, Overview, Series, Span};
use tidings_app::{ActivityCounts, Caller, DeliveryFilter, EventFilter, Page, Problem, WebhookFilter};
use tidings_model::Timestamp;

use self::trouble::Trouble;
use super::deliveries::{self, Row};
use crate::chart::{self, Bar, Legend};
use crate::fault::{PageFault, show};
use crate::icon::Icon;
use crate::markup::Markup;
use crate::query::Query;
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}", get(overview))
}

/// Newest deliveries that are shown.
const NEWEST_ROWS: usize = 10;
/// Height of the charts, in units of the drawing.
const CHART: usize = 96;

const ATTEMPTS: Legend = Legend {
    what: "Attempts",
    good: "delivered",
    bad: "failed",
};
const ACCEPTED: Legend = Legend {
    what: "Events",
    good: "accepted",
    bad: "refused",
};

/// What the address asks for.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    span: String,
    /// `1`: the page shows itself anew when something happens.
    live: String,
}

impl Asked {
    fn span(&self) -> Span {
        match self.span.as_str() {
            "hour" => Span::Hour,
            "week" => Span::Week,
            _ => Span::Day,
        }
    }
}

/// One choice of the span.
struct Choice {
    word: &'static str,
    label: &'static str,
    here: bool,
}

/// What is still to be done before anything is delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beginning {
    /// There is no webhook.
    Webhook,
    /// Nothing was accepted.
    Event,
    /// It has begun.
    Over,
}

#[derive(Template)]
#[template(path = "overview/overview.html")]
struct OverviewPage {
    shell: Shell,
    choices: [Choice; 3],
    span: &'static str,
    live: bool,
    beginning: Beginning,
    overview: Overview,
    attempts: Markup,
    accepted: Markup,
    trouble: Vec<Trouble>,
    rows: Vec<Row>,
}

impl OverviewPage {
    /// A count that stops at a limit.
    fn capped(count: impl Borrow<usize>) -> String {
        let count = *count.borrow();
        let counted = words::count(count as u64);
        if count >= OVERVIEW_COUNT_MAX {
            format!("{counted}+")
        } else {
            counted
        }
    }

    /// The address of this page with everything that it was asked for.
    fn here(&self) -> String {
        let live = if self.live { "&live=1" } else { "" };
        format!("{}?span={}{live}", self.shell.base, self.span)
    }

    /// When the charts begin.
    fn most_accepted(&self) -> String {
        self.highest(|counts| counts.accepted, "event")
    }

    fn most_attempts(&self) -> String {
        self.highest(|counts| counts.delivered + counts.failed, "attempt")
    }

    /// The highest bar of a chart, in words: its scale.
    fn highest(&self, of: impl Fn(&ActivityCounts) -> u64, word: &str) -> String {
        let highest = self.overview.series.points.iter().map(of).max().unwrap_or_default();
        format!("highest: {}", words::counted(highest, word))
    }

    fn begins(&self) -> Markup {
        words::ago(self.overview.series.from, self.shell.now)
    }
}

async fn overview(
    State(portal): State<Portal>,
    here: InEnvironment,
    Query(asked): Query<Asked>,
    around: Around,
) -> Result<Response, PageFault> {
    let (caller, span) = (&here.caller, asked.span());
    let choice = |word, label, of| Choice {
        word,
        label,
        here: of == span,
    };
    let choices = [
        choice("hour", "1 hour", Span::Hour),
        choice("day", "24 hours", Span::Day),
        choice("week", "7 days", Span::Week),
    ];
    let overview = portal.app.overview(caller, span).await?;
    let newest = DeliveryFilter::of(caller.environment());
    let page = OverviewPage {
        shell: around.within(&portal, &here.visit, caller, Section::Overview, "Overview").await?,
        span: choices.iter().find(|choice| choice.here).map_or("day", |choice| choice.word),
        choices,
        live: asked.live == "1",
        beginning: beginning(&portal, caller).await?,
        attempts: draw(&overview.series, span, ATTEMPTS, |counts| (counts.delivered, counts.failed)),
        accepted: draw(&overview.series, span, ACCEPTED, |counts| (counts.accepted, 0)),
        trouble: trouble::of(&portal, caller).await?,
        rows: deliveries::rows(&portal, caller, newest, Page::first(NEWEST_ROWS)).await?,
        overview,
    };
    show(&page, 200)
}

async fn beginning(portal: &Portal, caller: &Caller) -> Result<Beginning, Problem> {
    let webhooks = portal.app.webhooks(caller, WebhookFilter::default(), Page::first(1)).await?;
    if webhooks.is_empty() {
        return Ok(Beginning::Webhook);
    }
    let events = portal
        .app
        .events(caller, EventFilter::of(caller.environment()), Page::first(1))
        .await?;
    Ok(if events.is_empty() { Beginning::Event } else { Beginning::Over })
}

fn draw(series: &Series, span: Span, legend: Legend, parts: impl Fn(&ActivityCounts) -> (u64, u64)) -> Markup {
    let mut from = series.from;
    let bars = series.points.iter().map(|counts| {
        let label = begin(from, span);
        from = from + series.step;
        let (good, bad) = parts(counts);
        Bar { label, good, bad }
    });
    chart::bars(&bars.collect::<Vec<_>>(), CHART, legend)
}

/// When a bar begins: `14:00 UTC`, with the day where the chart has more than one.
fn begin(at: Timestamp, span: Span) -> String {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default();
    let form = if span == Span::Week { "%a %d %b %H:%M UTC" } else { "%H:%M UTC" };
    at.strftime(form).to_string()
}
