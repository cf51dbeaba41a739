//! Choosing an event and editing its payload: what the page of a test and the page that sends an event have in common.

use std::borrow::Borrow;

use tidings_model::EventType;

use crate::json;

/// Events to choose from.
pub(super) struct Group {
    pub(super) category: String,
    pub(super) keys: Vec<String>,
}

/// A line of what was typed, in which something is wrong.
pub(super) struct WrongLine {
    pub(super) number: usize,
    pub(super) text: String,
}

/// Event types by category, in their order.
pub(super) fn grouped<T: Borrow<EventType>>(event_types: impl IntoIterator<Item = T>) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for of in event_types {
        let of = of.borrow();
        let key = of.key.to_string();
        match groups.iter_mut().find(|group| group.category == of.category) {
            Some(group) => group.keys.push(key),
            None => groups.push(Group {
                category: of.category.clone(),
                keys: vec![key],
            }),
        }
    }
    groups
}

/// The payload that an event type shows as its example.
pub(super) fn example(event_type: Option<&EventType>) -> String {
    let example = event_type.and_then(|of| of.example.as_ref());
    json::indented(example.map_or("{}", |example| example.get()))
}

/// The line that a message about JSON names: `… (line 3, column 7)`, `… at line 3 column 7`.
pub(super) fn wrong_line(words: &str, payload: &str) -> Option<WrongLine> {
    let (_, after) = words.rsplit_once("line ")?;
    let digits = after.split(|letter: char| !letter.is_ascii_digit()).next()?;
    let number: usize = digits.parse().ok()?;
    let text = payload.lines().nth(number.checked_sub(1)?)?;
    Some(WrongLine {
        number,
        text: text.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_is_wrong_is_shown() {
        let payload = "{\n  \"a\": 1,\n  \"b\": tru\n}";
        let error = tidings_model::payload::check(payload.as_bytes()).unwrap_err();
        let line = wrong_line(&error.to_string(), payload).unwrap();
        assert_eq!((line.number, line.text.as_str()), (3, "  \"b\": tru"));
        assert!(wrong_line("the payload has to be a JSON object", payload).is_none());
    }
}
