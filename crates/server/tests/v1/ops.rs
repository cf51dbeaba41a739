//! Addresses for operators, and what holds for every address.

use crate::world::World;

#[tokio::test]
async fn a_process_that_answers_is_alive_before_it_is_ready() {
    let world = World::new().await;
    world.ask("GET", "/healthz").anonymous().send().await.expect(200);
    world.ask("GET", "/readyz").anonymous().send().await.expect(503);
    world.state.ready.set(true);
    world.ask("GET", "/readyz").anonymous().send().await.expect(200);
    world.state.ready.set(false);
    let refused = world.ask("GET", "/readyz").anonymous().send().await.expect(503);
    assert_eq!(refused.headers["retry-after"], "1");
}

#[tokio::test]
async fn the_figures_are_text_that_prometheus_reads() {
    let world = World::new().await;
    world.publish("{}").await;
    let answer = world.ask("GET", "/metrics").anonymous().send().await.expect(200);
    assert_eq!(
        answer.headers["content-type"],
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(answer.text.contains("\ntidings_events_accepted_total 1\n"), "{}", answer.text);
    assert!(
        answer.text.contains("\nrefreshed 1\n"),
        "what nobody counts is asked for: {}",
        answer.text
    );
    assert!(answer.text.ends_with("# EOF\n"));
}

#[tokio::test]
async fn every_answer_forbids_sniffing_and_keeping() {
    let world = World::new().await;
    for (path, status) in [
        ("/healthz", 200),
        ("/v1/webhooks", 200),
        ("/nowhere", 404),
        ("/v1/events/evt_x", 404),
    ] {
        let answer = world.ask("GET", path).send().await.expect(status);
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["cache-control"], "no-store", "{path}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_served_is_a_problem_and_so_is_an_operation() {
    let world = World::new().await;
    let answer = world.ask("GET", "/v2/webhooks").send().await.expect(404);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.text_at("/code"), "not-found");
    let answer = world.ask("PUT", "/v1/webhooks").send().await.expect(405);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.text_at("/code"), "method-not-allowed");
    assert_eq!(answer.headers["allow"], "GET,HEAD,POST");
}

#[tokio::test]
async fn a_problem_says_everything_in_the_shape_of_the_standard() {
    let world = World::new().await;
    let answer = world
        .ask("POST", "/v1/webhooks")
        .body(r#"{"url":"ftp://x.test/","eventKeys":["*"],"secret":"short"}"#)
        .send()
        .await;
    assert_eq!(
        answer.expect(422).json,
        serde_json::json!({
            "type": "urn:tidings:problem:invalid",
            "title": "The request cannot be taken",
            "status": 422,
            "detail": "url: the scheme 'ftp' is not allowed; use https; secret: the secret has 5 characters; it needs at least 8",
            "code": "invalid",
            "errors": [
                {"field": "url", "message": "the scheme 'ftp' is not allowed; use https"},
                {"field": "secret", "message": "the secret has 5 characters; it needs at least 8"},
            ],
        })
    );
}
