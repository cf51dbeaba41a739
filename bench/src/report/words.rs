//! Numbers as people read them.

use super::budgets::{Budget, Comparison};
use super::record::Unit;

/// A whole number with a comma at every thousand.
pub(crate) fn counted(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A figure with its unit: three digits say enough.
pub(crate) fn figure(unit: Unit, value: f64) -> String {
    let sign = if value < 0.0 { "−" } else { "" };
    let value = value.abs();
    let shown = match unit {
        Unit::Count => digits(value),
        Unit::PerSecond => format!("{}/s", digits(value)),
        Unit::Microseconds => scaled(value, [(1e6, "s"), (1e3, "ms"), (1.0, "µs")]),
        Unit::Bytes if value < 1e3 => format!("{value:.0} B"),
        Unit::Bytes => scaled(value, [(1e9, "GB"), (1e6, "MB"), (1e3, "kB")]),
        Unit::Part => format!("{} %", digits(value * 100.0)),
        Unit::Times => format!("{value:.2} ×"),
    };
    format!("{sign}{shown}")
}

/// A limit with the side on which to be.
pub(crate) fn limit(budget: &Budget, unit: Unit) -> String {
    let sign = match budget.comparison {
        Comparison::AtMost if budget.limit == 0.0 => return figure(unit, 0.0),
        Comparison::AtMost => "≤",
        Comparison::AtLeast => "≥",
    };
    format!("{sign} {}", figure(unit, budget.limit))
}

/// Three digits that count, or a whole number.
fn digits(value: f64) -> String {
    if value >= 100.0 || value.fract() == 0.0 {
        counted(value.round() as u64)
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

/// In the largest unit of which there is at least one.
fn scaled(value: f64, units: [(f64, &str); 3]) -> String {
    let unit = units.iter().find(|(size, _)| value >= *size);
    let (size, name) = unit.unwrap_or(&units[2]);
    format!("{} {name}", digits(value / size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0, 999, 1_000, 12_345, 1_000_000].map(counted),
            ["0", "999", "1,000", "12,345", "1,000,000"]
        );
    }

    #[test]
    fn a_figure_is_shown_in_a_unit_that_fits_it() {
        let shown = [
            (Unit::PerSecond, 17_234.5),
            (Unit::Microseconds, 47.26),
            (Unit::Microseconds, 1_840.0),
            (Unit::Microseconds, -250.4),
            (Unit::Microseconds, 12_300_000.0),
            (Unit::Bytes, 812.0),
            (Unit::Bytes, 23_400_000.0),
            (Unit::Part, 0.634),
            (Unit::Times, 1.119),
            (Unit::Count, 0.134),
            (Unit::Count, 3.0),
        ];
        assert_eq!(
            shown.map(|(unit, value)| figure(unit, value)),
            [
                "17,235/s",
                "47.3 µs",
                "1.84 ms",
                "−250 µs",
                "12.3 s",
                "812 B",
                "23.4 MB",
                "63.4 %",
                "1.12 ×",
                "0.13",
                "3"
            ]
        );
    }
}
