//! `cargo xtask release`: the binary as it is given away, what it is made of, and how to tell that it arrived whole, in `target/dist`.
//!
//! What is built is the last commit, exported into a folder of its own, with the lock file as it is. Nothing of the machine that builds it gets into
//! it: neither paths nor times, which the command looks for itself.

mod bill;
mod traces;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail, ensure};

use self::traces::Prefix;

/// The package and the binary that are released.
const PACKAGE: &str = "tidings";
/// How to get the tool that writes the bill of materials.
const GET_TOOL: &str = "cannot run cargo-cyclonedx; get it with: cargo install --locked cargo-cyclonedx";

/// Builds, and leaves the binary, its bill of materials and their digests in `out`.
///
/// # Errors
/// When a tool is missing or fails, when the bill lacks a crate, or when the binary tells a path of this machine.
pub(crate) fn run(root: &Path, out: &Path) -> anyhow::Result<()> {
    let release = Release::prepare(root, out)?;
    release.say(&format!("building commit {} for {}", release.commit, release.target))?;
    let built = release.build()?;
    let binary = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    let told = traces::told(&binary, &release.folders);
    ensure!(told.is_empty(), "the binary tells paths of this machine: {}", told.join(", "));
    release.say("writing what it is made of")?;
    let mut tree = release.cargo(&["tree", "--locked", "-p", PACKAGE, "--target", &release.target]);
    let tree = output(tree.args(["--edges", "normal,build", "--prefix", "none", "--format", "{p}"]))?;
    let bill = bill::write(&release, &tree)?;
    let missing = bill::missing(&tree, &bill)?;
    ensure!(missing.is_empty(), "the bill of materials does not name {}", missing.join(", "));
    let told = traces::told(bill.as_bytes(), &release.folders);
    ensure!(
        told.is_empty(),
        "the bill of materials tells paths of this machine: {}",
        told.join(", ")
    );
    release.leave(&built, &bill)
}

/// One release that is being made.
struct Release {
    out: PathBuf,
    /// The commit's files, and nothing else.
    source: PathBuf,
    /// Where cargo builds; kept from release to release.
    build: PathBuf,
    version: String,
    target: String,
    commit: String,
    /// Seconds since 1970 that stand for now in everything that is made: when the commit was made.
    epoch: String,
    /// What is written instead of paths of this machine.
    prefixes: Vec<Prefix>,
    /// Folders of this machine that nothing may tell.
    folders: Vec<PathBuf>,
}

impl Release {
    fn prepare(root: &Path, out: &Path) -> anyhow::Result<Self> {
        let git = |arguments: &[&str]| output(Command::new("git").current_dir(root).args(arguments));
        let rustc = output(Command::new("rustc").arg("-vV"))?;
        let said = |name: &str| rustc.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        let sysroot = PathBuf::from(output(Command::new("rustc").args(["--print", "sysroot"]))?.trim());
        let cargo_home = cargo_home()?;
        let source = root.join("target/dist-source");
        let build = root.join("target/dist-build");
        export(root, &source)?;
        let of_rust = said("commit-hash: ").context("rustc does not say its commit")?;
        let prefixes = vec![
            // The standard library's own paths, also where its sources are installed.
            Prefix::new(sysroot.join("lib/rustlib/src/rust"), format!("/rustc/{of_rust}")),
            Prefix::new(cargo_home.join("registry/src"), "/cargo"),
            Prefix::new(source.clone(), "/tidings"),
            Prefix::new(build.clone(), "/build"),
        ];
        Ok(Self {
            out: out.to_owned(),
            version: version(&source)?,
            target: said("host: ").context("rustc does not say what it builds for")?,
            commit: git(&["rev-parse", "HEAD"])?.trim().to_owned(),
            epoch: git(&["log", "-1", "--format=%ct"])?.trim().to_owned(),
            source,
            build,
            prefixes,
            folders: vec![root.to_owned(), cargo_home, sysroot],
        })
    }

    /// Cargo in the commit's files, with the time and the paths that it may tell.
    fn cargo(&self, arguments: &[&str]) -> Command {
        let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        // No C compiler sees the standard library, which is the first.
        let of_c: Vec<String> = self.prefixes.iter().skip(1).map(Prefix::for_c).collect();
        let of_rust: Vec<String> = self.prefixes.iter().map(Prefix::for_rust).collect();
        cargo
            .current_dir(&self.source)
            .args(arguments)
            .env("SOURCE_DATE_EPOCH", &self.epoch)
            .env("CARGO_ENCODED_RUSTFLAGS", of_rust.join("\u{1f}"))
            .env("CFLAGS", of_c.join(" "))
            .env("CXXFLAGS", of_c.join(" "));
        cargo
    }

    fn build(&self) -> anyhow::Result<PathBuf> {
        let mut build = self.cargo(&["build", "--release", "--locked", "-p", PACKAGE, "--target-dir"]);
        let status = build.arg(&self.build).status().context("cannot run cargo")?;
        ensure!(status.success(), "the build failed, see above");
        Ok(self.build.join("release").join(PACKAGE))
    }

    /// Puts what was made into the folder, with the digests that tell whether it arrived whole.
    fn leave(&self, built: &Path, bill: &str) -> anyhow::Result<()> {
        let binary = format!("{PACKAGE}-{}-{}", self.version, self.target);
        let bill_name = format!("{binary}.cdx.json");
        if self.out.exists() {
            fs::remove_dir_all(&self.out)?;
        }
        fs::create_dir_all(&self.out)?;
        fs::copy(built, self.out.join(&binary))?;
        fs::write(self.out.join(&bill_name), bill)?;
        fs::copy(self.source.join("LICENSE"), self.out.join("LICENSE"))?;
        let sums = output(
            Command::new("sha256sum")
                .current_dir(&self.out)
                .args([&binary, &bill_name, "LICENSE"]),
        )?;
        fs::write(self.out.join("SHA256SUMS"), &sums)?;
        self.say(&format!("in {}:\n{}", self.out.display(), sums.trim_end()))
    }

    #[expect(clippy::unused_self, reason = "what a release says it says in one voice")]
    fn say(&self, words: &str) -> anyhow::Result<()> {
        Ok(writeln!(std::io::stdout().lock(), "release: {words}")?)
    }
}

/// The files of the last commit, in a folder that holds nothing else.
fn export(root: &Path, source: &Path) -> anyhow::Result<()> {
    if source.exists() {
        fs::remove_dir_all(source)?;
    }
    fs::create_dir_all(source)?;
    let mut archive = Command::new("git")
        .current_dir(root)
        .args(["archive", "HEAD"])
        .stdout(Stdio::piped())
        .spawn()?;
    let files = archive.stdout.take().context("git has no output")?;
    let unpacked = Command::new("tar").arg("-xf-").current_dir(source).stdin(files).status()?;
    ensure!(archive.wait()?.success() && unpacked.success(), "cannot export the commit");
    Ok(())
}

fn version(source: &Path) -> anyhow::Result<String> {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(source.join("Cargo.toml"))
        .no_deps()
        .exec()?;
    let package = metadata.packages.iter().find(|package| package.name == PACKAGE);
    Ok(package.context("the workspace has no such package")?.version.to_string())
}

fn cargo_home() -> anyhow::Result<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".cargo"));
    std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or(home)
        .context("neither CARGO_HOME nor HOME is set")
}

/// What a command prints that has to succeed.
fn output(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_program().to_owned();
    let done = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot run {}", name.display()))?;
    if !done.status.success() {
        bail!("{} failed, see above", name.display());
    }
    Ok(String::from_utf8(done.stdout)?)
}
