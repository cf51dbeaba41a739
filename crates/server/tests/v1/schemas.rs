//! JSON Schemas of event types: what could cost too much is refused when it is made, and nothing is fetched.

use serde_json::json;

use crate::world::{Answer, World};

async fn create(world: &World, key: &str, schema: &str) -> Answer {
    let body = format!(r#"{{"key":"{key}","category":"Own","schema":{schema}}}"#);
    world.ask("POST", "/v1/event-types").body(body).send().await
}

#[tokio::test]
async fn a_schema_that_would_cost_too_much_is_refused() {
    let world = World::new().await;
    let deep = |levels: usize| format!("{}{{}}{}", r#"{"not":"#.repeat(levels), "}".repeat(levels));
    let huge = json!({"enum": (0..20_000).collect::<Vec<_>>()}).to_string();
    for (schema, words) in [
        (
            r#"{"properties":{"a":{"pattern":"((a{1000}){1000}){1000}"}}}"#.to_owned(),
            "or one that is too large",
        ),
        (
            r#"{"properties":{"a":{"pattern":"(?=x)(a{1000}){1000}"}}}"#.to_owned(),
            "or one that is too large",
        ),
        (
            r#"{"patternProperties":{"(\\w{1000}){1000}":{}}}"#.to_owned(),
            "or one that is too large",
        ),
        (deep(200), "nested too deeply"),
        (huge, "65536 bytes"),
    ] {
        let answer = create(&world, "own.key", &schema).await.expect(422);
        assert_eq!(answer.text_at("/errors/0/field"), "schema");
        assert!(answer.text_at("/detail").contains(words), "{}", answer.text);
        assert!(answer.text.len() < 1_000, "{}", answer.text);
    }
    create(&world, "own.key", r#"{"properties":{"a":{"pattern":"^(?!x)[a-z0-9_]{1,200}$"}}}"#)
        .await
        .expect(201);
}

#[tokio::test]
async fn references_that_double_or_run_in_a_circle_are_refused_and_plain_ones_are_followed() {
    let world = World::new().await;
    let twice = |name: String| json!({"allOf": [{"$ref": name}, {"$ref": name}]});
    let mut doubling: serde_json::Map<_, _> = (0..24).map(|n| (format!("d{n}"), twice(format!("#/$defs/d{}", n + 1)))).collect();
    doubling.insert("d24".to_owned(), json!({"type": "object"}));
    for (schema, words) in [
        (json!({"$defs": doubling, "$ref": "#/$defs/d0"}), "too much to check"),
        (json!({"properties": {"child": {"$ref": "#"}}}), "in a circle"),
        (json!({"$ref": "#/$defs/missing"}), "only places in this schema"),
        (json!({"$defs": {"a": {"$id": "https://a.example/"}}}), "leave it out"),
        (json!({"$dynamicRef": "#a"}), "dynamic reference"),
    ] {
        let answer = create(&world, "own.key", &schema.to_string()).await.expect(422);
        assert!(answer.text_at("/detail").contains(words), "{}", answer.text);
    }
    let plain = json!({"$defs": {"id": {"type": "integer"}}, "properties": {"a": {"$ref": "#/$defs/id"}, "b": {"$ref": "#/$defs/id"}}});
    create(&world, "own.key", &plain.to_string()).await.expect(201);
    let event = |payload| json!({"eventKey": "own.key", "payload": payload});
    world
        .ask("POST", "/v1/events")
        .json(&event(json!({"a": 1, "b": 2})))
        .send()
        .await
        .expect(202);
    world
        .ask("POST", "/v1/events")
        .json(&event(json!({"b": "x"})))
        .send()
        .await
        .expect(422);
}

#[tokio::test]
async fn a_reference_to_another_place_is_refused_and_never_fetched() {
    let world = World::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let there = format!("http://{}/schema", listener.local_addr().unwrap());
    for member in ["$ref", "$schema", "$dynamicRef"] {
        let answer = create(&world, "own.key", &json!({member: there}).to_string()).await.expect(422);
        assert_eq!(answer.text_at("/errors/0/field"), "schema", "{}", answer.text);
        let file = create(&world, "own.key", &json!({member: "file:///etc/hostname"}).to_string()).await;
        assert_eq!(file.expect(422).text_at("/errors/0/field"), "schema");
    }
    let came = listener.accept().map(|_| ()).map_err(|error| error.kind());
    assert_eq!(came, Err(std::io::ErrorKind::WouldBlock), "nobody asked for it");
}

#[tokio::test]
async fn matching_a_pattern_ends_however_long_it_could_go_back() {
    let world = World::new().await;
    for (key, pattern) in [("own.back", r"^(?=a)((a|aa)+)+\1$"), ("own.large", "a{1000}{1000}{1000}")] {
        let schema = json!({"properties": {"a": {"pattern": pattern}}}).to_string();
        create(&world, key, &schema).await.expect(201);
        let event = json!({"eventKey": key, "payload": {"a": format!("{}b", "a".repeat(60))}});
        world.ask("POST", "/v1/events").json(&event).send().await.expect(422);
    }
}
