//! What stands above every page of one webhook: its name and address, how it stands and why, the tabs.

use tidings_app::WebhookWithHealth;
use tidings_model::limits::FAILING_DAYS_MAX;
use tidings_model::{DisableReason, Timestamp, Webhook, WebhookHealth, WebhookState};

use super::AtWebhook;
use crate::fault::PageFault;
use crate::shell::{Around, Section, Shell};
use crate::state::Portal;

/// A page of a webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Deliveries,
    Settings,
    Test,
}

/// What stands above a page of a webhook.
pub(super) struct Head {
    pub(super) webhook: Webhook,
    pub(super) health: WebhookHealth,
    pub(super) tab: Tab,
    /// The address of its first page.
    pub(super) path: String,
}

impl Head {
    pub(super) fn of(here: &AtWebhook, tab: Tab) -> Self {
        let WebhookWithHealth { webhook, health } = here.found.clone();
        Self {
            webhook,
            health,
            tab,
            path: here.path(),
        }
    }

    /// Since when and why it is disabled, and what to do; `None` while it is active.
    pub(super) fn disabled(&self) -> Option<(Timestamp, String)> {
        let WebhookState::Disabled { at, why } = self.webhook.state else {
            return None;
        };
        let words = match why {
            DisableReason::Operator => "Somebody switched it off. What matches it meanwhile is kept in the log as cancelled and can be resent.".to_owned(),
            DisableReason::Gone => {
                "Its receiver answered 410 Gone, which asks for no more. If the address is meant to work, mend the receiver, test it, then enable it again.".to_owned()
            }
            DisableReason::Failing => format!(
                "It failed for {FAILING_DAYS_MAX} days without one success. Look at the last deliveries, mend the receiver, test it, then enable it again and resend what it missed."
            ),
        };
        Some((at, words))
    }
}

/// The shell of a page of a webhook; the breadcrumbs end with the tab.
pub(super) async fn shell(portal: &Portal, here: &AtWebhook, around: Around, tab: Tab) -> Result<Shell, PageFault> {
    let webhook = &here.found.webhook;
    let shell = around
        .within(portal, &here.visit, &here.caller, Section::Webhooks, &webhook.name)
        .await?;
    let shell = shell
        .crumb("Webhooks", super::list_path(&here.caller))
        .crumb(&webhook.name, here.path());
    Ok(match tab {
        Tab::Deliveries => shell,
        Tab::Settings => shell.crumb("Settings", format!("{}/settings", here.path())),
        Tab::Test => shell.crumb("Test", format!("{}/test", here.path())),
    })
}
