//! Environments, their credentials, and tokens of tenants.

use serde_json::json;
use tidings_model::Scopes;

use crate::world::World;

#[tokio::test]
async fn an_environment_is_made_read_changed_and_deleted() {
    let world = World::new().await;
    let created = world
        .ask("POST", "/v1/environments")
        .body(r#"{"name":"QA"}"#)
        .send()
        .await
        .expect(201);
    let id = created.text_at("/id").to_owned();
    let schedule = created.json["settings"]["retrySchedule"].clone();
    let mut environment = json!({
        "id": id, "name": "QA", "createdAt": "2023-11-14T22:13:20.000Z",
        "settings": {"httpAllowed": false, "retrySchedule": schedule, "timeoutMs": 15_000, "retentionDays": 30},
    });
    assert_eq!(created.json, environment);
    assert_eq!(
        world.ask("GET", &format!("/v1/environments/{id}")).send().await.expect(200).json,
        environment
    );
    let patch =
        json!({"name": "Staging", "settings": {"httpAllowed": true, "retrySchedule": [0, 1], "timeoutMs": 1000, "retentionDays": 1}});
    let changed = world
        .ask("PATCH", &format!("/v1/environments/{id}"))
        .json(&patch)
        .send()
        .await
        .expect(200);
    environment["name"] = json!("Staging");
    environment["settings"] = patch["settings"].clone();
    assert_eq!(changed.json, environment);
    let names: Vec<_> = world.ask("GET", "/v1/environments").send().await.json["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|environment| environment["name"].clone())
        .collect();
    assert_eq!(names, ["Development", "Staging"]);
    let taken = world
        .ask("POST", "/v1/environments")
        .body(r#"{"name":"staging"}"#)
        .send()
        .await
        .expect(409);
    assert!(taken.text_at("/detail").contains("staging"));
    world.ask("DELETE", &format!("/v1/environments/{id}")).send().await.expect(204);
    world.ask("GET", &format!("/v1/environments/{id}")).send().await.expect(404);
}

#[tokio::test]
async fn an_environment_that_holds_anything_is_deleted_only_by_force() {
    let world = World::new().await;
    let (id, client, secret) = world.neighbour(Scopes::READ_WRITE).await;
    let refused = world.ask("DELETE", &format!("/v1/environments/{id}")).send().await.expect(409);
    assert!(refused.text_at("/detail").contains("1 credential"), "{}", refused.text);
    world
        .ask("DELETE", &format!("/v1/environments/{id}?force=maybe"))
        .send()
        .await
        .expect(422);
    world
        .ask("DELETE", &format!("/v1/environments/{id}?force=true"))
        .send()
        .await
        .expect(204);
    world.ask("GET", "/v1/webhooks").basic(&client, &secret).send().await.expect(401);
}

#[tokio::test]
async fn a_copy_takes_settings_and_event_types_and_says_what_it_left() {
    let world = World::new().await;
    let (to, ..) = world.neighbour(Scopes::READ_WRITE).await;
    world.webhook("https://a.test/").await;
    world
        .ask("POST", "/v1/event-types")
        .body(r#"{"key":"shop.paid","category":"Shop"}"#)
        .send()
        .await
        .expect(201);
    let copy = || {
        world
            .ask("POST", &format!("/v1/environments/{}/copy", world.environment))
            .json(&json!({"to": to.to_string()}))
    };
    let answer = copy().send().await.expect(200);
    let mut report = json!({
        "copied": {"settings": true, "eventTypes": ["shop.paid"]}, "kept": {"eventTypes": []},
        "notCopied": {"webhooks": 1, "credentials": 1, "note": "Webhooks, their secrets, credentials and history are never copied."},
    });
    assert_eq!(answer.json, report);
    report["copied"]["eventTypes"] = json!([]);
    report["kept"]["eventTypes"] = json!(["shop.paid"]);
    assert_eq!(copy().send().await.expect(200).json, report);
    let there = |path: &str| world.ask("GET", path).header("tidings-environment", &to.to_string());
    there("/v1/event-types/shop.paid").send().await.expect(200);
    assert_eq!(there("/v1/webhooks").send().await.json["data"], json!([]));
}

#[tokio::test]
async fn a_credential_is_shown_once_works_and_is_revoked() {
    let world = World::new().await;
    let path = format!("/v1/environments/{}/credentials", world.environment);
    world.clock.advance(std::time::Duration::from_secs(1));
    let created = world
        .ask("POST", &path)
        .body(r#"{"name":"CI","scopes":["read"]}"#)
        .send()
        .await
        .expect(201);
    let (client, secret) = (created.text_at("/clientId").to_owned(), created.text_at("/clientSecret").to_owned());
    assert_eq!(created.json["scopes"], json!(["read"]));
    let list = world.ask("GET", &path).send().await.expect(200);
    assert!(!list.text.contains(&secret));
    assert_eq!(list.json["data"].as_array().unwrap().len(), 2);
    assert_eq!(
        list.json["data"][1],
        json!({"clientId": client, "name": "CI", "scopes": ["read"], "createdAt": "2023-11-14T22:13:21.000Z"})
    );
    world.ask("GET", "/v1/webhooks").basic(&client, &secret).send().await.expect(200);
    world.ask("DELETE", &format!("{path}/{client}")).send().await.expect(204);
    world.ask("GET", "/v1/webhooks").basic(&client, &secret).send().await.expect(401);
    world.ask("DELETE", &format!("{path}/{client}")).send().await.expect(404);
}

#[tokio::test]
async fn a_tenants_token_lasts_as_long_as_it_was_asked_to() {
    let world = World::new().await;
    let mint = |body: &str| world.ask("POST", "/v1/tenants/acme/tokens").body(body);
    assert_eq!(mint("").send().await.expect(201).json["expiresIn"], 3600);
    let minted = mint(r#"{"ttlSeconds":60,"scopes":["read"]}"#).send().await.expect(201);
    assert_eq!(minted.json["expiresIn"], 60);
    let token = minted.text_at("/token").to_owned();
    let webhooks = || world.ask("GET", "/v1/webhooks").anonymous().header("x-access-token", &token);
    webhooks().send().await.expect(200);
    world.clock.advance(std::time::Duration::from_secs(61));
    let ended = webhooks().send().await.expect(401);
    assert!(ended.text_at("/detail").contains("expired"), "{}", ended.text);
    for (body, field) in [
        (r#"{"scopes":["operator"]}"#, "scopes"),
        (r#"{"scopes":["admin"]}"#, "scopes"),
        (r#"{"ttlSeconds":0}"#, "ttlSeconds"),
        (r#"{"ttl":60}"#, "ttl"),
    ] {
        assert_eq!(mint(body).send().await.expect(422).text_at("/errors/0/field"), field);
    }
    let bad = world.ask("POST", "/v1/tenants/a%20b/tokens").send().await.expect(422);
    assert_eq!(bad.text_at("/errors/0/field"), "tenantId");
}
