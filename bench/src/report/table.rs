//! The report as people read it on a terminal: a line for each figure, with its budget and whether it is met.
//!
//! Never knows: how anything was measured.

use comfy_table::{CellAlignment, Row, Table, presets};

use super::budgets::{self, Kind};
use super::record::{Figure, Findings};
use super::words;

/// The table of all scenarios.
pub(crate) fn render(scenarios: &[(&str, &Findings)], short: bool) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.set_header(["", "MEDIAN", "RANGE", "BUDGET", "MET"]);
    for (name, findings) in scenarios {
        table.add_row(Row::from([(*name).to_owned()]));
        for figure in findings.figures.iter().filter(|figure| !figure.detail) {
            table.add_row(Row::from(line(figure, short)));
        }
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        column.set_cell_alignment(if index == 1 { CellAlignment::Right } else { CellAlignment::Left });
    }
    table.trim_fmt()
}

fn line(figure: &Figure, short: bool) -> [String; 5] {
    let show = |value| words::figure(figure.unit, value);
    let spread = &figure.spread;
    let range = if spread.rounds > 1 {
        format!("{} to {}", show(spread.min), show(spread.max))
    } else {
        String::new()
    };
    let budget = budgets::of(&figure.id, short);
    let met = budget.map_or("", |budget| match (budget.is_met(figure), budget.kind) {
        (true, _) => "yes",
        (false, Kind::Goal) => "NO",
        (false, Kind::Invariant | Kind::Floor) => "BROKEN",
    });
    [
        format!("  {}", figure.title),
        show(spread.median),
        range,
        budget.map(|budget| words::limit(budget, figure.unit)).unwrap_or_default(),
        met.to_owned(),
    ]
}

/// What is broken, in sentences; nothing when the report is good.
pub(crate) fn broken(scenarios: &[(&str, &Findings)], short: bool) -> Vec<String> {
    let figures = scenarios.iter().flat_map(|(_, findings)| &findings.figures);
    let broken = figures.filter_map(|figure| {
        let budget = budgets::of(&figure.id, short)?;
        (budget.is_fatal() && !budget.is_met(figure)).then(|| {
            let (value, limit) = (words::figure(figure.unit, figure.spread.median), words::limit(budget, figure.unit));
            format!("{}: {value}, and it has to be {limit}: {}", figure.title, budget.why)
        })
    });
    broken.collect()
}

#[cfg(test)]
mod tests {
    use super::super::record::Unit;
    use super::*;

    fn findings() -> Findings {
        let mut findings = Findings::default();
        findings.add("throughput.ratio", "Tidings' rate, of the relay's", Unit::Part, [0.5, 0.7, 0.4]);
        findings.add("throughput.lost", "Lost", Unit::Count, [2.0]);
        findings.add("throughput.raw.rate", "Raw", Unit::PerSecond, [44_000.0]);
        findings
    }

    #[test]
    fn a_figure_stands_beside_its_range_its_budget_and_whether_it_is_met() {
        let text = render(&[("throughput", &findings())], false);
        let lines: Vec<Vec<_>> = text
            .lines()
            .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
            .collect();
        assert_eq!(lines[0], ["MEDIAN", "RANGE", "BUDGET", "MET"]);
        assert_eq!(lines[1], ["throughput"]);
        assert_eq!(lines[2], ["Tidings' rate, of the relay's", "50 %", "40 % to 70 %", "≥ 60 %", "NO"]);
        assert_eq!(lines[3], ["Lost", "2", "0", "BROKEN"]);
        assert_eq!(lines[4], ["Raw", "44,000/s"]);
    }

    #[test]
    fn a_missed_goal_does_not_break_a_report_and_a_broken_promise_does() {
        let broken = broken(&[("throughput", &findings())], false);
        assert_eq!(broken.len(), 1);
        assert!(
            broken[0].starts_with("Lost: 2, and it has to be 0: an accepted event"),
            "{broken:?}"
        );
    }
}
