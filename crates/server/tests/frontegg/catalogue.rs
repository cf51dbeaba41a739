//! The catalogue.

use serde_json::{Value, json};

use crate::world::{START_TEXT, World};

const BASE: &str = "/event/resources/configurations/v1";
const ALWAYS: &str = "1970-01-01T00:00:00.000Z";

fn find<'a>(list: &'a Value, key: &str) -> Option<&'a Value> {
    list.as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["key"] == key || entry["name"] == key)
}

#[tokio::test]
async fn categories_hold_every_event_and_ids_are_what_is_subscribed() {
    let world = World::new().await;
    let categories = world.get(&format!("/frontegg{BASE}/categories")).await.body;
    let environment = world.environment.to_string();
    let mut events = 0;
    let mut patterns = Vec::new();
    for category in categories.as_array().unwrap() {
        let id = format!("{}.*", category["name"].as_str().unwrap());
        assert_eq!((&category["id"], &category["vendorId"]), (&json!(id), &json!(environment)));
        for event in category["events"].as_array().unwrap() {
            assert_eq!((&event["id"], &event["categoryId"]), (&event["key"], &json!(id)));
            events += 1;
        }
        patterns.push(id);
    }
    assert_eq!(events, 60);
    assert_eq!(categories[0]["name"], "Authentication");
    let mfa = find(&categories, "MFA").unwrap();
    let members: Vec<_> = mfa.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["id", "name", "vendorId", "createdAt", "updatedAt", "events"]);
    assert_eq!(mfa["createdAt"], ALWAYS);
    let body = json!({"url": "https://e.test/", "eventKeys": patterns});
    assert_eq!(
        world.ask("POST", "/webhook/custom").json(&body).send().await.body["eventKeys"],
        json!(patterns)
    );
}

#[tokio::test]
async fn the_map_of_webhooks_has_every_event_and_every_other_channel_none() {
    let world = World::new().await;
    let all = world.get(BASE).await.body;
    assert_eq!(all.as_array().unwrap().len(), 60);
    assert_eq!(world.get(&format!("{BASE}?channels=webhook")).await.body, all);
    assert_eq!(world.get(&format!("{BASE}?channels=email,webhook")).await.body, all);
    for channel in ["email", "slack", "sms", "nonsense", ""] {
        assert_eq!(
            world.get(&format!("/frontegg{BASE}?channels={channel}")).await.text,
            "[]",
            "{channel}"
        );
    }
    let entry = find(&all, "frontegg.user.created").unwrap();
    let environment = world.environment.to_string();
    let expected = json!({
        "id": "frontegg.user.created", "key": "frontegg.user.created", "displayName": entry["displayName"], "description": entry["description"],
        "categoryId": "User Management.*", "vendorId": environment, "createdAt": ALWAYS, "updatedAt": ALWAYS,
        "category": {"id": "User Management.*", "name": "User Management", "vendorId": environment, "createdAt": ALWAYS, "updatedAt": ALWAYS},
    });
    assert_eq!(entry, &expected);
    assert!(entry["description"].as_str().is_some_and(|text| !text.is_empty()));
}

#[tokio::test]
async fn an_event_type_of_ones_own_can_be_made_subscribed_and_deleted() {
    let world = World::new().await;
    let body = json!({"key": "order.placed", "displayName": "Order placed", "description": "An order came in"});
    let made = world.ask("POST", BASE).json(&body).send().await;
    assert_eq!(made.status, 201, "{}", made.text);
    let expected = json!({
        "id": "order.placed", "key": "order.placed", "displayName": "Order placed", "description": "An order came in", "categoryId": "Custom.*",
        "vendorId": world.environment.to_string(), "createdAt": START_TEXT, "updatedAt": START_TEXT, "category": made.body["category"],
    });
    assert_eq!(made.body, expected);
    assert_eq!(find(&world.get(BASE).await.body, "order.placed"), Some(&made.body));
    let categories = world.get(&format!("{BASE}/categories")).await.body;
    assert_eq!(find(&categories, "Custom").unwrap()["events"][0]["key"], "order.placed");
    world
        .ask("POST", BASE)
        .json(&body)
        .send()
        .await
        .is_error(409, "there is an event type 'order.placed' already");
    let gone = world.ask("DELETE", &format!("{BASE}/order.placed")).send().await;
    assert_eq!((gone.status, gone.text.as_str()), (200, "{}"));
    world
        .ask("DELETE", &format!("{BASE}/order.placed"))
        .send()
        .await
        .is_error(404, "order.placed");
    world
        .ask("DELETE", &format!("{BASE}/frontegg.user.created"))
        .send()
        .await
        .is_error(409, "built in");
    assert_eq!(world.get("/webhook").await.text, "[]");
}

#[tokio::test]
async fn a_category_can_be_named_or_given_by_its_id() {
    let world = World::new().await;
    let cases = [
        (json!({"key": "a.one", "category": "Tenant"}), "Tenant.*"),
        (json!({"key": "a.two", "categoryId": "Orders.*"}), "Orders.*"),
        (json!({"key": "a.three", "categoryId": "Orders"}), "Orders.*"),
    ];
    for (body, id) in cases {
        let made = world.ask("POST", BASE).json(&body).send().await;
        assert_eq!((made.status, &made.body["categoryId"]), (201, &json!(id)));
    }
    let categories = world.get(&format!("{BASE}/categories")).await.body;
    let names: Vec<_> = categories
        .as_array()
        .unwrap()
        .iter()
        .map(|category| category["name"].as_str().unwrap())
        .collect();
    assert_eq!(names.iter().filter(|name| **name == "Tenant").count(), 1);
    assert!(find(&find(&categories, "Tenant").unwrap()["events"], "a.one").is_some());
}

#[tokio::test]
async fn an_event_type_that_comes_with_a_url_and_events_makes_a_webhook_or_neither() {
    let world = World::new().await;
    let mut body =
        json!({"key": "order.placed", "displayName": "Orders", "url": "https://e.test/", "events": ["order.placed"], "secret": "short"});
    world.ask("POST", BASE).json(&body).send().await.is_error(400, "secret: ");
    assert!(find(&world.get(BASE).await.body, "order.placed").is_none());
    body["secret"] = json!("s3cr3t-s3cr3t");
    assert_eq!(
        world
            .ask("POST", BASE)
            .with("frontegg-tenant-id", "t-1")
            .json(&body)
            .send()
            .await
            .status,
        201
    );
    let webhook = world.get("/webhook").await.body[0].clone();
    assert_eq!(
        (&webhook["displayName"], &webhook["url"]),
        (&json!("Orders"), &json!("https://e.test/"))
    );
    assert_eq!((&webhook["secret"], &webhook["tenantId"]), (&json!("s3cr3t-s3cr3t"), &json!("t-1")));
    assert_eq!(
        (&webhook["eventKeys"], &webhook["isActive"]),
        (&json!(["order.placed"]), &json!(true))
    );
}

#[tokio::test]
async fn a_key_has_to_be_a_text() {
    let world = World::new().await;
    for body in [json!({}), json!({"key": null}), json!({"key": ""}), json!({"key": "two words"})] {
        world.ask("POST", BASE).json(&body).send().await.is_error(400, "key");
    }
}

#[tokio::test]
async fn a_tenant_reads_the_catalogue_and_does_not_change_it() {
    let world = World::new().await;
    world.event_type("order.placed").await;
    let token = world.tenant_token("t-1");
    let list = world.ask("GET", BASE).token(&token).send().await.body;
    assert!(find(&list, "order.placed").is_some());
    world
        .ask("POST", BASE)
        .token(&token)
        .json(&json!({"key": "mine"}))
        .send()
        .await
        .is_error(403, "");
    world
        .ask("DELETE", &format!("{BASE}/order.placed"))
        .token(&token)
        .send()
        .await
        .is_error(403, "");
}
