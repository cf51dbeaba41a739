//! Publishing and reading events.

use serde_json::json;

use crate::world::{Does, World};

#[tokio::test]
async fn a_published_event_is_accepted_delivered_and_kept_byte_for_byte() {
    let world = World::new().await;
    let webhook = world.webhook("https://a.test/hook").await;
    let body = r#"{"eventKey":"frontegg.user.created","payload":{"user": {"n": 1.00,  "s":"\u00e9"} },"tenantId":"acme","userId":"u1","applicationId":"app"}"#;
    let answer = world.ask("POST", "/v1/events").body(body).send().await.expect(202);
    let id = answer.text_at("/id").to_owned();
    assert_eq!(
        answer.json,
        json!({
            "id": id, "eventKey": "frontegg.user.created", "acceptedAt": "2023-11-14T22:13:20.000Z", "deliveries": 1, "repeated": false,
        })
    );
    world.settle().await;
    let delivered = format!(
        r#"{{"user": {{"n": 1.00,  "s":"\u00e9"}} ,"eventContext":{{"vendorId":"{}","tenantId":"acme","userId":"u1","applicationId":"app"}},"eventKey":"frontegg.user.created"}}"#,
        world.environment
    );
    let got = world.network.got();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].url.as_str(), "https://a.test/hook");
    assert_eq!(std::str::from_utf8(&got[0].body).unwrap(), delivered);

    let read = world.ask("GET", &format!("/v1/events/{id}")).send().await.expect(200);
    assert!(read.text.contains(&format!(r#""body":{delivered}"#)), "{}", read.text);
    assert_eq!(read.text_at("/tenantId"), "acme");
    assert_eq!(read.text_at("/userId"), "u1");
    assert_eq!(read.text_at("/applicationId"), "app");
    assert_eq!(read.text_at("/deliveries/0/webhookId"), webhook);
    assert_eq!(read.text_at("/deliveries/0/status"), "delivered");
}

#[tokio::test]
async fn an_event_that_nobody_wants_is_kept_too() {
    let world = World::new().await;
    let id = world.publish("{}").await;
    let read = world.ask("GET", &format!("/v1/events/{id}")).send().await.expect(200);
    assert_eq!(read.json["deliveries"], json!([]));
    assert_eq!(read.json["tenantId"], json!(null));
}

#[tokio::test]
async fn an_idempotency_key_makes_the_same_request_the_same_event() {
    let world = World::new().await;
    let ask = |payload: &str| {
        let body = format!(r#"{{"eventKey":"frontegg.user.created","payload":{payload}}}"#);
        world.ask("POST", "/v1/events").header("Idempotency-Key", "order-7").body(body)
    };
    let first = ask("{}").send().await.expect(202);
    let again = ask("{}").send().await.expect(202);
    assert_eq!(again.json["id"], first.json["id"]);
    assert_eq!((&first.json["repeated"], &again.json["repeated"]), (&json!(false), &json!(true)));
    let other = ask(r#"{"n":1}"#).send().await.expect(409);
    assert!(other.text_at("/detail").contains(first.text_at("/id")), "{}", other.text);
    assert_eq!(world.count("/v1/events").await, 1);
}

#[tokio::test]
async fn a_batch_gives_every_event_its_own_result() {
    let world = World::new().await;
    world.webhook("https://a.test/").await;
    let body = r#"{"events":[
        {"eventKey":"frontegg.user.created","payload":{"n":1}},
        {"eventKey":"frontegg.user.creatd","payload":{}},
        {"eventKey":"frontegg.user.created","payload":[]},
        {"eventKey":"frontegg.user.created","payload":{},"tenantid":"x"},
        {"eventKey":7,"payload":{}},
        "no event",
        ["frontegg.user.created",{}],
        {"eventKey":"frontegg.user.created","payload":{"eventKey":"x"}},
        {"eventKey":"frontegg.user.deleted","payload":{"n":2}}
    ]}"#;
    let answer = world.ask("POST", "/v1/events/batch").body(body).send().await.expect(202);
    let results = answer.json["results"].as_array().unwrap();
    let shown: Vec<_> = results
        .iter()
        .map(|result| {
            let field = result
                .pointer("/errors/0/field")
                .and_then(serde_json::Value::as_str)
                .unwrap_or_default();
            (result["status"].as_u64().unwrap(), field)
        })
        .collect();
    assert_eq!(
        shown,
        [
            (202, ""),
            (422, "eventKey"),
            (422, "payload"),
            (422, "tenantid"),
            (422, "eventKey"),
            (422, ""),
            (422, ""),
            (422, "payload"),
            (202, "")
        ]
    );
    assert_eq!(
        results[1]["detail"],
        "eventKey: 'frontegg.user.creatd' is not a known event key; did you mean frontegg.user.created, frontegg.user.updated, frontegg.user.activated?"
    );
    assert_eq!(results[5]["detail"], "the event has to be a JSON object");
    assert_eq!(results[0]["eventKey"], "frontegg.user.created");
    assert_eq!(results[8]["deliveries"], 1);
    assert_eq!((&answer.json["accepted"], &answer.json["refused"]), (&json!(2), &json!(7)));
    assert_eq!(world.count("/v1/events").await, 2);
}

#[tokio::test]
async fn a_batch_is_repeated_event_by_event() {
    let world = World::new().await;
    let event = r#"{"eventKey":"frontegg.user.created","payload":{}}"#;
    let ask = || {
        world
            .ask("POST", "/v1/events/batch")
            .header("idempotency-key", "b")
            .body(format!(r#"{{"events":[{event},{event}]}}"#))
    };
    let first = ask().send().await.expect(202);
    let again = ask().send().await.expect(202);
    for index in 0..2 {
        assert_eq!(again.json["results"][index]["id"], first.json["results"][index]["id"]);
        assert_eq!(again.json["results"][index]["repeated"], json!(true));
    }
    assert_eq!(world.count("/v1/events").await, 2);
}

#[tokio::test]
async fn another_batch_under_a_used_key_is_refused_whole_and_stores_nothing() {
    let world = World::new().await;
    let event = |n: u32| json!({"eventKey": "frontegg.user.created", "payload": {"n": n}});
    let bad = json!({"eventKey": "no.such.key", "payload": {}});
    let ask = |events: Vec<serde_json::Value>| {
        let ask = world.ask("POST", "/v1/events/batch").header("idempotency-key", "b");
        ask.json(&json!({"events": events}))
    };
    ask(vec![event(1), bad.clone()]).send().await.expect(202);
    for other in [vec![event(1)], vec![event(7), event(8), event(9)], vec![bad, event(1)]] {
        let answer = ask(other).send().await.expect(202);
        assert_eq!(answer.json["accepted"], json!(0), "{}", answer.text);
    }
    let single = world.ask("POST", "/v1/events").header("idempotency-key", "b").json(&event(1));
    single.send().await.expect(409);
    assert_eq!(world.count("/v1/events").await, 1);
}

#[tokio::test]
async fn a_batch_holds_between_one_and_a_thousand_events() {
    let world = World::new().await;
    let event = r#"{"eventKey":"frontegg.user.created","payload":{}}"#;
    let batch = |count: usize| {
        world
            .ask("POST", "/v1/events/batch")
            .body(format!(r#"{{"events":[{}]}}"#, vec![event; count].join(",")))
    };
    for count in [0, 1_001] {
        let answer = batch(count).send().await.expect(422);
        assert_eq!(answer.text_at("/errors/0/field"), "events", "{}", answer.text);
    }
    assert_eq!(world.count("/v1/events").await, 0);
    let answer = batch(1_000).send().await.expect(202);
    assert_eq!(answer.json["accepted"], 1_000);
}

#[tokio::test]
async fn events_are_listed_newest_first_page_by_page_and_narrowed() {
    let world = World::new().await;
    let mut ids = Vec::new();
    for n in 0..5 {
        let tenant = if n % 2 == 0 { "even" } else { "odd" };
        let body = json!({"eventKey": "frontegg.user.created", "payload": {"n": n}, "tenantId": tenant});
        ids.push(
            world
                .ask("POST", "/v1/events")
                .json(&body)
                .send()
                .await
                .expect(202)
                .text_at("/id")
                .to_owned(),
        );
        world.clock.advance(std::time::Duration::from_secs(1));
    }
    ids.reverse();
    assert_eq!(world.pages("/v1/events?limit=2").await, [&ids[0..2], &ids[2..4], &ids[4..5]]);
    assert_eq!(world.pages("/v1/events?limit=5").await, [&ids[..]]);
    assert_eq!(
        world.pages("/v1/events?tenantId=odd").await.concat(),
        [ids[1].clone(), ids[3].clone()]
    );
    assert_eq!(world.pages("/v1/events?eventKey=frontegg.user.deleted").await.concat().len(), 0);
    let range = "from=2023-11-14T22:13:21Z&until=2023-11-14T22:13:23Z";
    assert_eq!(world.pages(&format!("/v1/events?{range}")).await.concat(), ids[2..4]);
}

#[tokio::test]
async fn a_payload_may_be_as_large_as_the_limit_and_no_larger() {
    let world = World::new().await;
    let ask = |bytes: usize| {
        let payload = format!(r#"{{"x":"{}"}}"#, "x".repeat(bytes - 8));
        world
            .ask("POST", "/v1/events")
            .body(format!(r#"{{"eventKey":"frontegg.user.created","payload":{payload}}}"#))
    };
    let max = tidings_model::limits::PAYLOAD_BYTES_DEFAULT;
    ask(max).send().await.expect(202);
    let over = ask(max + 1).send().await.expect(413);
    assert_eq!(
        over.text_at("/detail"),
        format!("payload has {} bytes; at most {max} are taken", max + 1)
    );
    let far_over = ask(max + 10_000).send().await.expect(413);
    assert!(
        far_over.text_at("/detail").starts_with("the body has more than"),
        "{}",
        far_over.text
    );
    assert_eq!(world.count("/v1/events").await, 1);
}

#[tokio::test]
async fn what_curl_sends_unasked_is_taken_and_other_content_types_are_not() {
    let world = World::new().await;
    let ask = |content_type: &str| {
        let body = r#"{"eventKey":"frontegg.user.created","payload":{}}"#;
        world.ask("POST", "/v1/events").header("content-type", content_type).body(body)
    };
    for taken in [
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/x-www-form-urlencoded",
    ] {
        ask(taken).send().await.expect(202);
    }
    for refused in ["text/plain", "multipart/form-data; boundary=x", "application/xml"] {
        let answer = ask(refused).send().await.expect(415);
        assert_eq!(answer.text_at("/code"), "unsupported-media-type");
    }
}

#[tokio::test]
async fn an_event_for_a_disabled_webhook_is_in_the_log_as_cancelled() {
    let world = World::new().await;
    let webhook = world.webhook("https://a.test/").await;
    world.network.tell("https://a.test/", Does::Refuses);
    world
        .ask("POST", &format!("/v1/webhooks/{webhook}/disable"))
        .send()
        .await
        .expect(200);
    let id = world.publish("{}").await;
    let read = world.ask("GET", &format!("/v1/events/{id}")).send().await.expect(200);
    assert_eq!(read.text_at("/deliveries/0/status"), "cancelled");
    assert_eq!(read.text_at("/deliveries/0/cancelReason"), "webhookDisabled");
    assert!(world.network.got().is_empty());
}
