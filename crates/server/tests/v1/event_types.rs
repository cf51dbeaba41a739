//! The catalogue.

use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn the_catalogue_lists_sixty_event_types_thirty_five_of_them_of_the_specification() {
    let world = World::new().await;
    let answer = world.ask("GET", "/v1/event-types").send().await.expect(200);
    let all = answer.json["data"].as_array().unwrap();
    assert_eq!(all.len(), 60);
    assert_eq!(all.iter().filter(|event_type| event_type["inSpecification"] == true).count(), 35);
    for event_type in all {
        let key = event_type["key"].as_str().unwrap();
        assert_eq!(event_type["builtIn"], true, "{key}");
        assert!(event_type["example"].is_object(), "{key}");
        assert_eq!(event_type["exampleBody"]["eventKey"], key);
        assert_eq!(event_type["exampleBody"]["eventContext"]["vendorId"], world.environment.to_string());
        assert_eq!((&event_type["schema"], &event_type["createdAt"]), (&Value::Null, &Value::Null));
    }
}

#[tokio::test]
async fn an_environment_adds_event_types_of_its_own_and_removes_them() {
    let world = World::new().await;
    let body = json!({
        "key": "shop.order.paid", "displayName": "Order paid", "description": "An order was paid.", "category": "Shop",
        "example": {"order": {"id": 7}}, "schema": {"type": "object", "required": ["order"]},
    });
    let created = world.ask("POST", "/v1/event-types").json(&body).send().await.expect(201);
    let event_type = json!({
        "key": "shop.order.paid", "category": "Shop", "displayName": "Order paid", "description": "An order was paid.", "builtIn": false,
        "inSpecification": false, "payloadObjects": created.json["payloadObjects"], "example": {"order": {"id": 7}},
        "exampleBody": {"order": {"id": 7}, "eventContext": {"vendorId": world.environment.to_string()}, "eventKey": "shop.order.paid"},
        "schema": {"type": "object", "required": ["order"]}, "createdAt": "2023-11-14T22:13:20.000Z",
    });
    assert_eq!(created.json, event_type);
    assert_eq!(
        world.ask("GET", "/v1/event-types/shop.order.paid").send().await.expect(200).json,
        event_type
    );
    let taken = world.ask("POST", "/v1/event-types").json(&body).send().await.expect(409);
    assert!(taken.text_at("/detail").contains("shop.order.paid"));

    let publish = |payload: Value| {
        world
            .ask("POST", "/v1/events")
            .json(&json!({"eventKey": "shop.order.paid", "payload": payload}))
    };
    publish(json!({"order": {}})).send().await.expect(202);
    let refused = publish(json!({"ordr": {}})).send().await.expect(422);
    assert_eq!(refused.text_at("/errors/0/field"), "payload");

    world.ask("DELETE", "/v1/event-types/shop.order.paid").send().await.expect(204);
    world.ask("GET", "/v1/event-types/shop.order.paid").send().await.expect(404);
    publish(json!({"order": {}})).send().await.expect(422);
}

#[tokio::test]
async fn a_built_in_event_type_cannot_be_deleted_or_added_again() {
    let world = World::new().await;
    world
        .ask("DELETE", "/v1/event-types/frontegg.user.created")
        .send()
        .await
        .expect(409);
    let body = json!({"key": "frontegg.user.created", "category": "Mine"});
    world.ask("POST", "/v1/event-types").json(&body).send().await.expect(409);
    world.ask("DELETE", "/v1/event-types/no.such.key").send().await.expect(404);
}
