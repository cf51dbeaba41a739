//! The import matrix: which crate of the workspace may know which. Tests may know any, so dev-dependencies are not looked at.

use std::path::Path;

use anyhow::Context;
use cargo_metadata::{DependencyKind, MetadataCommand};

use super::Finding;

/// What a room may import.
enum Allowed {
    /// These and nothing else of ours.
    Only(&'static [&'static str]),
    /// Every room but those that exist for tests.
    EveryRoom,
    /// Whatever it likes: it is for tests, and nobody may import it.
    TestsOnly,
}

/// Every room, with what it may import. The prefix `tidings-` is left out.
const MATRIX: [(&str, Allowed); 18] = [
    ("model", Allowed::Only(&[])),
    ("signing", Allowed::Only(&["model"])),
    ("runtime", Allowed::Only(&["model"])),
    ("store", Allowed::Only(&["model", "runtime"])),
    ("store-sqlite", Allowed::Only(&["model", "runtime", "store"])),
    ("store-postgres", Allowed::Only(&["model", "runtime", "store"])),
    ("egress", Allowed::Only(&["model", "runtime", "signing"])),
    ("engine", Allowed::Only(&["model", "runtime", "signing", "store"])),
    // `signing` beyond engine's reach: app seals secrets and hashes credentials before they get to a store.
    ("app", Allowed::Only(&["engine", "model", "runtime", "signing", "store"])),
    ("server", Allowed::Only(&["app", "model", "runtime"])),
    ("portal", Allowed::Only(&["app", "model", "runtime"])),
    ("client", Allowed::Only(&[])),
    ("tidings", Allowed::EveryRoom),
    ("testkit", Allowed::TestsOnly),
    ("sim", Allowed::TestsOnly),
    ("trials", Allowed::TestsOnly),
    ("bench", Allowed::TestsOnly),
    ("xtask", Allowed::Only(&[])),
];

/// A crate of the workspace and the crates of the workspace that it imports, both by their room.
#[derive(Debug)]
pub(super) struct Crate {
    room: String,
    imports: Vec<String>,
}

/// The crates of the workspace at `root`, by their manifests.
///
/// # Errors
/// When cargo cannot read the manifests.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<Crate>> {
    let metadata = MetadataCommand::new()
        .manifest_path(root.join("Cargo.toml"))
        .no_deps()
        .exec()
        .context("cannot read the manifests")?;
    let crates = metadata.packages.iter().map(|package| Crate {
        room: room(&package.name).to_owned(),
        imports: package
            .dependencies
            .iter()
            // Only what lies in this repository has a path.
            .filter(|dependency| dependency.kind != DependencyKind::Development && dependency.path.is_some())
            .map(|dependency| room(&dependency.name).to_owned())
            .collect(),
    });
    Ok(crates.collect())
}

/// Every crate that the matrix does not know, and every import that it does not allow.
pub(super) fn check(crates: &[Crate]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Crate { room, imports } in crates {
        let Some(allowed) = allowed(room) else {
            findings.push(Finding::error(
                room,
                "this crate is not in the import matrix (xtask/src/tidy/imports.rs)",
            ));
            continue;
        };
        for import in imports {
            let fine = match allowed {
                Allowed::Only(rooms) => rooms.contains(&import.as_str()),
                Allowed::EveryRoom => !is_for_tests(import),
                Allowed::TestsOnly => true,
            };
            if !fine {
                findings.push(Finding::error(room, format!("may not import {import}")));
            }
        }
    }
    findings
}

fn allowed(room: &str) -> Option<&'static Allowed> {
    MATRIX.iter().find(|(name, _)| *name == room).map(|(_, allowed)| allowed)
}

fn is_for_tests(room: &str) -> bool {
    matches!(allowed(room), Some(Allowed::TestsOnly))
}

fn room(package: &str) -> &str {
    package.strip_prefix("tidings-").unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(room: &str, imports: &[&str]) -> Vec<String> {
        let imports = imports.iter().map(|&import| import.to_owned()).collect();
        let room = room.to_owned();
        check(&[Crate { room, imports }]).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_server_reaches_the_store_only_through_the_app() {
        assert_eq!(findings("server", &["app", "model", "runtime"]), Vec::<String>::new());
        assert_eq!(
            findings("server", &["app", "store", "egress"]),
            ["error: server: may not import store", "error: server: may not import egress"]
        );
    }

    #[test]
    fn what_is_for_tests_is_in_no_binary_and_may_import_anything() {
        assert_eq!(findings("tidings", &["app", "store-sqlite", "egress"]), Vec::<String>::new());
        assert_eq!(findings("tidings", &["testkit"]), ["error: tidings: may not import testkit"]);
        assert_eq!(findings("engine", &["testkit"]), ["error: engine: may not import testkit"]);
        assert_eq!(findings("testkit", &["server", "store-sqlite"]), Vec::<String>::new());
    }

    #[test]
    fn a_crate_that_the_matrix_does_not_know_is_a_finding() {
        assert_eq!(findings("utilities", &[]).len(), 1);
    }

    #[test]
    fn the_matrix_names_only_rooms_that_it_lists() {
        for (_, allowed_here) in &MATRIX {
            if let Allowed::Only(rooms) = allowed_here {
                assert!(rooms.iter().all(|room| allowed(room).is_some()), "{rooms:?}");
            }
        }
    }
}
