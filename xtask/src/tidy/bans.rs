//! What code here does not hold: leftovers, silenced lints, drawers without a name, and races that depend on chance.

use super::Finding;

/// Text that code may not hold, and what to do instead.
const BANNED: [(&str, &str); 6] = [
    ("todo!", "finish it, or return an error that says what is missing"),
    ("unimplemented!", "finish it, or return an error that says what is missing"),
    ("dbg!", "remove it"),
    ("#[ignore", "a test runs, or it goes"),
    ("#[allow(", "use #[expect(lint, reason = \"...\")]"),
    ("#![allow(", "use #![expect(lint, reason = \"...\")]"),
];

/// Names that say nothing about what a module owns.
const NAMELESS: [&str; 5] = ["common", "helper", "helpers", "util", "utils"];

/// Every ban that the file breaks; `code` is its text without comments' and literals' contents.
pub(super) fn check(path: &str, code: &str) -> Vec<Finding> {
    let mut findings = banned_text(path, code);
    findings.extend(nameless_module(path, code));
    if path.starts_with("crates/engine/src/") {
        findings.extend(unbiased_select(path, code));
    }
    findings
}

fn banned_text(path: &str, code: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (number, line) in code.lines().enumerate() {
        for (text, instead) in BANNED {
            if stands_alone(line, text) {
                findings.push(Finding::error(at(path, number), format!("'{text}' is banned: {instead}")));
            }
        }
    }
    findings
}

/// Whether the line holds `text`, and not as the end of a longer word.
fn stands_alone(line: &str, text: &str) -> bool {
    line.match_indices(text)
        .any(|(start, _)| !line[..start].ends_with(|c: char| c == '_' || c.is_alphanumeric()))
}

fn nameless_module(path: &str, code: &str) -> Vec<Finding> {
    let own_name = path
        .trim_end_matches(".rs")
        .trim_end_matches("/mod")
        .rsplit('/')
        .next()
        .unwrap_or_default();
    let mut findings = Vec::new();
    if NAMELESS.contains(&own_name) {
        findings.push(nameless(path, own_name));
    }
    for (number, line) in code.lines().enumerate() {
        let inline = line.split_once("mod ").and_then(|(_, rest)| rest.trim_end().strip_suffix('{'));
        if let Some(name) = inline.map(str::trim).filter(|name| NAMELESS.contains(name)) {
            findings.push(nameless(at(path, number), name));
        }
    }
    findings
}

fn nameless(place: impl Into<String>, name: &str) -> Finding {
    Finding::error(place, format!("a module named '{name}' owns nothing: name it by what it holds"))
}

/// `select!` without `biased;` picks a ready branch by chance, which no test can repeat.
fn unbiased_select(path: &str, code: &str) -> Vec<Finding> {
    let unbiased = code.match_indices("select!").filter(|(start, name)| {
        let body = code[start + name.len()..].trim_start().trim_start_matches(['{', '(']);
        !body.trim_start().starts_with("biased;")
    });
    unbiased
        .map(|(start, _)| {
            let number = code[..start].lines().count().saturating_sub(1);
            Finding::error(
                at(path, number),
                "'select!' has to begin with 'biased;': chance is an argument here",
            )
        })
        .collect()
}

/// A place in a file; `number` counts lines from zero.
fn at(path: &str, number: usize) -> String {
    format!("{path}:{}", number + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, code: &str) -> Vec<String> {
        check(path, code).into_iter().map(|finding| finding.place).collect()
    }

    #[test]
    fn leftovers_and_silenced_lints_are_found_in_their_line() {
        let code = "fn f() {\n    todo!()\n}\n#[ignore]\nfn g() { dbg!(1); unimplemented!() }\n#![allow(x)]\n    #[allow(y)]\n";
        assert_eq!(
            findings("src/a.rs", code),
            ["src/a.rs:2", "src/a.rs:4", "src/a.rs:5", "src/a.rs:5", "src/a.rs:6", "src/a.rs:7"]
        );
    }

    #[test]
    fn words_that_only_end_like_a_banned_one_are_fine() {
        assert_eq!(
            findings("src/a.rs", "my_todo!(); #[expect(x)] ignore(); allow();"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn drawers_are_found_by_file_folder_and_inline_module() {
        assert_eq!(findings("src/utils.rs", ""), ["src/utils.rs"]);
        assert_eq!(findings("tests/common/mod.rs", ""), ["tests/common/mod.rs"]);
        assert_eq!(findings("src/a.rs", "\npub(crate) mod helpers {\n"), ["src/a.rs:2"]);
        assert_eq!(findings("src/commonly.rs", "mod utility {"), Vec::<String>::new());
    }

    #[test]
    fn the_engine_selects_in_order() {
        let biased = "tokio::select! {\n    biased;\n    a = b => c,\n}";
        let unbiased = "\n\ntokio::select! {\n    a = b => c,\n}";
        assert_eq!(findings("crates/engine/src/lane.rs", biased), Vec::<String>::new());
        assert_eq!(findings("crates/engine/src/lane.rs", unbiased), ["crates/engine/src/lane.rs:3"]);
        assert_eq!(findings("crates/egress/src/send.rs", unbiased), Vec::<String>::new());
    }
}
