//! How long the parts of an attempt took, as bars under one another.

use tidings_model::Timings;

use crate::markup::Markup;
use crate::words::took;

/// Width of the drawing, in its own units.
const WIDTH: u64 = 1_000;
/// Narrowest bar that is seen.
const BAR_MIN: u64 = 4;

/// The parts, each where it lies in the whole.
pub(crate) fn bars(timings: &Timings) -> Markup {
    let mut out = Markup::of("<div class=\"timings\">");
    for (name, from, length) in parts(timings) {
        out = row(out, name, from, length, timings.total_us);
    }
    row(out, "total", 0, timings.total_us, timings.total_us).html("</div>")
}

/// Name, begin and length in microseconds, of each part that happened.
fn parts(timings: &Timings) -> Vec<(&'static str, u64, u64)> {
    let mut parts = Vec::new();
    let mut at = 0;
    for (name, length) in [("DNS", timings.dns_us), ("connect", timings.connect_us), ("TLS", timings.tls_us)] {
        if let Some(length) = length {
            parts.push((name, at, length));
            at += length;
        }
    }
    if let Some(first_byte) = timings.first_byte_us {
        parts.push(("first byte", at, first_byte.saturating_sub(at)));
        parts.push(("reading", first_byte, timings.total_us.saturating_sub(first_byte)));
    }
    parts
}

fn row(out: Markup, name: &'static str, from: u64, length: u64, total: u64) -> Markup {
    let scaled = |micros: u64| micros.min(total) * WIDTH / total.max(1);
    let width = scaled(length).max(BAR_MIN);
    let x = scaled(from).min(WIDTH - width);
    out.html("<span>")
        .html(name)
        .html("</span><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect x=\"")
        .text(x)
        .html("\" y=\"0\" width=\"")
        .text(width)
        .html("\" height=\"10\"/></svg><span class=\"number\">")
        .text(took(length))
        .html("</span>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_follow_one_another_and_those_that_did_not_happen_are_left_out() {
        let timings = Timings {
            connect_us: Some(100),
            tls_us: Some(300),
            first_byte_us: Some(900),
            total_us: 1_000,
            ..Timings::default()
        };
        let expected = [
            ("connect", 0, 100),
            ("TLS", 100, 300),
            ("first byte", 400, 500),
            ("reading", 900, 100),
        ];
        assert_eq!(parts(&timings), expected);
        assert!(bars(&timings).to_string().contains("x=\"400\" y=\"0\" width=\"500\""));
        assert!(bars(&Timings::default()).to_string().contains("0 µs"));
    }
}
