//! The picker of events: every event type by category, with what it means, and which are chosen. Works as plain boxes; a script adds search and a
//! running count.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidings_model::{Catalog, EventType};

/// One box of the picker.
pub(super) struct Choice {
    pub(super) event: Arc<EventType>,
    pub(super) chosen: bool,
    /// What the search looks into.
    pub(super) words: String,
}

/// A category.
pub(super) struct Group {
    pub(super) name: String,
    pub(super) description: &'static str,
    /// What subscribes all of it: `<Category>.*`.
    pub(super) pattern: String,
    pub(super) whole: bool,
    pub(super) choices: Vec<Choice>,
}

/// What can be chosen, and what is.
pub(super) struct Picker {
    pub(super) everything: bool,
    pub(super) groups: Vec<Group>,
    /// Chosen once, but not in the catalogue any more.
    pub(super) gone: Vec<String>,
    /// Events that the choice reaches.
    pub(super) count: usize,
}

const ALL: &str = "*";

/// The picker, with those patterns chosen.
pub(super) fn of(event_types: Vec<Arc<EventType>>, chosen: &[String]) -> Picker {
    let mut open: BTreeSet<&str> = chosen.iter().map(String::as_str).collect();
    let everything = open.remove(ALL);
    let mut groups: Vec<Group> = Vec::new();
    for event in event_types {
        let place = groups.iter().position(|group| group.name == event.category).unwrap_or_else(|| {
            let pattern = format!("{}.*", event.category);
            groups.push(Group {
                name: event.category.clone(),
                description: description_of(&event.category),
                whole: open.remove(pattern.as_str()),
                pattern,
                choices: Vec::new(),
            });
            groups.len() - 1
        });
        let words = [event.key.as_str(), &event.display_name, &event.description, &event.category].join(" ");
        groups[place].choices.push(Choice {
            chosen: open.remove(event.key.as_str()),
            words,
            event,
        });
    }
    let reached = |group: &Group| {
        let counts = |choice: &&Choice| everything || group.whole || choice.chosen;
        group.choices.iter().filter(counts).count()
    };
    Picker {
        everything,
        count: groups.iter().map(reached).sum(),
        gone: open.into_iter().map(str::to_owned).collect(),
        groups,
    }
}

/// A choice without what a wider part of it covers: boxes under a whole category may stay ticked where no script runs.
pub(super) fn tidied(chosen: &[String], event_types: &[Arc<EventType>]) -> Vec<String> {
    if chosen.iter().any(|pattern| pattern == ALL) {
        return vec![ALL.to_owned()];
    }
    let covered = |pattern: &str| {
        let event = event_types.iter().find(|event| event.key.as_str() == pattern);
        event.is_some_and(|event| chosen.iter().any(|other| other.strip_suffix(".*") == Some(&event.category)))
    };
    let mut kept: Vec<String> = Vec::new();
    for pattern in chosen {
        if !pattern.is_empty() && !covered(pattern) && !kept.contains(pattern) {
            kept.push(pattern.clone());
        }
    }
    kept
}

fn description_of(category: &str) -> &'static str {
    let built_in = Catalog::built_in().categories().iter().find(|of| of.name == category);
    built_in.map_or("Event types of this environment.", |of| of.description.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built_in() -> Vec<Arc<EventType>> {
        Catalog::built_in().events().cloned().collect()
    }

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn a_whole_category_counts_all_its_events_and_what_is_gone_is_kept_apart() {
        let picker = of(built_in(), &texts(&["MFA.*", "frontegg.user.created", "order.placed"]));
        let mfa = picker.groups.iter().find(|group| group.name == "MFA").unwrap();
        assert!(mfa.whole && mfa.choices.iter().all(|choice| !choice.chosen));
        assert_eq!((picker.count, picker.gone), (mfa.choices.len() + 1, texts(&["order.placed"])));
    }

    #[test]
    fn what_a_category_covers_is_left_out_of_a_choice() {
        let chosen = texts(&["frontegg.user.created", "User Management.*", "frontegg.tenant.created", ""]);
        assert_eq!(
            tidied(&chosen, &built_in()),
            texts(&["User Management.*", "frontegg.tenant.created"])
        );
        assert_eq!(tidied(&texts(&["MFA.*", "*"]), &built_in()), texts(&["*"]));
    }
}
