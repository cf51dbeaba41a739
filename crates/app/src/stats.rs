//! Figures of the whole store, for whoever watches the process. They say nothing of anybody's data, so nobody has to be authorised.

use tidings_store::StoreStats;

use crate::app::App;
use crate::problem::Problem;

impl App {
    /// How much is pending, and how much of it is late.
    pub async fn stats(&self) -> Result<StoreStats, Problem> {
        Ok(self.store.stats(self.clock.now()).await?)
    }
}
