//! What cannot be taken: the right status, the field, the reason, and nothing stored.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::World;

/// Asks, expects that status with that field (or none) and a detail that holds the word.
async fn refused(world: &World, method: &str, path: &str, body: impl Into<Vec<u8>>, expected: (u16, &str, &str)) {
    let (status, field, word) = expected;
    let body = body.into();
    let shown = String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned();
    let answer = world.ask(method, path).body(body).send().await;
    assert_eq!(answer.status, status, "{method} {path} {shown}: {}", answer.text);
    let fields: Vec<_> = answer.json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["field"].as_str().unwrap())
        .collect();
    let expected = if field.is_empty() { vec![] } else { vec![field] };
    assert_eq!(fields, expected, "{method} {path} {shown}: {}", answer.text);
    assert!(answer.text_at("/detail").contains(word), "{method} {path} {shown}: {}", answer.text);
}

async fn nothing_is_stored(world: &World) {
    for path in ["/v1/events", "/v1/deliveries", "/v1/webhooks"] {
        assert_eq!(world.count(path).await, 0, "{path}");
    }
    let environments = world.ask("GET", "/v1/environments").send().await;
    assert_eq!(environments.json["data"].as_array().unwrap().len(), 1);
    let event_types = world.ask("GET", "/v1/event-types").send().await;
    assert_eq!(event_types.json["data"].as_array().unwrap().len(), 60);
    assert!(world.network.got().is_empty());
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_refused_in_every_operation_that_takes_one() {
    let world = World::new().await;
    let id = world.environment;
    let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
    for (method, path) in [
        ("POST", "/v1/events".to_owned()),
        ("POST", "/v1/events/batch".to_owned()),
        ("POST", "/v1/webhooks".to_owned()),
        ("POST", "/v1/webhooks/test".to_owned()),
        ("POST", "/v1/event-types".to_owned()),
        ("POST", "/v1/environments".to_owned()),
        ("PATCH", format!("/v1/environments/{id}")),
        ("POST", format!("/v1/environments/{id}/copy")),
        ("POST", format!("/v1/environments/{id}/credentials")),
    ] {
        for (body, expected) in [
            (&b""[..], (400, "", "empty")),
            (b"   ", (400, "", "empty")),
            (b"hello", (400, "", "not JSON")),
            (b"{", (400, "", "not JSON")),
            (br#"{"a":1,}"#, (400, "", "line 1, column 8")),
            (b"{} {}", (400, "", "not JSON")),
            (b"{\"a\":\"\xff\"}", (400, "", "not UTF-8 from byte 6")),
            (br#"{"a":"\ud800"}"#, (422, "a", "is not known")),
            (b"[]", (422, "", "has to be a JSON object")),
            (b"null", (422, "", "has to be a JSON object")),
            (b"\"text\"", (422, "", "has to be a JSON object")),
            (br#"{"unheard":1}"#, (422, "unheard", "the known ones are")),
            (deep.as_bytes(), (422, "x", "is not known")),
        ] {
            refused(&world, method, &path, body, expected).await;
        }
        let large = format!(r#"{{"x":"{}"}}"#, "x".repeat(17 * 1024 * 1024));
        refused(&world, method, &path, large, (413, "", "more than")).await;
    }
    nothing_is_stored(&world).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_taken_says_which_part_of_it() {
    let world = World::new().await;
    let deep = |levels: usize| format!("{}1{}", r#"{"x":"#.repeat(levels), "}".repeat(levels));
    let event = |payload: &str| format!(r#"{{"eventKey":"frontegg.user.created","payload":{payload}}}"#);
    for (body, field, word) in [
        (r#"{"payload":{}}"#.to_owned(), "eventKey", "has to be given"),
        (r#"{"eventKey":"frontegg.user.created"}"#.to_owned(), "payload", "has to be given"),
        (
            r#"{"eventKey":7,"payload":{}}"#.to_owned(),
            "eventKey",
            "has to be a string, not integer '7'",
        ),
        (
            r#"{"eventKey":null,"payload":{}}"#.to_owned(),
            "eventKey",
            "has to be a string, not null",
        ),
        (
            r#"{"eventKey":"frontegg.user.creatd","payload":{}}"#.to_owned(),
            "eventKey",
            "did you mean frontegg.user.created",
        ),
        (r#"{"eventKey":"","payload":{}}"#.to_owned(), "eventKey", "is not a known event key"),
        (
            r#"{"eventKey":"a","eventKey":"b","payload":{}}"#.to_owned(),
            "eventKey",
            "is given twice",
        ),
        (
            r#"{"eventKey":"frontegg.user.created","payload":{},"tenantID":"x"}"#.to_owned(),
            "tenantID",
            "'tenantId'",
        ),
        (
            r#"{"eventKey":"frontegg.user.created","payload":{},"tenantId":5}"#.to_owned(),
            "tenantId",
            "has to be a string",
        ),
        (
            r#"{"eventKey":"frontegg.user.created","payload":{},"tenantId":""}"#.to_owned(),
            "tenantId",
            "cannot be empty",
        ),
        (
            r#"{"eventKey":"frontegg.user.created","payload":{},"userId":"a b"}"#.to_owned(),
            "userId",
            "white space",
        ),
        (event("[]"), "payload", "has to be a JSON object"),
        (event("null"), "payload", "has to be a JSON object"),
        (event("\"text\""), "payload", "has to be a JSON object"),
        (event(r#"{"a":1,"a":2}"#), "payload", "comes twice"),
        (event(r#"{"a":{"b":1,"\u0062":2}}"#), "payload", "comes twice"),
        (event(r#"{"a":"\ud800"}"#), "payload", "cannot be read"),
        (event(r#"{"a":1e999999}"#), "payload", "beyond what a double can hold"),
        (event(r#"{"eventContext":{}}"#), "payload", "eventContext"),
        (event(r#"{"eventKey":"x"}"#), "payload", "eventKey"),
        (event(&deep(65)), "payload", "64 levels"),
    ] {
        refused(&world, "POST", "/v1/events", body, (422, field, word)).await;
    }
    for (key, word) in [
        (String::new(), "256"),
        ("x".repeat(257), "256"),
        (String::from("caf\u{e9}"), "visible ASCII"),
    ] {
        let answer = world
            .ask("POST", "/v1/events")
            .header("Idempotency-Key", &key)
            .body(event("{}"))
            .send()
            .await;
        assert!(matches!(answer.status, 400 | 422), "{}", answer.text);
        assert!(answer.text_at("/detail").contains(word), "{}", answer.text);
    }
    let twice = world
        .ask("POST", "/v1/events")
        .header("Idempotency-Key", "a")
        .header("Idempotency-Key", "b")
        .body(event("{}"));
    twice.send().await.expect(400);
    nothing_is_stored(&world).await;
    world.ask("POST", "/v1/events").body(event(&deep(64))).send().await.expect(202);
}

#[tokio::test]
async fn a_webhook_that_cannot_be_taken_says_which_part_of_it() {
    let world = World::new().await;
    let base = json!({"url": "https://a.test/", "eventKeys": ["*"]});
    let with = |changes: Value| {
        let mut body = base.clone();
        body.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        body.to_string()
    };
    let many_headers: Value = (0..17)
        .map(|n| (format!("x-{n}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for (body, field, word) in [
        (r#"{"eventKeys":[]}"#.to_owned(), "url", "has to be given"),
        (r#"{"url":"https://a.test/"}"#.to_owned(), "eventKeys", "has to be given"),
        (with(json!({"eventKeys": "*"})), "eventKeys", "has to be an array"),
        (
            with(json!({"eventKeys": ["*", 7]})),
            "eventKeys[1]",
            "has to be a string, not integer '7'",
        ),
        (
            with(json!({"eventKeys": ["frontegg.user.creatd"]})),
            "eventKeys",
            "frontegg.user.created",
        ),
        (with(json!({"eventKeys": ["Authenticaton.*"]})), "eventKeys", "Authentication.*"),
        (with(json!({"active": "yes"})), "active", "has to be true or false"),
        (with(json!({"secret": "short"})), "secret", "8"),
        (with(json!({"secret": 12_345_678})), "secret", "has to be a string"),
        (
            with(json!({"secret": "long-enough", "generateSecret": true})),
            "secret",
            "generateSecret",
        ),
        (with(json!({"name": "x".repeat(129)})), "name", "128"),
        (with(json!({"description": "x".repeat(2_001)})), "description", "2000"),
        (with(json!({"tenantId": "a b"})), "tenantId", "white space"),
        (
            with(json!({"headers": ["x-a"]})),
            "headers",
            "has to be an object of texts, not an array",
        ),
        (
            with(json!({"headers": []})),
            "headers",
            "has to be an object of texts, not an array",
        ),
        (with(json!({"eventKeys": {}})), "eventKeys", "has to be an array, not an object"),
        (with(json!({"active": 1.5})), "active", "has to be true or false, not number '1.5'"),
        (with(json!({"name": true})), "name", "has to be a string, not true"),
        (with(json!({"headers": {"x-a": 1}})), "headers.x-a", "has to be a string"),
        (with(json!({"headers": {"Host": "evil"}})), "headers", "'host'"),
        (with(json!({"headers": {"x-a": "1\r\nx-b: 2"}})), "headers", "x-a"),
        (with(json!({"headers": {"x a": "1"}})), "headers", "header name"),
        (with(json!({"headers": many_headers})), "headers", "16"),
        (
            r#"{"url":"https://a.test/","eventKeys":["*"],"headers":{"x-a":"1","X-A":"2"}}"#.to_owned(),
            "headers",
            "twice",
        ),
        (with(json!({"secretx": "a"})), "secretx", "'secret'"),
    ] {
        refused(&world, "POST", "/v1/webhooks", body, (422, field, word)).await;
    }
    for (url, word) in [
        ("", "not a valid absolute URL"),
        ("/hook", "not a valid absolute URL"),
        ("a.test/hook", "not a valid absolute URL"),
        ("http://a.test/", "plain http"),
        ("ftp://a.test/", "'ftp'"),
        ("file:///etc/passwd", "'file'"),
        ("javascript:alert(1)", "'javascript'"),
        ("https://", "not a valid absolute URL"),
        ("https://user:pass@a.test/", "user name"),
        ("https://user@a.test/", "user name"),
        ("https://a.test/#part", "fragment"),
        ("https://a.test/a b", "white space"),
        ("https://a.test/\n", "white space"),
        ("https://a.test:99999/", "not a valid absolute URL"),
        ("https://[::1/", "not a valid absolute URL"),
        ("https://a.test:0/", "port 0"),
        ("https://a..b/", "is not a name that can exist"),
        ("https://-a.com/", "begins or ends with a hyphen"),
        ("https://*.a.com/", "other characters than letters"),
        (&format!("https://{}.com/", "a".repeat(70)), "more than 63 characters"),
        (&format!("https://{}com/", "a.".repeat(130)), "more than 253 characters"),
        ("https://127.0.0.1/", "loopback"),
        ("https://0x7f.1/", "loopback"),
        ("https://2130706433/", "loopback"),
        ("https://localhost/", "loopback"),
    ] {
        refused(&world, "POST", "/v1/webhooks", with(json!({"url": url})), (422, "url", word)).await;
    }
    let long = format!("https://a.test/{}", "x".repeat(2_048));
    refused(&world, "POST", "/v1/webhooks", with(json!({"url": long})), (422, "url", "2048")).await;
    nothing_is_stored(&world).await;
}

#[tokio::test]
async fn a_patch_that_cannot_be_taken_changes_nothing() {
    let world = World::new().await;
    let id = world.webhook("https://a.test/").await;
    let path = format!("/v1/webhooks/{id}");
    let before = world.ask("GET", &path).send().await.text;
    for (body, field) in [
        (r#"{"tenantId":"x"}"#, "tenantId"),
        (r#"{"name":"new","url":"http://a.test/"}"#, "url"),
        (r#"{"name":"new","secret":"short"}"#, "secret"),
        (r#"{"name":"new","eventKeys":["nope"]}"#, "eventKeys"),
        (r#"{"name":"new","active":1}"#, "active"),
        (r#"{"name":""}"#, "name"),
    ] {
        refused(&world, "PATCH", &path, body, (422, field, "")).await;
    }
    assert_eq!(world.ask("GET", &path).send().await.text, before);
}

#[tokio::test]
async fn event_types_and_environments_that_cannot_be_taken_say_which_part_of_them() {
    let world = World::new().await;
    let deep = format!(
        r#"{{"key":"own.key","category":"Own","schema":{}{}}}"#,
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    refused(&world, "POST", "/v1/event-types", deep, (422, "schema", "nested too deeply")).await;
    for (body, field, word) in [
        (json!({"category": "Own"}), "key", "has to be given"),
        (json!({"key": "own.key"}), "category", "has to be given"),
        (json!({"key": "own key", "category": "Own"}), "key", "is not an event key"),
        (json!({"key": "own.key", "category": "Own.*"}), "category", "category"),
        (
            json!({"key": "own.key", "category": "Own", "example": []}),
            "example",
            "has to be a JSON object",
        ),
        (
            json!({"key": "own.key", "category": "Own", "schema": {"type": "nonsense"}}),
            "schema",
            "is not a JSON Schema",
        ),
        (
            json!({"key": "own.key", "category": "Own", "example": {}, "schema": {"required": ["a"]}}),
            "example",
            "does not satisfy",
        ),
        (
            json!({"key": "own.key", "category": "Own", "builtIn": true}),
            "builtIn",
            "is not known",
        ),
    ] {
        refused(&world, "POST", "/v1/event-types", body.to_string(), (422, field, word)).await;
    }
    for (body, field, word) in [
        (json!({}), "name", "has to be given"),
        (json!({"name": " "}), "name", "has to be given"),
        (json!({"name": 7}), "name", "has to be a string"),
        (json!({"name": "A", "settings": []}), "settings", "has to be a JSON object"),
        (json!({"name": "A", "settings": {"timeout": 1}}), "settings.timeout", "'timeoutMs'"),
        (json!({"name": "A", "settings": {"timeoutMs": 1}}), "settings.timeoutMs", "between"),
        (
            json!({"name": "A", "settings": {"timeoutMs": -1}}),
            "settings.timeoutMs",
            "a whole number",
        ),
        (
            json!({"name": "A", "settings": {"timeoutMs": 1.5}}),
            "settings.timeoutMs",
            "a whole number",
        ),
        (
            json!({"name": "A", "settings": {"retrySchedule": [5]}}),
            "settings.retrySchedule",
            "first step",
        ),
        (
            json!({"name": "A", "settings": {"retrySchedule": [0, "x"]}}),
            "settings.retrySchedule[1]",
            "a whole number",
        ),
        (
            json!({"name": "A", "settings": {"retentionDays": 0}}),
            "settings.retentionDays",
            "between",
        ),
    ] {
        refused(&world, "POST", "/v1/environments", body.to_string(), (422, field, word)).await;
    }
    let credentials = format!("/v1/environments/{}/credentials", world.environment);
    refused(
        &world,
        "POST",
        &credentials,
        r#"{"name":"x","scopes":["root"]}"#,
        (422, "scopes", "'root'"),
    )
    .await;
    refused(
        &world,
        "POST",
        &credentials,
        r#"{"name":"x","scopes":[]}"#,
        (422, "scopes", "at least one"),
    )
    .await;
    let copy = format!("/v1/environments/{}/copy", world.environment);
    refused(&world, "POST", &copy, r#"{"to":"QA"}"#, (422, "to", "environment id")).await;
    nothing_is_stored(&world).await;
}

#[tokio::test]
async fn a_query_that_cannot_be_taken_names_its_parameter() {
    let world = World::new().await;
    for (query, field, word) in [
        ("/v1/events?limit=0", "limit", "between 1 and 200"),
        ("/v1/events?limit=201", "limit", "between 1 and 200"),
        ("/v1/events?limit=many", "limit", "between 1 and 200"),
        ("/v1/events?limit=-1", "limit", "between 1 and 200"),
        ("/v1/events?limit=", "limit", "between 1 and 200"),
        ("/v1/events?limit=1&limit=2", "limit", "twice"),
        ("/v1/events?offset=7", "offset", "is not known"),
        ("/v1/events?cursor=abc", "cursor", "is not an event id"),
        ("/v1/events?from=yesterday", "from", "RFC 3339"),
        ("/v1/events?from=2026-01-02T00:00:00%2B25:00", "from", "RFC 3339"),
        (
            "/v1/events?from=2026-01-02T00:00:00Z&until=2026-01-01T00:00:00Z",
            "from",
            "is later than until",
        ),
        (
            "/v1/deliveries?until=2026-01-01T00:00:00Z&from=2026-01-01T00:00:00.001Z",
            "from",
            "is later than until",
        ),
        ("/v1/events?eventKey=a%20b", "eventKey", "is not an event key"),
        ("/v1/events?tenantId=", "tenantId", "cannot be empty"),
        ("/v1/deliveries?status=failed", "status", "use one of"),
        ("/v1/deliveries?webhookId=wh_1", "webhookId", "is not a webhook id"),
        ("/v1/deliveries?cursor=evt_0000000000001", "cursor", "is not a delivery id"),
        ("/v1/webhooks?active=maybe", "active", "true or false"),
        ("/v1/webhooks?cursor=x", "cursor", "is not a webhook id"),
    ] {
        refused(&world, "GET", query, "", (422, field, word)).await;
    }
}

#[tokio::test]
async fn an_id_of_nothing_is_not_found_however_it_looks() {
    let world = World::new().await;
    for (what, path) in [
        ("event", "/v1/events/evt_0000000000001"),
        ("event", "/v1/events/7"),
        ("event", "/v1/events/wh_0000000000001"),
        ("delivery", "/v1/deliveries/dlv_00000000000010000000"),
        ("delivery", "/v1/deliveries/x"),
        ("webhook", "/v1/webhooks/wh_0000000000001"),
        ("webhook", "/v1/webhooks/wh_u%20n"),
        ("environment", "/v1/environments/00000000-0000-4000-8000-000000000000"),
        ("environment", "/v1/environments/Development"),
        ("event type", "/v1/event-types/no.such"),
    ] {
        refused(&world, "GET", path, "", (404, "", &format!("there is no {what}"))).await;
    }
    refused(&world, "GET", "/v1/webhooks/%ff", "", (400, "", "UTF-8")).await;
    let long = format!("/v1/webhooks/{}", "x".repeat(10_000));
    let answer = world.ask("GET", &long).send().await.expect(404);
    assert!(answer.text.len() < 1_000, "a long id is not repeated whole");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_a_handler_panic(body in prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..64),
        "\\{(\"(eventKey|payload|events|url|eventKeys|settings|headers|name)\":(\\{\\}|\\[\\]|null|1|\"x\"|\\{\"a\":1\\}),?){0,4}\\}?".prop_map(String::into_bytes),
    ]) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let world = World::new().await;
            for path in ["/v1/events", "/v1/events/batch", "/v1/webhooks", "/v1/webhooks/test", "/v1/event-types", "/v1/environments"] {
                let answer = world.ask("POST", path).body(body.clone()).send().await;
                assert!((200..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.text);
            }
        });
    }
}
