//! Webhooks.

use serde_json::{Value, json};

use crate::world::{Does, World};

#[tokio::test]
async fn a_webhook_is_made_read_changed_and_deleted() {
    let world = World::new().await;
    let body = json!({
        "name": "Orders", "url": "https://a.test/hook", "secret": "eight-or-more", "eventKeys": ["frontegg.user.created", "MFA.*"],
        "description": "for orders", "tenantId": "acme", "headers": {"X-Shop": "7"},
    });
    let created = world.ask("POST", "/v1/webhooks").json(&body).send().await.expect(201);
    let id = created.text_at("/id").to_owned();
    let mut webhook = json!({
        "id": id, "name": "Orders", "description": "for orders", "url": "https://a.test/hook", "hasSecret": true,
        "eventKeys": ["frontegg.user.created", "MFA.*"], "active": true, "disabled": null, "tenantId": "acme", "headerNames": ["x-shop"],
        "health": {"attempts": 0, "failures": 0, "lastAttemptAt": null, "failingSince": null},
        "createdAt": "2023-11-14T22:13:20.000Z", "updatedAt": "2023-11-14T22:13:20.000Z",
    });
    assert_eq!(created.json, webhook);
    assert_eq!(
        world.ask("GET", &format!("/v1/webhooks/{id}")).send().await.expect(200).json,
        webhook
    );

    let patch = json!({"name": "Renamed", "eventKeys": ["*"], "active": false, "headers": {}});
    let changed = world
        .ask("PATCH", &format!("/v1/webhooks/{id}"))
        .json(&patch)
        .send()
        .await
        .expect(200);
    webhook["name"] = json!("Renamed");
    webhook["eventKeys"] = json!(["*"]);
    webhook["active"] = json!(false);
    webhook["headerNames"] = json!([]);
    webhook["updatedAt"] = json!("2023-11-14T22:13:20.001Z");
    webhook["disabled"] = json!({"at": "2023-11-14T22:13:20.001Z", "reason": "operator"});
    assert_eq!(changed.json, webhook);

    let gone = world.ask("DELETE", &format!("/v1/webhooks/{id}")).send().await.expect(204);
    assert_eq!(gone.text, "");
    world.ask("GET", &format!("/v1/webhooks/{id}")).send().await.expect(404);
    world.ask("DELETE", &format!("/v1/webhooks/{id}")).send().await.expect(404);
}

#[tokio::test]
async fn a_webhook_without_a_name_is_named_after_its_host() {
    let world = World::new().await;
    let body = json!({"url": "https://a.test/hook", "eventKeys": []});
    let created = world.ask("POST", "/v1/webhooks").json(&body).send().await.expect(201);
    assert_eq!(created.text_at("/name"), "a.test");
    assert_eq!(created.json["hasSecret"], false);
    assert_eq!(created.json["tenantId"], Value::Null);
}

#[tokio::test]
async fn a_generated_secret_is_in_the_reply_that_made_it_and_in_no_other_but_the_one_that_asks() {
    let world = World::new().await;
    let body = json!({"url": "https://a.test/", "eventKeys": ["*"], "generateSecret": true, "headers": {"x-b": "2", "x-a": "1"}});
    let created = world.ask("POST", "/v1/webhooks").json(&body).send().await.expect(201);
    let (id, secret) = (created.text_at("/id").to_owned(), created.text_at("/secret").to_owned());
    assert!(secret.starts_with("whsec_"));
    for path in [format!("/v1/webhooks/{id}"), "/v1/webhooks".to_owned()] {
        let text = world.ask("GET", &path).send().await.expect(200).text;
        assert!(!text.contains("whsec_"), "{text}");
    }
    let sealed = world.ask("GET", &format!("/v1/webhooks/{id}/secret")).send().await.expect(200);
    assert_eq!(sealed.json, json!({"secret": secret, "headers": {"x-b": "2", "x-a": "1"}}));
}

#[tokio::test]
async fn a_patch_keeps_a_secret_that_it_does_not_name_and_null_removes_it() {
    let world = World::new().await;
    let body = json!({"url": "https://a.test/", "eventKeys": ["*"], "secret": "the-first-one"});
    let id = world
        .ask("POST", "/v1/webhooks")
        .json(&body)
        .send()
        .await
        .expect(201)
        .text_at("/id")
        .to_owned();
    let patch = |body: Value| world.ask("PATCH", &format!("/v1/webhooks/{id}")).json(&body);
    let secret = || world.ask("GET", &format!("/v1/webhooks/{id}/secret"));
    patch(json!({"description": "x"})).send().await.expect(200);
    assert_eq!(secret().send().await.json["secret"], "the-first-one");
    let changed = patch(json!({"secret": "the-second-one"})).send().await.expect(200);
    assert!(changed.json.get("secret").is_none(), "it is not repeated");
    assert_eq!(secret().send().await.json["secret"], "the-second-one");
    assert_eq!(patch(json!({"secret": null})).send().await.expect(200).json["hasSecret"], false);
    assert_eq!(secret().send().await.json["secret"], Value::Null);
    let generated = patch(json!({"generateSecret": true})).send().await.expect(200);
    assert_eq!(secret().send().await.json["secret"], generated.json["secret"]);
    let both = patch(json!({"generateSecret": true, "secret": "and-this-one"}))
        .send()
        .await
        .expect(422);
    assert_eq!(both.text_at("/errors/0/field"), "secret");
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_until_the_overlap_ends() {
    let world = World::new().await;
    let id = world.webhook("https://a.test/").await;
    let rotate = |body: &str| world.ask("POST", &format!("/v1/webhooks/{id}/rotate-secret")).body(body);
    let rotated = rotate("").send().await.expect(200);
    assert!(rotated.text_at("/secret").starts_with("whsec_"));
    let signatures = |world: &World| {
        let got = world.network.got();
        let headers = &got.last().unwrap().headers;
        headers
            .iter()
            .find(|(name, _)| name == "webhook-signature")
            .unwrap()
            .1
            .split(' ')
            .count()
    };
    world.publish("{}").await;
    world.settle().await;
    assert_eq!(signatures(&world), 2);
    let given = rotate(r#"{"secret":"chosen-by-hand","overlapSeconds":0}"#).send().await.expect(200);
    assert!(given.json.get("secret").is_none());
    world.publish("{}").await;
    world.settle().await;
    assert_eq!(signatures(&world), 1);
    let long = rotate(r#"{"overlapSeconds":604801}"#).send().await.expect(422);
    assert_eq!(long.text_at("/errors/0/field"), "overlapSeconds");
}

#[tokio::test]
async fn a_webhook_is_switched_off_and_on() {
    let world = World::new().await;
    let id = world.webhook("https://a.test/").await;
    let off = world.ask("POST", &format!("/v1/webhooks/{id}/disable")).send().await.expect(200);
    assert_eq!(
        (&off.json["active"], &off.json["disabled"]["reason"]),
        (&json!(false), &json!("operator"))
    );
    let on = world
        .ask("POST", &format!("/v1/webhooks/{id}/enable"))
        .body("{}")
        .send()
        .await
        .expect(200);
    assert_eq!((&on.json["active"], &on.json["disabled"]), (&json!(true), &Value::Null));
}

#[tokio::test]
async fn what_was_accepted_is_still_retried_after_its_key_was_taken_out() {
    let world = World::new().await;
    let id = world.webhook("https://a.test/").await;
    world.network.tell("https://a.test/", Does::Answers(503, "later"));
    world.publish("{}").await;
    world.settle().await;
    let patch = json!({"eventKeys": []});
    let path = format!("/v1/webhooks/{id}");
    world.ask("PATCH", &path).json(&patch).send().await.expect(200);
    world.publish("{}").await;
    world.network.tell("https://a.test/", Does::Answers(200, "ok"));
    world.clock.advance(std::time::Duration::from_secs(60));
    world.settle().await;
    let log = world.ask("GET", "/v1/deliveries").send().await.expect(200);
    assert_eq!(log.json["data"].as_array().unwrap().len(), 1, "the second event has none");
    assert_eq!(
        (log.text_at("/data/0/status"), &log.json["data"][0]["attempts"]),
        ("delivered", &json!(2))
    );
}

#[tokio::test]
async fn webhooks_are_searched_narrowed_and_paged() {
    let world = World::new().await;
    for (name, url, tenant, active) in [
        ("Alpha", "https://one.test/", None, true),
        ("Beta", "https://two.test/", Some("acme"), true),
        ("Gamma", "https://two.test/x", Some("acme"), false),
    ] {
        let body = json!({"name": name, "url": url, "eventKeys": ["*"], "tenantId": tenant, "active": active});
        world.ask("POST", "/v1/webhooks").json(&body).send().await.expect(201);
        world.clock.advance(std::time::Duration::from_millis(1));
    }
    let names = async |query: &str| {
        let answer = world.ask("GET", &format!("/v1/webhooks{query}")).send().await.expect(200);
        let data = answer.json["data"].as_array().unwrap().clone();
        data.iter()
            .map(|webhook| webhook["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("").await, ["Gamma", "Beta", "Alpha"]);
    assert_eq!(names("?search=TWO").await, ["Gamma", "Beta"]);
    assert_eq!(names("?search=alph").await, ["Alpha"]);
    assert_eq!(names("?tenantId=acme&active=true").await, ["Beta"]);
    assert_eq!(names("?active=false").await, ["Gamma"]);
    assert_eq!(
        world.pages("/v1/webhooks?limit=2").await.iter().map(Vec::len).collect::<Vec<_>>(),
        [2, 1]
    );
}

#[tokio::test]
async fn a_test_says_what_was_sent_and_what_came_of_it() {
    let world = World::new().await;
    let body = json!({"url": "https://a.test/", "secret": "eight-or-more", "eventKey": "frontegg.user.deleted", "payload": {"n": 1}});
    let answer = world.ask("POST", "/v1/webhooks/test").json(&body).send().await.expect(200);
    assert_eq!((&answer.json["passed"], &answer.json["statusCode"]), (&json!(true), &json!(200)));
    assert_eq!(answer.text_at("/summary"), "the receiver answered 200: the test passed");
    assert_eq!(answer.text_at("/reply/body"), "ok");
    assert_eq!(answer.json["request"]["body"]["eventKey"], "frontegg.user.deleted");
    assert_eq!(answer.json["request"]["body"]["n"], 1);
    let got = world.network.got();
    assert!(got[0].headers.iter().any(|(name, _)| name == "x-webhook-secret"));
    assert_eq!(world.count("/v1/deliveries").await, 0, "a test is not in the log");

    world.network.tell("https://a.test/", Does::Refuses);
    let failed = world
        .ask("POST", "/v1/webhooks/test")
        .body(r#"{"url":"https://a.test/"}"#)
        .send()
        .await
        .expect(200);
    assert_eq!(failed.json["passed"], false);
    assert_eq!(failed.text_at("/summary"), "connection refused by 192.0.2.1:443");
    assert_eq!(failed.json["failure"]["kind"], "connect");
    assert_eq!(failed.json["reply"], Value::Null);
}

#[tokio::test]
async fn a_saved_webhook_is_tested_with_its_own_secret_and_headers() {
    let world = World::new().await;
    let body =
        json!({"url": "https://a.test/", "eventKeys": ["frontegg.user.deleted"], "secret": "eight-or-more", "headers": {"x-shop": "7"}});
    let id = world
        .ask("POST", "/v1/webhooks")
        .json(&body)
        .send()
        .await
        .expect(201)
        .text_at("/id")
        .to_owned();
    world.network.tell("https://a.test/", Does::Answers(204, ""));
    let answer = world.ask("POST", &format!("/v1/webhooks/{id}/test")).send().await.expect(200);
    assert_eq!(answer.json["passed"], false, "a test passes with 200, as the specification has it");
    assert_eq!(answer.json["request"]["body"]["eventKey"], "frontegg.user.deleted");
    let headers = &world.network.got()[0].headers;
    assert!(headers.contains(&("x-shop".to_owned(), "7".to_owned())));
    assert!(headers.iter().any(|(name, _)| name == "x-webhook-secret"));
}
