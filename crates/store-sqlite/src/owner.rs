//! Whose the files of a data folder are: the user's that owns the folder, whoever makes them. A file of root in the folder of a service locks it out.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

use crate::folder::{DATABASE, OpenError};

/// The user that can do with any file whatever it wants.
const ROOT: u32 = 0;

/// Who gets what is made in a data folder.
#[derive(Clone, Copy, Debug)]
pub struct FolderOwner {
    /// The user and the group, where they are others than those of this process.
    other: Option<(u32, u32)>,
}

impl FolderOwner {
    /// Looks who that is, before anything is made in a folder that is there.
    ///
    /// # Errors
    /// When the folder is somebody else's, and this process cannot give them what it makes.
    pub fn of(folder: &Path) -> Result<Self, OpenError> {
        let refused = |source| OpenError::Folder {
            folder: folder.to_owned(),
            source,
        };
        let owner = owner(folder).map_err(refused)?;
        // A file without a name shows whose a file of this process is and whether it can be given away, and leaves nothing behind.
        let probe = tempfile::tempfile_in(folder).map_err(refused)?;
        let user = probe.metadata().map_err(refused)?.uid();
        // In a folder of root's, files are whose they have to be: of a service that root made the folder for, or of root, who can use them all.
        if owner.uid() == user || owner.uid() == ROOT {
            return Ok(Self { other: None });
        }
        let found = Self {
            other: Some((owner.uid(), owner.gid())),
        };
        found.give(&probe).map_err(|_| OpenError::NotOwner {
            folder: folder.to_owned(),
            owner: owner.uid(),
            user,
        })?;
        Ok(found)
    }

    /// Gives them a file that was just made.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn give(&self, file: &File) -> io::Result<()> {
        match self.other {
            Some((user, group)) => fchown(file, Some(user), Some(group)),
            None => Ok(()),
        }
    }
}

/// The folder says who owns its files; one of root's says it less well than the database in it.
fn owner(folder: &Path) -> io::Result<Metadata> {
    let own = fs::metadata(folder)?;
    match fs::metadata(folder.join(DATABASE)) {
        Ok(database) if own.uid() == ROOT => Ok(database),
        _ => Ok(own),
    }
}
