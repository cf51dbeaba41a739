//! Every crate and every module opens with `//!`: what it owns, and what it may never know.

use super::Finding;

/// Whether the file has to have a head and has none.
pub(super) fn check(path: &str, text: &str) -> Option<Finding> {
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let missing = needs_head(path) && !first.starts_with("//!");
    missing.then(|| Finding::error(path, "begins without '//!': say what the file owns and what it may never know"))
}

/// Modules need one, and crate roots, a folder of integration tests included; the files of such a folder are named by what they test.
fn needs_head(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let in_tests = parts.iter().rposition(|part| *part == "tests");
    let Some(at) = in_tests.filter(|_| !parts.contains(&"src")) else {
        return true;
    };
    matches!(parts[at + 1..], [_] | [_, "main.rs"])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_and_crate_roots_need_a_head() {
        for path in [
            "crates/a/src/lib.rs",
            "crates/a/src/b/tests.rs",
            "crates/a/tests/c.rs",
            "crates/a/tests/it/main.rs",
            "crates/a/build.rs",
        ] {
            assert!(check(path, "\nuse x;\n").is_some(), "{path}");
            assert!(check(path, "//! Owns x.\n\nuse x;\n").is_none(), "{path}");
        }
        assert!(check("crates/a/src/lib.rs", "").is_some());
    }

    #[test]
    fn the_files_of_a_folder_of_tests_do_not() {
        assert!(check("crates/a/tests/it/limits.rs", "use x;\n").is_none());
    }
}
