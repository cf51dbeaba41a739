//! Reads the repository's text files, those that a fresh clone would hold.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// Folders that builds and runs leave behind, wherever they are.
const SKIPPED: [&str; 5] = [".git", "node_modules", "target", "test-output", "tidings-data"];

/// A text file of the repository.
#[derive(Debug)]
pub(super) struct TextFile {
    /// From the root, with `/` between the parts.
    pub(super) path: String,
    /// What it holds.
    pub(super) text: String,
}

impl TextFile {
    /// Whether the rules for Rust code apply.
    pub(super) fn is_rust(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|extension| extension == "rs")
    }
}

/// Every text file under `root`, in the order of their paths.
///
/// # Errors
/// When a folder or a file cannot be read.
pub(super) fn read(root: &Path) -> anyhow::Result<Vec<TextFile>> {
    let mut files = Vec::new();
    read_folder(root, "", &mut files)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}

fn read_folder(root: &Path, folder: &str, files: &mut Vec<TextFile>) -> anyhow::Result<()> {
    for entry in fs::read_dir(root.join(folder)).with_context(|| format!("cannot list '{folder}'"))? {
        let entry = entry?;
        let Ok(name) = entry.file_name().into_string() else { continue };
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        let kind = entry.file_type()?;
        if SKIPPED.contains(&name.as_str()) {
            continue; // in a linked working copy, .git is a file
        }
        if kind.is_dir() {
            read_folder(root, &path, files)?;
        } else if kind.is_file() {
            let bytes = fs::read(entry.path()).with_context(|| format!("cannot read '{path}'"))?;
            // What is not UTF-8 is a picture or other data, and has no text to check.
            if let Ok(text) = String::from_utf8(bytes) {
                files.push(TextFile { path, text });
            }
        }
    }
    Ok(())
}
