//! The events: about what an identity platform says when a user is created, 1,024 bytes of payload each, prepared once and filled in per request.
//!
//! Never knows: when they are sent, or how.

use std::io::Write as _;

use anyhow::ensure;
use bytes::{BufMut as _, Bytes, BytesMut};
use http::HeaderValue;

/// Bytes of every payload.
pub(super) const PAYLOAD_BYTES: usize = 1_024;

const TENANT: &str = "2b6f9c1e-5a3d-4e77-9f20-6d1c8e0b7a52";

/// The payload after the stamps, up to what it is filled up with.
const USER: &str = concat!(
    r#","user":{"id":"c4a0d9f3-1b7e-4c28-a6d5-93e7f2b8104c","sub":"c4a0d9f3-1b7e-4c28-a6d5-93e7f2b8104c","email":"dana.reyes@example.test","#,
    r#""verified":true,"name":"Dana Reyes","phoneNumber":null,"provider":"local","managedBy":"frontegg","mfaEnrolled":false,"mfaBypass":false,"#,
    r#""metadata":"{}","vendorMetadata":null,"externalId":null,"tenantIds":["2b6f9c1e-5a3d-4e77-9f20-6d1c8e0b7a52"],"#,
    r#""tenantId":"2b6f9c1e-5a3d-4e77-9f20-6d1c8e0b7a52","roles":[{"id":"0d5e8b17-3c62-4b9f-8a41-7e2f96c05d33","tenantId":null,"key":"member","#,
    r#""name":"Member","description":"Baseline access","isDefault":true,"level":1,"createdAt":"2024-02-10T08:15:00.000Z","#,
    r#""updatedAt":"2024-02-10T08:15:00.000Z","permissions":["9a7c4e21-6b8d-4d13-bf02-18e5d7c3a640"]}],"#,
    r#""createdAt":"2024-03-04T09:30:00.000Z","lastLogin":null,"isLocked":false,"superUser":false,"activatedForTenant":true,"#,
    r#""profilePictureUrl":"https://avatars.example.test/c4a0d9f3/256.png?signature="#
);

/// The end of the payload.
const USER_END: &str = r#""}}"#;

/// What a payload is filled up with.
const SIGNATURE: &str = "5f1c7a9e02d84b36c6e8f07d19a3b25482ce6d90b7f41e3a58d2c09f6b71e4a36d90b7f41e3a58d2c09f6b71e4a35f1c7a9e";

/// Events of some keys, in turn.
pub(super) struct Template {
    /// What comes before the payload, for each key.
    heads: Vec<String>,
}

impl Template {
    /// Events of these keys.
    pub(super) fn new(keys: &[String]) -> anyhow::Result<Self> {
        ensure!(!keys.is_empty(), "there is no event key");
        let heads = keys.iter().map(|key| {
            let key = serde_json::to_string(key)?;
            Ok(format!(r#"{{"eventKey":{key},"payload":"#))
        });
        Ok(Self {
            heads: heads.collect::<Result<_, serde_json::Error>>()?,
        })
    }

    /// The body of the request with that number. `buffer` is used again once the body before is gone.
    pub(super) fn body(&self, buffer: &mut BytesMut, sequence: u64, sent_us: u64) -> Bytes {
        let head = &self.heads[(sequence % self.heads.len() as u64) as usize];
        let tail = format_args!(r#","tenantId":"{TENANT}"}}"#);
        buffer.reserve(head.len() + PAYLOAD_BYTES + 64);
        buffer.put_slice(head.as_bytes());
        let payload = buffer.len();
        let stamps = write!(buffer.writer(), r#"{{"benchSequence":{sequence},"benchSentUs":{sent_us}"#);
        stamps.expect("memory takes everything");
        buffer.put_slice(USER.as_bytes());
        let missing = PAYLOAD_BYTES - USER_END.len() - (buffer.len() - payload);
        buffer.put_slice(&SIGNATURE.as_bytes()[..missing]);
        buffer.put_slice(USER_END.as_bytes());
        buffer.writer().write_fmt(tail).expect("memory takes everything");
        buffer.split().freeze()
    }
}

/// A key under which no other run and no other event of this one is published.
pub(super) fn idempotency_key(run_us: u64, sequence: u64) -> HeaderValue {
    HeaderValue::try_from(format!("bench-{run_us}-{sequence}")).expect("letters and digits are fine")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", deny_unknown_fields)]
    struct Published<'a> {
        event_key: &'a str,
        #[serde(borrow)]
        payload: &'a RawValue,
        tenant_id: &'a str,
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Stamps {
        bench_sequence: u64,
        bench_sent_us: u64,
    }

    #[test]
    fn a_body_is_an_event_with_a_kilobyte_of_valid_json_that_holds_its_stamps() {
        let template = Template::new(&["frontegg.user.created".to_owned()]).unwrap();
        let mut buffer = BytesMut::new();
        for (sequence, sent_us) in [(0, 0), (9_999, 1_700_000_000_000_000), (u64::from(u32::MAX), u64::MAX)] {
            let body = template.body(&mut buffer, sequence, sent_us);
            let event: Published<'_> = serde_json::from_slice(&body).unwrap();
            assert_eq!((event.event_key, event.tenant_id), ("frontegg.user.created", TENANT));
            assert_eq!(event.payload.get().len(), PAYLOAD_BYTES);
            let stamps: Stamps = serde_json::from_str(event.payload.get()).unwrap();
            assert_eq!((stamps.bench_sequence, stamps.bench_sent_us), (sequence, sent_us));
        }
    }

    #[test]
    fn the_keys_take_turns() {
        let template = Template::new(&["bench.k0".to_owned(), "bench.k1".to_owned()]).unwrap();
        let mut buffer = BytesMut::new();
        let keys = [0, 1, 2].map(|sequence| {
            let body = template.body(&mut buffer, sequence, 1);
            serde_json::from_slice::<Published<'_>>(&body).unwrap().event_key.to_owned()
        });
        assert_eq!(keys, ["bench.k0", "bench.k1", "bench.k0"]);
    }
}
