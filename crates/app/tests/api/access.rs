//! Who may do what.

use std::time::Duration;

use tidings_app::bootstrap::Bootstrap;
use tidings_app::environments::SettingsChange;
use tidings_app::testing::TestInput;
use tidings_app::webhooks::{WebhookChange, WebhookDraft};
use tidings_app::{Code, DeliveryFilter, Page, WebhookFilter};
use tidings_model::Scopes;

use super::event;
use crate::support::{CLIENT_ID, CLIENT_SECRET, World, draft};

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
