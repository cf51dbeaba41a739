//! Requests as Frontegg's clients were seen to send them, replayed byte for byte; only credentials and ids are those of the test.

use serde_json::Value;

use crate::world::{Ask, CLIENT_ID, SECRET, World};

/// How a client proves who it is.
#[derive(Clone, Copy)]
enum Client {
    /// It asks for a token.
    Authenticating,
    /// A server, with `x-access-token`.
    Server,
    /// A browser, with everything that its client adds.
    Browser,
}

/// One capture: who, method, path, body, the status that it should get.
type Capture<'a> = (Client, &'a str, &'a str, &'a str, u16);

fn dressed<'a>(world: &World, client: Client, ask: Ask<'a>) -> Ask<'a> {
    let token = world.app.vendor_token(CLIENT_ID, SECRET).unwrap().token;
    match client {
        Client::Authenticating => ask.no_token().with("user-agent", "axios/1.21.1"),
        Client::Server => ask
            .no_token()
            .with("x-access-token", &token)
            .with("frontegg-tenant-id", "my-tenant-id"),
        Client::Browser => ask
            .token(&world.tenant_token("my-tenant-id"))
            .with("x-frontegg-sdk", "@frontegg/react@5.0.0")
            .with("x-frontegg-framework", "react@18.0.0")
            .with("frontegg-source", "admin-portal")
            .with("frontegg-scoped-tenant", "t-9")
            .with("frontegg-login-alias", "acme")
            .with("frontegg-requested-application-id", "app-1")
            .with("frontegg-environment-id", &world.environment.to_string()),
    }
}

async fn replay(world: &World, (client, method, path, body, status): Capture<'_>) -> Value {
    let ask = dressed(world, client, world.ask(method, path)).text(body);
    let reply = ask.send().await;
    assert_eq!(reply.status, status, "{method} {path}: {}", reply.text);
    if status >= 400 {
        reply.is_error(status, "");
    }
    reply.body
}

#[tokio::test]
async fn the_node_client_of_the_third_generation_is_served() {
    use Client::{Authenticating, Server};
    let world = World::new().await;
    world.event_type("order.placed").await;
    let token = replay(
        &world,
        (
            Authenticating,
            "POST",
            "/auth/vendor",
            r#"{"clientId":"my-client-id","secret":"my-api-key"}"#,
            200,
        ),
    )
    .await;
    assert!(token["token"].is_string() && token["expiresIn"].is_u64());
    let text = r#"{"eventKey":"order.placed","data":{"title":"Order placed","description":"An order came in","orderId":42,"nested":{"a":[1,2]}},"channelConfiguration":{"email":{"from":"a@b.c","subject":"s","html":"<b>x</b>"},"slack":{"emails":["x@y.z"],"slackMessageConfig":{"text":"hi"}}}}"#;
    let sent = replay(&world, (Server, "POST", "/event/resources/triggers/v3", text, 202)).await;
    let path = format!("/event/resources/triggers/v3/{}/statuses", sent["eventId"].as_str().unwrap());
    assert_eq!(replay(&world, (Server, "GET", &path, "", 200)).await["eventId"], sent["eventId"]);
    replay(&world, (Server, "GET", "/event/resources/triggers/v3/evt-0001/statuses", "", 404)).await;
}

#[tokio::test]
async fn the_node_client_of_the_first_two_generations_is_served() {
    use Client::{Authenticating, Server};
    let world = World::new().await;
    world.event_type("order.placed").await;
    let captures: [Capture<'_>; 4] = [
        (
            Authenticating,
            "POST",
            "/vendors/auth/token",
            r#"{"clientId":"my-client-id","secret":"my-api-key"}"#,
            200,
        ),
        (
            Authenticating,
            "POST",
            "/vendors/auth/token",
            r#"{"clientId":"cid","secret":"key"}"#,
            401,
        ),
        (
            Server,
            "POST",
            "/event/resources/triggers/v2",
            r#"{"eventKey":"order.placed","properties":{"title":"T","description":"D","id":7},"channels":{"webhook":{"orderId":7},"bell":true,"audit":{"severity":"Info"}}}"#,
            202,
        ),
        (
            Server,
            "POST",
            "/event/resources/triggers/v1",
            r#"{"eventKey":"order.placed","metadata":{"a":1},"channels":["webhook","slack"]}"#,
            202,
        ),
    ];
    for capture in captures {
        replay(&world, capture).await;
    }
}

#[tokio::test]
async fn the_browser_client_is_served() {
    use Client::Browser;
    let world = World::new().await;
    let row = r#"{"displayName":"n","description":"","url":"https://e.test/h","secret":null,"eventKeys":["frontegg.user.created"],"isActive":true}"#;
    let made = replay(&world, (Browser, "POST", "/frontegg/webhook/custom", row, 201)).await;
    let id = made["_id"].as_str().unwrap();
    world.trigger(Some("my-tenant-id")).await;
    let changed = format!(
        r#"{{"_id":"{id}","displayName":"n","description":"","url":"https://e.test/h","secret":null,"eventKeys":["User Management.*"],"isActive":true}}"#
    );
    let logs = format!("/frontegg/webhook/logs/?id={id}&offset=0&limit=7");
    let log = replay(&world, (Browser, "GET", &logs, "", 200)).await["rows"][0]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let captures: [Capture<'_>; 13] = [
        (Browser, "GET", "/frontegg/webhook", "", 200),
        (Browser, "GET", "/frontegg/event/resources/configurations/v1/categories", "", 200),
        (
            Browser,
            "GET",
            "/frontegg/event/resources/configurations/v1?channels=webhook",
            "",
            200,
        ),
        (Browser, "PATCH", &format!("/frontegg/webhook/{id}"), &changed, 200),
        (Browser, "PATCH", "/frontegg/webhook/65f0", &changed, 404),
        (
            Browser,
            "POST",
            "/frontegg/webhook/test",
            r#"{"url":"https://e.test/h","secret":null,"payload":{"a":1}}"#,
            200,
        ),
        (
            Browser,
            "GET",
            &format!("/frontegg/webhook/logs/?id={id}&offset=7&limit=7"),
            "",
            200,
        ),
        (Browser, "GET", "/frontegg/webhook/logs/?id=65f0&offset=7&limit=7", "", 404),
        (Browser, "POST", &format!("/frontegg/webhook/logs/{log}/retries"), "", 202),
        (Browser, "POST", "/frontegg/webhook/logs/log-1/retries", "", 404),
        (Browser, "DELETE", &format!("/frontegg/webhook/{id}"), "", 200),
        (Browser, "DELETE", &format!("/frontegg/webhook/{id}"), "", 404),
        (Browser, "DELETE", "/frontegg/webhook/65f0", "", 404),
    ];
    for capture in captures {
        replay(&world, capture).await;
    }
}

#[tokio::test]
async fn the_interface_itself_is_served() {
    use Client::Browser;
    let world = World::new().await;
    let row = r#"{"description":"made by the real UI","displayName":"My hook","url":"https://example.com/h","secret":"s3cr3t-s3cr3t","eventKeys":["User Management.*"],"isActive":true}"#;
    let made = replay(&world, (Browser, "POST", "/frontegg/webhook/custom", row, 201)).await;
    let id = made["_id"].as_str().unwrap();
    let whole = format!(
        r#"{{"description":"made by the real UI","displayName":"My hook","url":"https://example.com/h","secret":"s3cr3t-s3cr3t","eventKeys":["User Management.*"],"isActive":false,"_id":"{id}","invocations":0,"createdAt":"2023-11-14T22:13:20.000Z","updatedAt":"2023-11-14T22:13:20.000Z","type":"CUSTOM","groupEvents":[{{"name":"User Management","count":2}}],"totalEvents":2}}"#
    );
    let changed = replay(&world, (Browser, "PATCH", &format!("/frontegg/webhook/{id}"), &whole, 200)).await;
    assert_eq!(changed["isActive"], false);
    let test = r#"{"url":"https://example.com/h","secret":"s3cr3t-s3cr3t","payload":{"ping":1}}"#;
    assert_eq!(
        replay(&world, (Browser, "POST", "/frontegg/webhook/test", test, 200)).await["statusCode"],
        200
    );
    let log = replay(
        &world,
        (
            Browser,
            "GET",
            &format!("/frontegg/webhook/logs/?id={id}&offset=0&limit=7"),
            "",
            200,
        ),
    )
    .await;
    assert_eq!(log["rows"], serde_json::json!([]));
}
