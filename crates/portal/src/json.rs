//! JSON as people read it: indented, its parts told apart by colour, every number and text as it was written.

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::markup::Markup;

/// Colours a JSON text, indented; anything else is shown as it is.
pub(crate) fn highlighted(bytes: &[u8]) -> Markup {
    match serde_json::from_slice::<&RawValue>(bytes) {
        Ok(value) => value_at(Markup::default(), value, 0),
        Err(_) => Markup::default().text(visible(&String::from_utf8_lossy(bytes))),
    }
}

/// A JSON text, indented, for editing; anything else as it is.
pub(crate) fn indented(text: &str) -> String {
    let value = serde_json::from_str::<Value>(text);
    let pretty = value.and_then(|value| serde_json::to_string_pretty(&value));
    pretty.unwrap_or_else(|_| text.to_owned())
}

/// The members of an object in their order, their values as they were written.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Read)
    }
}

fn value_at(out: Markup, value: &RawValue, depth: usize) -> Markup {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'{') => match serde_json::from_str::<Members<'_>>(text) {
            Ok(Members(members)) if !members.is_empty() => {
                let item = |out: Markup, (name, member): &(String, &RawValue)| {
                    let name = Value::from(name.as_str()).to_string();
                    let out = out.html("<span class=\"j-name\">").text(visible(&name)).html("</span>: ");
                    value_at(out, member, depth + 1)
                };
                list(out.html("{"), &members, item, depth).html("}")
            }
            _ => out.html("{}"),
        },
        Some(b'[') => match serde_json::from_str::<Vec<&RawValue>>(text) {
            Ok(items) if !items.is_empty() => list(out.html("["), &items, |out, item| value_at(out, item, depth + 1), depth).html("]"),
            _ => out.html("[]"),
        },
        Some(b'"') => out.html("<span class=\"j-text\">").text(visible(text)).html("</span>"),
        Some(b't' | b'f' | b'n') => out.html("<span class=\"j-word\">").text(text).html("</span>"),
        _ => out.html("<span class=\"j-number\">").text(text).html("</span>"),
    }
}

fn list<T>(mut out: Markup, items: &[T], item: impl Fn(Markup, &T) -> Markup, depth: usize) -> Markup {
    for (place, of) in items.iter().enumerate() {
        out = margin(out.html(if place == 0 { "\n" } else { ",\n" }), depth + 1);
        out = item(out, of);
    }
    margin(out.html("\n"), depth)
}

fn margin(mut out: Markup, depth: usize) -> Markup {
    for _ in 0..depth {
        out = out.html("  ");
    }
    out
}

/// What turns the direction of writing is shown by its number: it would turn the words around it too.
fn visible(text: &str) -> String {
    let shown = text.chars().map(|letter| match letter {
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => format!("\\u{:04x}", u32::from(letter)),
        letter => letter.to_string(),
    });
    shown.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(shown: &Markup) -> String {
        let shown = shown.to_string().replace("</span>", "");
        let parts = shown.split("<span class=\"");
        parts.map(|part| part.split_once("\">").map_or(part, |(_, rest)| rest)).collect()
    }

    #[test]
    fn json_is_indented_in_its_own_order_and_anything_else_is_shown_escaped() {
        let shown = highlighted(br#" {"b":"<i>","a":[1, {} ],"c":null} "#);
        assert_eq!(
            text(&shown),
            "{\n  &#34;b&#34;: &#34;&#60;i&#62;&#34;,\n  &#34;a&#34;: [\n    1,\n    {}\n  ],\n  &#34;c&#34;: null\n}"
        );
        assert_eq!(highlighted(b"<b>").to_string(), "&#60;b&#62;");
        assert_eq!(indented("{\"a\":1}"), "{\n  \"a\": 1\n}");
    }

    #[test]
    fn numbers_and_escapes_stay_as_they_were_written_and_nothing_turns_the_line() {
        let shown = text(&highlighted("[12345678901234567890123,1.10,1E5,\"\\u00e9\u{202e}\"]".as_bytes()));
        assert_eq!(
            shown,
            "[\n  12345678901234567890123,\n  1.10,\n  1E5,\n  &#34;\\u00e9\\u202e&#34;\n]"
        );
    }
}
