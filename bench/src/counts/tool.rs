//! The node under a tool that watches it.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::process::Command;

use super::drive;
use super::road::Road;

/// Where the node is, and where tools write.
pub(super) struct Workshop {
    /// This program, of this build or another.
    pub(super) node: PathBuf,
    /// A folder.
    pub(super) folder: PathBuf,
}

impl Workshop {
    /// Where a tool writes what it sees on that road.
    pub(super) fn file(&self, tool: &str, road: &Road) -> PathBuf {
        self.folder.join(format!("{tool}.{}", road.name))
    }

    /// Has a tool, whose own command line is given, watch the node on that road until its end.
    pub(super) async fn watch(&self, mut tool: Command, road: &Road) -> anyhow::Result<()> {
        let data = TempDir::with_prefix("tidings-counts-")?;
        tool.arg(&self.node).args(["counts-node", "--data"]).arg(data.path());
        if !road.delivers {
            tool.arg("--hold");
        }
        drive::run(&mut tool, road).await
    }
}
