//! The log.

use serde_json::json;

use crate::world::{Does, World};

#[tokio::test]
async fn a_delivery_shows_what_was_sent_what_came_back_and_why_it_ended_as_it_did() {
    let world = World::new().await;
    let webhook = world.webhook("https://a.test/").await;
    let event = world.publish(r#"{"n": 1.50}"#).await;
    world.settle().await;
    let list = world.ask("GET", "/v1/deliveries").send().await.expect(200);
    let id = list.text_at("/data/0/id").to_owned();
    let delivery = json!({
        "id": id, "eventId": event, "webhookId": webhook, "eventKey": "frontegg.user.created", "tenantId": null, "trigger": "event",
        "status": "delivered", "attempts": 1, "lastStatusCode": 200, "nextAttemptAt": null, "finishedAt": "2023-11-14T22:13:20.000Z",
        "cancelReason": null, "createdAt": "2023-11-14T22:13:20.000Z",
    });
    assert_eq!(list.json, json!({"data": [delivery], "nextCursor": null}));

    let read = world.ask("GET", &format!("/v1/deliveries/{id}")).send().await.expect(200);
    assert!(read.text.contains(r#""requestBody":{"n": 1.50,"eventContext""#), "{}", read.text);
    let headers = read.json.pointer("/attemptLog/0/requestHeaders").unwrap().clone();
    let names: Vec<_> = headers.as_array().unwrap().iter().map(|pair| pair[0].as_str().unwrap()).collect();
    assert!(names.contains(&"x-webhook-secret") && names.contains(&"webhook-id"), "{names:?}");
    assert_eq!(
        read.json["attemptLog"],
        json!([{
            "number": 1, "startedAt": "2023-11-14T22:13:20.000Z", "url": "https://a.test/", "requestHeaders": headers, "statusCode": 200,
            "reply": {"statusCode": 200, "headers": [["content-type", "text/plain"]], "body": "ok", "truncated": false},
            "failure": null, "address": "192.0.2.1:443", "timings": {"firstByteUs": 1000, "totalUs": 2000}, "verdict": "delivered",
            "retryAt": null, "reason": "HTTP 200: the receiver took it",
        }])
    );
}

#[tokio::test]
async fn a_failure_is_shown_with_its_reason_and_the_time_of_the_next_attempt() {
    let world = World::new().await;
    let webhook = world.webhook("https://a.test/").await;
    world.network.tell("https://a.test/", Does::Refuses);
    world.publish("{}").await;
    world.settle().await;
    let list = world
        .ask("GET", &format!("/v1/deliveries?status=retrying&webhookId={webhook}"))
        .send()
        .await
        .expect(200);
    assert_eq!(list.text_at("/data/0/status"), "retrying");
    let next = list.text_at("/data/0/nextAttemptAt").to_owned();
    let read = world
        .ask("GET", &format!("/v1/deliveries/{}", list.text_at("/data/0/id")))
        .send()
        .await
        .expect(200);
    let attempt = &read.json["attemptLog"][0];
    assert_eq!((&attempt["verdict"], &attempt["retryAt"]), (&json!("retry"), &json!(next)));
    assert_eq!(
        attempt["failure"],
        json!({"kind": "connect", "message": "connection refused by 192.0.2.1:443"})
    );
    assert_eq!(
        attempt["reason"],
        format!("connection refused by 192.0.2.1:443; it is tried again at {next}")
    );
    assert_eq!((&attempt["reply"], &attempt["statusCode"]), (&json!(null), &json!(null)));
}

#[tokio::test]
async fn a_receiver_that_is_gone_cancels_its_delivery_and_is_disabled() {
    let world = World::new().await;
    let webhook = world.webhook("https://a.test/").await;
    world.network.tell("https://a.test/", Does::Answers(410, "bye"));
    world.publish("{}").await;
    world.settle().await;
    let list = world.ask("GET", "/v1/deliveries?status=cancelled").send().await.expect(200);
    assert_eq!(list.text_at("/data/0/cancelReason"), "gone");
    let read = world.ask("GET", &format!("/v1/webhooks/{webhook}")).send().await.expect(200);
    assert_eq!(read.json["active"], false);
    assert_eq!(read.json["disabled"], json!({"at": "2023-11-14T22:13:20.000Z", "reason": "gone"}));
    let again = world
        .ask("POST", &format!("/v1/deliveries/{}/resend", list.text_at("/data/0/id")))
        .send()
        .await
        .expect(409);
    assert!(again.text_at("/detail").contains("enable it"), "{}", again.text);
}

#[tokio::test]
async fn a_delivery_is_sent_again_as_a_new_one() {
    let world = World::new().await;
    world.webhook("https://a.test/").await;
    world.publish("{}").await;
    world.settle().await;
    let first = world.ask("GET", "/v1/deliveries").send().await.text_at("/data/0/id").to_owned();
    let again = world
        .ask("POST", &format!("/v1/deliveries/{first}/resend"))
        .send()
        .await
        .expect(202);
    assert_eq!(again.text_at("/trigger"), "resend");
    assert_ne!(again.text_at("/id"), first);
    world.settle().await;
    assert_eq!(world.network.got().len(), 2);
    assert_eq!(world.count("/v1/deliveries?status=delivered").await, 2);
}

#[tokio::test]
async fn deliveries_are_narrowed_and_paged() {
    let world = World::new().await;
    let one = world.webhook("https://one.test/").await;
    world.webhook("https://two.test/").await;
    world.network.tell("https://two.test/", Does::Answers(500, "no"));
    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(world.publish("{}").await);
        world.settle().await;
        world.clock.advance(std::time::Duration::from_millis(10));
    }
    assert_eq!(world.count("/v1/deliveries").await, 6);
    assert_eq!(world.count(&format!("/v1/deliveries?webhookId={one}")).await, 3);
    assert_eq!(world.count(&format!("/v1/deliveries?eventId={}", events[1])).await, 2);
    assert_eq!(world.count("/v1/deliveries?status=pending").await, 3);
    assert_eq!(world.count("/v1/deliveries?status=exhausted").await, 0);
    assert_eq!(world.count("/v1/deliveries?eventKey=frontegg.user.deleted").await, 0);
    assert_eq!(world.count("/v1/deliveries?from=2023-11-14T22:13:20.010Z").await, 4);
    assert_eq!(world.count("/v1/deliveries?until=2023-11-14T22:13:20.010Z").await, 2);
    let pages = world.pages("/v1/deliveries?limit=4").await;
    assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2]);
    let whole = world.pages("/v1/deliveries").await;
    assert_eq!(pages.concat(), whole.concat());
}
