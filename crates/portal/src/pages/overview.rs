//! How an environment is doing: figures, a chart, the webhooks that need somebody, the newest deliveries.

use askama::Template;
use axum::Router;
use axum::extract::{Query, State};
use axum::response::Response;
use axum::routing::get;
use serde::Deserialize;
use tidings_app::overview::{OVERVIEW_COUNT_MAX, Overview, Series, Span};
use tidings_app::{ActivityCounts, DeliveryFilter, EnvironmentHolds, Page, WebhookWithHealth};
use tidings_model::{Timestamp, WebhookState};

use super::deliveries::{self, Row};
use crate::chart::{self, Bar, Legend};
use crate::fault::{PageFault, show};
use crate::icon::Icon;
use crate::markup::Markup;
use crate::session::InEnvironment;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;
use crate::words;

pub(super) fn routes() -> Router<Portal> {
    Router::new().route("/environments/{environment}", get(overview))
}

/// Webhooks in trouble that are named.
const TROUBLE_ROWS: usize = 5;
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
#[derive(Deserialize, Default)]
#[serde(default)]
struct Asked {
    span: String,
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

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage {
    shell: Shell,
    choices: [Choice; 3],
    span: &'static str,
    live: bool,
    overview: Overview,
    holds: EnvironmentHolds,
    attempts: Markup,
    accepted: Markup,
    trouble: Vec<WebhookWithHealth>,
    newest: Vec<Row>,
}

impl OverviewPage {
    /// A count that stops at a limit.
    fn capped(count: usize) -> String {
        let counted = words::count(count as u64);
        if count >= OVERVIEW_COUNT_MAX { format!("{counted}+") } else { counted }
    }

    /// The address of this page with everything that it was asked for.
    fn here(&self) -> String {
        let live = if self.live { "&live=1" } else { "" };
        format!("{}?span={}{live}", self.shell.base, self.span)
    }
}

async fn overview(
    State(portal): State<Portal>,
    here: InEnvironment,
    Query(asked): Query<Asked>,
    around: Around,
) -> Result<Response, PageFault> {
    let (app, caller, span) = (&portal.app, &here.caller, asked.span());
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
    let overview = app.overview(caller, span).await?;
    let page = OverviewPage {
        shell: around.within(&portal, &here.visit, caller, Section::Overview, "Overview").await?,
        span: choices.iter().find(|choice| choice.here).map_or("day", |choice| choice.word),
        choices,
        live: asked.live == "1",
        holds: app.environment_holds(caller, caller.environment()).await?,
        attempts: draw(&overview.series, span, ATTEMPTS, |counts| (counts.delivered, counts.failed)),
        accepted: draw(&overview.series, span, ACCEPTED, |counts| (counts.accepted, 0)),
        trouble: app.webhooks_in_trouble(caller, TROUBLE_ROWS).await?,
        newest: deliveries::rows(&portal, caller, DeliveryFilter::of(caller.environment()), Page::first(NEWEST_ROWS)).await?,
        overview,
    };
    show(&page, 200)
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

/// What is the matter with a webhook, and what to do.
fn matter(found: &WebhookWithHealth) -> String {
    match (found.webhook.state, found.health.failing_since) {
        (WebhookState::Disabled { why, .. }, _) => format!("Disabled because {why}. Mend the receiver, then enable it."),
        (WebhookState::Active, Some(_)) => "Every attempt fails; its deliveries are tried again. Look at the last reply.".to_owned(),
        (WebhookState::Active, None) => String::new(),
    }
}
