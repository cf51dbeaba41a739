//! A store with an environment and webhooks, settlements, and what the server takes: what each measurement needs.

use bytes::Bytes;
use tidings_model::{
    Attempt, DeliveryId, Environment, EnvironmentId, EventId, Exchange, Reply, SealedSecretSet, Settings, Subscription, Timestamp, Timings,
    Verdict, Webhook, WebhookId, WebhookState,
};
use tidings_store::{LeaseToken, Settlement, Store};
use tidings_store_postgres::PostgresStore;

/// Webhooks of the environment, which take everything.
pub(crate) const WEBHOOKS: u16 = 50;

/// The first attempt of a delivery, which arrived.
pub(crate) fn settlement(event: EventId, webhook: WebhookId, lease: LeaseToken, at: Timestamp) -> Settlement {
    let pair = |name: &str| (name.to_owned(), "a value of some length".to_owned());
    Settlement {
        webhook,
        lease,
        attempt: Attempt {
            delivery: DeliveryId { event, ordinal: 0 },
            number: 1,
            started_at: at,
            url: "https://receiver.example/hooks/of/somebody".to_owned(),
            request_headers: vec![pair("webhook-id"), pair("webhook-timestamp"), pair("webhook-signature")],
            exchange: Exchange {
                reply: Some(Reply {
                    status: 200,
                    headers: vec![pair("content-type"), pair("date")],
                    body: Bytes::from_static(b"ok"),
                    body_truncated: false,
                }),
                failure: None,
                address: None,
                timings: Timings::default(),
            },
            verdict: Verdict::Delivered,
        },
        ended_at: at,
    }
}

/// One of them.
pub(crate) fn webhook_id(number: u16) -> WebhookId {
    WebhookId::new(Timestamp::from_millis(1_700_000_000_000), number)
}

/// Makes them.
pub(crate) async fn furnish(store: &PostgresStore) -> EnvironmentId {
    let created_at = Timestamp::from_millis(1_700_000_000_000);
    let id = EnvironmentId::from_chance([1; 16]);
    let environment = Environment {
        id,
        name: "Production".to_owned(),
        settings: Settings::default(),
        created_at,
    };
    store.create_environment(&environment).await.unwrap().unwrap();
    for number in 0..WEBHOOKS {
        let webhook = Webhook {
            id: webhook_id(number),
            environment: id,
            tenant: None,
            name: format!("Webhook {number}"),
            description: String::new(),
            url: format!("https://receiver.example/{number}"),
            secrets: SealedSecretSet::default(),
            subscription: Subscription::parse(["*"]).unwrap(),
            headers: None,
            state: WebhookState::Active,
            created_at,
            updated_at: created_at,
        };
        assert!(store.create_webhook(&webhook).await.unwrap().is_ok());
    }
    id
}

/// The processor time of all processes of the server so far, in microseconds.
pub(crate) async fn server_us(admin: &tokio_postgres::Client) -> f64 {
    let pids = admin.query("SELECT pid FROM pg_stat_activity", &[]).await.unwrap();
    pids.iter().filter_map(|row| process_us(row.get(0))).sum()
}

/// User and system time of a process, in microseconds: Linux counts hundredths of a second.
pub(crate) fn process_us(process: i32) -> Option<f64> {
    let stat = procfs::process::Process::new(process).and_then(|process| process.stat()).ok()?;
    Some((stat.utime + stat.stime) as f64 * 10_000.0)
}
