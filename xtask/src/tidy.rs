//! `cargo xtask tidy`: runs every check over the repository and reports what breaks a rule.
//!
//! A check is a pure function from text to findings; only this file and [`files`] touch the disk.

mod bans;
mod files;
mod heads;
mod imports;
mod lints;
mod mask;
mod paths;
mod sizes;

use std::fmt;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;

use crate::tidy::files::TextFile;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Severity {
    Warning,
    Error,
}

/// One rule that one place breaks.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    severity: Severity,
    /// A path, or a path and line, or a crate.
    place: String,
    message: String,
}

impl Finding {
    fn error(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            place: place.into(),
            message: message.into(),
        }
    }

    fn warning(place: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(place, message)
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Warning => "warning",
            Severity::Error => "error",
        };
        write!(f, "{severity}: {}: {}", self.place, self.message)
    }
}

/// Checks the repository at `root`, prints the findings, and fails when one of them is an error.
///
/// # Errors
/// When the repository cannot be read.
pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    let files = files::read(root)?;
    let mut findings = imports::check(&imports::read(root)?);
    findings.extend(files.iter().flat_map(check_file));
    for file in &files {
        findings.extend(lints::check(&file.path, &file.text)?);
    }

    let mut out = std::io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    writeln!(
        out,
        "tidy: {} files, {errors} errors, {} warnings",
        files.len(),
        findings.len() - errors
    )?;
    Ok(if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Every check that looks at one file at a time.
fn check_file(file: &TextFile) -> Vec<Finding> {
    let mut findings = paths::check(&file.path, &file.text);
    if file.is_rust() {
        let code = mask::code_only(&file.text);
        findings.extend(sizes::check(&file.path, &code));
        findings.extend(heads::check(&file.path, &file.text));
        findings.extend(bans::check(&file.path, &code));
    }
    findings
}
