//! The plots of a report: which figures stand in which of them.
//!
//! Never knows: how a bar is drawn.

mod chart;

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::budgets;
use super::record::{Figure, Unit};
use super::scenario::nodes::{EMBEDDED, NODES};
use super::stats::Spread;
use super::words;
use chart::{Bar, Chart, Colour, LIGHT, PALE, Panel, STRONG, Segment};

/// Finds figures by their ids.
struct Drawn<'a>(&'a [&'a Figure]);

impl Drawn<'_> {
    fn spread(&self, id: &str) -> Option<Spread> {
        self.0.iter().find(|figure| figure.id == id).map(|figure| figure.spread)
    }
}

/// Draws every plot whose figures there are, and removes those whose figures there are not: they would be another report's.
pub(crate) fn draw(figures: &[&Figure], caption: &str, out: &Path) -> anyhow::Result<()> {
    let drawn = Drawn(figures);
    for (name, chart) in [
        ("throughput.svg", throughput(&drawn)),
        ("latency.svg", latency(&drawn)),
        ("isolation.svg", isolation(&drawn)),
        ("nodes.svg", nodes(&drawn)),
    ] {
        let file = out.join(name);
        match chart {
            Some(chart) => {
                let svg = chart.draw(caption).with_context(|| format!("cannot draw {name}"))?;
                fs::write(&file, svg).with_context(|| format!("cannot write {}", file.display()))?;
            }
            None => {
                let _ = fs::remove_file(&file); // mostly there is none
            }
        }
    }
    Ok(())
}

/// A bar as long as the median, with the range of the rounds.
fn bar(label: &str, colour: Colour, unit: Unit, spread: Spread) -> Bar {
    Bar {
        label: label.to_owned(),
        segments: vec![Segment {
            length: spread.median,
            colour,
        }],
        range: Some((spread.min, spread.max)),
        text: words::figure(unit, spread.median),
        begins_group: false,
    }
}

/// The goal of a figure, as a line across a panel.
fn goal(figure: &str, unit: Unit, scale: f64) -> Option<(f64, String)> {
    let budget = budgets::of(figure, false)?;
    Some((budget.limit * scale, format!("budget {}", words::limit(budget, unit))))
}

/// How many a second, and what each costs.
fn throughput(drawn: &Drawn<'_>) -> Option<Chart> {
    const SUBJECTS: [(&str, &str, Colour); 3] = [
        ("raw", "no server", PALE),
        ("relay", "relay", LIGHT),
        ("tidings", "Tidings", STRONG),
    ];
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    for (subject, label, colour) in SUBJECTS {
        let rate = drawn.spread(&format!("throughput.{subject}.rate"))?;
        rates.push(bar(label, colour, Unit::PerSecond, rate));
        let beside = drawn.spread(&format!("throughput.{subject}.beside"))?.median;
        let own = drawn.spread(&format!("throughput.{subject}.cpu"));
        let server = own.map(|spread| Segment {
            length: spread.median,
            colour,
        });
        let text = own.map_or_else(|| "none".to_owned(), |spread| words::figure(Unit::Microseconds, spread.median));
        let rest = Segment {
            length: beside,
            colour: PALE,
        };
        costs.push(Bar {
            label: label.to_owned(),
            segments: server.into_iter().chain([rest]).collect(),
            range: None,
            text,
            begins_group: false,
        });
    }
    Some(Chart {
        title: "Durable and signed, beside a relay that stores nothing",
        panels: vec![
            Panel {
                title: "Deliveries a second".to_owned(),
                bars: rates,
                mark: None,
            },
            Panel {
                title: "CPU per delivery: the server (pale: generator, sink)".to_owned(),
                bars: costs,
                mark: goal("throughput.tidings.cpu", Unit::Microseconds, 1.0),
            },
        ],
    })
}

/// From when an event is due until it is received.
fn latency(drawn: &Drawn<'_>) -> Option<Chart> {
    let mut panels = Vec::new();
    for (rate, title) in [(200, "200 events a second"), (2_000, "2,000 events a second")] {
        let mut bars = Vec::new();
        for quantile in ["p50", "p90", "p99"] {
            for (subject, label, colour) in [("relay", "relay", LIGHT), ("tidings", "Tidings", STRONG)] {
                let spread = drawn.spread(&format!("latency.{rate}.{subject}.{quantile}"))?;
                let begins_group = subject == "relay" && quantile != "p50";
                bars.push(Bar {
                    begins_group,
                    ..bar(&format!("{quantile} {label}"), colour, Unit::Microseconds, spread)
                });
            }
        }
        panels.push(Panel {
            title: title.to_owned(),
            bars,
            mark: None,
        });
    }
    Some(Chart {
        title: "From sending an event to its arrival at the receiver",
        panels,
    })
}

/// How far one database goes.
fn nodes(drawn: &Drawn<'_>) -> Option<Chart> {
    let (mut rates, mut costs) = (Vec::new(), Vec::new());
    let shared = NODES.map(|(nodes, name)| (name, format!("{nodes} beside PostgreSQL"), STRONG));
    for (name, label, colour) in [(EMBEDDED, "embedded".to_owned(), LIGHT)].into_iter().chain(shared) {
        let rate = drawn.spread(&format!("nodes.{name}.rate"))?;
        rates.push(bar(&label, colour, Unit::PerSecond, rate));
        let part = |part: &str, colour| {
            let spread = drawn.spread(&format!("nodes.{name}.{part}"))?;
            Some(Segment {
                length: spread.median,
                colour,
            })
        };
        let segments: Vec<_> = [part("cpu", STRONG), part("database", LIGHT), part("beside", PALE)]
            .into_iter()
            .flatten()
            .collect();
        costs.push(Bar {
            label,
            text: words::figure(Unit::Microseconds, segments.iter().map(|segment| segment.length).sum()),
            segments,
            range: None,
            begins_group: false,
        });
    }
    Some(Chart {
        title: "Nodes beside one PostgreSQL, with everything on the same processors",
        panels: vec![
            Panel {
                title: "Deliveries a second".to_owned(),
                bars: rates,
                mark: None,
            },
            Panel {
                title: "CPU per delivery (paler: PostgreSQL, then the rest)".to_owned(),
                bars: costs,
                mark: None,
            },
        ],
    })
}

/// What the neighbours of dead webhooks feel.
fn isolation(drawn: &Drawn<'_>) -> Option<Chart> {
    let mut bars = Vec::new();
    for (variant, label, colour) in [
        ("undisturbed", "nobody hangs", LIGHT),
        ("hanging", "2 of 10 hang", STRONG),
        ("failing", "2 of 10 answer 500", STRONG),
    ] {
        let spread = drawn.spread(&format!("isolation.{variant}.p99"))?;
        bars.push(bar(label, colour, Unit::Microseconds, spread));
    }
    let undisturbed = bars.first()?.segments.first()?.length;
    Some(Chart {
        title: "What healthy webhooks feel of dead ones: p99 from sending to arrival",
        panels: vec![Panel {
            title: "1,000 events a second to ten webhooks".to_owned(),
            bars,
            mark: goal("isolation.hanging.ratio", Unit::Times, undisturbed),
        }],
    })
}

#[cfg(test)]
mod tests {
    use super::super::record::Findings;
    use super::*;

    #[test]
    fn a_plot_is_drawn_when_its_figures_are_there_and_taken_away_when_they_are_not() {
        let out = tempfile::tempdir().unwrap();
        let mut findings = Findings::default();
        for variant in ["undisturbed", "hanging", "failing"] {
            let id = format!("isolation.{variant}.p99");
            findings.add(id, "", Unit::Microseconds, [3_000.0, 4_000.0, 9_000.0]);
        }
        let figures: Vec<_> = findings.figures.iter().collect();
        draw(&figures, "a machine", out.path()).unwrap();
        let svg = fs::read_to_string(out.path().join("isolation.svg")).unwrap();
        assert!(svg.contains("<svg") && svg.contains("2 of 10 hang") && svg.contains("4 ms"));
        assert!(!out.path().join("latency.svg").exists());
        draw(&[], "a machine", out.path()).unwrap();
        assert!(!out.path().join("isolation.svg").exists());
    }
}
