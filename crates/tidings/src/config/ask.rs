//! What the commands that ask a server are told.

use std::path::PathBuf;
use std::time::Duration;

use tidings_client::Secret;
use tidings_signing::MasterKey;
use url::Url;

use super::{ConfigError, Layers, Source, settings};
use crate::output::Format;

/// Which server to ask, and as whom.
pub(crate) struct AskConfig {
    /// The data folder of a local server.
    pub(crate) data: PathBuf,
    /// Whether somebody named that folder, rather than nobody.
    pub(crate) data_named: bool,
    /// The master key of a local server, when it is not the data folder's own.
    pub(crate) master_key: Option<MasterKey>,
    /// The master key before it, while something may be sealed with it.
    pub(crate) old_master_key: Option<MasterKey>,
    /// The server, when it is named.
    pub(crate) url: Option<Url>,
    /// The environment to work in, by name or id.
    pub(crate) environment: Option<String>,
    /// The client id of a credential.
    pub(crate) client_id: Option<String>,
    /// Its secret.
    pub(crate) client_secret: Option<Secret>,
    /// An access token.
    pub(crate) token: Option<Secret>,
    /// How answers are shown.
    pub(crate) output: Format,
    /// How long to wait for each answer.
    pub(crate) timeout: Duration,
}

impl AskConfig {
    /// Whether nothing but a data folder could say who asks.
    pub(crate) const fn is_nobody(&self) -> bool {
        self.client_id.is_none() && self.client_secret.is_none() && self.token.is_none()
    }

    /// Reads every setting of the commands that ask a server.
    pub(crate) fn build(layers: &Layers) -> Result<Self, ConfigError> {
        Ok(Self {
            data: layers.value(&settings::DATA)?,
            data_named: layers.find(&settings::DATA.facts).source != Source::Default,
            master_key: layers.optional(&settings::MASTER_KEY)?,
            old_master_key: layers.optional(&settings::OLD_MASTER_KEY)?,
            url: layers.optional(&settings::URL)?,
            environment: layers.optional(&settings::ENVIRONMENT)?,
            client_id: layers.optional(&settings::CLIENT_ID)?,
            client_secret: layers.optional(&settings::CLIENT_SECRET)?.map(Secret::new),
            token: layers.optional(&settings::TOKEN)?.map(Secret::new),
            output: layers.value(&settings::OUTPUT)?,
            timeout: layers.value(&settings::TIMEOUT_SECONDS)?,
        })
    }
}
