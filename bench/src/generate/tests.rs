//! The generator against a sink of this process.

use super::*;
use crate::sink;

impl Args {
    /// So many events, over four connections.
    pub(crate) fn count(url: String, count: u64) -> Self {
        Self {
            urls: vec![url],
            token: None,
            connections: 4,
            count: Some(count),
            seconds: None,
            rate: None,
            key: "frontegg.user.created".to_owned(),
            keys: None,
            key_prefix: String::new(),
            idempotency: false,
            first: 0,
            threads: 1,
        }
    }
}

#[tokio::test]
async fn an_open_loop_loses_nothing() {
    let (sink, counts) = sink::start().await;
    let args = Args {
        rate: Some(500.0),
        idempotency: true,
        ..Args::count(format!("{sink}/ok/open"), 100)
    };
    let (sent, reason) = send(&args).await.unwrap();
    assert_eq!((sent.accepted, sent.failed, sent.refused.len(), reason), (100, 0, 0, None));
    let figures = counts.lock().figures(true).total;
    assert_eq!((figures.received, figures.distinct, figures.duplicates), (100, 100, 0));
}

#[tokio::test]
async fn a_closed_loop_sends_each_event_once_from_the_first_number_on() {
    let (sink, counts) = sink::start().await;
    let args = Args {
        first: 1_000,
        ..Args::count(format!("{sink}/ok/closed"), 200)
    };
    send(&args).await.unwrap();
    let again = Args {
        first: 1_100,
        ..Args::count(format!("{sink}/ok/closed"), 200)
    };
    send(&again).await.unwrap();
    let figures = counts.lock().figures(true).total;
    assert_eq!((figures.received, figures.distinct, figures.duplicates), (400, 300, 100));
}

#[tokio::test]
async fn refusals_are_counted_by_status_and_the_first_is_told() {
    let (sink, _) = sink::start().await;
    let (sent, reason) = send(&Args::count(format!("{sink}/status/429/x"), 5)).await.unwrap();
    assert_eq!((sent.accepted, sent.refused[&429], sent.ack.count), (0, 5, 5));
    let failed = judge(&sent, reason).unwrap_err().to_string();
    assert!(failed.starts_with("no event was accepted: 429 "), "{failed}");
}

#[tokio::test]
async fn nothing_is_sent_to_another_machine_or_to_nobody() {
    let refused = send(&Args::count("http://192.0.2.1/v1/events".to_owned(), 1)).await.unwrap_err();
    assert!(refused.to_string().contains("not this machine"), "{refused}");
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let nobody = send(&Args::count(format!("http://{free}/"), 1)).await.unwrap_err();
    assert!(nobody.to_string().starts_with("nothing could be sent"), "{nobody}");
}
