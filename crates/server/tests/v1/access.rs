//! Who may ask for what: every operation of the document, for every kind of caller.

use serde_json::{Value, json};
use tidings_model::Scopes;

use crate::document::operations;
use crate::world::{Ask, CLIENT_ID, CLIENT_SECRET, World};

/// What there is to ask about in one environment.
struct Things {
    webhook: String,
    event: String,
    delivery: String,
}

async fn things(world: &World) -> Things {
    let webhook = world.webhook("https://a.test/").await;
    world
        .ask("POST", "/v1/event-types")
        .body(r#"{"key":"own.key","category":"Own"}"#)
        .send()
        .await
        .expect(201);
    let event = world.publish("{}").await;
    world.settle().await;
    let delivery = world.ask("GET", "/v1/deliveries").send().await.text_at("/data/0/id").to_owned();
    Things { webhook, event, delivery }
}

/// An address of an operation with the ids of those things, and a body that could be taken.
fn request(world: &World, things: &Things, method: &str, path: &str) -> (String, Value) {
    let id = match path.split('/').nth(2) {
        Some("webhooks") => things.webhook.clone(),
        Some("events") => things.event.clone(),
        Some("deliveries") => things.delivery.clone(),
        _ => world.environment.to_string(),
    };
    let address = path
        .replace("{id}", &id)
        .replace("{clientId}", CLIENT_ID)
        .replace("{key}", "own.key")
        .replace("{tenantId}", "acme");
    let event = json!({"eventKey": "frontegg.user.created", "payload": {}});
    let body = match (method, path) {
        ("POST", "/v1/events") => event,
        ("POST", "/v1/events/batch") => json!({"events": [event]}),
        ("POST", "/v1/webhooks") => json!({"url": "https://b.test/", "eventKeys": ["*"]}),
        ("POST", "/v1/webhooks/test") => json!({"url": "https://b.test/"}),
        ("POST", "/v1/event-types") => json!({"key": "another.key", "category": "Own"}),
        ("PATCH", "/v1/environments/{id}") => json!({"settings": {"retentionDays": 29}}),
        ("POST", "/v1/environments/{id}/copy") => json!({"to": "00000000-0000-4000-8000-000000000000"}),
        ("POST", "/v1/environments" | "/v1/environments/{id}/credentials") => json!({"name": "Another"}),
        _ => json!({}),
    };
    (address, body)
}

/// Asks for every operation of the document, each in a world of its own, and gives what was answered.
async fn every_operation(dress: impl AsyncFn(&World, Ask) -> Ask) -> Vec<(String, u16)> {
    let mut answers = Vec::new();
    for (method, path, _) in operations() {
        let world = World::new().await;
        let things = things(&world).await;
        let (address, body) = request(&world, &things, &method, &path);
        let ask = dress(&world, world.ask(&method, &address).json(&body)).await;
        let answer = ask.send().await;
        if answer.status >= 400 {
            assert_eq!(answer.headers["content-type"], "application/problem+json", "{method} {path}");
        }
        answers.push((format!("{method} {path}"), answer.status));
    }
    answers
}

#[tokio::test]
async fn an_operator_may_ask_for_everything() {
    for (operation, status) in every_operation(async |_, ask| ask).await {
        let expected: &[u16] = match operation.as_str() {
            "POST /v1/environments/{id}/copy" => &[404], // there is no other environment
            // It holds something; the key is given from outside.
            "DELETE /v1/environments/{id}" | "POST /v1/keys/master/rotate" => &[409],
            _ => &[200, 201, 202, 204],
        };
        assert!(expected.contains(&status), "{operation}: {status}");
    }
}

#[tokio::test]
async fn nobody_may_ask_for_anything() {
    for (operation, status) in every_operation(async |_, ask| ask.anonymous()).await {
        assert_eq!(status, 401, "{operation}");
    }
}

#[tokio::test]
async fn another_environments_credential_finds_nothing_of_this_one() {
    let neighbour = async |world: &World, ask: Ask| {
        let (_, client, secret) = world.neighbour(Scopes::READ_WRITE).await;
        ask.basic(&client, &secret)
    };
    for (operation, status) in every_operation(neighbour).await {
        let own = [200, 201, 202]; // it acts in its own environment, which has no such thing
        let expected: &[u16] = match operation.as_str() {
            "POST /v1/events"
            | "POST /v1/events/batch"
            | "GET /v1/events"
            | "GET /v1/deliveries"
            | "POST /v1/webhooks"
            | "GET /v1/webhooks"
            | "POST /v1/webhooks/test"
            | "POST /v1/event-types"
            | "GET /v1/event-types"
            | "GET /v1/environments"
            | "POST /v1/tenants/{tenantId}/tokens" => &own,
            _ => &[403, 404],
        };
        assert!(expected.contains(&status), "{operation}: {status}");
    }
}

#[tokio::test]
async fn a_credential_cannot_act_in_an_environment_that_is_not_its_own() {
    let neighbour = async |world: &World, ask: Ask| {
        let (_, client, secret) = world.neighbour(Scopes::READ_WRITE).await;
        ask.basic(&client, &secret)
            .header("tidings-environment", &world.environment.to_string())
    };
    for (operation, status) in every_operation(neighbour).await {
        assert_eq!(status, 403, "{operation}");
    }
}

#[tokio::test]
async fn lists_show_nothing_of_another_environment() {
    let world = World::new().await;
    things(&world).await;
    let (_, client, secret) = world.neighbour(Scopes::READ_WRITE).await;
    for path in ["/v1/webhooks", "/v1/events", "/v1/deliveries"] {
        let answer = world.ask("GET", path).basic(&client, &secret).send().await.expect(200);
        assert_eq!(answer.json["data"], json!([]), "{path}");
        assert_ne!(world.count(path).await, 0, "{path}");
    }
    let environments = world
        .ask("GET", "/v1/environments")
        .basic(&client, &secret)
        .send()
        .await
        .expect(200);
    assert_eq!(environments.json["data"].as_array().unwrap().len(), 1);
    let own = world.ask("GET", "/v1/event-types/own.key").basic(&client, &secret).send().await;
    own.expect(404);
}

#[tokio::test]
async fn a_tenants_token_sees_webhooks_the_log_and_the_catalogue_only() {
    let tenant = async |world: &World, ask: Ask| ask.bearer(&world.tenant_token("acme"));
    for (operation, status) in every_operation(tenant).await {
        let expected: &[u16] = match operation.as_str() {
            "GET /v1/webhooks" | "GET /v1/deliveries" | "GET /v1/event-types" | "GET /v1/event-types/{key}" | "POST /v1/webhooks/test" => {
                &[200]
            }
            "POST /v1/webhooks" => &[201],
            // Those of the whole environment are not there for a tenant.
            of_one if of_one.contains("/v1/webhooks/{id}") || of_one.contains("/v1/deliveries/{id}") => &[404],
            _ => &[403],
        };
        assert!(expected.contains(&status), "{operation}: {status}");
    }
}

#[tokio::test]
async fn a_tenants_token_is_never_shown_a_secret() {
    let world = World::new().await;
    let body = json!({"url": "https://acme.test/", "eventKeys": ["*"], "tenantId": "acme", "secret": "vendor-secret-1"});
    let made = world.ask("POST", "/v1/webhooks").json(&body).send().await.expect(201);
    let path = format!("/v1/webhooks/{}/secret", made.text_at("/id"));
    world.ask("GET", &path).send().await.expect(200);
    let refused = world.ask("GET", &path).bearer(&world.tenant_token("acme")).send().await.expect(403);
    assert!(!refused.text.contains("vendor-secret-1"), "{}", refused.text);
}

#[tokio::test]
async fn a_tenant_sees_its_own_webhooks_and_their_log_and_nobody_elses() {
    let world = World::new().await;
    let (acme, other) = (world.tenant_token("acme"), world.tenant_token("other"));
    let body = json!({"url": "https://acme.test/", "eventKeys": ["*"], "tenantId": "other"});
    let created = world.ask("POST", "/v1/webhooks").bearer(&acme).json(&body).send().await.expect(201);
    assert_eq!(created.text_at("/tenantId"), "acme", "whatever it asks for");
    let event = json!({"eventKey": "frontegg.user.created", "payload": {}, "tenantId": "acme"});
    world.ask("POST", "/v1/events").json(&event).send().await.expect(202);
    world.settle().await;
    let of_webhook = format!("/v1/deliveries?webhookId={}", created.text_at("/id"));
    for (path, token, count) in [
        ("/v1/webhooks", &acme, 1),
        ("/v1/deliveries", &acme, 1),
        ("/v1/webhooks", &other, 0),
        ("/v1/deliveries", &other, 0),
        ("/v1/webhooks?tenantId=acme", &other, 0),
        ("/v1/deliveries?tenantId=acme", &other, 0),
        (&of_webhook, &acme, 1),
        (&of_webhook, &other, 0),
    ] {
        let answer = world.ask("GET", path).bearer(token).send().await.expect(200);
        assert_eq!(answer.json["data"].as_array().unwrap().len(), count, "{path}");
    }
    let id = created.text_at("/id");
    for (method, path) in [
        ("GET", ""),
        ("PATCH", ""),
        ("DELETE", ""),
        ("GET", "/secret"),
        ("POST", "/test"),
        ("POST", "/rotate-secret"),
        ("POST", "/disable"),
        ("POST", "/enable"),
    ] {
        let ask = |token: &str| world.ask(method, &format!("/v1/webhooks/{id}{path}")).bearer(token).body("{}");
        ask(&other).send().await.expect(404);
    }
    let delivery = world
        .ask("GET", "/v1/deliveries")
        .bearer(&acme)
        .send()
        .await
        .text_at("/data/0/id")
        .to_owned();
    world
        .ask("GET", &format!("/v1/deliveries/{delivery}"))
        .bearer(&other)
        .send()
        .await
        .expect(404);
    world
        .ask("POST", &format!("/v1/deliveries/{delivery}/resend"))
        .bearer(&other)
        .send()
        .await
        .expect(404);
    world
        .ask("POST", &format!("/v1/deliveries/{delivery}/resend"))
        .bearer(&acme)
        .send()
        .await
        .expect(202);
}

#[tokio::test]
async fn a_reader_reads_and_changes_nothing() {
    let reader = async |world: &World, ask: Ask| {
        let (client, secret) = world.credential(Scopes::READ).await;
        ask.basic(&client, &secret)
    };
    for (operation, status) in every_operation(reader).await {
        let expected = match operation.as_str() {
            "GET /v1/webhooks/{id}/secret" | "GET /v1/keys" | "GET /v1/nodes" => 403,
            reading if reading.starts_with("GET ") => 200,
            _ => 403,
        };
        assert_eq!(status, expected, "{operation}");
    }
}

#[tokio::test]
async fn a_batch_that_cannot_be_read_still_needs_the_scope_to_write() {
    let world = World::new().await;
    let (client, secret) = world.credential(Scopes::READ).await;
    let ask = world.ask("POST", "/v1/events/batch").basic(&client, &secret);
    ask.body(r#"{"events":["no event"]}"#).send().await.expect(403);
}

#[tokio::test]
async fn only_an_operator_manages_environments_and_credentials() {
    let member = async |world: &World, ask: Ask| {
        let (client, secret) = world.credential(Scopes::READ_WRITE).await;
        ask.basic(&client, &secret)
    };
    for (operation, status) in every_operation(member).await {
        let managing = [
            "POST /v1/environments",
            "DELETE /v1/environments/{id}",
            "POST /v1/environments/{id}/copy",
            "POST /v1/environments/{id}/credentials",
            "DELETE /v1/environments/{id}/credentials/{clientId}",
            "GET /v1/keys",
            "GET /v1/nodes",
            "POST /v1/keys/master/rotate",
            "POST /v1/keys/tokens/rotate",
        ];
        let refused = managing.contains(&operation.as_str());
        assert_eq!(status == 403, refused, "{operation}: {status}");
    }
}

#[tokio::test]
async fn an_operator_acts_in_the_environment_that_a_header_names() {
    let world = World::new().await;
    let (there, ..) = world.neighbour(Scopes::READ_WRITE).await;
    for header in ["tidings-environment", "frontegg-environment-id"] {
        let ask = world.ask("POST", "/v1/webhooks").header(header, &there.to_string());
        ask.body(r#"{"url":"https://a.test/","eventKeys":["*"]}"#).send().await.expect(201);
    }
    assert_eq!(world.count("/v1/webhooks").await, 0);
    let nowhere = "00000000-0000-4000-8000-000000000000";
    world
        .ask("GET", "/v1/webhooks")
        .header("tidings-environment", nowhere)
        .send()
        .await
        .expect(404);
    let bad = world
        .ask("GET", "/v1/webhooks")
        .header("tidings-environment", "Development")
        .send()
        .await
        .expect(422);
    assert_eq!(bad.text_at("/errors/0/field"), "tidings-environment");
    let two = world.ask("GET", "/v1/webhooks").header("tidings-environment", nowhere);
    two.header("frontegg-environment-id", &there.to_string()).send().await.expect(422);
}

#[tokio::test]
async fn every_way_to_prove_who_one_is_works_and_a_false_proof_says_why_it_does_not() {
    let world = World::new().await;
    let token = world.state.app.vendor_token(CLIENT_ID, CLIENT_SECRET).unwrap().token;
    let ask = || world.ask("GET", "/v1/webhooks").anonymous();
    ask().bearer(&token).send().await.expect(200);
    ask().header("x-access-token", &token).send().await.expect(200);
    ask().header("authorization", &format!("bearer  {token}")).send().await.expect(200);
    ask().bearer(&token).header("x-access-token", &token).send().await.expect(200);
    for (headers, status, word) in [
        (vec![("authorization", "Bearer")], 401, "no credential after its scheme"),
        (vec![("authorization", "Bearer nonsense")], 401, "not valid"),
        (vec![("authorization", "Digest x")], 401, "scheme"),
        (vec![("authorization", "Basic !!!")], 401, "base64"),
        (vec![("authorization", "Basic bm9jb2xvbg==")], 401, "':'"),
        (vec![("authorization", "Basic b3BlcmF0b3I6d3Jvbmc=")], 401, "wrong"),
        (vec![("x-access-token", "nonsense")], 401, "not valid"),
        (
            vec![("authorization", "Bearer a"), ("authorization", "Bearer b")],
            400,
            "more than once",
        ),
        (
            vec![("authorization", "Bearer a"), ("x-access-token", "b")],
            400,
            "two different things",
        ),
        (vec![], 401, "HTTP Basic"),
        (vec![("x-access-token", "")], 401, "HTTP Basic"),
    ] {
        let ask = headers.iter().fold(ask(), |ask, (name, value)| ask.header(name, value));
        let answer = ask.send().await.expect(status);
        assert!(answer.text_at("/detail").contains(word), "{headers:?}: {}", answer.text);
        assert_eq!(answer.headers.contains_key("www-authenticate"), status == 401);
    }
}

#[tokio::test]
async fn a_page_of_another_site_cannot_use_a_browsers_credential() {
    let world = World::new().await;
    let ask = |site: &str| world.ask("GET", "/v1/webhooks").header("sec-fetch-site", site);
    ask("cross-site").send().await.expect(403);
    ask("same-site").send().await.expect(403);
    ask("same-origin").send().await.expect(200);
    ask("none").send().await.expect(200);
    ask("cross-site").bearer(&world.tenant_token("acme")).send().await.expect(200);
}
