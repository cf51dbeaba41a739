//! Which deliveries an address asks for.

use serde::{Deserialize, Serialize};
use tidings_app::{DeliveryFilter, Page, Problem};
use tidings_model::{DeliveryId, EnvironmentId};

use crate::filter::Wishes;
use crate::paging::{self, Paging};

/// What the address asks for; an empty text is no wish.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Asked {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) status: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) event_key: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) webhook: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) tenant: String,
    /// Only of that event.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) event: String,
    /// Of events accepted then or later, in UTC.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) from: String,
    /// Of events accepted before then, in UTC.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) until: String,
    /// `1`: the list shows itself anew when something happens.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) live: String,
    /// The page begins after that delivery.
    #[serde(skip_serializing)]
    pub(super) before: String,
}

impl Asked {
    /// What to look for, and which page of it.
    ///
    /// # Errors
    /// The fields that cannot be read: a filter that was ignored would show, or resend, more than was asked for.
    pub(super) fn wishes(&self, environment: EnvironmentId) -> Result<(DeliveryFilter, Page<DeliveryId>), Problem> {
        let mut wishes = Wishes::default();
        let filter = DeliveryFilter {
            status: wishes.read("status", &self.status),
            event_key: wishes.read("eventKey", &self.event_key),
            webhook: wishes.read("webhook", &self.webhook),
            tenant: wishes.read("tenant", &self.tenant),
            event: wishes.read("event", &self.event),
            from: wishes.time("from", &self.from),
            until: wishes.time("until", &self.until),
            ..DeliveryFilter::of(environment)
        };
        let page = Paging::wanted(wishes.before(&self.before));
        wishes.end()?;
        Ok((filter, page))
    }

    /// The query without what is only about looking.
    pub(super) fn filter_query(&self) -> String {
        paging::query(&Self {
            live: String::new(),
            ..self.clone()
        })
    }

    /// The query without the event.
    pub(super) fn query_of_all_events(&self) -> String {
        paging::query(&Self {
            event: String::new(),
            ..self.clone()
        })
    }

    pub(super) fn is_live(&self) -> bool {
        self.live == "1"
    }

    /// Whether anything is asked for.
    pub(super) fn is_narrowed(&self) -> bool {
        !self.filter_query().is_empty()
    }

    /// Whether what is asked for can be finished: what is on its way is not resent.
    pub(super) fn is_finished(&self) -> bool {
        !matches!(self.status.as_str(), "pending" | "retrying")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_that_cannot_be_read_is_refused_rather_than_ignored() {
        let asked = Asked {
            status: "broken".to_owned(),
            webhook: "wh_1".to_owned(),
            before: "dlv_1".to_owned(),
            ..Asked::default()
        };
        let problem = asked.wishes(EnvironmentId::from_chance([1; 16])).unwrap_err();
        let fields: Vec<_> = problem.fields.iter().map(|field| field.field.as_str()).collect();
        assert_eq!(fields, ["status", "webhook", "before"]);
    }

    #[test]
    fn a_page_and_a_live_tail_are_no_filters() {
        let asked = Asked {
            live: "1".to_owned(),
            before: "dlv_1".to_owned(),
            ..Asked::default()
        };
        assert!(!asked.is_narrowed());
        assert_eq!(paging::query(&asked), "live=1");
        let narrowed = Asked {
            status: "exhausted".to_owned(),
            ..asked
        };
        assert_eq!(narrowed.filter_query(), "status=exhausted");
    }
}
