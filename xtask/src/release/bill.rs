//! The bill of materials: every crate that the binary is made of, written by cargo-cyclonedx, and held against what cargo says.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{GET_TOOL, PACKAGE, Release};

/// The name of the tool's files: it writes one into the folder of every package of the workspace.
const NAME: &str = "bill-of-materials";

/// The list of what the portal has from others, from the root of the workspace.
const VENDORED: &str = "crates/portal/assets/vendor/vendor.toml";

/// Has it written, and gives it without paths of this machine and crates that are not in the tree (see [`missing`]).
pub(super) fn write(release: &Release, tree: &str) -> anyhow::Result<String> {
    let manifest = release.source.join("crates").join(PACKAGE).join("Cargo.toml");
    let mut tool = release.cargo(&["cyclonedx", "--quiet", "--format", "json", "--spec-version", "1.5"]);
    let status = tool
        .args(["--target", &release.target, "--override-filename", NAME, "--manifest-path"])
        .arg(&manifest)
        .status()
        .context(GET_TOOL)?;
    ensure!(status.success(), "{GET_TOOL}");
    let file = manifest.with_file_name(format!("{NAME}.json"));
    let bill = fs::read_to_string(&file).with_context(|| format!("cargo-cyclonedx wrote no {}", file.display()))?;
    let bill = release.prefixes.iter().fold(bill, |bill, prefix| prefix.hidden_in(&bill));
    let mut bill: Value = serde_json::from_str(&bill).context("the bill of materials is not JSON")?;
    take_out_others(&mut bill, tree)?;
    let list = release.source.join(VENDORED);
    let list = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    add_vendored(&mut bill, &list)?;
    Ok(format!("{bill:#}\n"))
}

/// Takes out what the tree does not have: the tool takes features as they are of the whole workspace, where tests need more.
fn take_out_others(bill: &mut Value, tree: &str) -> anyhow::Result<()> {
    let crates: BTreeSet<String> = tree.lines().filter_map(crate_of).collect();
    let mut others = BTreeSet::new();
    components_of(bill)?.retain(|component| {
        let stays = name_of(component).is_some_and(|name| crates.contains(&name));
        if !stays {
            others.insert(component["bom-ref"].to_string());
        }
        stays
    });
    let edges = bill["dependencies"]
        .as_array_mut()
        .context("the bill of materials has no dependencies")?;
    edges.retain(|edge| !others.contains(&edge["ref"].to_string()));
    for edge in edges {
        if let Some(on) = edge["dependsOn"].as_array_mut() {
            on.retain(|on| !others.contains(&on.to_string()));
        }
    }
    Ok(())
}

fn components_of(bill: &mut Value) -> anyhow::Result<&mut Vec<Value>> {
    bill["components"].as_array_mut().context("the bill of materials has no components")
}

/// What the binary has from others that is no crate.
#[derive(Deserialize)]
struct Vendored {
    file: Vec<File>,
}

#[derive(Deserialize)]
struct File {
    package: String,
    version: String,
    license: String,
    sha256: String,
}

/// Adds the files of that list, which cargo knows nothing of.
fn add_vendored(bill: &mut Value, list: &str) -> anyhow::Result<()> {
    let list: Vendored = toml::from_str(list).context("cannot read the list of vendored files")?;
    components_of(bill)?.extend(list.file.into_iter().map(|file| {
        let purl = format!("pkg:npm/{}@{}", file.package, file.version);
        json!({
            "type": "library",
            "bom-ref": &purl,
            "name": file.package,
            "version": file.version,
            "scope": "required",
            "hashes": [{"alg": "SHA-256", "content": file.sha256}],
            "licenses": [{"expression": file.license}],
            "purl": &purl,
        })
    }));
    Ok(())
}

/// The crates of a `cargo tree` (one a line, `NAME vVERSION …`) that a bill of materials does not name in that version.
///
/// # Errors
/// When either cannot be read.
pub(super) fn missing(tree: &str, bill: &str) -> anyhow::Result<Vec<String>> {
    let bill: Value = serde_json::from_str(bill).context("the bill of materials is not JSON")?;
    let components = bill["components"].as_array().context("the bill of materials has no components")?;
    let named: BTreeSet<String> = components
        .iter()
        .chain([&bill["metadata"]["component"]])
        .filter_map(name_of)
        .collect();
    let crates: BTreeSet<String> = tree.lines().filter_map(crate_of).collect();
    ensure!(crates.len() > 1, "cargo tree says only {tree:?}");
    Ok(crates.difference(&named).cloned().collect())
}

fn name_of(component: &Value) -> Option<String> {
    Some(format!("{} {}", component["name"].as_str()?, component["version"].as_str()?))
}

fn crate_of(line: &str) -> Option<String> {
    let mut words = line.split_whitespace();
    let (name, version) = (words.next()?, words.next()?);
    Some(format!("{name} {}", version.strip_prefix('v')?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILL: &str = r#"{"metadata": {"component": {"name": "tidings", "version": "0.1.0"}},
        "components": [{"name": "http", "version": "1.5.0"}, {"name": "syn", "version": "2.0.1"}]}"#;

    #[test]
    fn a_crate_is_missing_when_its_name_or_its_version_is() {
        let tree = "tidings v0.1.0 (/x/crates/tidings)\nhttp v1.5.0\nhttp v1.5.0 (*)\nsyn v3.0.0\n\nitoa v1.0.0 (proc-macro)\n";
        assert_eq!(missing(tree, BILL).unwrap(), ["itoa 1.0.0", "syn 3.0.0"]);
        assert_eq!(missing("tidings v0.1.0\nsyn v2.0.1\n", BILL).unwrap(), [""; 0]);
    }

    #[test]
    fn what_is_no_crate_is_named_too() {
        let list = "[[file]]\npackage = 'htmx.org'\nversion = '2.0.11'\nlicense = '0BSD'\nsha256 = 'd6'\n";
        let mut bill = serde_json::from_str(BILL).unwrap();
        add_vendored(&mut bill, list).unwrap();
        let bill = bill.to_string();
        assert_eq!(missing("http v1.5.0\nhtmx.org v2.0.11\n", &bill).unwrap(), [""; 0]);
        assert!(bill.contains("pkg:npm/htmx.org@2.0.11"));
    }

    #[test]
    fn what_only_tests_need_is_taken_out_with_what_leads_to_it() {
        let mut bill = json!({
            "components": [{"bom-ref": "a", "name": "http", "version": "1.5.0"}, {"bom-ref": "b", "name": "proptest", "version": "1.12.0"}],
            "dependencies": [{"ref": "a", "dependsOn": ["b", "c"]}, {"ref": "b", "dependsOn": []}],
        });
        take_out_others(&mut bill, "http v1.5.0\n").unwrap();
        let left = json!({
            "components": [{"bom-ref": "a", "name": "http", "version": "1.5.0"}],
            "dependencies": [{"ref": "a", "dependsOn": ["c"]}],
        });
        assert_eq!(bill, left);
    }

    #[test]
    fn what_says_nothing_is_no_proof() {
        assert!(missing("", BILL).is_err() && missing("tidings v0.1.0\nhttp v1.5.0", "{}").is_err());
    }
}
