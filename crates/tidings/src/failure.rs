//! How a command fails: what is said, and the status that the process ends with (those of sysexits.h, so that scripts can tell them apart).

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use tidings_app::Code;
use tidings_app::keys::{KeeperError, MissingKey};
use tidings_client::{Error, Problem};
use tidings_engine::StartError;
use tidings_signing::MintError;
use tidings_store::StoreError;
use tidings_store::transfer::TransferError;
use tidings_store_postgres::OpenError as DatabaseError;
use tidings_store_sqlite::{BackupError, OpenError, RestoreError};
use url::Url;

use crate::config::ConfigError;
use crate::data_folder::DataFolderError;
use crate::key_files::KEY_FILE;
use crate::listen::ListenError;
use crate::node::NodeError;
use crate::output::{printable, say};

/// What a command gives.
pub(crate) type Outcome = Result<(), CommandError>;

/// A command that did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    /// It was asked wrongly.
    #[error("{0}")]
    Usage(String),
    /// The configuration cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The data folder cannot be used.
    #[error(transparent)]
    DataFolder(#[from] DataFolderError),
    /// A file that was named cannot be read.
    #[error("cannot read {path}: {source}")]
    Input {
        /// The file; `-` is standard input.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// The data cannot be written.
    #[error("cannot write to standard output: {0}")]
    Output(#[from] io::Error),
    /// A node could not start.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// The receiver could not listen.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// Nothing says as whom to ask.
    #[error("nothing says who you are to {url}: set TIDINGS_CLIENT_ID and TIDINGS_CLIENT_SECRET, or TIDINGS_TOKEN; or {instead}")]
    Nobody {
        /// The server.
        url: Url,
        /// What would make a credential needless.
        instead: String,
    },
    /// There is a data folder, perhaps, and no server on it.
    #[error("no server runs on {folder}: start one with `tidings serve --data {folder}`, or name one with --server or TIDINGS_URL")]
    NotRunning {
        /// The data folder.
        folder: PathBuf,
    },
    /// The server did not answer in time.
    #[error("the server at {url} did not answer within {} s; --timeout-seconds gives it longer", limit.as_secs())]
    TimedOut {
        /// The server.
        url: Url,
        /// How long it was given.
        limit: Duration,
    },
    /// The server refused, or could not be asked.
    #[error(transparent)]
    Asking(#[from] Error),
    /// The master key is not changed here, or what a change needs cannot be written.
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// A change of the master key has to wait for another one.
    #[error("{0}")]
    KeysChanging(String),
    /// A master key that is needed was not given.
    #[error(transparent)]
    MissingKey(#[from] MissingKey),
    /// A local token could not be made.
    #[error(transparent)]
    Minting(#[from] MintError),
    /// There is nothing to look at or to make a backup of.
    #[error("there is no database in {folder}: name the data folder of a server with --data")]
    NoDatabase {
        /// The data folder.
        folder: PathBuf,
    },
    /// There is nothing to move.
    #[error(
        "there is nothing of Tidings in {place}: name the data folder of a server, or the postgres:// URL of its database, with --from"
    )]
    NothingToMove {
        /// The folder or the database, as people name it.
        place: String,
    },
    /// A backup could not be made.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// A backup could not be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
    /// The database of a data folder cannot be looked at.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A PostgreSQL database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// A store was not moved.
    #[error(transparent)]
    Transfer(#[from] TransferError),
    /// Looking at it failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It was done, and the answer is no. What there is to say is said.
    #[error("the answer is no")]
    No,
    /// Anything else.
    #[error("{}", told_once(.0))]
    Other(#[from] anyhow::Error),
}

/// The statuses of sysexits.h that are used here.
mod sysexits {
    pub(super) const USAGE: u8 = 64;
    pub(super) const DATA: u8 = 65;
    pub(super) const NO_INPUT: u8 = 66;
    pub(super) const UNAVAILABLE: u8 = 69;
    pub(super) const SOFTWARE: u8 = 70;
    pub(super) const CANNOT_CREATE: u8 = 73;
    pub(super) const IO: u8 = 74;
    pub(super) const TRY_AGAIN: u8 = 75;
    pub(super) const NO_PERMISSION: u8 = 77;
    pub(super) const CONFIG: u8 = 78;
}

/// What the statuses mean, for the help: the one place that says so.
pub(crate) const STATUSES: &str = "\
Exit status:
  0   done
  1   the answer is no: a test that did not pass, a doctor or a verification
      that found something
  64  wrong usage
  65  the server refused what was sent, or the database or the backup is
      damaged, foreign, or of another version
  66  a file that is named cannot be read, or there is nothing to back up, to
      verify or to move
  69  no server or database can be reached, or the address to listen on
      cannot be had
  70  a fault
  73  the data folder or a file cannot be made or written: a full disk, for
      one, or something that is there already
  74  output cannot be written
  75  try again: no answer in time, another server has the data folder or the
      store that is to be moved, nodes of an older version serve the
      database, or the master key is being changed already
  77  not allowed, the master key can be read by others, or the data folder
      belongs to another user
  78  wrong configuration, or a master key is missing, is another one, or is
      not this server's to change, or the store was moved or is being moved";

/// The status for a command line that cannot be understood.
pub(crate) const USAGE_STATUS: u8 = sysexits::USAGE;

impl CommandError {
    /// Says what happened, and gives the status to end with.
    pub(crate) fn report(&self) -> ExitCode {
        match self {
            // Whoever read the output has seen enough of it.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return ExitCode::SUCCESS,
            Self::No => {}
            _ => say(&format!("tidings: {}", self.words())),
        }
        ExitCode::from(self.status())
    }

    fn words(&self) -> String {
        match self {
            Self::Asking(Error::Problem(problem)) => problem_in_words(problem),
            Self::Asking(error @ Error::Unreachable { refused: true, .. }) => format!(
                "{}\nNo server is running there. Start one with `tidings serve`, or name another with --server or TIDINGS_URL.",
                printable(&error.to_string())
            ),
            Self::Asking(error) => printable(&error.to_string()),
            Self::Node(NodeError::Open(error @ OpenError::Changed { .. }))
            | Self::Backup(BackupError::Source(error @ OpenError::Changed { .. }))
            | Self::Open(error @ OpenError::Changed { .. }) => {
                format!(
                    "{error}\nUse the build that made it. If there was none, it is damaged: restore it from a copy made by `tidings backup`."
                )
            }
            Self::Restore(error @ RestoreError::WrongKey { .. }) => {
                format!(
                    "{error}: nothing was restored. Put the key that was kept with the backup into the folder as {KEY_FILE}, or give it as TIDINGS_MASTER_KEY; \
                     beside a newer key, as TIDINGS_OLD_MASTER_KEY."
                )
            }
            other => other.to_string(),
        }
    }

    fn status(&self) -> u8 {
        match self {
            Self::No => 1,
            Self::Usage(_) => sysexits::USAGE,
            Self::Config(error) if error.is_usage() => sysexits::USAGE,
            Self::Config(error) if error.is_unreadable() => sysexits::NO_INPUT,
            Self::Nobody { .. } => sysexits::NO_PERMISSION,
            Self::NotRunning { .. } => sysexits::UNAVAILABLE,
            Self::Config(_) | Self::Keeper(KeeperError::Given) | Self::MissingKey(_) => sysexits::CONFIG,
            Self::DataFolder(error) => status_of_folder(error),
            Self::Backup(error) => status_of_backup(error),
            Self::Restore(error) => status_of_restore(error),
            Self::Open(error) => status_of_store(error),
            Self::Database(error) => status_of_database(error),
            Self::Transfer(error) => status_of_transfer(error),
            Self::Store(StoreError::Damaged(_)) => sysexits::DATA,
            Self::Node(error) => status_of_node(error),
            Self::Listen(error) => status_of_port(error),
            Self::Input { .. } | Self::NoDatabase { .. } | Self::NothingToMove { .. } => sysexits::NO_INPUT,
            Self::Output(_) => sysexits::IO,
            Self::Keeper(KeeperError::Failed(_)) => sysexits::CANNOT_CREATE,
            Self::KeysChanging(_) | Self::TimedOut { .. } | Self::Store(StoreError::Unavailable(_)) => sysexits::TRY_AGAIN,
            Self::Asking(error) => status_of(error),
            Self::Minting(_) | Self::Other(_) => sysexits::SOFTWARE,
        }
    }
}

/// Why a server did not start: what has to change before it can.
fn status_of_node(error: &NodeError) -> u8 {
    match error {
        NodeError::Listen(error) => status_of_port(error),
        NodeError::DataFolder(error) => status_of_folder(error),
        NodeError::Open(error) => status_of_store(error),
        NodeError::Database(error) => status_of_database(error),
        NodeError::Engine(StartError::WrongMasterKey { .. } | StartError::OldKeyMissing { .. }) | NodeError::Egress(_) => sysexits::CONFIG,
        NodeError::Engine(StartError::Store(error)) | NodeError::Store(error) => match error {
            StoreError::Damaged(_) => sysexits::DATA,
            // Nobody else uses the store of a start: what stands in its way is the disk.
            StoreError::Unavailable(_) => sysexits::CANNOT_CREATE,
        },
        NodeError::FirstStart(problem) if problem.code == Code::Unavailable => sysexits::CANNOT_CREATE,
        NodeError::FirstStart(_) => sysexits::SOFTWARE,
    }
}

fn status_of_port(error: &ListenError) -> u8 {
    if error.is_forbidden() {
        sysexits::NO_PERMISSION
    } else {
        sysexits::UNAVAILABLE
    }
}

fn status_of_folder(error: &DataFolderError) -> u8 {
    match error {
        DataFolderError::Unusable { .. } | DataFolderError::Taken { .. } => sysexits::CANNOT_CREATE,
        DataFolderError::Readable { .. } => sysexits::NO_PERMISSION,
        DataFolderError::Owner(error) => status_of_store(error),
        DataFolderError::KeyElsewhere { .. }
        | DataFolderError::NotAKey { .. }
        | DataFolderError::MoreThanAKey { .. }
        | DataFolderError::NextIsNone { .. }
        | DataFolderError::KeyMissing { .. }
        | DataFolderError::KeysDiffer { .. } => sysexits::CONFIG,
    }
}

fn status_of_database(error: &DatabaseError) -> u8 {
    match error {
        DatabaseError::Refused { .. } | DatabaseError::Unfit { .. } | DatabaseError::Moved { .. } => sysexits::CONFIG,
        DatabaseError::Away { .. } => sysexits::UNAVAILABLE,
        DatabaseError::InUse { .. } => sysexits::TRY_AGAIN,
        DatabaseError::Older { .. } | DatabaseError::Newer { .. } | DatabaseError::Changed { .. } | DatabaseError::Damaged { .. } => {
            sysexits::DATA
        }
    }
}

fn status_of_store(error: &OpenError) -> u8 {
    match error {
        OpenError::Folder { .. } | OpenError::Unavailable { .. } | OpenError::ReadOnly { .. } => sysexits::CANNOT_CREATE,
        OpenError::InUse { .. } | OpenError::Disturbed { .. } => sysexits::TRY_AGAIN,
        OpenError::NotOwner { .. } | OpenError::NotWritable { .. } => sysexits::NO_PERMISSION,
        OpenError::Moved { .. } => sysexits::CONFIG,
        // A scrambled row of the schema's history looks like one of another build.
        OpenError::Damaged { .. } | OpenError::Newer { .. } | OpenError::Older { .. } | OpenError::Changed { .. } => sysexits::DATA,
    }
}

fn status_of_transfer(error: &TransferError) -> u8 {
    let store = |error: &StoreError| match error {
        StoreError::Damaged(_) => sysexits::DATA,
        StoreError::Unavailable(_) => sysexits::TRY_AGAIN,
    };
    match error {
        TransferError::Refused(_) => sysexits::CANNOT_CREATE,
        TransferError::Served(_) => sysexits::TRY_AGAIN,
        TransferError::Source { error, .. } | TransferError::Target { error, .. } => store(error),
        TransferError::Differs(_) => sysexits::DATA,
    }
}

fn status_of_backup(error: &BackupError) -> u8 {
    match error {
        BackupError::Source(error) => status_of_store(error),
        BackupError::Exists(_) | BackupError::Target { .. } | BackupError::Copy(_) => sysexits::CANNOT_CREATE,
        BackupError::Locked => sysexits::TRY_AGAIN,
    }
}

fn status_of_restore(error: &RestoreError) -> u8 {
    match error {
        RestoreError::Folder(error) => status_of_store(error),
        RestoreError::Unreadable { .. } => sysexits::NO_INPUT,
        RestoreError::Exists(_) | RestoreError::Target { .. } => sysexits::CANNOT_CREATE,
        RestoreError::HasLog { .. } | RestoreError::Damaged { .. } | RestoreError::Newer { .. } => sysexits::DATA,
        RestoreError::WrongKey { .. } => sysexits::CONFIG,
    }
}

/// An error and its causes. A cause that the words before it already hold is not said again.
fn told_once(error: &anyhow::Error) -> String {
    error.chain().fold(String::new(), |words, cause| {
        let cause = cause.to_string();
        match words.as_str() {
            "" => cause,
            said if said.contains(&cause) => words,
            said => format!("{said}: {cause}"),
        }
    })
}

fn status_of(error: &Error) -> u8 {
    match error {
        Error::Address { .. } | Error::Unsendable { .. } => sysexits::USAGE,
        Error::Unreachable { .. } | Error::Foreign { .. } => sysexits::UNAVAILABLE,
        Error::Broken { .. } => sysexits::TRY_AGAIN,
        Error::Unreadable(_) => sysexits::SOFTWARE,
        Error::Problem(problem) => match problem.status {
            401 | 403 => sysexits::NO_PERMISSION,
            429 | 503 => sysexits::TRY_AGAIN,
            500.. => sysexits::SOFTWARE,
            _ => sysexits::DATA,
        },
    }
}

/// A refusal as sentences: what is wrong, field by field when it is about fields.
fn problem_in_words(problem: &Problem) -> String {
    let again = problem.retry_after_seconds.map(|seconds| format!("Try again in {seconds} s."));
    let fields = problem.errors.iter();
    let fields = fields.map(|error| format!("  {}: {}", printable(&error.field), printable(&error.message)));
    // The detail of a problem with fields repeats them in one line.
    let repeats = !problem.errors.is_empty() && !problem.title.is_empty();
    let first = printable(if repeats { &problem.title } else { &problem.detail });
    let lines: Vec<_> = std::iter::once(first).chain(fields).chain(again).collect();
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use tidings_client::FieldError;

    use super::*;

    fn problem(status: u16, errors: &[(&str, &str)]) -> Problem {
        let errors = errors.iter().map(|(field, message)| FieldError {
            field: (*field).to_owned(),
            message: (*message).to_owned(),
        });
        Problem {
            kind: String::new(),
            title: "The request cannot be taken".to_owned(),
            status,
            detail: "the detail".to_owned(),
            code: "invalid".to_owned(),
            errors: errors.collect(),
            retry_after_seconds: (status == 503).then_some(2),
        }
    }

    #[test]
    fn a_refusal_is_a_sentence_or_a_line_for_each_field() {
        assert_eq!(problem_in_words(&problem(404, &[])), "the detail");
        assert_eq!(problem_in_words(&problem(503, &[])), "the detail\nTry again in 2 s.");
        assert_eq!(
            problem_in_words(&problem(422, &[("url", "has to be https"), ("secret", "is too short")])),
            "The request cannot be taken\n  url: has to be https\n  secret: is too short"
        );
    }

    #[test]
    fn scripts_can_tell_refusals_apart_by_the_status() {
        let status = |code| CommandError::Asking(Error::Problem(Box::new(problem(code, &[])))).status();
        assert_eq!([422, 404, 401, 403, 503, 500].map(status), [65, 65, 77, 77, 75, 70]);
        assert_eq!(CommandError::No.status(), 1);
    }

    #[test]
    fn a_disk_that_is_full_is_told_alike_at_every_step_of_a_start() {
        let full = || StoreError::Unavailable("database or disk is full".to_owned());
        let steps = [
            NodeError::Engine(StartError::Store(full())),
            NodeError::Store(full()),
            NodeError::FirstStart(full().into()),
        ];
        assert_eq!(steps.map(|error| CommandError::Node(error).status()), [73; 3]);
    }

    #[test]
    fn a_cause_is_told_once() {
        let cause = || io::Error::other("the disk is gone");
        let twice = DataFolderError::Unusable {
            path: "/x".into(),
            source: cause(),
        };
        let words = |error: anyhow::Error| CommandError::Other(error).words();
        assert_eq!(words(twice.into()), "cannot use /x: the disk is gone");
        assert_eq!(words(anyhow::Error::new(cause()).context("no demo")), "no demo: the disk is gone");
    }

    #[test]
    fn a_server_that_is_not_there_is_told_how_to_start() {
        let error = CommandError::Asking(Error::Unreachable {
            url: "http://127.0.0.1:8080/".parse().unwrap(),
            reason: "Connection refused".to_owned(),
            refused: true,
        });
        assert!(error.words().contains("Start one with `tidings serve`"), "{}", error.words());
        assert_eq!(error.status(), 69);
    }
}
