//! No crate of ours can have `unsafe` code: each takes the workspace's lints, which forbid it, or forbids it itself. A package's lints hold for its
//! build script and its tests too.

use anyhow::Context;
use toml::Table;

use super::Finding;

/// What a finding asks for.
const ASK: &str = "write '[lints] workspace = true', or 'unsafe_code = \"forbid\"' under [lints.rust]";

/// Every manifest that leaves room for `unsafe` code.
///
/// # Errors
/// When a manifest cannot be read.
pub(super) fn check(path: &str, text: &str) -> anyhow::Result<Option<Finding>> {
    if path != "Cargo.toml" && !path.ends_with("/Cargo.toml") {
        return Ok(None);
    }
    let manifest: Table = text.parse().with_context(|| format!("cannot read {path}"))?;
    let own = manifest.get("lints").and_then(toml::Value::as_table);
    let workspace = manifest.get("workspace").and_then(toml::Value::as_table);
    let of_workspace = workspace
        .and_then(|workspace| workspace.get("lints"))
        .and_then(toml::Value::as_table);
    if workspace.is_some() && !manifest.contains_key("package") {
        let finding = || Finding::error(path, "the workspace's lints do not forbid unsafe_code");
        return Ok((!forbids(of_workspace)).then(finding));
    }
    let inherits = own.is_some_and(|own| own.get("workspace").and_then(toml::Value::as_bool) == Some(true));
    // A package that is a workspace of its own inherits from itself; any other from the root, which is looked at above.
    let fine = if inherits {
        workspace.is_none() || forbids(of_workspace)
    } else {
        forbids(own)
    };
    Ok((!fine).then(|| Finding::error(path, format!("does not forbid unsafe_code: {ASK}"))))
}

fn forbids(lints: Option<&Table>) -> bool {
    let level = lints.and_then(|lints| lints.get("rust")?.get("unsafe_code"));
    let level = level.map(|level| level.get("level").unwrap_or(level));
    level.and_then(toml::Value::as_str) == Some("forbid")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complains(path: &str, text: &str) -> bool {
        check(path, text).unwrap().is_some()
    }

    #[test]
    fn a_package_takes_the_workspaces_lints_or_forbids_by_itself() {
        let package = "[package]\nname = 'a'\n";
        assert!(complains("crates/a/Cargo.toml", package));
        assert!(complains("fuzz/Cargo.toml", &format!("{package}[lints]\nworkspace = false\n")));
        assert!(complains(
            "fuzz/Cargo.toml",
            &format!("{package}[lints.rust]\nunsafe_code = 'deny'\n")
        ));
        for lints in [
            "[lints]\nworkspace = true",
            "[lints.rust]\nunsafe_code = 'forbid'",
            "[lints.rust]\nunsafe_code = { level = 'forbid' }",
        ] {
            assert!(!complains("crates/a/Cargo.toml", &format!("{package}{lints}\n")), "{lints}");
        }
    }

    #[test]
    fn a_workspace_forbids_and_a_package_that_is_one_cannot_inherit_from_elsewhere() {
        assert!(complains("Cargo.toml", "[workspace]\nmembers = []\n"));
        assert!(!complains("Cargo.toml", "[workspace.lints.rust]\nunsafe_code = 'forbid'\n"));
        let fuzz = "[package]\nname = 'fuzz'\n[lints]\nworkspace = true\n[workspace]\n";
        assert!(complains("fuzz/Cargo.toml", fuzz));
        assert!(!complains(
            "fuzz/Cargo.toml",
            &format!("{fuzz}[workspace.lints.rust]\nunsafe_code = 'forbid'\n")
        ));
    }

    #[test]
    fn only_manifests_are_looked_at_and_a_broken_one_is_said() {
        assert!(!complains("docs/Cargo.toml.md", "x"));
        assert!(check("crates/a/Cargo.toml", "=").is_err());
    }
}
