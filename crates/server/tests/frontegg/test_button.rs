//! The test button.

use serde_json::{Value, json};

use crate::world::{Does, START_TEXT, World};

async fn test(world: &World, body: &Value) -> Value {
    let reply = world.ask("POST", "/frontegg/webhook/test").json(body).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body
}

#[tokio::test]
async fn a_test_sends_the_payload_as_it_is_and_answers_in_numbers() {
    let world = World::new().await;
    world.receiver("e", Does::Answers(201, r#"{"ok":true}"#));
    let reply = test(&world, &json!({"url": "https://e.test/", "secret": null, "payload": {"a": 1}})).await;
    let expected = json!({
        "statusCode": 201, "body": {"ok": true}, "id": reply["id"], "webhookId": null, "tenantId": null,
        "vendorId": world.environment.to_string(), "createdAt": START_TEXT, "summary": reply["summary"],
    });
    assert_eq!(reply, expected);
    assert!(reply["id"].as_str().unwrap().starts_with("evt_"));
    assert_eq!(world.received("e"), [r#"{"a":1}"#]);
}

#[tokio::test]
async fn the_body_of_the_answer_is_never_null() {
    let world = World::new().await;
    for (answer, shown) in [("", json!("")), ("null", json!("null")), ("OK", json!("OK")), ("[1]", json!([1]))] {
        world.receiver("e", Does::Answers(200, answer));
        let reply = test(&world, &json!({"url": "https://e.test/", "payload": {}})).await;
        assert_eq!((&reply["statusCode"], &reply["body"]), (&json!(200), &shown));
    }
}

#[tokio::test]
async fn a_test_that_got_no_whole_answer_is_no_success_and_says_why() {
    let world = World::new().await;
    world.receiver("e", Does::BreaksOff(200));
    let reply = test(&world, &json!({"url": "https://e.test/", "payload": {}})).await;
    assert_eq!(reply["statusCode"], 0);
    assert_eq!(reply["body"], "the connection ended in the middle of the reply");
    world.receiver("e", Does::RefusesConnections);
    let reply = test(&world, &json!({"url": "https://e.test/", "payload": {}})).await;
    assert_eq!((&reply["statusCode"], &reply["body"]), (&json!(0), &json!("connection refused")));
}

#[tokio::test]
async fn without_a_payload_an_example_is_sent() {
    let world = World::new().await;
    test(&world, &json!({"url": "https://e.test/", "secret": "s3cr3t-s3cr3t"})).await;
    let sent: Value = serde_json::from_str(&world.received("e")[0]).unwrap();
    assert_eq!(sent["eventKey"], "frontegg.user.created");
}

#[tokio::test]
async fn a_test_that_cannot_be_made_is_400_and_sends_nothing() {
    let world = World::new().await;
    let cases = [
        (json!({"payload": {}}), "url: "),
        (json!({"url": "nonsense", "payload": {}}), "url: "),
        (json!({"url": "https://e.test/", "secret": "short"}), "secret: "),
        (json!({"url": "https://e.test/", "payload": [1]}), "payload: "),
        (json!({"url": 1}), "url: has to be"),
    ];
    for (body, message) in cases {
        world.ask("POST", "/webhook/test").json(&body).send().await.is_error(400, message);
    }
    assert!(world.received("e").is_empty());
}

#[tokio::test]
async fn a_tenant_tests_as_itself() {
    let world = World::new().await;
    let token = world.tenant_token("t-1");
    let body = json!({"url": "https://e.test/", "payload": {}});
    let reply = world.ask("POST", "/webhook/test").token(&token).json(&body).send().await;
    assert_eq!((reply.status, &reply.body["tenantId"]), (200, &json!("t-1")));
}
