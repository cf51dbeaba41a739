//! The log and the retry.

use serde_json::{Value, json};

use crate::world::{Does, START_TEXT, World};

async fn log(world: &World, query: &str) -> Value {
    let reply = world.get(&format!("/frontegg/webhook/logs/{query}")).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    reply.body
}

#[tokio::test]
async fn a_row_has_texts_where_clients_expect_texts() {
    let world = World::new().await;
    world.receiver("e", Does::Answers(204, ""));
    let webhook = world.webhook("e", None).await;
    let event = world.trigger(Some("t-1")).await;
    let page = log(&world, &format!("?id={webhook}&offset=0&limit=7")).await;
    let row = &page["rows"][0];
    let expected = json!({
        "id": row["id"], "webhookId": webhook, "tenantId": "t-1", "vendorId": world.environment.to_string(), "statusCode": "204",
        "body": world.received("e")[0], "createdAt": START_TEXT, "triggerType": "EVENT",
    });
    assert_eq!(page, json!({"count": 1, "rows": [expected]}));
    assert!(row["id"].as_str().unwrap().starts_with(&event.replace("evt_", "dlv_")));
    let sent: Value = serde_json::from_str(row["body"].as_str().unwrap()).unwrap();
    assert_eq!(sent["eventKey"], "frontegg.user.created");
    assert_eq!(sent["eventContext"]["tenantId"], "t-1");
    let bare = world.get(&format!("/webhook/logs?id={webhook}")).await;
    assert_eq!(bare.body, page, "the slash is optional");
}

#[tokio::test]
async fn failures_are_shown_as_such_and_what_was_never_sent_not_at_all() {
    let world = World::new().await;
    world.receiver("broken", Does::Answers(503, "busy"));
    world.receiver("closed", Does::RefusesConnections);
    world.receiver("cut", Does::BreaksOff(200));
    world.receiver("slow", Does::NeverAnswers);
    let mut ids = Vec::new();
    for name in ["broken", "closed", "cut", "slow", "off"] {
        ids.push(world.webhook(name, None).await);
    }
    let off = world
        .ask("PATCH", &format!("/webhook/{}", ids[4]))
        .json(&json!({"isActive": false}))
        .send()
        .await;
    assert_eq!(off.status, 200);
    world.trigger(None).await;
    for (id, shown) in ids.iter().zip([Some("503"), Some("0"), Some("0"), None, None]) {
        let page = log(&world, &format!("?id={id}")).await;
        assert_eq!(page["count"], i32::from(shown.is_some()));
        assert_eq!(page["rows"][0]["statusCode"].as_str(), shown);
    }
    assert_eq!(log(&world, "").await["count"], 3, "without an id the log is that of all webhooks");
}

#[tokio::test]
async fn pages_are_counted_in_rows_newest_first() {
    let world = World::new().await;
    let webhook = world.webhook("e", None).await;
    let mut events = Vec::new();
    for _ in 0..12 {
        events.push(world.trigger(None).await.replace("evt_", "dlv_"));
    }
    events.reverse();
    let rows = |page: &Value| -> Vec<String> {
        page["rows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["id"].as_str().unwrap()[..17].to_owned())
            .collect()
    };
    let page = log(&world, &format!("?id={webhook}&offset=7&limit=7")).await;
    assert_eq!((&page["count"], rows(&page)), (&json!(12), events[7..].to_vec()));
    assert_eq!(rows(&log(&world, &format!("?id={webhook}")).await), events[..10]);
    assert_eq!(rows(&log(&world, &format!("?id={webhook}&limit=1000000")).await), events);
    let none = log(&world, &format!("?id={webhook}&limit=0")).await;
    assert_eq!(none, json!({"count": 12, "rows": []}));
}

#[tokio::test]
async fn a_log_that_cannot_be_asked_for_says_why() {
    let world = World::new().await;
    world.get("/webhook/logs/?id=65f0").await.is_error(404, "there is no webhook 65f0");
    world
        .get("/webhook/logs/?id=wh_0000000000001")
        .await
        .is_error(404, "there is no webhook wh_0000000000001");
    for (query, words) in [
        ("offset=-1", "offset: has to be a whole number that is not negative"),
        ("offset=", "offset: has to be a whole number that is not negative"),
        ("limit=many", "limit: has to be a whole number that is not negative"),
        ("limit=99999999999999999999", "limit: is too large a number"),
    ] {
        world.get(&format!("/webhook/logs/?{query}")).await.is_error(400, words);
    }
    world
        .get("/webhook/logs/?offset=10001")
        .await
        .is_error(400, "offset: has to be at most 10000");
}

#[tokio::test]
async fn a_retry_answers_202_in_its_body_and_makes_a_row_of_its_own() {
    let world = World::new().await;
    world.receiver("e", Does::Answers(500, ""));
    let webhook = world.webhook("e", None).await;
    world.trigger(Some("t-1")).await;
    let first = log(&world, &format!("?id={webhook}")).await["rows"][0].clone();
    world.receiver("e", Does::Answers(200, ""));
    let path = format!("/frontegg/webhook/logs/{}/retries", first["id"].as_str().unwrap());
    let reply = world
        .ask("POST", &path)
        .with("content-type", "application/json")
        .with("content-length", "0")
        .send()
        .await;
    let expected = json!({
        "statusCode": 202, "id": reply.body["id"], "webhookId": webhook, "tenantId": "t-1", "vendorId": world.environment.to_string(),
        "createdAt": START_TEXT, "triggerType": "RETRY",
    });
    assert_eq!((reply.status, &reply.body), (202, &expected));
    let page = log(&world, &format!("?id={webhook}")).await;
    assert_eq!(page["count"], 2);
    assert_eq!(
        (&page["rows"][0]["id"], &page["rows"][0]["triggerType"]),
        (&reply.body["id"], &json!("RETRY"))
    );
    assert_eq!((&page["rows"][0]["statusCode"], &page["rows"][1]), (&json!("200"), &first));
    let received = world.received("e");
    assert_eq!((received.len(), &received[0]), (2, &received[1]));
}

#[tokio::test]
async fn what_cannot_be_retried_is_refused() {
    let world = World::new().await;
    world
        .ask("POST", "/webhook/logs/log-1/retries")
        .send()
        .await
        .is_error(404, "there is no delivery log-1");
    world
        .ask("POST", "/webhook/logs/dlv_00000000000010000000/retries")
        .send()
        .await
        .is_error(404, "there is no delivery");
    let webhook = world.webhook("e", None).await;
    world.trigger(None).await;
    let row = log(&world, "").await["rows"][0].clone();
    let path = format!("/webhook/logs/{}/retries", row["id"].as_str().unwrap());
    world
        .ask("PATCH", &format!("/webhook/{webhook}"))
        .json(&json!({"isActive": false}))
        .send()
        .await;
    world.ask("POST", &path).send().await.is_error(409, "disabled");
    world.ask("DELETE", &format!("/webhook/{webhook}")).send().await;
    world.ask("POST", &path).send().await.is_error(409, "deleted");
    assert_eq!(
        log(&world, &format!("?id={webhook}")).await["count"],
        1,
        "the log outlives the webhook"
    );
}

#[tokio::test]
async fn a_tenant_reads_and_retries_only_its_own_log() {
    let world = World::new().await;
    let everybody = world.webhook("everybody", None).await;
    let mine = world.webhook("mine", Some("t-1")).await;
    world.trigger(Some("t-1")).await;
    let token = world.tenant_token("t-1");
    let page = world.ask("GET", "/webhook/logs/").token(&token).send().await.body;
    assert_eq!((&page["count"], &page["rows"][0]["webhookId"]), (&json!(1), &json!(mine)));
    world
        .ask("GET", &format!("/webhook/logs/?id={everybody}"))
        .token(&token)
        .send()
        .await
        .is_error(404, "there is no webhook");
    let other = log(&world, &format!("?id={everybody}")).await["rows"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    world
        .ask("POST", &format!("/webhook/logs/{other}/retries"))
        .token(&token)
        .send()
        .await
        .is_error(404, "there is no delivery");
    let own = page["rows"][0]["id"].as_str().unwrap();
    assert_eq!(
        world
            .ask("POST", &format!("/webhook/logs/{own}/retries"))
            .token(&token)
            .send()
            .await
            .status,
        202
    );
    let on_behalf = world
        .ask("GET", "/webhook/logs/")
        .with("frontegg-tenant-id", "t-2")
        .send()
        .await
        .body;
    assert_eq!(on_behalf, json!({"count": 0, "rows": []}));
}
