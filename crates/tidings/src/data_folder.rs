//! The data folder beside its database: the folder itself, and the note that says where the running server is.
//!
//! Owns: making the folder, what a start or a command needs of it, `server.json`.
//!
//! Never knows: what is in the database, or what the key is used for.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;
use tidings_app::keys::MasterKeys;
use tidings_model::Timestamp;
use tidings_runtime::{Entropy, SystemEntropy};
use tidings_signing::{MasterKey, MasterKeyError};
use tidings_store_sqlite::{FolderOwner, OpenError, is_in_use, is_store_file};

use crate::config::{AskConfig, ServeConfig};
use crate::key_files::{KEY_FILE, NEXT_KEY_FILE, create_key, keys_at_hand, read_key};

/// Where the running server is.
const SERVER_FILE: &str = "server.json";
/// The store's database; only whether it is there is asked here.
pub(crate) const DATABASE_FILE: &str = "tidings.db";
/// Permission bits of everybody but the owner.
pub(crate) const OTHERS: u32 = 0o077;

/// The data folder cannot be used; the message says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataFolderError {
    /// The folder cannot be made, or something in it cannot be read or written.
    #[error("cannot use {path}: {source}")]
    Unusable {
        /// The folder or the file.
        path: PathBuf,
        /// What the operating system says.
        source: io::Error,
    },
    /// Somebody else can read the key.
    #[error(
        "{path} can be read by others (mode {mode:o}): run `chmod 600 {path}`, or give the key as TIDINGS_MASTER_KEY and remove the file"
    )]
    Readable {
        /// The key's file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// What would be made in it would not be its owner's.
    #[error(transparent)]
    Owner(#[from] OpenError),
    /// The key's file does not hold a key.
    #[error("{path}: {source}; put the key back from your backup")]
    NotAKey {
        /// The key's file.
        path: PathBuf,
        /// What is wrong.
        source: MasterKeyError,
    },
    /// The key's file is too long to be one.
    #[error("{path} holds more than a key: put the key back from your backup")]
    MoreThanAKey {
        /// The key's file.
        path: PathBuf,
    },
    /// The next key's file does not hold a key.
    #[error(
        "{path}, which was to take the place of {KEY_FILE}, holds no key: `tidings doctor` says whether something is sealed with it; if not, remove it, else \
         put it back from your backup"
    )]
    NextIsNone {
        /// The next key's file.
        path: PathBuf,
    },
    /// A copy of a key cannot have that name.
    #[error("{path} is there already, and is no copy of the key that is to be replaced: name another file; nothing was changed")]
    Taken {
        /// The file.
        path: PathBuf,
    },
    /// There is a database, so there are secrets, but the key that opens them is gone.
    #[error(
        "{folder} holds a database but no {KEY_FILE}: put {KEY_FILE} back from your backup, or give the key as TIDINGS_MASTER_KEY; a new key could not open the secrets"
    )]
    KeyMissing {
        /// The data folder.
        folder: PathBuf,
    },
    /// Another node made the key that the secrets of the database are sealed with.
    #[error(
        "the secrets of the database are sealed with a master key that is not in {folder}: copy {KEY_FILE} of a node that serves it into that folder, or give \
         the key as TIDINGS_MASTER_KEY"
    )]
    KeyElsewhere {
        /// The data folder.
        folder: PathBuf,
    },
    /// The folder's own key and the given one differ.
    #[error("the given master key is not the one in {path}: remove one of the two, and keep the one that the secrets were sealed with")]
    KeysDiffer {
        /// The key's file.
        path: PathBuf,
    },
}

/// What is known of a folder's master keys before it is opened.
#[derive(Clone, Copy)]
struct Keys<'a> {
    folder: &'a Path,
    given: Option<&'a MasterKey>,
    old: Option<&'a MasterKey>,
    /// Other nodes serve the same store with the same key.
    shared: bool,
    /// Something is sealed already, and a new key could not open it.
    has_secrets: bool,
}

impl<'a> Keys<'a> {
    fn of_server(config: &'a ServeConfig) -> Self {
        Self::of(&config.data, config.master_key.as_ref(), config.old_master_key.as_ref())
    }

    fn of(folder: &'a Path, given: Option<&'a MasterKey>, old: Option<&'a MasterKey>) -> Self {
        Self {
            folder,
            given,
            old,
            shared: false,
            has_secrets: folder.join(DATABASE_FILE).exists(),
        }
    }

    fn missing(&self) -> DataFolderError {
        let folder = self.folder.to_owned();
        if self.shared {
            DataFolderError::KeyElsewhere { folder }
        } else {
            DataFolderError::KeyMissing { folder }
        }
    }
}

/// A data folder that is ready for a server.
#[derive(Debug)]
pub(crate) struct DataFolder {
    path: PathBuf,
    master_keys: MasterKeys,
    /// It had no key before, and now has one that was made for a store which others may have sealed meanwhile.
    made_a_key: bool,
}

impl DataFolder {
    /// Makes the folder when it is not there, and finds its master key: the configured one, else the one in the folder, else a new one.
    pub(crate) fn open(config: &ServeConfig) -> Result<Self, DataFolderError> {
        let folder = Self::prepare(Keys::of_server(config), &SystemEntropy)?;
        // Before the store is locked: a note that a killed server left must not look like that of this one.
        if !is_in_use(folder.path()) {
            folder.withdraw();
        }
        Ok(folder)
    }

    /// The folder of a node whose store is elsewhere. `has_secrets`: something in that store is sealed with a master key already.
    pub(crate) fn open_beside(config: &ServeConfig, has_secrets: bool) -> Result<Self, DataFolderError> {
        let keys = Keys {
            shared: true,
            has_secrets,
            ..Keys::of_server(config)
        };
        let folder = Self::prepare(keys, &SystemEntropy)?;
        folder.withdraw(); // the folder is this node's: the note is of one that was killed
        Ok(folder)
    }

    /// A folder that is there, for a command that works on it without a server.
    pub(crate) fn of_command(config: &AskConfig, entropy: &dyn Entropy) -> Result<Self, DataFolderError> {
        let keys = Keys::of(&config.data, config.master_key.as_ref(), config.old_master_key.as_ref());
        Self::prepare(keys, entropy)
    }

    fn prepare(keys: Keys<'_>, entropy: &dyn Entropy) -> Result<Self, DataFolderError> {
        let path = keys.folder;
        let mut made_a_key = false;
        let unusable = |source| unusable(path, source);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable)?;
        if keys.given.is_none() && read_key(path)?.is_none() {
            if keys.has_secrets {
                return Err(keys.missing());
            }
            create_key(path, entropy)?;
            made_a_key = keys.shared;
            if made_a_key {
                let made = path.join(KEY_FILE);
                tracing::warn!(
                    key = %made.display(),
                    "made the master key of the database: keep a copy of it, and give every other node the same, as its {KEY_FILE} or as TIDINGS_MASTER_KEY"
                );
            }
        }
        let master_keys = keys_at_hand(path, keys.given, keys.old, keys.shared)?;
        Ok(Self {
            path: path.to_owned(),
            master_keys: master_keys.ok_or_else(|| keys.missing())?,
            made_a_key,
        })
    }

    /// The folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The keys that its secrets depend on.
    pub(crate) const fn master_keys(&self) -> &MasterKeys {
        &self.master_keys
    }

    /// Takes back a key that this start made: another node's is the one.
    pub(crate) fn forget_made_key(&self) {
        if self.made_a_key {
            let _ = fs::remove_file(self.path.join(KEY_FILE)); // the next start refuses it all the same
        }
    }

    /// Notes where the server is, for the commands of this machine.
    pub(crate) fn announce(&self, url: &str) -> Result<(), DataFolderError> {
        let note = Announced {
            url: url.to_owned(),
            pid: std::process::id(),
        };
        let path = self.path.join(SERVER_FILE);
        let owner = FolderOwner::of(&self.path)?;
        let write = || -> io::Result<()> {
            let mut file = NamedTempFile::new_in(&self.path)?;
            owner.give(file.as_file())?;
            serde_json::to_writer(&mut file, &note)?;
            file.write_all(b"\n")?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| unusable(&path, source))
    }

    /// Takes the note back. While the store is open the note is this server's own: call it before the store is closed.
    pub(crate) fn withdraw(&self) {
        let _ = fs::remove_file(self.path.join(SERVER_FILE)); // nobody believes a note that stays behind
    }
}

/// Where a server said that it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Announced {
    /// Its address.
    pub(crate) url: String,
    /// Its process.
    pub(crate) pid: u32,
}

/// The note of the server that runs on a data folder. One that a killed server left is not believed: anybody may listen on its port by now.
pub(crate) fn announced(folder: &Path) -> Option<Announced> {
    // In this order: a server takes an old note away before it takes the folder.
    is_in_use(folder).then_some(())?;
    serde_json::from_slice(&fs::read(folder.join(SERVER_FILE)).ok()?).ok()
}

/// Since when a server has been running on a data folder; `None` when none does.
pub(crate) fn served_since(folder: &Path) -> Option<Timestamp> {
    announced(folder)?;
    let written = fs::metadata(folder.join(SERVER_FILE))
        .and_then(|metadata| metadata.modified())
        .ok()?;
    let since = written.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX)))
}

/// Whether anybody but the owner may use a file or a folder.
pub(crate) fn is_open_to_others(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & OTHERS != 0)
}

/// Whether a file that is to be made would have a name that the server uses itself.
pub(crate) fn is_own_name(folder: &Path, file: &Path) -> bool {
    let name = file.file_name().and_then(|name| name.to_str());
    let own = [KEY_FILE, NEXT_KEY_FILE, SERVER_FILE];
    let is_own = name.is_some_and(|name| own.contains(&name) || is_store_file(name));
    is_own && canonical_parent(file).is_some_and(|parent| folder.canonicalize().is_ok_and(|folder| parent == folder))
}

/// Whether a file that is to be made would lie in a folder, also by way of links.
pub(crate) fn is_inside(file: &Path, folder: &Path) -> bool {
    canonical_parent(file).is_some_and(|parent| folder.canonicalize().is_ok_and(|folder| parent.starts_with(folder)))
}

fn canonical_parent(file: &Path) -> Option<PathBuf> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).canonicalize().ok()
}

/// Whether a folder holds a database that no server has.
pub(crate) fn is_at_rest(folder: &Path) -> bool {
    folder.join(DATABASE_FILE).exists() && !is_in_use(folder)
}

/// What the operating system says of a file.
pub(crate) fn unusable(path: &Path, source: io::Error) -> DataFolderError {
    DataFolderError::Unusable {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use tidings_runtime::SeededEntropy;

    use super::*;

    fn open(folder: &Path, given: Option<&MasterKey>) -> Result<DataFolder, DataFolderError> {
        DataFolder::prepare(Keys::of(folder, given, None), &SeededEntropy::new(1))
    }

    fn key(byte: u8) -> MasterKey {
        MasterKey::from_bytes([byte; 32])
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_first_start_makes_the_folder_and_a_key_for_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("deep/data");
        let made = open(&folder, None).unwrap();
        assert_eq!((mode(&folder), mode(&folder.join(KEY_FILE))), (0o700, 0o600));
        let again = DataFolder::prepare(Keys::of(&folder, None, None), &SeededEntropy::new(2)).unwrap();
        assert_eq!(made.master_keys().current.expose(), again.master_keys().current.expose());
        assert_eq!(
            fs::read_dir(&folder).unwrap().count(),
            1,
            "nothing but the key is left in the folder"
        );
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_the_command_that_helps() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), None).unwrap();
        let file = folder.path().join(KEY_FILE);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        let error = open(folder.path(), None).unwrap_err().to_string();
        assert!(
            error.contains("mode 640") && error.contains(&format!("`chmod 600 {}`", file.display())),
            "{error}"
        );
    }

    #[test]
    fn a_given_key_is_not_written_down() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open(folder.path(), Some(&key(7))).unwrap();
        assert_eq!(opened.master_keys().current.expose(), key(7).expose());
        assert!(!folder.path().join(KEY_FILE).exists());
    }

    #[test]
    fn a_given_key_beside_another_in_the_folder_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let own = open(folder.path(), None).unwrap();
        assert!(open(folder.path(), Some(&own.master_keys().current)).is_ok());
        assert!(matches!(
            open(folder.path(), Some(&key(7))),
            Err(DataFolderError::KeysDiffer { .. })
        ));
    }

    #[test]
    fn a_database_whose_key_is_gone_gets_no_new_one() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(DATABASE_FILE), "").unwrap();
        assert!(matches!(open(folder.path(), None), Err(DataFolderError::KeyMissing { .. })));
        assert!(open(folder.path(), Some(&key(7))).is_ok());
    }

    #[test]
    fn a_node_makes_no_key_for_secrets_that_another_node_sealed() {
        let folder = tempfile::tempdir().unwrap();
        let beside = |has_secrets| {
            let keys = Keys {
                shared: true,
                has_secrets,
                ..Keys::of(folder.path(), None, None)
            };
            DataFolder::prepare(keys, &SeededEntropy::new(1))
        };
        assert!(matches!(beside(true), Err(DataFolderError::KeyElsewhere { .. })));
        assert!(!folder.path().join(KEY_FILE).exists());
        let first = beside(false).unwrap();
        assert!(!first.master_keys().keeper.may_change(), "the other nodes have it too");
        assert!(beside(true).is_ok());
    }

    #[test]
    fn a_file_that_holds_no_key_is_refused_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), None).unwrap();
        fs::write(folder.path().join(KEY_FILE), "hunter2").unwrap();
        let error = open(folder.path(), None).unwrap_err().to_string();
        assert!(error.contains("is neither") && !error.contains("hunter2"), "{error}");
    }

    /// Does what a running server does to its folder.
    fn lock(folder: &Path) -> File {
        let lock = File::create(folder.join("tidings.lock")).unwrap();
        lock.try_lock().unwrap();
        lock
    }

    #[test]
    fn a_server_says_where_it_is_and_takes_the_note_back() {
        let folder = tempfile::tempdir().unwrap();
        let opened = open(folder.path(), None).unwrap();
        let _lock = lock(folder.path());
        assert_eq!(announced(folder.path()), None);
        opened.announce("http://127.0.0.1:1").unwrap();
        assert_eq!(announced(folder.path()).unwrap().url, "http://127.0.0.1:1");
        opened.withdraw();
        assert_eq!(announced(folder.path()), None);
    }

    #[test]
    fn a_note_is_believed_only_while_a_server_has_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        open(folder.path(), None).unwrap().announce("http://127.0.0.1:1").unwrap();
        assert_eq!(announced(folder.path()), None);
        let lock = lock(folder.path());
        assert!(announced(folder.path()).is_some());
        drop(lock);
        assert_eq!(announced(folder.path()), None);
    }

    #[test]
    fn a_start_takes_away_the_note_of_a_killed_server_but_not_that_of_a_running_one() {
        let folder = tempfile::tempdir().unwrap();
        let config = ServeConfig::for_demo(folder.path(), "127.0.0.1:0".parse().unwrap());
        let note = folder.path().join(SERVER_FILE);
        DataFolder::open(&config).unwrap().announce("http://127.0.0.1:1").unwrap();
        let lock = lock(folder.path());
        DataFolder::open(&config).unwrap();
        assert!(note.exists());
        drop(lock);
        DataFolder::open(&config).unwrap();
        assert!(!note.exists());
    }
}
