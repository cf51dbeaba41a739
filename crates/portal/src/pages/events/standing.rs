//! How the deliveries of an event stand: how many there are, and a count of each word.

use tidings_app::{Caller, DeliveryFilter, Page, Problem};
use tidings_model::delivery::DeliveryStatus;
use tidings_model::limits::PAGE_ROWS_MAX;
use tidings_model::{Delivery, EventId};

use crate::markup::Markup;
use crate::state::Portal;
use crate::words;

/// The words in the order in which somebody has to look.
const ORDER: [DeliveryStatus; 6] = [
    DeliveryStatus::Exhausted,
    DeliveryStatus::Cancelled,
    DeliveryStatus::Retrying,
    DeliveryStatus::InFlight,
    DeliveryStatus::Scheduled,
    DeliveryStatus::Delivered,
];

/// How the deliveries of an event stand.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// At most [`PAGE_ROWS_MAX`]; that many means so many or more.
    pub(super) deliveries: usize,
    counts: Vec<(DeliveryStatus, usize)>,
}

impl Standing {
    /// `1 delivery`, `200 or more deliveries`.
    pub(super) fn words(&self) -> String {
        match self.deliveries {
            1 => "1 delivery".to_owned(),
            PAGE_ROWS_MAX.. => format!("{PAGE_ROWS_MAX} or more deliveries"),
            some => format!("{some} deliveries"),
        }
    }

    /// A badge for each word that holds for some, with their number when they are not all.
    pub(super) fn badges(&self) -> Markup {
        let mut out = Markup::default();
        for (status, count) in &self.counts {
            out = out.with(&words::delivery_badge(*status));
            if *count != self.deliveries || *count > 1 {
                out = out.html("<span class=\"quiet\">").text(count).html("</span>");
            }
        }
        out
    }
}

/// How the deliveries of one event stand.
pub(super) async fn of(portal: &Portal, caller: &Caller, event: EventId) -> Result<Standing, Problem> {
    let filter = DeliveryFilter {
        event: Some(event),
        ..DeliveryFilter::of(caller.environment())
    };
    let deliveries = portal.app.deliveries(caller, filter, Page::first(PAGE_ROWS_MAX)).await?;
    Ok(counted(&deliveries))
}

fn counted(deliveries: &[Delivery]) -> Standing {
    let count = |status| deliveries.iter().filter(|delivery| delivery.status() == status).count();
    let counts = ORDER.map(|status| (status, count(status)));
    Standing {
        deliveries: deliveries.len(),
        counts: counts.into_iter().filter(|(_, count)| *count > 0).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_somebody_has_to_look_at_comes_first_and_one_of_one_has_no_number() {
        let standing = Standing {
            deliveries: 3,
            counts: vec![(DeliveryStatus::Exhausted, 1), (DeliveryStatus::Delivered, 2)],
        };
        let badges = standing.badges().to_string();
        assert!(badges.find("exhausted") < badges.find("delivered"));
        assert!(badges.contains(">1<") && badges.contains(">2<"));
        let one = Standing {
            deliveries: 1,
            counts: vec![(DeliveryStatus::Delivered, 1)],
        };
        assert!(!one.badges().to_string().contains(">1<"));
        assert_eq!((one.words().as_str(), standing.words().as_str()), ("1 delivery", "3 deliveries"));
    }
}
