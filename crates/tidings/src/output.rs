//! What people and programs read: data on standard output, talk on standard error.
//!
//! Ids, URLs and secrets are never cut or wrapped, so that what is shown can be pasted. Text from elsewhere cannot steer the terminal.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use comfy_table::{Row, Table, presets};
use serde_json::value::RawValue;

/// How data is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs: the JSON of the API as it came.
    Json,
}

/// Talks to people, on standard error. Whether anybody listens does not matter.
pub(crate) fn say(words: &str) {
    let _ = writeln!(io::stderr().lock(), "{words}");
}

/// Prints data, on standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.trim_end_matches('\n').as_bytes())?;
    out.write_all(b"\n")?;
    out.flush()
}

/// A table: one line for each row, however wide.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).force_no_tty();
    table.set_header(header.map(str::to_uppercase));
    for row in rows {
        table.add_row(Row::from(row.map(|cell| printable(&cell))));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.trim_fmt()
}

/// One thing: a line for each of its parts. What is empty is left out.
pub(crate) fn record<'a>(parts: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let parts: Vec<_> = parts.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let width = parts.iter().map(|(name, _)| name.len()).max().unwrap_or_default() + 2;
    let mut text = String::new();
    for (name, value) in parts {
        writeln!(text, "{name:width$}{}", printable(&value)).expect("a string takes everything");
    }
    text
}

/// A text without anything that a terminal would act on.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let steers = c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            let escaped = steers.then(|| c.escape_default());
            let plain = escaped.is_none().then_some(c);
            escaped.into_iter().flatten().chain(plain)
        })
        .collect()
}

/// Lines of what went over the wire, each behind its mark.
pub(crate) fn wire(mark: char, lines: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let lines = lines.into_iter().map(|line| format!("  {mark} {}\n", printable(line.as_ref())));
    lines.collect()
}

/// JSON on one line: without the white space between its parts, and otherwise as it is.
pub(crate) fn one_line(json: &RawValue) -> String {
    let (mut inside, mut escaped) = (false, false);
    let keep = |c: &char| {
        let quote = *c == '"' && !escaped;
        escaped = inside && *c == '\\' && !escaped;
        inside ^= quote;
        inside || !c.is_ascii_whitespace()
    };
    json.get().chars().filter(keep).collect()
}

/// Microseconds for people.
pub(crate) fn milliseconds(microseconds: u64) -> String {
    format!("{}.{} ms", microseconds / 1_000, microseconds % 1_000 / 100)
}

/// What is there, or nothing.
pub(crate) fn or_empty(value: Option<impl ToString>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// Yes or no.
pub(crate) fn yes_no(truth: bool) -> String {
    if truth { "yes" } else { "no" }.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_line_for_each_row_and_cuts_nothing() {
        let url = format!("https://example.com/{}", "a".repeat(300));
        let text = table(
            ["id", "url"],
            [["wh_1".to_owned(), url.clone()], ["wh_long".to_owned(), "x".to_owned()]],
        );
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(
            lines,
            ["ID       URL".to_owned(), format!("wh_1     {url}"), "wh_long  x".to_owned()]
        );
    }

    #[test]
    fn a_record_lines_its_values_up_and_leaves_out_what_is_empty() {
        let text = record([("id", "wh_1".to_owned()), ("tenant", String::new()), ("active", "yes".to_owned())]);
        assert_eq!(text, "id      wh_1\nactive  yes\n");
    }

    #[test]
    fn text_from_elsewhere_cannot_steer_the_terminal() {
        assert_eq!(printable("a\u{1b}[31mred\n\u{202e}"), "a\\u{1b}[31mred\\n\\u{202e}");
        assert_eq!(printable("Zoë 日本"), "Zoë 日本");
    }

    #[test]
    fn json_is_shown_on_one_line_with_its_texts_and_numbers_as_they_are() {
        let json = RawValue::from_string("{\n  \"a b\": [1.0,\t1e2],\n  \"q\": \"x \\\" y \\\\\", \"z\" : 1 }".to_owned()).unwrap();
        assert_eq!(one_line(&json), r#"{"a b":[1.0,1e2],"q":"x \" y \\","z":1}"#);
    }

    #[test]
    fn times_are_shown_in_milliseconds_with_one_place() {
        assert_eq!(
            [milliseconds(0), milliseconds(1_234), milliseconds(61_000_000)],
            ["0.0 ms", "1.2 ms", "61000.0 ms"]
        );
    }
}
