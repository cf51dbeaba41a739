//! The names of a webhook's custom headers, which are no secret; their values are.

use tidings_engine::sealing::open_headers;
use tidings_model::Webhook;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Code, Problem};

impl App {
    /// The names of the custom headers of a webhook that the caller has read.
    pub fn header_names(&self, caller: &Caller, webhook: &Webhook) -> Result<Vec<String>, Problem> {
        caller.can_read()?;
        let headers = open_headers(&self.vault, webhook.environment, webhook.headers.as_ref()).map_err(|error| {
            tracing::error!(webhook = %webhook.id, %error, "a webhook's headers cannot be opened");
            Problem::new(Code::Internal, format!("the webhook's headers cannot be read: {error}"))
        })?;
        Ok(headers.into_iter().map(|(name, _)| name).collect())
    }
}
