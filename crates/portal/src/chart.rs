//! Charts as SVG, drawn here: bars over time, good on top of bad, with the figures in words for whoever cannot see them.

use crate::markup::Markup;
use crate::words::count;

/// One span of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bar {
    /// When, in words.
    pub(crate) label: String,
    /// What went well.
    pub(crate) good: u64,
    /// What did not.
    pub(crate) bad: u64,
}

/// What a chart is about, in words: `deliveries`; `delivered` and `failed` for its two parts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Legend {
    pub(crate) what: &'static str,
    pub(crate) good: &'static str,
    pub(crate) bad: &'static str,
}

/// Width of one bar and the gap after it, and the height of the drawing area, in units of the drawing.
const BAR: usize = 8;
const GAP: usize = 2;

/// A chart of bars, as wide as its place.
pub(crate) fn bars(bars: &[Bar], height: usize, legend: Legend) -> Markup {
    let highest = bars.iter().map(|bar| bar.good + bar.bad).max().unwrap_or(0);
    let (good, bad) = bars.iter().fold((0, 0), |(good, bad), bar| (good + bar.good, bad + bar.bad));
    let width = (bars.len() * (BAR + GAP)).max(BAR);
    let mut out = Markup::of("<svg class=\"chart\" role=\"img\" preserveAspectRatio=\"none\" viewBox=\"0 0 ")
        .text(width)
        .html(" ")
        .text(height)
        .html("\" aria-label=\"")
        .text(format_args!(
            "{}: {} {}, {} {}",
            legend.what,
            count(good),
            legend.good,
            count(bad),
            legend.bad
        ))
        .html("\">");
    for (place, bar) in bars.iter().enumerate() {
        out = one(out, place * (BAR + GAP), bar, highest, height, legend);
    }
    out.html("</svg>")
}

fn one(out: Markup, x: usize, bar: &Bar, highest: u64, height: usize, legend: Legend) -> Markup {
    let total = bar.good + bar.bad;
    let title = format!(
        "{}: {} {}, {} {}",
        bar.label,
        count(bar.good),
        legend.good,
        count(bar.bad),
        legend.bad
    );
    let out = out.html("<g><title>").text(title).html("</title>");
    // Whoever points anywhere at a span sees its figures.
    let out = rect(out, "chart-span", x, 0, BAR + GAP, height);
    let tall = scaled(total, highest, height);
    let bad = scaled(bar.bad, highest, height).min(tall);
    let out = rect(out, "chart-bad", x, height - bad, BAR, bad);
    let out = rect(out, "chart-good", x, height - tall, BAR, tall - bad);
    let out = if total == 0 {
        rect(out, "chart-none", x, height - 1, BAR, 1)
    } else {
        out
    };
    out.html("</g>")
}

fn rect(out: Markup, class: &'static str, x: usize, y: usize, width: usize, height: usize) -> Markup {
    if height == 0 {
        return out;
    }
    out.html("<rect class=\"")
        .html(class)
        .html("\" x=\"")
        .text(x)
        .html("\" y=\"")
        .text(y)
        .html("\" width=\"")
        .text(width)
        .html("\" height=\"")
        .text(height)
        .html("\"/>")
}

/// What is there is seen: at least two units high.
fn scaled(value: u64, highest: u64, height: usize) -> usize {
    if value == 0 || highest == 0 {
        return 0;
    }
    ((value as f64 / highest as f64 * height as f64).round() as usize).clamp(2, height)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEGEND: Legend = Legend {
        what: "Attempts",
        good: "delivered",
        bad: "failed",
    };

    #[test]
    fn one_failure_among_thousands_is_seen_and_said() {
        let bars_of = [Bar {
            label: "12:00".to_owned(),
            good: 5_000,
            bad: 1,
        }];
        let svg = bars(&bars_of, 40, LEGEND).to_string();
        assert!(svg.contains("aria-label=\"Attempts: 5\u{202f}000 delivered, 1 failed\""), "{svg}");
        assert!(
            svg.contains("<rect class=\"chart-bad\" x=\"0\" y=\"38\" width=\"8\" height=\"2\"/>"),
            "{svg}"
        );
    }

    #[test]
    fn a_chart_of_nothing_is_a_line_of_nothing() {
        let nothing = [Bar {
            label: String::new(),
            good: 0,
            bad: 0,
        }];
        assert!(bars(&nothing, 40, LEGEND).to_string().contains("chart-none"));
        assert!(bars(&[], 40, LEGEND).to_string().ends_with("</svg>"));
    }
}
