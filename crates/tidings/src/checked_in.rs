//! Files of the repository that are made from the code: a test holds them to it, and `UPDATE=1` writes them anew.

use std::path::Path;

/// Fails when the file (from the repository's root) is not that text.
pub(crate) fn hold(path: &Path, text: &str) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = root.join(path);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().expect("it has a folder")).expect("the folder can be made");
        std::fs::write(&file, text).expect("the file can be written");
        return;
    }
    let have = std::fs::read_to_string(&file).unwrap_or_default();
    let difference = have.lines().zip(text.lines()).position(|(have, made)| have != made);
    assert!(
        have == text,
        "{} is not what the code says (line {}): UPDATE=1 cargo test -p tidings",
        path.display(),
        difference.unwrap_or_else(|| have.lines().count().min(text.lines().count())) + 1
    );
}
