//! Triggers and their statuses.

use serde_json::{Value, json};

use crate::world::{Ask, Does, World};

const V1: &str = "/event/resources/triggers/v1";
const V2: &str = "/event/resources/triggers/v2";
const V3: &str = "/event/resources/triggers/v3";

fn ask<'a>(world: &'a World, path: &str, text: &str) -> Ask<'a> {
    world.ask("POST", path).with("frontegg-tenant-id", "t-1").text(text)
}

async fn accepted(ask: Ask<'_>) -> String {
    let reply = ask.send().await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    assert_eq!(reply.body.as_object().unwrap().len(), 1);
    reply.body["eventId"].as_str().unwrap().to_owned()
}

/// The end that every body of a world has.
fn context(world: &World) -> String {
    format!(
        r#","eventContext":{{"vendorId":"{}","tenantId":"t-1"}},"eventKey":"order.placed"}}"#,
        world.environment
    )
}

#[tokio::test]
async fn every_generation_delivers_its_payload_byte_for_byte() {
    let world = World::new().await;
    world.event_type("order.placed").await;
    world.webhook("e", None).await;
    let cases = [
        (
            V1,
            r#"{"eventKey":"order.placed","metadata":{"a": 1.0e0},"channels":["webhook","slack"]}"#,
            r#"{"a": 1.0e0"#,
        ),
        (
            V2,
            r#"{"eventKey":"order.placed","properties":{"title":"T","id":7.0},"channels":{"webhook":true}}"#,
            r#"{"title":"T","id":7.0"#,
        ),
        (
            V2,
            r#"{"eventKey":"order.placed","properties":{"title":"T","id":7},"channels":{"webhook":{"id":{"n": 8.10}},"bell":true,"audit":{"severity":"Info"}}}"#,
            r#"{"title":"T","id":{"n": 8.10}"#,
        ),
        (
            V3,
            r#"{"eventKey":"order.placed","data":{"title":"\u00e9","x":[1, 2]},"channelConfiguration":{"email":{"from":"a@b.c"}}}"#,
            r#"{"title":"\u00e9","x":[1, 2]"#,
        ),
    ];
    for (path, text, _) in cases {
        accepted(ask(&world, path, text)).await;
        accepted(ask(&world, &format!("/frontegg{path}"), text)).await;
    }
    let expected: Vec<_> = cases
        .iter()
        .flat_map(|(.., body)| [format!("{body}{}", context(&world)), format!("{body}{}", context(&world))])
        .collect();
    assert_eq!(world.received("e"), expected);
}

#[tokio::test]
async fn a_trigger_reaches_the_subscribers_of_its_tenant_and_of_all() {
    let world = World::new().await;
    world.webhook("everybody", None).await;
    world.webhook("mine", Some("t-1")).await;
    world.webhook("theirs", Some("t-2")).await;
    world.trigger(Some("t-1")).await;
    world.trigger(None).await;
    world.trigger(Some(&world.environment.to_string())).await;
    assert_eq!(
        [
            world.received("everybody").len(),
            world.received("mine").len(),
            world.received("theirs").len()
        ],
        [3, 1, 0]
    );
    let last: Value = serde_json::from_str(&world.received("everybody")[2]).unwrap();
    assert_eq!(last["eventContext"], json!({"vendorId": world.environment.to_string()}));
}

#[tokio::test]
async fn a_trigger_of_other_channels_is_kept_and_goes_to_no_webhook() {
    let world = World::new().await;
    world.event_type("order.placed").await;
    world.webhook("e", None).await;
    let texts = [
        (V1, r#"{"eventKey":"order.placed","metadata":{},"channels":["bell"]}"#),
        (V2, r#"{"eventKey":"order.placed","properties":{},"channels":{"slack":true}}"#),
        (
            V2,
            r#"{"eventKey":"order.placed","properties":{},"channels":{"slack":true,"webhook":null}}"#,
        ),
    ];
    for (path, text) in texts {
        let event = accepted(ask(&world, path, text)).await;
        let status = world.get(&format!("{V3}/{event}/statuses")).await;
        assert_eq!(status.body["channels"]["webhook"]["status"], "SUCCEEDED");
    }
    assert!(world.received("e").is_empty());
}

#[tokio::test]
async fn what_cannot_be_triggered_is_400_with_the_clients_own_word_for_the_payload() {
    let world = World::new().await;
    world.event_type("order.placed").await;
    let cases = [
        (
            V3,
            r#"{"eventKey":"order.place","data":{}}"#,
            "'order.place' is not a known event key; did you mean order.placed?",
        ),
        (V3, r#"{"eventKey":"order.placed","data":[]}"#, "data: "),
        (V3, r#"{"eventKey":"order.placed"}"#, "data: has to be given"),
        (V3, r#"{"data":{}}"#, "eventKey: has to be given"),
        (V3, r#"{"eventKey":7,"data":{}}"#, "eventKey: has to be"),
        (
            V3,
            r#"{"eventKey":"order.placed","data":{"a":1,"a":2}}"#,
            "data: the payload cannot be read: the key 'a' comes twice",
        ),
        (
            V3,
            r#"{"eventKey":"order.placed","data":{"eventKey":1}}"#,
            "data: the payload cannot have a member 'eventKey'",
        ),
        (
            V2,
            r#"{"eventKey":"order.placed","properties":[],"channels":{"webhook":{}}}"#,
            "properties: has to be a JSON object",
        ),
        (
            V2,
            r#"{"eventKey":"order.placed","properties":[],"channels":{"webhook":true}}"#,
            "properties: ",
        ),
        (
            V2,
            r#"{"eventKey":"order.placed","properties":{},"channels":{"webhook":{"b":1,"b":2}}}"#,
            "the key 'b' comes twice",
        ),
        (
            V2,
            r#"{"eventKey":"order.placed","properties":{},"channels":{"webhook":1}}"#,
            "channels.webhook: has to be true or an object",
        ),
        (
            V2,
            r#"{"eventKey":"order.placed","properties":{},"channels":{}}"#,
            "channels: at least one",
        ),
        (V2, r#"{"eventKey":"order.placed","properties":{}}"#, "channels: has to be given"),
        (
            V1,
            r#"{"eventKey":"order.placed","metadata":1,"channels":["webhook"]}"#,
            "metadata: ",
        ),
        (
            V1,
            r#"{"eventKey":"order.placed","metadata":{},"channels":[]}"#,
            "channels: at least one",
        ),
        (V1, "", "the body is empty"),
        (V1, "{", "the body is not JSON"),
    ];
    for (path, text, message) in cases {
        ask(&world, path, text).send().await.is_error(400, message);
    }
    let text = format!(r#"{{"eventKey":"order.placed","data":{{"a":"{}"}}}}"#, "x".repeat(4 * 1024));
    ask(&world, V3, &text).send().await.is_error(413, "data has");
    let text = format!(r#"{{"eventKey":"order.placed","data":{{"a":"{}"}}}}"#, "x".repeat(1024 * 1024));
    ask(&world, V3, &text).send().await.is_error(413, "");
    let spaced = world
        .ask("POST", V3)
        .with("frontegg-tenant-id", "two words")
        .text(r#"{"eventKey":"order.placed","data":{}}"#);
    spaced.send().await.is_error(400, "frontegg-tenant-id: ");
    let events = world.app.events(
        &world.operator,
        tidings_app::EventFilter::of(world.environment),
        tidings_app::Page::first(10),
    );
    assert!(events.await.unwrap().is_empty(), "nothing was stored");
}

#[tokio::test]
async fn a_status_is_pending_failed_or_succeeded() {
    let world = World::new().await;
    let status = |event: String| {
        let world = &world;
        async move {
            let one = world.get(&format!("{V2}/statuses/{event}")).await;
            let other = world.get(&format!("/frontegg{V3}/{event}/statuses")).await;
            assert_eq!((one.status, &one.body), (200, &other.body), "{}", one.text);
            one.body
        }
    };
    let nobody = status(world.trigger(None).await).await;
    assert_eq!(nobody["channels"], json!({"webhook": {"status": "SUCCEEDED", "errorMetadata": {}}}));
    world.receiver("e", Does::Answers(200, ""));
    let webhook = world.webhook("e", None).await;
    let event = world.trigger(None).await;
    let delivered = status(event.clone()).await;
    let webhook_status = json!({"status": "SUCCEEDED", "errorMetadata": {}});
    assert_eq!(
        delivered,
        json!({"eventKey": "frontegg.user.created", "eventId": event, "channels": {"webhook": webhook_status}})
    );
    world.receiver("e", Does::Answers(500, ""));
    let retrying = world.trigger(None).await;
    assert_eq!(status(retrying.clone()).await["channels"]["webhook"]["status"], "PENDING");
    world.receiver("e", Does::Answers(410, ""));
    let gone = world.trigger(None).await;
    assert_eq!(status(gone).await["channels"]["webhook"]["status"], "FAILED");
    assert_eq!(
        status(retrying).await["channels"]["webhook"]["status"],
        "FAILED",
        "the webhook was disabled while it was retried"
    );
    let off = status(world.trigger(None).await).await;
    assert_eq!(
        off["channels"]["webhook"]["status"], "SUCCEEDED",
        "a webhook that is switched off wants nothing: {webhook}"
    );
}

#[tokio::test]
async fn statuses_are_the_vendors_and_unknown_events_unknown() {
    let world = World::new().await;
    let event = world.trigger(Some("t-1")).await;
    let token = world.tenant_token("t-1");
    world
        .ask("GET", &format!("{V3}/{event}/statuses"))
        .token(&token)
        .send()
        .await
        .is_error(403, "");
    ask(&world, V3, r#"{"eventKey":"frontegg.user.created","data":{}}"#)
        .token(&token)
        .send()
        .await
        .is_error(403, "");
    world
        .get(&format!("{V3}/evt-0001/statuses"))
        .await
        .is_error(404, "there is no event evt-0001");
    world
        .get(&format!("{V2}/statuses/evt_0000000000001"))
        .await
        .is_error(404, "there is no event evt_0000000000001");
}
