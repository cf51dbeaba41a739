//! What a body is made of, as its headers say it.

use crate::world::World;

const EVENT: &str = r#"{"eventKey":"frontegg.user.created","payload":{}}"#;

#[tokio::test]
async fn a_body_that_is_not_plain_json_in_utf_8_is_415_and_says_what_to_send() {
    let world = World::new().await;
    for path in [
        "/v1/events",
        "/v1/events/batch",
        "/v1/webhooks",
        "/v1/webhooks/test",
        "/v1/environments",
    ] {
        for (name, value, words) in [
            ("content-encoding", "gzip", "the content encoding is 'gzip'; send the body as it is"),
            ("content-encoding", "identity, br", "'identity, br'"),
            (
                "content-type",
                "application/json; charset=iso-8859-1",
                "the charset is 'iso-8859-1'; send JSON in utf-8",
            ),
            ("content-type", "application/json;version=1; CharSet = \"UTF-16\"", "'UTF-16'"),
            ("content-type", "text/xml", "send application/json"),
        ] {
            let answer = world.ask("POST", path).header(name, value).body(EVENT).send().await.expect(415);
            assert_eq!(answer.text_at("/code"), "unsupported-media-type");
            assert!(answer.text_at("/detail").contains(words), "{path} {value}: {}", answer.text);
        }
    }
    assert_eq!(world.count("/v1/events").await, 0);
}

#[tokio::test]
async fn plain_json_in_utf_8_is_taken_however_its_headers_say_so() {
    let world = World::new().await;
    for (name, value) in [
        ("content-encoding", "identity"),
        ("content-encoding", "Identity"),
        ("content-encoding", ""),
        ("content-type", "application/json"),
        ("content-type", "Application/JSON;charset=UTF-8"),
        ("content-type", "application/json; charset=\"utf-8\"; version=1"),
        ("content-type", "application/x-www-form-urlencoded"),
    ] {
        world
            .ask("POST", "/v1/events")
            .header(name, value)
            .body(EVENT)
            .send()
            .await
            .expect(202);
    }
}
