//! The fields of a webhook as forms send them.

use serde::Deserialize;
use tidings_app::webhooks::{SecretChange, Unsealed, WebhookChange, WebhookDraft};
use tidings_model::{Timestamp, Webhook};

/// Fields as a form sent them; those that it does not have are empty.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Fields {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) url: String,
    pub(super) secret: String,
    /// `yes` lets Tidings make the secret: for whoever has no script to do it.
    pub(super) generate: String,
    pub(super) tenant_id: String,
    pub(super) header_name: Vec<String>,
    pub(super) header_value: Vec<String>,
    pub(super) event_keys: Vec<String>,
    /// The webhook's `updated_at` when the form was made, in milliseconds.
    pub(super) read_at: i64,
}

/// Rows for headers that stand ready beside those that are filled in.
const SPARE_ROWS: usize = 1;

impl Fields {
    /// Those of a webhook, for the form that changes it. Its secret is changed elsewhere.
    pub(super) fn of(webhook: &Webhook, unsealed: Unsealed) -> Self {
        let (header_name, header_value) = unsealed.headers.into_iter().unzip();
        Self {
            name: webhook.name.clone(),
            description: webhook.description.clone(),
            url: webhook.url.clone(),
            header_name,
            header_value,
            event_keys: webhook.subscription.texts(),
            read_at: webhook.updated_at.as_millis(),
            ..Self::default()
        }
    }

    /// The headers, without rows that were left empty.
    fn headers(&self) -> Vec<(String, String)> {
        let pairs = self.header_name.iter().zip(&self.header_value);
        let pairs = pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()));
        pairs.filter(|(name, value)| !name.is_empty() || !value.is_empty()).collect()
    }

    /// The description, with the line ends that were typed: forms send others.
    fn text(&self) -> String {
        self.description.replace("\r\n", "\n")
    }

    /// The rows of headers to show.
    pub(super) fn header_rows(&self) -> Vec<(String, String)> {
        let mut rows = self.headers();
        rows.resize(rows.len() + SPARE_ROWS, (String::new(), String::new()));
        rows
    }

    /// Whether the secret is to be made by Tidings.
    pub(super) fn generates(&self) -> bool {
        self.generate == "yes"
    }

    pub(super) fn draft(&self) -> WebhookDraft {
        let tenant = self.tenant_id.trim();
        WebhookDraft {
            name: self.name.clone(),
            description: self.text(),
            url: self.url.trim().to_owned(),
            secret: match self.secret.as_str() {
                "" if self.generates() => SecretChange::Generate,
                "" => SecretChange::Keep,
                given => SecretChange::Set(given.to_owned()),
            },
            event_keys: self.event_keys.clone(),
            active: true,
            tenant_id: (!tenant.is_empty()).then(|| tenant.to_owned()),
            headers: self.headers(),
        }
    }

    /// What differs from the webhook: what stays as it is must not be refused because the world has changed around it.
    pub(super) fn change(&self, webhook: &Webhook, unsealed: &Unsealed) -> WebhookChange {
        let differs = |given: &str, have: &str| (given != have).then(|| given.to_owned());
        let headers = self.headers();
        let sorted = |mut keys: Vec<String>| {
            keys.sort_unstable(); // boxes come in the order of the page
            keys
        };
        let same_events = sorted(self.event_keys.clone()) == sorted(webhook.subscription.texts());
        WebhookChange {
            name: differs(&self.name, &webhook.name),
            description: differs(&self.text(), &webhook.description),
            url: differs(self.url.trim(), &webhook.url),
            secret: SecretChange::Keep,
            event_keys: (!same_events).then(|| self.event_keys.clone()),
            active: None,
            headers: (headers != unsealed.headers).then_some(headers),
            unchanged_since: Some(Timestamp::from_millis(self.read_at)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_rows_are_no_headers_and_one_stands_ready() {
        let form = "url=https%3A%2F%2Fexample.com&headerName=x-a&headerValue=1&headerName=&headerValue=&eventKeys=MFA.*&eventKeys=a.b";
        let fields: Fields = serde_html_form::from_str(form).unwrap();
        let draft = fields.draft();
        assert_eq!(draft.headers, [("x-a".to_owned(), "1".to_owned())]);
        assert_eq!(fields.header_rows().len(), 2);
        assert_eq!((draft.secret, draft.tenant_id), (SecretChange::Keep, None));
        assert_eq!(draft.event_keys, ["MFA.*", "a.b"]);
    }
}
