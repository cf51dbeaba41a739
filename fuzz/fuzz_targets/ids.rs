//! Ids, which are also the cursors of lists: a text that is taken names one thing, and that thing's own text names it too.
#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use libfuzzer_sys::fuzz_target;
use tidings_model::{CredentialId, DeliveryId, EnvironmentId, EventId, TenantId, WebhookId};

fuzz_target!(|text: &str| {
    if let Some(id) = read_twice::<EventId>(text) {
        assert_eq!(EventId::from_raw(id.raw()), Some(id));
        assert_eq!(id.to_string(), text.to_ascii_lowercase(), "two texts would be one id");
    }
    if let Some(id) = read_twice::<WebhookId>(text) {
        assert_eq!(WebhookId::from_raw(id.raw()), Some(id));
    }
    if let Some(id) = read_twice::<DeliveryId>(text) {
        assert!(id.event.raw() > 0);
    }
    read_twice::<EnvironmentId>(text);
    for shown in [
        read_twice::<CredentialId>(text).map(|id| id.to_string()),
        read_twice::<TenantId>(text).map(|id| id.as_str().to_owned()),
    ]
    .into_iter()
    .flatten()
    {
        assert_eq!(shown, text, "what somebody else named keeps its name");
        assert!(!shown.chars().any(char::is_control), "a name goes into headers and logs");
    }
});

fn read_twice<T: FromStr + Display + PartialEq + std::fmt::Debug>(text: &str) -> Option<T> {
    let id: T = text.parse().ok()?;
    let again = id.to_string().parse().ok();
    assert_eq!(again.as_ref(), Some(&id));
    Some(id)
}
