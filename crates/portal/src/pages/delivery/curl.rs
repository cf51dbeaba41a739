//! An attempt as a command that sends the same request again, from any shell.

use tidings_app::MASKED;

/// What curl writes itself, from the URL and the body.
const WRITTEN_BY_CURL: [&str; 3] = ["host", "content-length", "connection"];
/// What curl adds unless it is told not to.
const ADDED_BY_CURL: [&str; 2] = ["accept", "user-agent"];
/// Curl asks before it sends a body of this size, in bytes, and Tidings does not.
const ASKS_BEFORE: usize = 1024 * 1024;
/// Longest body, in bytes, that curl gets as an argument: Linux takes none of 128 KiB. What a shell writes itself has no such bound.
const ARGUMENT_BYTES_MAX: usize = 100_000;

/// The command. It sends that body with those headers, byte by byte, and nothing of curl's own.
pub(super) fn command(url: &str, headers: &[(String, String)], body: &[u8]) -> String {
    let is_argument = body.len() <= ARGUMENT_BYTES_MAX;
    let mut lines = Vec::new();
    let text = quoted(&String::from_utf8_lossy(body));
    if !is_argument {
        lines.push(format!("printf %s {text} |"));
    }
    lines.push(format!("curl --globoff --include --request POST {}", quoted(url)));
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
    lines.push(if is_argument {
        format!("--data-raw {text}")
    } else {
        "--data-binary @-".to_owned()
    });
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
    use std::process::Command;

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

    /// What a shell that runs the command hands to curl as the body.
    fn handed_over(body: &str) -> String {
        let command = command("https://example.com/", &[], body.as_bytes());
        let curl = r#"curl() { for last; do :; done; if [ "$last" = @- ]; then cat; else printf %s "$last"; fi; }"#;
        let ran = Command::new("sh").args(["-euc", &format!("{curl}\n{command}")]).output().unwrap();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap()
    }

    #[test]
    fn a_shell_hands_over_any_body_as_it_is_whether_as_an_argument_or_not() {
        let hard = [
            "",
            "'",
            "''\"'",
            r"\",
            r"\n\\'\0101",
            "a\nb\n\n",
            "é 日本 🦀",
            "%s %d %% %",
            "-n",
            "--help",
            "@file",
            "$(exit 1) `exit 1` $HOME",
            "! * ~ &",
            "\t \r",
        ];
        for start in hard {
            assert_eq!(handed_over(start), start);
            let long = format!("{start}{}{start}", "x".repeat(ARGUMENT_BYTES_MAX));
            assert!(handed_over(&long) == long, "{start}");
        }
    }

    #[test]
    fn a_body_that_is_too_long_for_an_argument_is_written_by_the_shell() {
        let body = vec![b'x'; ARGUMENT_BYTES_MAX + 1];
        let long = command("https://example.com/", &[], &body);
        assert!(long.starts_with("printf %s 'xx") && long.ends_with("--data-binary @-"));
        assert!(command("https://example.com/", &[], &body[1..]).starts_with("curl "));
    }
}
