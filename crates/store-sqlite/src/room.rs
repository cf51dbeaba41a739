//! Whether there is room: for those who ask before a write fails, and while writes do.

use std::io::{self, Write as _};
use std::path::Path;

use tidings_store::StoreError;

use crate::writer::Writer;

/// What a full commit and its log take: with less than this free, the next one may fail.
const ROOM_BYTES: usize = 1024 * 1024;

/// Tries to put into a data folder what a commit may need. The file has no name, and nothing is left of it.
pub fn try_room(folder: &Path) -> io::Result<()> {
    tempfile::tempfile_in(folder)?.write_all(&vec![0; ROOM_BYTES])
}

/// Whether the writer can write, tried anew now and then while it could not.
pub(crate) async fn writable(writer: &Writer) -> Result<(), StoreError> {
    let trouble = &writer.trouble;
    if trouble.is_to_be_tried() {
        // What the log has room for from before says nothing of the next batch, so the folder is asked first.
        let folder = writer.folder.clone();
        let room = tokio::task::spawn_blocking(move || try_room(&folder)).await;
        match room.unwrap_or_else(|error| Err(io::Error::other(error))) {
            Err(error) => trouble.failed(&error, 0),
            // Writes a page as it is, and tells the trouble what came of it.
            Ok(()) => writer.run(|tx| Ok(tx.connection.pragma_update(None, "user_version", 0)?)).await?,
        }
    }
    trouble.reason().map_or(Ok(()), |reason| Err(StoreError::Unavailable(reason)))
}
