//! The figures of the process as Prometheus reads them.

use async_trait::async_trait;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

/// The content type of the text that [`MetricsPage::render`] gives.
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Brings the gauges up to date that nobody counts along the way.
#[async_trait]
pub trait Refresh: Send + Sync {
    /// Called before every reading.
    async fn refresh(&self);
}

/// A registry, and what has to be asked before it is read.
pub struct MetricsPage {
    registry: Registry,
    refresh: Box<dyn Refresh>,
}

impl MetricsPage {
    /// The figures of that registry.
    pub fn new(registry: Registry, refresh: impl Refresh + 'static) -> Self {
        Self {
            registry,
            refresh: Box::new(refresh),
        }
    }

    /// All figures, as text.
    pub(crate) async fn render(&self) -> Result<String, std::fmt::Error> {
        self.refresh.refresh().await;
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}
