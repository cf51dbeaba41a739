//! The files of the master key in a data folder, and the copies of it: each appears whole or not at all, for its owner alone.
//!
//! Never knows: what the key is used for.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::NamedTempFile;
use tidings_app::keys::{GivenKey, KeeperError, KeyKeeper, MasterKeys};
use tidings_runtime::Entropy;
use tidings_signing::MasterKey;
use tidings_store_sqlite::{FolderOwner, open_file};
use zeroize::Zeroizing;

use crate::data_folder::{DataFolderError, OTHERS, unusable};

/// The master key, as text, for the owner of the folder alone.
pub(crate) const KEY_FILE: &str = "master.key";
/// The next master key, while secrets are sealed anew with it: then it takes the name of the other.
pub(crate) const NEXT_KEY_FILE: &str = "master.key.next";
/// Longest file of a key, in bytes: its text is 64 at most.
const KEY_BYTES_MAX: u64 = 1_024;

/// The master keys that a server on a folder would be started with, given these; `None` where there is none yet. `shared`: other nodes have them too, so
/// none changes them by itself.
pub(crate) fn keys_at_hand(
    path: &Path,
    given: Option<&MasterKey>,
    old: Option<&MasterKey>,
    shared: bool,
) -> Result<Option<MasterKeys>, DataFolderError> {
    let own = match (given, read_key(path)?) {
        (None, None) => return Ok(None),
        (None, Some(key)) => key,
        (Some(given), None) => given.clone(),
        (Some(given), Some(own)) if given.id() == own.id() => own,
        (Some(_), Some(_)) => return Err(DataFolderError::KeysDiffer { path: path.join(KEY_FILE) }),
    };
    // A crash may have left the next one: the change goes on with it.
    let (current, before) = match (given, read_next_key(path)?) {
        (None, Some(next)) => (next, Some(own)),
        (_, next) => (own, next),
    };
    let older = before.into_iter().chain(old.cloned()).filter(|key| key.id() != current.id());
    let keeper: Arc<dyn KeyKeeper> = match given {
        None if !shared => Arc::new(FolderKeys(path.to_owned())),
        None | Some(_) => Arc::new(GivenKey),
    };
    Ok(Some(MasterKeys {
        older: older.collect(),
        current,
        keeper,
    }))
}

/// The master key of a data folder, where it keeps one itself.
#[derive(Debug)]
struct FolderKeys(PathBuf);

impl FolderKeys {
    /// A link would be replaced by a file, and what it leads to would stay.
    fn is_kept_here(&self) -> Result<(), KeeperError> {
        let path = self.0.join(KEY_FILE);
        if !fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink()) {
            return Ok(());
        }
        Err(KeeperError::Failed(format!(
            "{} is a link: the key is kept elsewhere, and cannot be changed from here. Put the file itself in its place, or change the key where it is kept, and \
             give the one before as TIDINGS_OLD_MASTER_KEY",
            path.display()
        )))
    }

    /// Lets the next key take the name of the other, whose bytes are gone then.
    fn replace(&self) -> io::Result<()> {
        match fs::rename(self.0.join(NEXT_KEY_FILE), self.0.join(KEY_FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.and_then(|()| File::open(&self.0)?.sync_all()),
        }
    }
}

impl KeyKeeper for FolderKeys {
    fn prepare(&self, next: &MasterKey) -> Result<MasterKey, KeeperError> {
        let failed = |error: DataFolderError| KeeperError::Failed(error.to_string());
        self.is_kept_here()?;
        let path = self.0.join(NEXT_KEY_FILE);
        let own = read_key(&self.0).map_err(failed)?.map(|own| own.id());
        match read_next_key(&self.0).map_err(failed)? {
            Some(copy) if Some(copy.id()) == own => fs::remove_file(&path).map_err(|source| failed(unusable(&path, source)))?, // no successor
            Some(there) => return Ok(there), // written before something else failed
            None => {}
        }
        write_key(&self.0, &path, next).map_err(failed)?;
        Ok(next.clone())
    }

    fn finish(&self) -> Result<(), KeeperError> {
        self.is_kept_here()?;
        let failed = |source| KeeperError::Failed(unusable(&self.0.join(KEY_FILE), source).to_string());
        self.replace().map_err(failed)
    }

    fn may_change(&self) -> bool {
        true
    }
}

/// The key in a data folder; `None` when there is none.
pub(crate) fn read_key(folder: &Path) -> Result<Option<MasterKey>, DataFolderError> {
    read_key_file(folder.join(KEY_FILE))
}

/// The key that is taking the place of that one; `None` when none is.
fn read_next_key(folder: &Path) -> Result<Option<MasterKey>, DataFolderError> {
    read_key_file(folder.join(NEXT_KEY_FILE)).map_err(|error| match error {
        DataFolderError::NotAKey { path, .. } | DataFolderError::MoreThanAKey { path } => DataFolderError::NextIsNone { path },
        other => other,
    })
}

fn read_key_file(path: PathBuf) -> Result<Option<MasterKey>, DataFolderError> {
    let file = match open_file(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(unusable(&path, source)),
    };
    let metadata = file.metadata().map_err(|source| unusable(&path, source))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OTHERS != 0 {
        return Err(DataFolderError::Readable { path, mode });
    }
    let mut bytes = Zeroizing::new(Vec::new());
    file.take(KEY_BYTES_MAX + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| unusable(&path, source))?;
    if bytes.len() as u64 > KEY_BYTES_MAX {
        return Err(DataFolderError::MoreThanAKey { path });
    }
    let text = std::str::from_utf8(&bytes).unwrap_or_default(); // what is no text is no key
    text.parse().map(Some).map_err(|source| DataFolderError::NotAKey { path, source })
}

/// Copies a key of a folder into a new file for its owner alone. A copy that an earlier try left is as good.
pub(crate) fn save_copy(key: &MasterKey, to: &Path) -> Result<Saved, DataFolderError> {
    if fs::symlink_metadata(to).is_ok() {
        return match read_key_file(to.to_owned()) {
            Ok(Some(there)) if *there.expose() == *key.expose() => Ok(Saved::Before),
            Err(error @ DataFolderError::Readable { .. }) if fs::metadata(to).is_ok_and(|there| there.len() > 0) => Err(error),
            _ => Err(DataFolderError::Taken { path: to.to_owned() }),
        };
    }
    let folder = to.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    write_whole(folder, to, key, |_| Ok(())).map_err(|source| unusable(to, source))?;
    Ok(Saved::Now)
}

/// Whose work a copy of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Saved {
    /// It was made.
    Now,
    /// It was there.
    Before,
}

/// Makes a key that appears whole or not at all, and is never written over another.
pub(crate) fn create_key(folder: &Path, entropy: &dyn Entropy) -> Result<(), DataFolderError> {
    let key = MasterKey::from_bytes(entropy.bytes32());
    match write_key(folder, &folder.join(KEY_FILE), &key) {
        // Another process was faster: its key holds for both, and the store lets only one of them in.
        Err(DataFolderError::Unusable { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        written => written,
    }
}

/// Writes a key that appears whole or not at all.
fn write_key(folder: &Path, path: &Path, key: &MasterKey) -> Result<(), DataFolderError> {
    let owner = FolderOwner::of(folder)?;
    write_whole(folder, path, key, |file| owner.give(file)).map_err(|source| unusable(path, source))
}

fn write_whole(folder: &Path, path: &Path, key: &MasterKey, made: impl FnOnce(&File) -> io::Result<()>) -> io::Result<()> {
    let mut file = NamedTempFile::new_in(folder)?; // made with mode 0600
    made(file.as_file())?;
    file.write_all(key.expose().as_bytes())?;
    file.write_all(b"\n")?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path)?;
    File::open(folder)?.sync_all()
}
