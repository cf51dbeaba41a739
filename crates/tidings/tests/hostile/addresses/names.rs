//! Names that lie, names for other names, redirects, and what a tenant learns of an internal service by any of them: its address, and nothing more.

use std::io::ErrorKind;
use std::net::TcpListener;

use http::Method;
use serde_json::Value;
use tidings_testkit::server::TestClient;
use tidings_testkit::{Behaviour, TestNameServer, TestReceiver, TestServer};

use super::{both_doors_refuse, refused};
use crate::{BINARY, EVENT};

/// Attempts while a name changes its answer from one to the next.
const TURNS: usize = 20;

/// A receiver that may be called, a port of the same number that may not, and a server that knows names from a test.
struct World {
    server: TestServer,
    names: TestNameServer,
    receiver: TestReceiver,
    /// On 127.0.0.2, which is not allowed.
    internal: TcpListener,
}

impl World {
    async fn new() -> Self {
        let receiver = TestReceiver::start().await;
        let internal = TcpListener::bind(("127.0.0.2", receiver.address().port())).unwrap();
        internal.set_nonblocking(true).unwrap();
        let names = TestNameServer::start().await;
        let resolver = names.address().to_string();
        let server = TestServer::start_with(BINARY, &["--egress-allow", "127.0.0.1/32", "--egress-resolver", &resolver]).await;
        let path = format!("/v1/environments/{}", server.environment().await);
        let settings = r#"{"settings":{"httpAllowed":true,"timeoutMs":5000,"retrySchedule":[0,3600]}}"#;
        assert_eq!(server.patch(&path, settings).await.status, 200);
        Self {
            server,
            names,
            receiver,
            internal,
        }
    }

    fn url(&self, name: &str) -> String {
        self.receiver.url_as(name, "/")
    }

    /// Nobody called the port that may not be called.
    fn nobody_called_inside(&self) {
        let called = self.internal.accept().map_err(|error| error.kind());
        assert_eq!(called.map(|(_, caller)| caller), Err(ErrorKind::WouldBlock));
    }

    /// Tests a webhook's URL now, as `POST /v1/webhooks/{id}/test` tells it.
    async fn test(&self, webhook: &str) -> Value {
        self.server.post(&format!("/v1/webhooks/{webhook}/test"), "").await.json
    }
}

#[tokio::test]
async fn a_name_that_changes_its_answer_is_refused_each_time_that_it_leads_inside() {
    let world = World::new().await;
    world.receiver.always(Behaviour::Close); // so that each attempt asks for the name anew
    world.names.answer("turns.test", &["127.0.0.1"]);
    for _ in 0..TURNS / 2 {
        world
            .names
            .answer("turns.test", &["127.0.0.2"])
            .answer("turns.test", &["127.0.0.1"]);
    }
    let webhook = crate::webhook(&world.server, &world.url("turns.test")).await;
    for turn in 0..TURNS {
        let tested = world.test(&webhook).await;
        if turn % 2 == 0 {
            refused(&tested, "turns.test is refused: its address 127.0.0.2 is loopback").unwrap();
        } else {
            assert_eq!(tested["failure"]["kind"], "disconnected", "{tested}");
            assert_eq!(tested["address"], world.receiver.address().to_string().as_str());
        }
    }
    world.nobody_called_inside();
    assert_eq!(world.receiver.received().len(), TURNS / 2);
}

#[tokio::test]
async fn a_connection_that_was_kept_goes_where_it_went_whatever_the_name_says_now() {
    let world = World::new().await;
    world
        .names
        .answer("kept.test", &["127.0.0.1"])
        .answer("kept.test", &["127.0.0.1"])
        .answer("kept.test", &["127.0.0.2"]);
    let webhook = crate::webhook(&world.server, &world.url("kept.test")).await;
    for _ in 0..3 {
        assert_eq!(world.test(&webhook).await["passed"], true);
    }
    world.nobody_called_inside();
    assert_eq!((world.receiver.received().len(), world.receiver.connections()), (3, 1));
}

#[tokio::test]
async fn chains_of_names_are_judged_by_where_they_end() {
    let world = World::new().await;
    let names = &world.names;
    names.answer("inside.test", &["127.0.0.2"]).answer("outside.test", &["127.0.0.1"]);
    names
        .answer("both.test", &["127.0.0.1", "127.0.0.2"])
        .answer("mapped.test", &["::ffff:127.0.0.1"]);
    for (from, to) in [("inside", "inside.test"), ("both", "both.test"), ("mapped", "mapped.test")] {
        names.alias(&format!("{from}-1.test"), &format!("{from}-2.test"));
        names.alias(&format!("{from}-2.test"), to);
        names.alias_alone(&format!("{from}-3.test"), &format!("{from}-4.test"));
        names.alias_alone(&format!("{from}-4.test"), to);
        for number in [1, 3] {
            let name = format!("{from}-{number}.test");
            both_doors_refuse(&world.server, &world.url(&name), &format!("{name} is refused: its address")).await;
        }
    }
    names
        .alias("fine.test", "outside.test")
        .alias_alone("fine-too.test", "outside.test");
    for name in ["fine.test", "fine-too.test"] {
        let webhook = crate::webhook(&world.server, &world.url(name)).await;
        assert_eq!(world.test(&webhook).await["passed"], true, "{name}");
    }
    names
        .alias_alone("round.test", "about.test")
        .alias_alone("about.test", "round.test");
    let webhook = crate::webhook(&world.server, &world.url("round.test")).await; // it may resolve one day
    assert_eq!(world.test(&webhook).await["failure"]["kind"], "dns");
    world.nobody_called_inside();
}

#[tokio::test]
async fn a_redirect_leads_nobody_inside() {
    let world = World::new().await;
    let inside = world.internal.local_addr().unwrap();
    for status in [301, 302, 303, 307, 308] {
        let path = format!("/{status}");
        world
            .receiver
            .at(&path, Behaviour::redirect(status, &format!("http://{inside}/secret")));
        let webhook = crate::webhook(&world.server, &world.receiver.url(&path)).await;
        let tested = world.test(&webhook).await;
        assert_eq!(
            (tested["passed"].as_bool(), tested["reply"]["statusCode"].as_u64()),
            (Some(false), Some(u64::from(status)))
        );
    }
    assert_eq!(world.server.post("/v1/events", EVENT).await.status, 202);
    world.receiver.wait_for(10).await;
    world.nobody_called_inside();
}

#[tokio::test]
async fn a_tenant_sees_why_it_was_refused_and_no_reply_of_anybody() {
    let world = World::new().await;
    let minted = world.server.post("/v1/tenants/acme/tokens", "").await;
    let tenant: TestClient = world.server.with_token(minted.json["token"].as_str().unwrap());
    world.names.answer("sly.test", &["127.0.0.1"]).answer("sly.test", &["127.0.0.2"]);
    let body = format!(r#"{{"url":"{}","eventKeys":["*"]}}"#, world.url("sly.test"));
    let created = tenant.ask(Method::POST, "/v1/webhooks", &body).await.unwrap();
    assert_eq!(created.status, 201, "{}", created.json);
    let webhook = created.json["id"].as_str().unwrap();

    let again = tenant.post("/v1/webhooks", &body).await;
    let reason = "sly.test is refused: its address 127.0.0.2 is loopback and refused by policy";
    assert!(
        again.status == 422 && again.json["errors"][0]["message"].as_str().unwrap().contains(reason),
        "{}",
        again.json
    );
    refused(&tenant.post(&format!("/v1/webhooks/{webhook}/test"), "").await.json, reason).unwrap();
    assert_eq!(world.server.post("/v1/events", EVENT).await.status, 202);
    let log = tenant
        .until(&format!("/v1/deliveries?webhookId={webhook}"), |list| {
            list["data"][0]["attempts"] == 1
        })
        .await;
    let delivery = tenant
        .get(&format!("/v1/deliveries/{}", log["data"][0]["id"].as_str().unwrap()))
        .await;
    refused(&delivery.json["attemptLog"][0], reason).unwrap();
    world.nobody_called_inside();
}
