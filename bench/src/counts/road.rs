//! The roads that are measured: which webhooks there are, what is asked, how often, and how steady the figures are.

use std::net::SocketAddr;

use serde_json::json;

/// Tenants that the events belong to in turn: what one lane of the engine holds has a limit.
pub(super) const TENANTS: usize = 8;
/// Size of a payload, in bytes.
const PAYLOAD_BYTES: usize = 1_024;

/// A road, as far as a measurement takes it.
pub(super) struct Road {
    /// What it is called.
    pub(super) name: &'static str,
    /// How many webhooks each event goes to.
    pub(super) fan_out: usize,
    /// How many events each request holds.
    pub(super) batch: usize,
    /// Whether deliveries are sent, or wait in their lanes.
    pub(super) delivers: bool,
    /// How many requests are made before anything is counted.
    pub(super) warming: usize,
    /// How many are made while it is.
    pub(super) measured: usize,
}

/// One event a request, one webhook an event, up to the 202.
pub(super) const ACCEPT: Road = Road {
    name: "accept",
    fan_out: 1,
    batch: 1,
    delivers: false,
    warming: 80, // by then every lane has as many deliveries under way as it may
    measured: 200,
};
/// Ten webhooks an event.
pub(super) const ACCEPT_TO_TEN: Road = Road {
    name: "accept-to-ten",
    fan_out: 10,
    measured: 100,
    ..ACCEPT
};
/// A hundred events a request, which share one commit.
pub(super) const ACCEPT_HUNDRED: Road = Road {
    name: "accept-hundred",
    batch: 100,
    warming: 2,
    measured: 8,
    ..ACCEPT
};
/// One event after the other, to the end of its delivery.
pub(super) const THROUGH: Road = Road {
    name: "through",
    delivers: true,
    ..ACCEPT
};
/// A hundred events at a time, to the end of their deliveries.
pub(super) const THROUGH_HUNDRED: Road = Road {
    name: "through-hundred",
    delivers: true,
    ..ACCEPT_HUNDRED
};

impl Road {
    /// Requests to create its webhooks: each tenant has a receiver of its own.
    pub(super) fn webhooks(&self, receivers: &[SocketAddr; TENANTS]) -> Vec<String> {
        let every = (0..TENANTS).flat_map(|tenant| (0..self.fan_out).map(move |number| (tenant, number)));
        every
            .map(|(tenant, number)| {
                json!({
                    "name": format!("Webhook {number} of {}", tenant_id(tenant)),
                    "url": format!("http://{}/{number}", receivers[tenant]),
                    "eventKeys": ["frontegg.user.created"],
                    "secret": "a-secret-of-a-webhook-that-signs",
                    "tenantId": tenant_id(tenant),
                })
                .to_string()
            })
            .collect()
    }

    /// Path and body of the request with that number.
    pub(super) fn request(&self, number: usize) -> (&'static str, String) {
        if self.batch == 1 {
            return ("/v1/events", event(number));
        }
        let events: Vec<_> = (0..self.batch).map(|index| event(number * self.batch + index)).collect();
        ("/v1/events/batch", format!(r#"{{"events":[{}]}}"#, events.join(",")))
    }

    /// How many deliveries a request causes that reach the sink.
    pub(super) fn deliveries_per_request(&self) -> usize {
        if self.delivers { self.batch * self.fan_out } else { 0 }
    }

    /// How many events are measured.
    pub(super) fn events(&self) -> usize {
        self.measured * self.batch
    }
}

fn tenant_id(number: usize) -> String {
    format!("0b5c2ad6-8f3e-4d3a-9a71-{number:012}")
}

/// An event as an identity platform sends it. The number is in it, and changes neither its length nor anything else.
fn event(number: usize) -> String {
    let user = format!("7d9f6e0c-2b41-4c55-8a1e-{number:012}");
    let mut payload = format!(
        concat!(
            r#"{{"user":{{"id":"{user}","email":"person-{number:06}@example.com","name":"A Person","verified":true,"mfaEnrolled":false,"#,
            r#""provider":"local","createdAt":"2024-05-17T09:12:33.000Z","roles":[{{"id":"r-1","key":"admin","name":"Admin"}},"#,
            r#"{{"id":"r-2","key":"reader","name":"Reader"}}],"metadata":{{"plan":"enterprise","seats":250,"region":"eu-west-1"}}}},"note":""#
        ),
        user = user,
        number = number
    );
    let filling = PAYLOAD_BYTES.saturating_sub(payload.len() + r#""}"#.len());
    payload.extend("The quick brown fox jumps over the lazy dog. ".chars().cycle().take(filling));
    payload.push_str(r#""}"#);
    format!(
        r#"{{"eventKey":"frontegg.user.created","tenantId":"{}","userId":"{user}","payload":{payload}}}"#,
        tenant_id(number % TENANTS)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_event_has_a_payload_of_one_kilobyte_and_its_own_number() {
        for number in [0, 7, 123_456] {
            let event: Value = serde_json::from_str(&event(number)).unwrap();
            assert_eq!(event["payload"].to_string().len(), PAYLOAD_BYTES);
            assert!(event["userId"].as_str().unwrap().ends_with(&number.to_string()), "{event}");
        }
    }

    #[test]
    fn a_batch_goes_on_where_the_one_before_it_ended() {
        let (path, body) = ACCEPT_HUNDRED.request(2);
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((path, body["events"].as_array().unwrap().len()), ("/v1/events/batch", 100));
        assert!(body["events"][99]["userId"].as_str().unwrap().ends_with("000299"));
    }
}
