//! How long a file of Rust may be, its tests at the end not counted.

use super::Finding;

/// Lines above which a file is worth splitting.
const WARN_ABOVE: usize = 500;
/// Lines above which a file is not accepted.
const FAIL_ABOVE: usize = 800;

/// Whether the file is too long; `code` is its text without comments' and literals' contents.
pub(super) fn check(path: &str, code: &str) -> Option<Finding> {
    let lines = lines_before_tests(code);
    if lines > FAIL_ABOVE {
        Some(Finding::error(
            path,
            format!("{lines} lines without its tests, at most {FAIL_ABOVE}: split it"),
        ))
    } else if lines > WARN_ABOVE {
        Some(Finding::warning(
            path,
            format!("{lines} lines without its tests, aim for {WARN_ABOVE} at most"),
        ))
    } else {
        None
    }
}

/// Lines up to the module of unit tests, which comes last in a file.
fn lines_before_tests(code: &str) -> usize {
    let mut lines = code.lines().enumerate().peekable();
    while let Some((before, line)) = lines.next() {
        let inline_module = |next: &&str| next.starts_with("mod ") && next.trim_end().ends_with('{');
        if line.starts_with("#[cfg(test)]") && lines.peek().map(|(_, next)| next).is_some_and(inline_module) {
            return before;
        }
    }
    code.lines().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_warned_about_and_a_very_long_one_refused() {
        assert_eq!(check("a.rs", &"x\n".repeat(WARN_ABOVE)), None);
        let warning = check("a.rs", &"x\n".repeat(WARN_ABOVE + 1)).unwrap();
        assert_eq!(
            warning.to_string(),
            "warning: a.rs: 501 lines without its tests, aim for 500 at most"
        );
        let error = check("a.rs", &"x\n".repeat(FAIL_ABOVE + 1)).unwrap();
        assert_eq!(error.to_string(), "error: a.rs: 801 lines without its tests, at most 800: split it");
    }

    #[test]
    fn unit_tests_do_not_count_but_a_test_only_item_does_not_end_the_count() {
        let code = format!(
            "#[cfg(test)]\nuse x;\n{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            "y\n".repeat(98),
            "z\n".repeat(900)
        );
        assert_eq!(lines_before_tests(&code), 100);
    }
}
