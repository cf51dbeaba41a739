use tidings_app::environments::SettingsChange;
use tidings_app::webhooks::{SecretChange, WebhookChange, WebhookDraft};
use tidings_app::{AuditFilter, Page, PersonRole};

use super::{OWNER, PASSWORD, browser, invited, owner, sign_in};
use crate::support::{CLIENT_ID, World, draft};

#[tokio::test]
async fn every_change_is_recorded_with_who_made_it() {
    let world = World::new().await;
    let owner = owner(&world).await;
    let (app, operator) = (&world.app, &world.operator);
    let environment = operator.environment();
    let caller = app.caller_of(&owner.visit, environment).unwrap();

    let webhook = app.create_webhook(operator, draft()).await.unwrap().saved.webhook;
    let change = WebhookChange {
        description: Some("what it is for".to_owned()),
        active: Some(false),
        ..WebhookChange::default()
    };
    app.change_webhook(&caller, webhook.id, change).await.unwrap();
    app.switch_webhook(&caller, webhook.id, true).await.unwrap();
    app.switch_webhook(&caller, webhook.id, true).await.unwrap();
    app.rotate_secret(&caller, webhook.id, SecretChange::Generate, None).await.unwrap();
    app.delete_webhook(&caller, webhook.id).await.unwrap();
    let settings = SettingsChange {
        retention_days: Some(7),
        ..SettingsChange::default()
    };
    app.change_environment(&caller, environment, Some("Renamed"), settings)
        .await
        .unwrap();
    let made = app.create_credential(&caller, environment, "ci", None).await.unwrap();
    app.revoke_credential(&caller, environment, made.credential.id).await.unwrap();

    let filter = AuditFilter {
        environment: Some(environment),
        ..AuditFilter::default()
    };
    let mut records = app.audit(&owner.visit, filter, Page::first(100)).await.unwrap();
    records.reverse();
    let person = format!("person {OWNER}");
    let credential = format!("credential {CLIENT_ID}");
    let seen: Vec<_> = records
        .iter()
        .map(|record| (record.entry.actor.as_str(), record.entry.action.as_str()))
        .collect();
    assert_eq!(
        seen,
        [
            ("first start", "environment.created"),
            ("first start", "credential.created"),
            (&credential, "webhook.created"),
            (&person, "webhook.changed"),
            (&person, "webhook.disabled"),
            (&person, "webhook.enabled"),
            (&person, "webhook.secret-rotated"),
            (&person, "webhook.deleted"),
            (&person, "environment.renamed"),
            (&person, "environment.settings-changed"),
            (&person, "credential.created"),
            (&person, "credential.revoked"),
        ]
    );
    assert_eq!(records[3].entry.detail, "description");
    assert_eq!(records[3].entry.target, webhook.id.to_string());
    assert_eq!(records[9].entry.detail, "retentionDays: 7");
}

#[tokio::test]
async fn people_and_sessions_are_recorded_and_guessing_is_once() {
    let world = World::new().await;
    let owner = owner(&world).await;
    invited(&world, &owner, "vera@example.com", PersonRole::Viewer).await;
    world
        .app
        .change_role(&owner.visit, "vera@example.com", PersonRole::Admin)
        .await
        .unwrap();
    world.app.remove_person(&owner.visit, "vera@example.com").await.unwrap();
    for _ in 0..10 {
        let _ = sign_in(&world, "mallory@example.com", "a guess").await;
    }
    let mut records = world
        .app
        .audit(&owner.visit, AuditFilter::default(), Page::first(100))
        .await
        .unwrap();
    records.retain(|record| record.entry.environment.is_none());
    records.reverse();
    let seen: Vec<_> = records
        .iter()
        .map(|record| (record.entry.action.as_str(), record.entry.target.as_str()))
        .collect();
    let vera = "vera@example.com";
    assert_eq!(
        seen,
        [
            ("session.started", OWNER),
            ("person.set-up", OWNER),
            ("person.invited", vera),
            ("session.started", vera),
            ("person.password-chosen", vera),
            ("person.role-changed", vera),
            ("person.removed", vera),
            ("sign-in.refused", "mallory@example.com"),
        ]
    );
}

#[tokio::test]
async fn no_secret_reaches_the_audit_log() {
    let world = World::new().await;
    let owner = owner(&world).await;
    let caller = world.app.caller_of(&owner.visit, world.operator.environment()).unwrap();
    let secret = |text: &str| SecretChange::Set(text.to_owned());
    let draft = WebhookDraft {
        url: "https://receiver.test/hidden-path".to_owned(),
        secret: secret("hidden-first-secret"),
        headers: vec![("x-key".to_owned(), "hidden-header".to_owned())],
        ..draft()
    };
    let webhook = world.app.create_webhook(&caller, draft).await.unwrap().saved.webhook;
    let change = WebhookChange {
        url: Some("https://receiver.test/hidden-other-path".to_owned()),
        secret: secret("hidden-second-secret"),
        headers: Some(vec![("x-key".to_owned(), "hidden-other-header".to_owned())]),
        ..WebhookChange::default()
    };
    world.app.change_webhook(&caller, webhook.id, change).await.unwrap();
    let rotated = world
        .app
        .rotate_secret(&caller, webhook.id, SecretChange::Generate, None)
        .await
        .unwrap();
    let made = world
        .app
        .create_credential(&caller, caller.environment(), "ci", None)
        .await
        .unwrap();
    world
        .app
        .change_password(&owner.visit, PASSWORD, "hidden new password", &browser())
        .await
        .unwrap();
    let link = world.app.password_link(&owner.visit, OWNER).await.unwrap();

    let records = world
        .app
        .audit(&owner.visit, AuditFilter::default(), Page::first(100))
        .await
        .unwrap();
    let text = format!("{records:?}");
    assert!(text.contains("url, secret, headers"), "{text}");
    for hidden in ["hidden", PASSWORD, &rotated.generated.unwrap(), &made.secret, &owner.token, &link] {
        assert!(!text.contains(hidden), "'{hidden}' is in {text}");
    }
}
