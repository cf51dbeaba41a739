//! Disks for trials: a file system of its own in an image file or in memory, that can be cut off, filled, and made read-only.
//!
//! A disk is unmounted, and its loop device given back, when its value is dropped. Needs root. Never touches a file system that it has not made.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use rustix::process::geteuid;
use tempfile::TempDir;

use crate::say;
use crate::tools::{need, run};

/// What a disk is filled with, in bytes at a time.
const BLOCK: usize = 64 * 1024;

/// Where the bytes of a disk are.
enum Medium {
    /// In a file, through a loop device, under ext4.
    Image(PathBuf),
    /// In memory, so many mebibytes of it.
    Memory(u32),
}

/// See the module.
pub(crate) struct Disk {
    medium: Medium,
    place: PathBuf,
    mounted: bool,
    /// Holds the image and the place where it is mounted.
    _folder: TempDir,
}

impl Disk {
    /// A new ext4 file system of that size, mounted. It goes read-only by itself when it meets an error, as those of most machines do.
    pub(crate) fn image(mebibytes: u32) -> anyhow::Result<Self> {
        ensure!(Path::new("/dev/loop-control").exists(), "this machine has no loop devices");
        let mut disk = Self::new(|folder| Medium::Image(folder.join("image")))?;
        if let Medium::Image(image) = &disk.medium {
            File::create(image)?.set_len(u64::from(mebibytes) * 1024 * 1024)?;
            run(Command::new("mkfs.ext4").args(["-q", "-F"]).arg(image))?;
        }
        disk.mount()?;
        Ok(disk)
    }

    /// A file system in memory of that size, mounted.
    pub(crate) fn memory(mebibytes: u32) -> anyhow::Result<Self> {
        let mut disk = Self::new(|_| Medium::Memory(mebibytes))?;
        disk.mount()?;
        Ok(disk)
    }

    fn new(medium: impl FnOnce(&Path) -> Medium) -> anyhow::Result<Self> {
        ensure!(geteuid().is_root(), "making and breaking file systems needs root");
        let folder = tempfile::tempdir()?;
        let place = folder.path().join("disk");
        fs::create_dir(&place)?;
        Ok(Self {
            medium: medium(folder.path()),
            place,
            mounted: false,
            _folder: folder,
        })
    }

    /// The data folder on it.
    pub(crate) fn data(&self) -> PathBuf {
        self.place.join("data")
    }

    fn mount(&mut self) -> anyhow::Result<()> {
        let mut mount = Command::new("mount");
        match &self.medium {
            Medium::Image(image) => mount.args(["-o", "loop,errors=remount-ro"]).arg(image),
            Medium::Memory(mebibytes) => mount.args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"]),
        };
        run(mount.arg(&self.place))?;
        self.mounted = true;
        Ok(())
    }

    /// Cuts the file system off from its medium: what was not synced is gone, the journal's last transaction included.
    pub(crate) fn cut_off(&self) -> anyhow::Result<()> {
        run(Command::new("xfs_io").args(["-x", "-c", "shutdown"]).arg(&self.place))
    }

    /// Has the file system meet an error, which makes it read-only while files are open on it.
    pub(crate) fn fail(&self) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", "remount,abort"]).arg(&self.place))
    }

    /// Unmounts and mounts it, as a restart of the machine does: its journal is played back. Nobody may have it in use.
    pub(crate) fn mount_again(&mut self) -> anyhow::Result<()> {
        run(Command::new("umount").arg(&self.place))?;
        self.mounted = false;
        self.mount()
    }

    /// Takes all the room that there is.
    pub(crate) fn fill(&self) -> anyhow::Result<()> {
        let mut filler = File::options().create(true).append(true).open(self.filler())?;
        let mut size = BLOCK;
        while size > 0 {
            match filler.write(&vec![0xff; size]) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => size /= 2,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Gives the room back.
    pub(crate) fn empty(&self) -> anyhow::Result<()> {
        fs::remove_file(self.filler()).context("the disk was not filled")
    }

    fn filler(&self) -> PathBuf {
        self.place.join("filler")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily: a server that was killed this moment may still be on its way out, and takes the rest with it.
        if self.mounted
            && let Err(error) = run(Command::new("umount").arg("--lazy").arg(&self.place))
        {
            say(&format!("{} is still mounted: {error:#}", self.place.display()));
        }
    }
}

/// Whether the power can be cut on this machine, and what is missing if not.
pub fn can_cut_power() -> anyhow::Result<()> {
    need("strace")?;
    let mut disk = Disk::image(16)?;
    disk.cut_off()?;
    disk.mount_again()
}
