//! Which events a subscription reaches, said briefly: a count for every category.

use std::sync::Arc;

use tidings_model::{EventPattern, EventType, Subscription};

/// A category, and how much of it is subscribed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) category: String,
    pub(super) events: usize,
    /// Those that are added to it later are subscribed too.
    pub(super) whole: bool,
    /// The keys, one a line, for whoever points at it.
    pub(super) keys: String,
}

/// The categories that a subscription reaches into, in the order of the catalogue.
pub(super) fn of(subscription: &Subscription, event_types: &[Arc<EventType>]) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    for event_type in event_types.iter().filter(|of| subscription.wants(&of.key, &of.category)) {
        let place = match parts.iter().position(|part| part.category == event_type.category) {
            Some(place) => place,
            None => {
                parts.push(Part {
                    category: event_type.category.clone(),
                    events: 0,
                    whole: is_whole(subscription, &event_type.category),
                    keys: String::new(),
                });
                parts.len() - 1
            }
        };
        let part = &mut parts[place];
        part.events += 1;
        if !part.keys.is_empty() {
            part.keys.push('\n');
        }
        part.keys.push_str(event_type.key.as_str());
    }
    parts
}

/// What patterns reach, in a line: `Authentication 1, User Management all 13`.
pub(super) fn in_a_line(patterns: &[String], event_types: &[Arc<EventType>]) -> String {
    let subscription = Subscription::parse(patterns.iter().map(String::as_str)).unwrap_or_default();
    if is_everything(&subscription) {
        return "All events".to_owned();
    }
    let said: Vec<_> = of(&subscription, event_types)
        .iter()
        .map(|part| format!("{} {}{}", part.category, if part.whole { "all " } else { "" }, part.events))
        .collect();
    said.join(", ")
}

/// Whether every event is subscribed, those of later versions included.
pub(super) fn is_everything(subscription: &Subscription) -> bool {
    subscription.patterns().contains(&EventPattern::All)
}

fn is_whole(subscription: &Subscription, category: &str) -> bool {
    let whole = |pattern: &EventPattern| match pattern {
        EventPattern::All => true,
        EventPattern::Category(name) => name == category,
        EventPattern::Key(_) => false,
    };
    subscription.patterns().iter().any(whole)
}

#[cfg(test)]
mod tests {
    use tidings_model::Catalog;

    use super::*;

    #[test]
    fn a_subscription_is_told_by_category_in_the_order_of_the_catalogue() {
        let event_types: Vec<_> = Catalog::built_in().events().cloned().collect();
        let texts = ["Tenant.*", "frontegg.user.created", "frontegg.user.deleted"];
        let parts = of(&Subscription::parse(texts).unwrap(), &event_types);
        let told: Vec<_> = parts.iter().map(|part| (part.category.as_str(), part.events, part.whole)).collect();
        let tenants = event_types.iter().filter(|event_type| event_type.category == "Tenant").count();
        assert_eq!(told, [("User Management", 2, false), ("Tenant", tenants, true)]);
        let patterns = texts.map(str::to_owned);
        assert_eq!(
            in_a_line(&patterns, &event_types),
            format!("User Management 2, Tenant all {tenants}")
        );
        assert_eq!(parts[0].keys, "frontegg.user.created\nfrontegg.user.deleted");
    }
}
