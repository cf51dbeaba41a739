//! The figures as people read them: what was, what is, what is allowed.

use comfy_table::{CellAlignment, Table, presets};

use super::compare::{Comparison, Figure, Verdict};

/// A call whose number has moved by less is not shown.
const MOVED: f64 = 0.1;

/// A line for each figure, and for each call that has become more or fewer.
pub(super) fn render(comparisons: &[Comparison]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.set_header(["PER EVENT", "", "WAS", "IS", "CHANGE", "ALLOWED", ""]);
    for compared in comparisons {
        for (index, figure) in compared.figures.iter().enumerate() {
            let section = if index == 0 { compared.section } else { "" };
            table.add_row(line(section, figure, figure.name.clone(), said(figure.verdict())));
        }
        for call in compared
            .calls
            .iter()
            .filter(|call| (call.is - call.was.unwrap_or_default()).abs() >= MOVED)
        {
            table.add_row(line("", call, format!("  {}", call.name), ""));
        }
    }
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        let figures = (2..=5).contains(&index);
        column.set_cell_alignment(if figures { CellAlignment::Right } else { CellAlignment::Left });
    }
    table.trim_fmt()
}

fn line(section: &str, figure: &Figure, name: String, said: &str) -> [String; 7] {
    let change = figure
        .was
        .filter(|was| was.abs() > f64::EPSILON)
        .map(|was| (figure.is - was) / was.abs());
    let whole = matches!(figure.name.as_str(), "instructions" | "bytes allocated");
    let show = |value: f64| if whole { thousands(value) } else { format!("{value:.2}") };
    let allowed = if said.is_empty() && name.starts_with(' ') {
        None
    } else {
        figure.allowed()
    };
    [
        section.to_owned(),
        name,
        figure.was.map(show).unwrap_or_default(),
        show(figure.is),
        change.map(|part| format!("{:+.1} %", part * 100.0)).unwrap_or_default(),
        allowed.map(show).unwrap_or_default(),
        said.to_owned(),
    ]
}

const fn said(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::New => "new",
        Verdict::AsBefore => "",
        Verdict::Better => "better: update the file",
        Verdict::Worse => "WORSE",
    }
}

/// A number without its fraction, in groups of three digits.
pub(super) fn thousands(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = if number < -0.5 { "-".to_owned() } else { String::new() };
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::cost::Cost;
    use super::*;

    #[test]
    fn a_figure_stands_beside_what_it_was_and_what_it_may_be() {
        let cost = |instructions, calls| Cost {
            instructions,
            syscalls: BTreeMap::from([("futex".to_owned(), calls)]),
            ..Cost::default()
        };
        let compared = Comparison::new("accept", Some(&cost(204_000.0, 2.0)), &cost(1_234_567.0, 3.0));
        let text = render(&[compared]);
        let cells: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(
            cells[1],
            ["accept", "instructions", "204,000", "1,234,567", "+505.2", "%", "224,400", "WORSE"]
        );
        assert_eq!(cells[6], ["futex", "2.00", "3.00", "+50.0", "%"]);
    }
}
