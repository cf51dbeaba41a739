//! What callers of the API may ask for, and what they are told when they may not.

mod access;
mod environments;
mod keys;
mod nodes;
mod publish;
mod webhooks;

use tidings_app::Problem;
use tidings_app::publish::EventInput;

fn event<'a>(key: &'a str, payload: &'a str) -> EventInput<'a> {
    EventInput {
        event_key: key,
        payload: payload.as_bytes(),
        tenant_id: Some("acme"),
        user_id: None,
        application_id: None,
        for_webhooks: true,
        payload_name: "payload",
    }
}

fn fields(problem: &Problem) -> Vec<&str> {
    problem.fields.iter().map(|field| field.field.as_str()).collect()
}
