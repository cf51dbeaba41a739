//! The reads that the shared interface makes beside those of webhooks.

use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn the_other_channels_are_empty_in_the_shapes_that_the_interface_reads() {
    let world = World::new().await;
    let token = world.tenant_token("t-1");
    let cases = [
        (
            "/integrations/resources/configurations/v1/slack",
            json!({"id": "", "slackSubscriptions": []}),
        ),
        ("/integrations/resources/configurations/v1/emails", json!([])),
        ("/integrations/resources/configurations/v2/sms", json!([])),
    ];
    for (path, expected) in cases {
        for path in [path.to_owned(), format!("/frontegg{path}")] {
            let reply = world.ask("GET", &path).token(&token).send().await;
            assert_eq!((reply.status, &reply.body), (200, &expected), "{path}");
        }
    }
}
