//! Paths of the machine that builds: what stands for them in what is built, and whether one is told all the same.

use std::path::PathBuf;

/// A folder of this machine, and what is written instead of it.
pub(super) struct Prefix {
    folder: PathBuf,
    instead: String,
}

impl Prefix {
    pub(super) fn new(folder: PathBuf, instead: impl Into<String>) -> Self {
        let instead = instead.into();
        Self { folder, instead }
    }

    /// The argument that tells rustc.
    pub(super) fn for_rust(&self) -> String {
        format!("--remap-path-prefix={}={}", self.folder.display(), self.instead)
    }

    /// The argument that tells a C compiler.
    pub(super) fn for_c(&self) -> String {
        format!("-ffile-prefix-map={}={}", self.folder.display(), self.instead)
    }

    /// Writes the other name wherever a text has the folder.
    pub(super) fn hidden_in(&self, text: &str) -> String {
        text.replace(&*self.folder.to_string_lossy(), &self.instead)
    }
}

/// The folders that the bytes tell.
pub(super) fn told(bytes: &[u8], folders: &[PathBuf]) -> Vec<String> {
    let folders = folders.iter().map(|folder| folder.to_string_lossy());
    let tells = |folder: &str| bytes.windows(folder.len()).any(|window| window == folder.as_bytes());
    folders.filter(|folder| tells(folder)).map(std::borrow::Cow::into_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_in_the_bytes_is_told() {
        let folders = ["/builder/a".into(), "/builder/b".into()];
        assert_eq!(told(b"\0\xff/builder/b/src/main.rs\0", &folders), ["/builder/b"]);
        assert_eq!(told(b"\0/b/src/main.rs\0/builder", &folders), [""; 0]);
    }

    #[test]
    fn both_compilers_and_texts_write_the_other_name() {
        let prefix = Prefix::new("/builder/a".into(), "/a");
        assert_eq!(prefix.for_rust(), "--remap-path-prefix=/builder/a=/a");
        assert_eq!(prefix.for_c(), "-ffile-prefix-map=/builder/a=/a");
        assert_eq!(prefix.hidden_in("path+file:///builder/a/crates/b#1"), "path+file:///a/crates/b#1");
    }
}
