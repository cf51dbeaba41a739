//! Webhooks: the shapes, the merge, the secret, and whose is whose.

use serde_json::{Value, json};

use crate::world::{START_TEXT, World};

async fn create(world: &World, body: &Value) -> Value {
    let reply = world.ask("POST", "/webhook/custom").json(body).send().await;
    assert_eq!(reply.status, 201, "{}", reply.text);
    reply.body
}

fn id(webhook: &Value) -> &str {
    webhook["_id"].as_str().unwrap()
}

fn path(webhook: &Value) -> String {
    format!("/webhook/{}", id(webhook))
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(id).collect()
}

#[tokio::test]
async fn a_webhook_has_every_member_that_some_client_reads() {
    let world = World::new().await;
    let body = json!({
        "displayName": "My hook", "description": "made by a test", "url": "https://example.com/h", "secret": "s3cr3t-s3cr3t",
        "eventKeys": ["Authentication.*", "frontegg.user.created"], "isActive": true,
    });
    let webhook = create(&world, &body).await;
    let environment = world.environment.to_string();
    let expected = json!({
        "_id": id(&webhook), "displayName": "My hook", "description": "made by a test", "url": "https://example.com/h",
        "secret": "s3cr3t-s3cr3t", "eventKeys": ["Authentication.*", "frontegg.user.created"], "isActive": true, "type": "CUSTOM",
        "vendorId": environment, "tenantId": null, "environmentId": environment, "invocations": 0,
        "createdAt": START_TEXT, "updatedAt": START_TEXT,
    });
    assert_eq!(webhook, expected);
    assert!(id(&webhook).starts_with("wh_"));
    assert_eq!(world.get("/webhook").await.body, json!([expected]));
}

#[tokio::test]
async fn the_list_is_a_bare_array_newest_first_and_as_long_as_it_has_to_be() {
    let world = World::new().await;
    assert_eq!(world.get("/frontegg/webhook").await.text, "[]");
    let mut created = Vec::new();
    for number in 0..203 {
        created.push(world.webhook(&format!("n{number}"), None).await);
    }
    let list = world.get("/frontegg/webhook").await.body;
    let mut listed = ids(&list);
    assert!(listed.is_sorted_by(|newer, older| newer > older), "newest first, none twice");
    created.sort_unstable();
    listed.reverse();
    assert_eq!(listed, created);
}

#[tokio::test]
async fn a_webhook_can_be_made_of_little() {
    let world = World::new().await;
    let bodies = [
        json!({"url": "https://example.com/", "eventKeys": []}),
        json!({"displayName": null, "description": null, "url": "https://example.com/", "secret": null, "eventKeys": [], "isActive": null}),
        json!({"displayName": "", "description": "", "url": "https://example.com/", "secret": "", "eventKeys": [], "groupEvents": [{}]}),
    ];
    for body in bodies {
        let webhook = create(&world, &body).await;
        assert_eq!(webhook["displayName"], "example.com");
        assert_eq!(
            (&webhook["description"], &webhook["secret"], &webhook["isActive"]),
            (&json!(""), &Value::Null, &json!(true))
        );
    }
    let off = create(&world, &json!({"url": "https://example.com/", "eventKeys": [], "isActive": false})).await;
    assert_eq!(off["isActive"], false);
}

#[tokio::test]
async fn what_cannot_be_taken_is_400_in_the_clients_own_words_and_nothing_is_stored() {
    let world = World::new().await;
    let good = json!({"displayName": "n", "url": "https://e.test/", "eventKeys": ["frontegg.user.created"]});
    let cases = [
        ("displayName", json!("x".repeat(129)), "displayName: has at most"),
        ("description", json!("x".repeat(2_001)), "description: has at most"),
        ("url", json!("nonsense"), "url: "),
        ("url", json!("http://e.test/"), "url: "),
        ("url", json!("https://forbidden.test/"), "url: the address is forbidden"),
        ("url", Value::Null, "url: "),
        ("secret", json!("short"), "secret: "),
        (
            "eventKeys",
            json!(["frontegg.user.create"]),
            "eventKeys: 'frontegg.user.create' is not a known event key",
        ),
        ("eventKeys", json!(["Nonsense.*"]), "eventKeys: "),
        ("eventKeys", Value::Null, "eventKeys: has to be given"),
        ("eventKeys", json!("frontegg.user.created"), "eventKeys: has to be an array"),
        ("isActive", json!("yes"), "isActive: has to be"),
    ];
    for (field, value, message) in cases {
        let mut body = good.clone();
        body[field] = value;
        world.ask("POST", "/webhook/custom").json(&body).send().await.is_error(400, message);
    }
    let both = json!({"url": "nonsense", "secret": "short", "eventKeys": ["nonsense"]});
    let reply = world.ask("POST", "/webhook/custom").json(&both).send().await;
    assert_eq!(reply.body["errors"].as_array().unwrap().len(), 3, "{}", reply.text);
    let unreadable = [
        ("", "the body is empty"),
        ("{", "the body is not JSON"),
        ("[]", "has to be a JSON object"),
        (r#"{"url":"a","url":"b"}"#, "url: is given twice"),
    ];
    for (text, message) in unreadable {
        world.ask("POST", "/webhook/custom").text(text).send().await.is_error(400, message);
    }
    assert_eq!(world.get("/webhook").await.text, "[]");
}

#[tokio::test]
async fn a_body_that_is_not_plain_json_in_utf_8_is_415() {
    let world = World::new().await;
    for (name, value, words) in [
        ("content-encoding", "gzip", "the content encoding is 'gzip'"),
        ("content-type", "application/json; charset=latin1", "the charset is 'latin1'"),
    ] {
        for path in ["/webhook/custom", "/event/resources/triggers/v3"] {
            world.ask("POST", path).with(name, value).send().await.is_error(415, words);
        }
    }
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_413() {
    let world = World::new().await;
    let body = json!({"url": "https://e.test/", "eventKeys": [], "description": "x".repeat(600 * 1024)});
    world.ask("POST", "/webhook/custom").json(&body).send().await.is_error(413, "");
}

#[tokio::test]
async fn a_patch_merges_and_passes_over_what_it_does_not_know() {
    let world = World::new().await;
    let body =
        json!({"displayName": "n", "description": "d", "url": "https://e.test/h", "secret": "s3cr3t-s3cr3t", "eventKeys": ["MFA.*"]});
    let before = create(&world, &body).await;
    let change = json!({"displayName": "renamed", "invocations": "many", "type": 7, "groupEvents": [{"name": "MFA", "count": 2}], "totalEvents": 2,
                        "_id": "another", "vendorId": 1, "tenantId": "t-1"});
    let reply = world.ask("PATCH", &path(&before)).json(&change).send().await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let mut expected = before.clone();
    expected["displayName"] = json!("renamed");
    expected["updatedAt"] = json!("2023-11-14T22:13:20.001Z");
    assert_eq!(reply.body, expected);
    let reply = world
        .ask("PATCH", &path(&before))
        .json(&json!({"description": "", "eventKeys": ["*"], "isActive": false}))
        .send()
        .await;
    assert_eq!((&reply.body["description"], &reply.body["isActive"]), (&json!(""), &json!(false)));
    assert_eq!(reply.body["eventKeys"], json!(["*"]));
    assert_eq!(
        (&reply.body["displayName"], &reply.body["url"]),
        (&json!("renamed"), &json!("https://e.test/h"))
    );
    assert_eq!(world.get("/webhook").await.body, json!([reply.body]));
}

#[tokio::test]
async fn a_whole_row_sent_back_switches_a_webhook_off_whatever_has_become_of_the_rest() {
    let world = World::new().await;
    world.event_type("order.placed").await;
    let mut row = create(
        &world,
        &json!({"url": "https://e.test/h", "eventKeys": ["order.placed", "Orders.*"]}),
    )
    .await;
    let gone = world.ask("DELETE", "/event/resources/configurations/v1/order.placed").send().await;
    assert_eq!(gone.status, 200);
    row["isActive"] = json!(false);
    let reply = world.ask("PATCH", &path(&row)).json(&row).send().await;
    assert_eq!((reply.status, &reply.body["isActive"]), (200, &json!(false)), "{}", reply.text);
    row["eventKeys"] = json!(["order.placed"]);
    world
        .ask("PATCH", &path(&row))
        .json(&row)
        .send()
        .await
        .is_error(400, "eventKeys: 'order.placed' is not a known event key");
}

#[tokio::test]
async fn a_patch_keeps_the_secret_unless_it_brings_another() {
    let world = World::new().await;
    let webhook = create(
        &world,
        &json!({"url": "https://e.test/h", "secret": "s3cr3t-s3cr3t", "eventKeys": []}),
    )
    .await;
    for secret in [Value::Null, json!(""), json!("s3cr3t-s3cr3t")] {
        let reply = world.ask("PATCH", &path(&webhook)).json(&json!({"secret": secret})).send().await;
        assert_eq!(reply.body["secret"], "s3cr3t-s3cr3t");
    }
    let reply = world
        .ask("PATCH", &path(&webhook))
        .json(&json!({"secret": "another-secret"}))
        .send()
        .await;
    assert_eq!(reply.body["secret"], "another-secret");
    world
        .ask("PATCH", &path(&webhook))
        .json(&json!({"secret": "short"}))
        .send()
        .await
        .is_error(400, "secret: ");
}

#[tokio::test]
async fn the_same_secret_sent_back_does_not_end_a_rotation() {
    let world = World::new().await;
    let webhook = create(
        &world,
        &json!({"url": "https://e.test/h", "secret": "s3cr3t-s3cr3t", "eventKeys": []}),
    )
    .await;
    let id = id(&webhook).parse().unwrap();
    world
        .app
        .rotate_secret(&world.operator, id, tidings_app::webhooks::SecretChange::Generate, None)
        .await
        .unwrap();
    let row = world.get("/webhook").await.body[0].clone();
    assert_ne!(row["secret"], "s3cr3t-s3cr3t");
    assert_eq!(world.ask("PATCH", &path(&row)).json(&row).send().await.status, 200);
    let kept = world.app.webhook(&world.operator, id).await.unwrap().webhook;
    assert!(kept.secrets.rotating_out.is_some());
}

#[tokio::test]
async fn a_deleted_webhook_is_gone() {
    let world = World::new().await;
    let webhook = create(&world, &json!({"url": "https://e.test/h", "eventKeys": []})).await;
    let reply = world
        .ask("DELETE", &path(&webhook))
        .with("content-type", "application/json")
        .send()
        .await;
    assert_eq!((reply.status, reply.text.as_str()), (200, "{}"));
    world
        .ask("DELETE", &path(&webhook))
        .send()
        .await
        .is_error(404, "there is no webhook wh_");
    world
        .ask("PATCH", &path(&webhook))
        .json(&json!({}))
        .send()
        .await
        .is_error(404, "there is no webhook wh_");
    world
        .ask("PATCH", "/webhook/65f0")
        .json(&json!({}))
        .send()
        .await
        .is_error(404, "there is no webhook 65f0");
    world.ask("PATCH", "/webhook/%FF").json(&json!({})).send().await.is_error(400, "");
}

#[tokio::test]
async fn a_tenant_sees_only_its_own_webhooks_and_no_secret() {
    let world = World::new().await;
    let everybody = world.webhook("everybody", None).await;
    let theirs = world.webhook("theirs", Some("t-2")).await;
    let token = world.tenant_token("t-1");
    let body =
        json!({"displayName": "mine", "url": "https://mine.test/", "secret": "s3cr3t-s3cr3t", "eventKeys": ["*"], "tenantId": "t-2"});
    let mine = world.ask("POST", "/frontegg/webhook/custom").token(&token).json(&body).send().await;
    assert_eq!(
        (mine.status, &mine.body["tenantId"], &mine.body["secret"]),
        (201, &json!("t-1"), &Value::Null),
        "{}",
        mine.text
    );
    let listed = world.ask("GET", "/frontegg/webhook").token(&token).send().await.body;
    assert_eq!(listed, json!([mine.body]));
    for other in [&everybody, &theirs] {
        let path = format!("/webhook/{other}");
        world
            .ask("PATCH", &path)
            .token(&token)
            .json(&json!({"displayName": "x"}))
            .send()
            .await
            .is_error(404, "there is no webhook");
        world
            .ask("DELETE", &path)
            .token(&token)
            .send()
            .await
            .is_error(404, "there is no webhook");
    }
    let patched = world.ask("PATCH", &path(&mine.body)).token(&token).json(&listed[0]).send().await;
    assert_eq!((patched.status, &patched.body["secret"]), (200, &Value::Null));
    let vendor = world.get("/webhook").await.body;
    let own = vendor.as_array().unwrap().iter().find(|row| id(row) == id(&mine.body)).unwrap();
    assert_eq!(
        own["secret"], "s3cr3t-s3cr3t",
        "what a tenant sent back without its secret keeps it"
    );
    world
        .ask("GET", "/webhook")
        .token(&token)
        .with("frontegg-tenant-id", "t-2")
        .send()
        .await
        .is_error(403, "another tenant");
    assert_eq!(
        world
            .ask("GET", "/webhook")
            .token(&token)
            .with("frontegg-tenant-id", "t-1")
            .send()
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_vendor_acts_on_behalf_of_the_tenant_that_it_names() {
    let world = World::new().await;
    let everybody = world.webhook("everybody", None).await;
    let theirs = world.webhook("theirs", Some("t-2")).await;
    let list = |tenant: String| world.ask("GET", "/webhook").with("frontegg-tenant-id", &tenant).send();
    assert_eq!(ids(&list("t-2".to_owned()).await.body), [&theirs]);
    assert_eq!(ids(&list("t-1".to_owned()).await.body), Vec::<&str>::new());
    let environment = world.environment.to_string();
    assert_eq!(
        ids(&list(environment.to_uppercase()).await.body).len(),
        2,
        "the vendor's own id names no tenant"
    );
    let path = format!("/webhook/{everybody}");
    world
        .ask("DELETE", &path)
        .with("frontegg-tenant-id", "t-2")
        .send()
        .await
        .is_error(404, "there is no webhook");
    list("two words".to_owned()).await.is_error(400, "frontegg-tenant-id: ");
}
