//! What callers may ask for, and what they are told when they may not.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::time::Duration;

use support::{CLIENT_ID, CLIENT_SECRET, World, draft};
use tidings_app::bootstrap::Bootstrap;
use tidings_app::environments::SettingsChange;
use tidings_app::event_types::EventTypeDraft;
use tidings_app::publish::{EventInput, IdempotencyKey};
use tidings_app::testing::TestInput;
use tidings_app::webhooks::{SecretChange, WebhookChange, WebhookDraft};
use tidings_app::{Code, DeliveryFilter, Page, Problem, WebhookFilter};
use tidings_model::Scopes;
use tidings_store::Store;

fn event<'a>(key: &'a str, payload: &'a str) -> EventInput<'a> {
    EventInput {
        event_key: key,
        payload: payload.as_bytes(),
        tenant_id: Some("acme"),
        user_id: None,
        application_id: None,
        for_webhooks: true,
        payload_name: "payload",
    }
}

fn fields(problem: &Problem) -> Vec<&str> {
    problem.fields.iter().map(|field| field.field.as_str()).collect()
}

#[tokio::test]
async fn a_first_start_is_made_once() {
    let world = World::new().await;
    assert!(world.app.bootstrap(&Bootstrap::default()).await.unwrap().is_none());
    let environments = world.app.environments(&world.operator).await.unwrap();
    assert_eq!(
        environments.iter().map(|environment| environment.name.as_str()).collect::<Vec<_>>(),
        ["Development"]
    );
}

#[tokio::test]
async fn a_wrong_secret_and_an_unknown_client_are_told_apart_by_nobody() {
    let world = World::new().await;
    let wrong = world.app.authenticate_basic(CLIENT_ID, "another-secret").unwrap_err();
    let unknown = world.app.authenticate_basic("nobody", CLIENT_SECRET).unwrap_err();
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.code, Code::Unauthenticated);
}

#[tokio::test]
async fn tokens_end_with_their_time_and_with_their_credential() {
    let world = World::new().await;
    let environment = world.operator.environment();
    let made = world
        .app
        .create_credential(&world.operator, environment, "temporary", None)
        .await
        .unwrap();
    let token = world.app.vendor_token(made.credential.id.as_str(), &made.secret).unwrap();
    assert!(world.app.authenticate_token(&token.token).is_ok());

    world
        .app
        .revoke_credential(&world.operator, environment, made.credential.id)
        .await
        .unwrap();
    assert_eq!(world.app.authenticate_token(&token.token).unwrap_err().code, Code::Unauthenticated);

    let token = world.app.vendor_token(CLIENT_ID, CLIENT_SECRET).unwrap();
    world.clock.advance(Duration::from_secs(token.expires_in));
    assert_eq!(world.app.authenticate_token(&token.token).unwrap_err().code, Code::Unauthenticated);
}

#[tokio::test]
async fn only_operators_manage_environments_and_act_in_others() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let created = world
        .app
        .create_environment(&stranger, "Mine", SettingsChange::default())
        .await
        .unwrap_err();
    assert_eq!(created.code, Code::Forbidden);
    assert_eq!(world.app.environments(&stranger).await.unwrap().len(), 1, "it sees its own only");
    let home = world.operator.environment();
    assert_eq!(world.app.environment(&stranger, home).await.unwrap_err().code, Code::NotFound);
    assert_eq!(world.app.in_environment(stranger.clone(), home).unwrap_err().code, Code::Forbidden);
    assert!(world.app.in_environment(world.operator.clone(), stranger.environment()).is_ok());
    let opened = SettingsChange {
        http_allowed: Some(true),
        ..SettingsChange::default()
    };
    let changed = world
        .app
        .change_environment(&stranger, stranger.environment(), None, opened)
        .await
        .unwrap_err();
    assert_eq!(changed.code, Code::Forbidden, "plain http is the operator's to allow");
}

#[tokio::test]
async fn another_environments_webhooks_do_not_exist() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let webhook = world.app.create_webhook(&world.operator, draft()).await.unwrap().saved.webhook;
    assert_eq!(world.app.webhook(&stranger, webhook.id).await.unwrap_err().code, Code::NotFound);
    assert_eq!(
        world.app.delete_webhook(&stranger, webhook.id).await.unwrap_err().code,
        Code::NotFound
    );
    let change = WebhookChange {
        active: Some(false),
        ..WebhookChange::default()
    };
    assert_eq!(
        world.app.change_webhook(&stranger, webhook.id, change).await.unwrap_err().code,
        Code::NotFound
    );
    assert!(
        world
            .app
            .webhooks(&stranger, WebhookFilter::default(), Page::first(10))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_tenant_sees_its_own_webhooks_and_logs_and_nothing_else() {
    let world = World::new().await;
    let acme = world.tenant("acme");
    let own = world
        .app
        .create_webhook(
            &acme,
            WebhookDraft {
                tenant_id: Some("globex".to_owned()),
                ..draft()
            },
        )
        .await
        .unwrap()
        .saved
        .webhook;
    assert_eq!(
        own.tenant.as_ref().map(tidings_model::TenantId::as_str),
        Some("acme"),
        "whatever it asked for"
    );
    let everybodys = world.app.create_webhook(&world.operator, draft()).await.unwrap().saved.webhook;
    world
        .app
        .publish(&world.operator, event("frontegg.user.created", "{}"), None)
        .await
        .unwrap();

    let seen = world.app.webhooks(&acme, WebhookFilter::default(), Page::first(10)).await.unwrap();
    assert_eq!(seen.iter().map(|seen| seen.webhook.id).collect::<Vec<_>>(), [own.id]);
    assert_eq!(world.app.webhook(&acme, everybodys.id).await.unwrap_err().code, Code::NotFound);
    let all = world
        .app
        .deliveries(&world.operator, DeliveryFilter::of(acme.environment()), Page::first(10))
        .await
        .unwrap();
    assert_eq!(all.len(), 2);
    let log = world
        .app
        .deliveries(&acme, DeliveryFilter::of(acme.environment()), Page::first(10))
        .await
        .unwrap();
    assert_eq!(log.iter().map(|delivery| delivery.webhook).collect::<Vec<_>>(), [own.id]);
    let others = all.iter().find(|delivery| delivery.webhook == everybodys.id).unwrap().id;
    assert_eq!(world.app.delivery(&acme, others).await.unwrap_err().code, Code::NotFound);
    assert_eq!(world.app.resend(&acme, others).await.unwrap_err().code, Code::NotFound);
    let published = world
        .app
        .publish(&acme, event("frontegg.user.created", "{}"), None)
        .await
        .unwrap_err();
    assert_eq!(published.code, Code::Forbidden);
    assert_eq!(world.app.environments(&acme).await.unwrap_err().code, Code::Forbidden);
    let globex = acme.on_behalf_of("globex".parse().unwrap()).unwrap_err();
    assert_eq!(globex.code, Code::Forbidden);
}

#[tokio::test]
async fn a_read_only_token_changes_nothing() {
    let world = World::new().await;
    let token = world
        .app
        .tenant_token(&world.operator, "acme".parse().unwrap(), Some(Scopes::READ), None)
        .unwrap();
    let reader = world.app.authenticate_token(&token.token).unwrap();
    assert!(world.app.webhooks(&reader, WebhookFilter::default(), Page::first(10)).await.is_ok());
    assert_eq!(world.app.create_webhook(&reader, draft()).await.unwrap_err().code, Code::Forbidden);
    let test = TestInput {
        url: "https://receiver.test/".to_owned(),
        ..TestInput::default()
    };
    assert_eq!(world.app.test(&reader, test).await.unwrap_err().code, Code::Forbidden);
    assert!(world.network.got.lock().is_empty());
}

#[tokio::test]
async fn everything_that_is_wrong_with_a_webhook_is_said_at_once() {
    let world = World::new().await;
    let wrong = WebhookDraft {
        name: "\u{7}".to_owned(),
        url: "http://receiver.test/".to_owned(),
        secret: SecretChange::Set("short".to_owned()),
        event_keys: vec!["frontegg.user.create".to_owned()],
        headers: vec![("Host".to_owned(), "x".to_owned())],
        tenant_id: Some("a b".to_owned()),
        ..draft()
    };
    let problem = world.app.create_webhook(&world.operator, wrong).await.unwrap_err();
    assert_eq!(problem.code, Code::Invalid);
    assert_eq!(fields(&problem), ["url", "name", "eventKeys", "headers", "secret", "tenantId"]);
    assert!(problem.detail.contains("did you mean frontegg.user.created"), "{problem}");
    let refused = WebhookDraft {
        url: "https://forbidden.test/".to_owned(),
        ..draft()
    };
    assert_eq!(
        fields(&world.app.create_webhook(&world.operator, refused).await.unwrap_err()),
        ["url"]
    );
    assert!(
        world
            .app
            .webhooks(&world.operator, WebhookFilter::default(), Page::first(10))
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn a_generated_secret_is_shown_once_and_kept_sealed() {
    let world = World::new().await;
    let made = world
        .app
        .create_webhook(
            &world.operator,
            WebhookDraft {
                secret: SecretChange::Generate,
                ..draft()
            },
        )
        .await
        .unwrap();
    let secret = made.generated.unwrap();
    assert!(secret.starts_with("whsec_"));
    let stored = world
        .store
        .webhook(world.operator.environment(), made.saved.webhook.id)
        .await
        .unwrap()
        .unwrap()
        .webhook;
    let sealed = &stored.secrets.current.as_ref().unwrap().0;
    assert!(
        !sealed
            .windows(8)
            .any(|window| secret.as_bytes().windows(8).any(|part| part == window))
    );
    assert_eq!(world.app.unseal(&world.operator, &stored).unwrap().secret, Some(secret));
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_until_the_overlap_ends() {
    let world = World::new().await;
    let made = world
        .app
        .create_webhook(
            &world.operator,
            WebhookDraft {
                secret: SecretChange::Generate,
                ..draft()
            },
        )
        .await
        .unwrap();
    world
        .app
        .rotate_secret(
            &world.operator,
            made.saved.webhook.id,
            SecretChange::Generate,
            Some(Duration::from_secs(60)),
        )
        .await
        .unwrap();

    let mut signatures = Vec::new();
    for _ in 0..2 {
        world
            .app
            .publish(&world.operator, event("frontegg.user.created", "{}"), None)
            .await
            .unwrap();
        while world.network.got.lock().len() == signatures.len() {
            tokio::task::yield_now().await;
        }
        let header = world
            .network
            .got
            .lock()
            .last()
            .unwrap()
            .headers
            .iter()
            .find(|(name, _)| name == "webhook-signature")
            .unwrap()
            .1
            .clone();
        signatures.push(header.split(' ').count());
        world.clock.advance(Duration::from_secs(61));
    }
    assert_eq!(signatures, [2, 1]);
}

#[tokio::test]
async fn an_unknown_key_names_its_neighbours_and_stores_nothing() {
    let world = World::new().await;
    let problem = world
        .app
        .publish(&world.operator, event("frontegg.user.signedup", "{}"), None)
        .await
        .unwrap_err();
    assert_eq!((problem.code, fields(&problem)), (Code::Invalid, vec!["eventKey"]));
    assert!(problem.detail.contains("frontegg.user.signedUp"), "{problem}");
    let filter = tidings_app::EventFilter::of(world.operator.environment());
    assert!(world.app.events(&world.operator, filter, Page::first(10)).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_payload_that_is_too_large_or_cannot_be_read_is_refused() {
    let world = World::new().await;
    let large = format!("{{\"a\":\"{}\"}}", "x".repeat(1_024));
    assert_eq!(
        world
            .app
            .publish(&world.operator, event("frontegg.user.created", &large), None)
            .await
            .unwrap_err()
            .code,
        Code::TooLarge
    );
    for payload in ["[]", "{\"a\":1,\"a\":2}", "{\"eventKey\":\"x\"}", "{"] {
        let problem = world
            .app
            .publish(&world.operator, event("frontegg.user.created", payload), None)
            .await
            .unwrap_err();
        assert_eq!((problem.code, fields(&problem)), (Code::Invalid, vec!["payload"]), "{payload}");
    }
}

#[tokio::test]
async fn the_same_key_and_bytes_give_the_same_event_and_other_bytes_a_conflict() {
    let world = World::new().await;
    let key = |request| Some(IdempotencyKey { key: "order-7", request });
    let first = world
        .app
        .publish(&world.operator, event("frontegg.user.created", "{}"), key(b"one"))
        .await
        .unwrap();
    let again = world
        .app
        .publish(&world.operator, event("frontegg.user.created", "{}"), key(b"one"))
        .await
        .unwrap();
    assert_eq!((first.fresh, again.fresh, first.event == again.event), (true, false, true));
    let other = world
        .app
        .publish(&world.operator, event("frontegg.user.created", "{}"), key(b"two"))
        .await
        .unwrap_err();
    assert_eq!(other.code, Code::Conflict);
    world.clock.advance(Duration::from_secs(24 * 3_600));
    let later = world
        .app
        .publish(&world.operator, event("frontegg.user.created", "{}"), key(b"two"))
        .await
        .unwrap();
    assert!(later.fresh, "a key is remembered for a day");
}

#[tokio::test]
async fn in_a_batch_each_event_stands_for_itself() {
    let world = World::new().await;
    let events = [
        event("frontegg.user.created", "{}"),
        event("no.such.key", "{}"),
        event("frontegg.user.deleted", "{}"),
    ];
    let answers = world.app.publish_batch(&world.operator, &events, None).await.unwrap();
    assert_eq!(answers.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, false, true]);
}

#[tokio::test]
async fn a_custom_event_type_can_be_subscribed_and_its_schema_holds() {
    let world = World::new().await;
    let custom = EventTypeDraft {
        key: "order.placed".to_owned(),
        category: "Orders".to_owned(),
        example: Some("{\"orderId\":1}".to_owned()),
        schema: Some("{\"type\":\"object\",\"required\":[\"orderId\"]}".to_owned()),
        ..EventTypeDraft::default()
    };
    world.app.create_event_type(&world.operator, custom.clone()).await.unwrap();
    assert_eq!(
        world.app.create_event_type(&world.operator, custom.clone()).await.unwrap_err().code,
        Code::Conflict
    );
    let built_in = EventTypeDraft {
        key: "frontegg.user.created".to_owned(),
        ..custom
    };
    assert_eq!(
        world.app.create_event_type(&world.operator, built_in).await.unwrap_err().code,
        Code::Conflict
    );
    world
        .app
        .create_webhook(
            &world.operator,
            WebhookDraft {
                event_keys: vec!["Orders.*".to_owned()],
                ..draft()
            },
        )
        .await
        .unwrap();

    let accepted = world
        .app
        .publish(&world.operator, event("order.placed", "{\"orderId\":7}"), None)
        .await
        .unwrap();
    assert_eq!(accepted.deliveries, 1);
    let refused = world
        .app
        .publish(&world.operator, event("order.placed", "{\"id\":7}"), None)
        .await
        .unwrap_err();
    assert!(refused.detail.contains("orderId"), "{refused}");
    world.app.delete_event_type(&world.operator, "order.placed").await.unwrap();
    assert!(
        world
            .app
            .publish(&world.operator, event("order.placed", "{\"orderId\":7}"), None)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn copying_an_environment_takes_types_and_settings_and_leaves_webhooks() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let custom = EventTypeDraft {
        key: "order.placed".to_owned(),
        category: "Orders".to_owned(),
        ..EventTypeDraft::default()
    };
    world.app.create_event_type(&world.operator, custom).await.unwrap();
    world.app.create_webhook(&world.operator, draft()).await.unwrap();
    let from = world.operator.environment();
    let settings = SettingsChange {
        timeout_ms: Some(5_000),
        ..SettingsChange::default()
    };
    world.app.change_environment(&world.operator, from, None, settings).await.unwrap();

    let report = world
        .app
        .copy_environment(&world.operator, from, stranger.environment())
        .await
        .unwrap();

    assert_eq!(
        (report.event_types_copied.len(), report.webhooks_left, report.credentials_left),
        (1, 1, 1)
    );
    assert!(world.app.event_type(&stranger, "order.placed").is_ok());
    assert!(
        world
            .app
            .webhooks(&stranger, WebhookFilter::default(), Page::first(10))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        world
            .app
            .environment(&stranger, stranger.environment())
            .await
            .unwrap()
            .settings
            .timeout_ms,
        5_000
    );
}

#[tokio::test]
async fn an_environment_that_holds_something_is_deleted_only_by_force() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let refused = world
        .app
        .delete_environment(&world.operator, stranger.environment(), false)
        .await
        .unwrap_err();
    assert_eq!(refused.code, Code::Conflict);
    assert!(refused.detail.contains("1 credential"), "{refused}");
    world
        .app
        .delete_environment(&world.operator, stranger.environment(), true)
        .await
        .unwrap();
    assert!(
        world
            .app
            .webhooks(&stranger, WebhookFilter::default(), Page::first(1))
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(world.app.environments(&world.operator).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_test_sends_the_example_and_passes_with_200() {
    let world = World::new().await;
    let input = TestInput {
        url: "https://receiver.test/hook".to_owned(),
        secret: Some("correct-horse".to_owned()),
        event_key: Some("frontegg.user.created".to_owned()),
        ..TestInput::default()
    };
    let report = world.app.test(&world.operator, input).await.unwrap();
    assert!(report.passed, "{}", report.summary());
    let sent = world.network.got.lock()[0].clone();
    assert_eq!(sent.body, report.request_body);
    assert!(sent.headers.iter().any(|(name, _)| name == "x-webhook-secret"));
    let body: serde_json::Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(body["eventKey"], "frontegg.user.created");
    assert!(body["user"]["email"].is_string());
}
