//! An attempt as a command that sends the same request again, from any shell.

use tidings_app::MASKED;

/// What curl writes itself, from the URL and the body.
const WRITTEN_BY_CURL: [&str; 3] = ["host", "content-length", "connection"];
/// What curl adds unless it is told not to.
const ADDED_BY_CURL: [&str; 2] = ["accept", "user-agent"];
/// Curl asks before it sends a body of this size, in bytes, and Tidings does not.
const ASKS_BEFORE: usize = 1024 * 1024;

/// The command. It sends that body with those headers, byte by byte, and nothing of curl's own.
pub(super) fn command(url: &str, headers: &[(String, String)], body: &[u8]) -> String {
    let mut lines = vec![format!("curl --globoff --include --request POST {}", quoted(url))];
    for (name, value) in headers.iter().filter(|(name, _)| !is_one_of(&WRITTEN_BY_CURL, name)) {
        let header = if value.is_empty() {
            format!("{name};")
        } else {
            format!("{name}: {value}")
        };
        lines.push(format!("--header {}", quoted(&header)));
    }
    let is_sent = |name: &str| headers.iter().any(|(sent, _)| sent.eq_ignore_ascii_case(name));
    for name in ADDED_BY_CURL.iter().filter(|name| !is_sent(name)) {
        lines.push(format!("--header '{name}:'"));
    }
    if body.len() > ASKS_BEFORE {
        lines.push("--header 'expect:'".to_owned());
    }
    lines.push(format!("--data-raw {}", quoted(&String::from_utf8_lossy(body))));
    lines.join(" \\\n  ")
}

/// Headers whose values were not kept.
pub(super) fn masked(headers: &[(String, String)]) -> Vec<String> {
    let masked = headers.iter().filter(|(_, value)| value == MASKED);
    masked.map(|(name, _)| name.clone()).collect()
}

fn is_one_of(names: &[&str], name: &str) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

/// One word of a shell, whatever it contains.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(headers: &[(&str, &str)]) -> Vec<(String, String)> {
        headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn no_text_leaves_its_quotes() {
        let sent = headers(&[("content-type", "application/json"), ("x-note", "it's $HOME `id`"), ("x-empty", "")]);
        let command = command("https://example.com/in?a=1&b=[2]", &sent, br#"{"a":"it's \"quoted\" $(id)"}"#);
        let expected = r#"curl --globoff --include --request POST 'https://example.com/in?a=1&b=[2]' \
  --header 'content-type: application/json' \
  --header 'x-note: it'\''s $HOME `id`' \
  --header 'x-empty;' \
  --header 'accept:' \
  --header 'user-agent:' \
  --data-raw '{"a":"it'\''s \"quoted\" $(id)"}'"#;
        assert_eq!(command, expected);
    }

    #[test]
    fn what_curl_writes_itself_is_left_to_it_and_what_was_sent_is_not_taken_away() {
        let sent = headers(&[
            ("Host", "example.com"),
            ("content-length", "2"),
            ("user-agent", "Tidings/1"),
            ("authorization", MASKED),
        ]);
        let command = command("https://example.com/", &sent, b"{}");
        assert!(!command.contains("example.com'\n") && !command.to_lowercase().contains("host:") && !command.contains("content-length"));
        assert!(command.contains("--header 'user-agent: Tidings/1'") && !command.contains("'user-agent:'"));
        assert_eq!(masked(&sent), ["authorization"]);
    }
}
