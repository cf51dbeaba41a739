//! Changing a webhook's secret, as its receiver sees it.

use std::time::Duration;

use serde_json::{Value, json};
use tidings_model::OutboundRequest;
use tidings_runtime::Clock;
use tidings_signing::{Secret, frontegg, standard};

use crate::world::World;

/// Of the secrets, those that a receiver could check the last delivery with: by its signature, and by its token.
fn believed<'a>(world: &World, secrets: &[&'a str]) -> (Vec<&'a str>, Vec<&'a str>) {
    let got = world.network.got();
    let OutboundRequest { headers, body, .. } = got.last().unwrap();
    let header = |name: &str| {
        headers
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value.as_str())
    };
    let standard_headers = standard::Headers {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
    };
    let now = world.clock.now().as_millis().unsigned_abs() / 1_000;
    let with = |check: &dyn Fn(&Secret) -> bool| {
        let known = secrets.iter().filter(|text| check(&Secret::new(**text).unwrap()));
        known.copied().collect()
    };
    (
        with(&|secret| standard::verify(secret, &standard_headers, body, now, 10).is_ok()),
        with(&|secret| frontegg::verify(secret, header("x-webhook-secret"), Some(body), now, 10).is_ok()),
    )
}

async fn made_with(world: &World, secret: &str) -> String {
    let body = json!({"url": "https://a.test/", "eventKeys": ["*"], "secret": secret});
    let made = world.ask("POST", "/v1/webhooks").json(&body).send().await.expect(201);
    made.text_at("/id").to_owned()
}

async fn publish(world: &World) {
    world.publish("{}").await;
    world.settle().await;
}

#[tokio::test]
async fn a_receiver_believes_either_secret_until_the_overlap_ends() {
    let world = World::new().await;
    let id = made_with(&world, "the-first-one").await;
    let all = ["the-first-one", "the-second-one", "a-stranger's"];
    let rotation = json!({"secret": "the-second-one", "overlapSeconds": 60});
    let rotate = world.ask("POST", &format!("/v1/webhooks/{id}/rotate-secret"));
    publish(&world).await;
    assert_eq!(believed(&world, &all), (vec![all[0]], vec![all[0]]));
    rotate.json(&rotation).send().await.expect(200);
    publish(&world).await;
    assert_eq!(
        believed(&world, &all),
        (vec![all[0], all[1]], vec![all[1]]),
        "the token has room for one"
    );
    world.clock.advance(Duration::from_secs(59));
    publish(&world).await;
    assert_eq!(believed(&world, &all).0, [all[0], all[1]]);
    world.clock.advance(Duration::from_secs(2));
    publish(&world).await;
    assert_eq!(believed(&world, &all), (vec![all[1]], vec![all[1]]));
}

#[tokio::test]
async fn a_secret_that_a_patch_brings_holds_at_once_and_alone() {
    let world = World::new().await;
    let id = made_with(&world, "the-first-one").await;
    let all = ["the-first-one", "the-second-one"];
    let patch = |body: Value| world.ask("PATCH", &format!("/v1/webhooks/{id}")).json(&body);
    patch(json!({"secret": "the-second-one"})).send().await.expect(200);
    publish(&world).await;
    assert_eq!(believed(&world, &all), (vec![all[1]], vec![all[1]]));
}
