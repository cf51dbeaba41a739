//! JSON as people read it: indented, its parts told apart by colour.

use serde_json::Value;

use crate::markup::Markup;

/// Colours a JSON text, indented; anything else is shown as it is.
pub(crate) fn highlighted(bytes: &[u8]) -> Markup {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(value) => value_at(Markup::default(), &value, 0),
        Err(_) => Markup::default().text(String::from_utf8_lossy(bytes)),
    }
}

/// A JSON text, indented, for editing; anything else as it is.
pub(crate) fn indented(text: &str) -> String {
    let value = serde_json::from_str::<Value>(text);
    let pretty = value.and_then(|value| serde_json::to_string_pretty(&value));
    pretty.unwrap_or_else(|_| text.to_owned())
}

fn value_at(out: Markup, value: &Value, depth: usize) -> Markup {
    match value {
        Value::Object(members) if !members.is_empty() => {
            let mut out = out.html("{\n");
            for (place, (name, member)) in members.iter().enumerate() {
                out = margin(out, depth + 1)
                    .html("<span class=\"j-name\">")
                    .text(quoted(name))
                    .html("</span>: ");
                out = value_at(out, member, depth + 1).html(if place + 1 < members.len() { ",\n" } else { "\n" });
            }
            margin(out, depth).html("}")
        }
        Value::Array(items) if !items.is_empty() => {
            let mut out = out.html("[\n");
            for (place, item) in items.iter().enumerate() {
                out = margin(out, depth + 1);
                out = value_at(out, item, depth + 1).html(if place + 1 < items.len() { ",\n" } else { "\n" });
            }
            margin(out, depth).html("]")
        }
        Value::Object(_) => out.html("{}"),
        Value::Array(_) => out.html("[]"),
        Value::String(text) => out.html("<span class=\"j-text\">").text(quoted(text)).html("</span>"),
        Value::Number(number) => out.html("<span class=\"j-number\">").text(number).html("</span>"),
        Value::Bool(_) | Value::Null => out.html("<span class=\"j-word\">").text(value).html("</span>"),
    }
}

fn margin(mut out: Markup, depth: usize) -> Markup {
    for _ in 0..depth {
        out = out.html("  ");
    }
    out
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_in_its_own_order_and_anything_else_is_shown_escaped() {
        let shown = highlighted(br#"{"b":"<i>","a":[1,{}],"c":null}"#).to_string();
        let text = shown
            .replace("</span>", "")
            .split("<span class=\"")
            .map(|part| part.split_once("\">").map_or(part, |(_, rest)| rest))
            .collect::<String>();
        assert_eq!(
            text,
            "{\n  &#34;b&#34;: &#34;&#60;i&#62;&#34;,\n  &#34;a&#34;: [\n    1,\n    {}\n  ],\n  &#34;c&#34;: null\n}"
        );
        assert_eq!(highlighted(b"<b>").to_string(), "&#60;b&#62;");
        assert_eq!(indented("{\"a\":1}"), "{\n  \"a\": 1\n}");
    }
}
