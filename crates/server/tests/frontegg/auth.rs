//! Tokens, environments and who may do what.

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tidings_app::environments::SettingsChange;
use tidings_model::Scopes;

use crate::world::{CLIENT_ID, SECRET, World};

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap()).unwrap()
}

#[tokio::test]
async fn a_vendor_gets_a_token_at_every_address_that_clients_ask() {
    let world = World::new().await;
    for path in [
        "/auth/vendor",
        "/auth/vendor/",
        "/vendors/auth/token",
        "/frontegg/auth/vendor",
        "/frontegg/auth/vendor/",
    ] {
        let reply = world
            .ask("POST", path)
            .no_token()
            .json(&json!({"clientId": CLIENT_ID, "secret": SECRET}))
            .send()
            .await;
        assert_eq!(reply.status, 200, "{path}");
        assert_eq!(reply.body.as_object().unwrap().len(), 2);
        assert_eq!(reply.body["expiresIn"].as_u64(), Some(3_600));
        let claims = claims(reply.body["token"].as_str().unwrap());
        assert_eq!(claims["type"], "vendor");
        assert_eq!(claims["vendorId"], world.environment.to_string());
    }
}

#[tokio::test]
async fn wrong_credentials_are_401_and_unreadable_ones_400() {
    let world = World::new().await;
    let ask = |body: Value| world.ask("POST", "/auth/vendor").no_token().json(&body).send();
    ask(json!({"clientId": CLIENT_ID, "secret": "wrong"}))
        .await
        .is_error(401, "the client id or the secret is wrong");
    ask(json!({"clientId": "nobody", "secret": SECRET}))
        .await
        .is_error(401, "the client id or the secret is wrong");
    ask(json!({"clientId": CLIENT_ID})).await.is_error(400, "secret");
    ask(json!({"clientId": 1, "secret": SECRET})).await.is_error(400, "string");
    ask(json!([CLIENT_ID, SECRET])).await.is_error(400, "has to be a JSON object");
    world
        .ask("POST", "/auth/vendor")
        .no_token()
        .text("{")
        .send()
        .await
        .is_error(400, "it ends too early");
}

#[tokio::test]
async fn a_token_is_taken_in_either_header() {
    let world = World::new().await;
    let token = world.app.vendor_token(CLIENT_ID, SECRET).unwrap().token;
    assert_eq!(world.ask("GET", "/webhook").token(&token).send().await.status, 200);
    assert_eq!(
        world
            .ask("GET", "/webhook")
            .no_token()
            .with("x-access-token", &token)
            .send()
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn nothing_is_served_without_a_token() {
    let world = World::new().await;
    let routes = [
        ("GET", "/webhook"),
        ("POST", "/webhook/custom"),
        ("PATCH", "/webhook/wh_0000000000001"),
        ("DELETE", "/webhook/wh_0000000000001"),
        ("POST", "/webhook/test"),
        ("GET", "/webhook/logs"),
        ("GET", "/webhook/logs/"),
        ("POST", "/webhook/logs/dlv_00000000000010000000/retries"),
        ("GET", "/event/resources/configurations/v1"),
        ("POST", "/event/resources/configurations/v1"),
        ("DELETE", "/event/resources/configurations/v1/order.placed"),
        ("GET", "/event/resources/configurations/v1/categories"),
        ("POST", "/event/resources/triggers/v1"),
        ("POST", "/event/resources/triggers/v2"),
        ("POST", "/event/resources/triggers/v3"),
        ("GET", "/event/resources/triggers/v2/statuses/evt_0000000000001"),
        ("GET", "/event/resources/triggers/v3/evt_0000000000001/statuses"),
        ("GET", "/integrations/resources/configurations/v1/slack"),
        ("GET", "/integrations/resources/configurations/v1/emails"),
        ("GET", "/integrations/resources/configurations/v2/sms"),
    ];
    for (method, path) in routes {
        for path in [path.to_owned(), format!("/frontegg{path}")] {
            let reply = world.ask(method, &path).no_token().send().await;
            reply.is_error(401, "");
            assert_eq!(
                reply.headers["www-authenticate"], "Bearer",
                "a browser must not ask its user for a password"
            );
            world.ask(method, &path).token("not.a.token").send().await.is_error(401, "");
        }
    }
}

#[tokio::test]
async fn an_environment_header_has_to_name_an_environment_of_the_caller() {
    let world = World::new().await;
    let own = world.environment.to_string();
    let other = world
        .app
        .create_environment(&world.operator, "QA", SettingsChange::default())
        .await
        .unwrap()
        .id
        .to_string();
    world.webhook("mine", None).await;
    let confined = world.token_with(Scopes::READ_WRITE).await;
    let list = |token: Option<&str>, environment: &str| {
        let ask = world.ask("GET", "/webhook").with("frontegg-environment-id", environment);
        match token {
            Some(token) => ask.token(token),
            None => ask,
        }
        .send()
    };
    assert_eq!(list(Some(&confined), &own).await.body.as_array().unwrap().len(), 1);
    list(Some(&confined), &other).await.is_error(403, "another environment");
    assert_eq!(list(None, &other).await.body, json!([]), "an operator acts in every environment");
    list(None, "11111111-2222-4333-8444-555555555555")
        .await
        .is_error(404, "there is no environment");
    list(None, "env-1")
        .await
        .is_error(400, "frontegg-environment-id: 'env-1' is not an environment id");
}

#[tokio::test]
async fn who_may_only_read_changes_nothing_and_sees_no_secret() {
    let world = World::new().await;
    let created = json!({"displayName": "n", "url": "https://n.test/", "secret": "s3cr3t-s3cr3t", "eventKeys": ["*"]});
    let id = world.ask("POST", "/webhook/custom").json(&created).send().await.body["_id"]
        .as_str()
        .unwrap()
        .to_owned();
    let reader = world.token_with(Scopes::READ).await;
    let listed = world.ask("GET", "/webhook").token(&reader).send().await;
    assert_eq!(listed.body[0]["secret"], Value::Null);
    for (method, path) in [
        ("POST", "/webhook/custom".to_owned()),
        ("PATCH", format!("/webhook/{id}")),
        ("DELETE", format!("/webhook/{id}")),
        ("POST", "/webhook/test".to_owned()),
    ] {
        world
            .ask(method, &path)
            .token(&reader)
            .json(&created)
            .send()
            .await
            .is_error(403, "'write'");
    }
}

#[tokio::test]
async fn what_is_not_served_says_so_in_the_same_shape() {
    let world = World::new().await;
    world
        .get("/frontegg/identity/resources/users/v1")
        .await
        .is_error(404, "/frontegg/identity/resources/users/v1");
    world.ask("PUT", "/webhook").send().await.is_error(405, "no such operation");
    world
        .ask("PUT", "/frontegg/webhook")
        .send()
        .await
        .is_error(405, "no such operation");
}
