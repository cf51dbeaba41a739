use std::time::Duration;

use tidings_app::environments::SettingsChange;
use tidings_app::links;
use tidings_app::{AuditFilter, Code, Page, PersonRole, WebhookFilter, Whose};
use tidings_model::EnvironmentId;
use tidings_runtime::Clock;
use tidings_signing::MasterKey;

use super::{OWNER, PASSWORD, browser, invited, owner, sign_in};
use crate::support::{MASTER_KEY, World, draft};

#[tokio::test]
async fn the_first_owner_is_set_up_once() {
    let world = World::new().await;
    let (token, later) = (
        world.app.setup_token().await.unwrap().unwrap(),
        world.app.setup_token().await.unwrap().unwrap(),
    );
    let signed_in = world.app.set_up(&token, " Olga@Example.com ", PASSWORD, &browser()).await.unwrap();
    assert_eq!((signed_in.visit.email(), signed_in.visit.role()), (OWNER, PersonRole::Owner));
    for token in [token, later] {
        let again = world.app.set_up(&token, "mallory@example.com", PASSWORD, &browser()).await;
        assert_eq!(again.err().unwrap().code, Code::Forbidden);
    }
    assert_eq!(world.app.setup_token().await.unwrap(), None);
    sign_in(&world, OWNER, PASSWORD).await.unwrap();
}

#[tokio::test]
async fn of_two_who_use_the_set_up_link_at_once_one_becomes_the_owner() {
    let world = World::new().await;
    let token = world.app.setup_token().await.unwrap().unwrap();
    let from = browser();
    let (one, other) = tokio::join!(
        world.app.set_up(&token, "one@example.com", PASSWORD, &from),
        world.app.set_up(&token, "other@example.com", PASSWORD, &from),
    );
    assert!(one.is_ok() != other.is_ok());
}

#[tokio::test]
async fn a_set_up_link_ends_after_a_day_and_a_bad_one_sets_nothing_up() {
    let world = World::new().await;
    let token = world.app.setup_token().await.unwrap().unwrap();
    let problem = world.app.set_up(&token, "nobody", "short", &browser()).await.err().unwrap();
    let fields: Vec<_> = problem.fields.iter().map(|fault| fault.field.as_str()).collect();
    assert_eq!(fields, ["email", "password"]);
    world.clock.advance(Duration::from_secs(24 * 3_600));
    assert_eq!(world.app.check_setup_token(&token).await.unwrap_err().code, Code::Forbidden);
    let access = world
        .app
        .tenant_token(&world.operator, "acme".parse().unwrap(), None, None)
        .unwrap();
    assert_eq!(world.app.check_setup_token(&access.token).await.unwrap_err().code, Code::Forbidden);
}

#[tokio::test]
async fn an_invitation_works_once_and_for_seven_days() {
    let world = World::new().await;
    let owner = owner(&world).await;
    let token = world
        .app
        .invite(&owner.visit, "Vera@example.com", PersonRole::Viewer)
        .await
        .unwrap();
    assert_eq!(world.app.invitation(&token).await.unwrap(), "vera@example.com");
    assert_eq!(
        sign_in(&world, "vera@example.com", "").await.err().unwrap().code,
        Code::Unauthenticated
    );
    let vera = world.app.accept_invitation(&token, PASSWORD, &browser()).await.unwrap();
    assert_eq!(vera.visit.role(), PersonRole::Viewer);
    let again = world.app.accept_invitation(&token, "another password", &browser()).await;
    assert_eq!(again.err().unwrap().code, Code::Forbidden);
    let late = world.app.invite(&owner.visit, "late@example.com", PersonRole::Admin).await.unwrap();
    world.clock.advance(Duration::from_secs(7 * 24 * 3_600));
    assert_eq!(world.app.invitation(&late).await.unwrap_err().code, Code::Forbidden);
}

#[tokio::test]
async fn the_invitation_of_somebody_who_was_removed_is_void_also_when_they_are_invited_again() {
    let world = World::new().await;
    let owner = owner(&world).await;
    let first = world.app.invite(&owner.visit, "vera@example.com", PersonRole::Admin).await.unwrap();
    let twice = world.app.invite(&owner.visit, "vera@example.com", PersonRole::Admin).await;
    assert_eq!(twice.unwrap_err().code, Code::Conflict);
    world.app.remove_person(&owner.visit, "vera@example.com").await.unwrap();
    assert_eq!(world.app.invitation(&first).await.unwrap_err().code, Code::Forbidden);
    world.clock.advance(Duration::from_millis(1));
    world
        .app
        .invite(&owner.visit, "vera@example.com", PersonRole::Viewer)
        .await
        .unwrap();
    assert_eq!(world.app.invitation(&first).await.unwrap_err().code, Code::Forbidden);
}

#[tokio::test]
async fn an_owner_makes_a_link_with_which_a_forgotten_password_is_chosen_anew() {
    let world = World::new().await;
    let owner = owner(&world).await;
    let vera = invited(&world, &owner, "vera@example.com", PersonRole::Viewer).await;
    let link = world.app.password_link(&owner.visit, "vera@example.com").await.unwrap();
    world.app.visit(&vera.token).await.unwrap();
    world.app.accept_invitation(&link, "a new password", &browser()).await.unwrap();
    assert_eq!(world.app.visit(&vera.token).await.unwrap_err().code, Code::Unauthenticated);
    assert!(sign_in(&world, "vera@example.com", PASSWORD).await.is_err());
    sign_in(&world, "vera@example.com", "a new password").await.unwrap();
}

#[tokio::test]
async fn whoever_has_the_master_key_helps_an_owner_back_in_once_and_within_a_quarter_of_an_hour() {
    let world = World::new().await;
    let owner = owner(&world).await;
    let keys = links::keys(&MasterKey::from_bytes(MASTER_KEY));
    let mint = || links::mint_recovery_token(&keys, OWNER, world.clock.now()).unwrap();
    let link = mint();

    let back = world.app.accept_invitation(&link, "a new password", &browser()).await.unwrap();
    assert_eq!(back.visit.email(), OWNER);
    assert!(world.app.visit(&owner.token).await.is_err(), "other sessions ended");
    let again = world.app.accept_invitation(&link, "stolen password", &browser()).await;
    assert_eq!(again.err().unwrap().code, Code::Forbidden);
    let (other_node, tasks) = world.other_node().await;
    let elsewhere = other_node.accept_invitation(&link, "stolen password", &browser()).await;
    assert_eq!(
        elsewhere.err().unwrap().code,
        Code::Forbidden,
        "nor at another node, or after a restart"
    );
    tasks.shutdown().force();

    world.clock.advance(Duration::from_secs(1));
    let late = mint();
    world.clock.advance(links::RECOVERY_LASTS);
    let late = world.app.accept_invitation(&late, "stolen password", &browser()).await;
    assert_eq!(late.err().unwrap().code, Code::Forbidden);
    let nobody = links::mint_recovery_token(&keys, "nobody@example.com", world.clock.now()).unwrap();
    assert_eq!(world.app.invitation(&nobody).await.unwrap_err().code, Code::Forbidden);
    sign_in(&world, OWNER, "a new password").await.unwrap();
}

#[tokio::test]
async fn the_last_owner_stays_and_stays_an_owner() {
    let world = World::new().await;
    let owner = owner(&world).await;
    world
        .app
        .invite(&owner.visit, "invited@example.com", PersonRole::Owner)
        .await
        .unwrap();
    let demoted = world.app.change_role(&owner.visit, OWNER, PersonRole::Admin).await;
    assert_eq!(demoted.unwrap_err().code, Code::Conflict);
    let removed = world.app.remove_person(&owner.visit, OWNER).await;
    assert_eq!(removed.unwrap_err().code, Code::Conflict);
    let second = invited(&world, &owner, "second@example.com", PersonRole::Owner).await;
    world.app.remove_person(&second.visit, OWNER).await.unwrap();
    assert_eq!(world.app.visit(&owner.token).await.unwrap_err().code, Code::Unauthenticated);
    let missing = world.app.remove_person(&second.visit, OWNER).await;
    assert_eq!(missing.unwrap_err().code, Code::NotFound);
}

#[tokio::test]
async fn a_viewer_sees_every_environment_and_changes_nothing() {
    let world = World::new().await;
    let owner = owner(&world).await;
    let other = world
        .app
        .create_environment(&world.operator, "Other", SettingsChange::default())
        .await
        .unwrap();
    let webhook = world.app.create_webhook(&world.operator, draft()).await.unwrap().saved.webhook;
    let viewer = invited(&world, &owner, "vera@example.com", PersonRole::Viewer).await.visit;
    let caller = world.app.caller_of(&viewer, world.operator.environment()).unwrap();

    assert_eq!(world.app.environments(&caller).await.unwrap().len(), 2);
    world.app.in_environment(caller.clone(), other.id).unwrap();
    assert_eq!(world.app.environment_holds(&caller, other.id).await.unwrap().webhooks, 0);
    let webhooks = world
        .app
        .webhooks(&caller, WebhookFilter::default(), Page::first(10))
        .await
        .unwrap();
    assert_eq!(webhooks.len(), 1);
    assert_eq!(
        world.app.credential_names(&caller, caller.environment()).await.unwrap(),
        ["First credential"]
    );

    let refusals = [
        world.app.unseal(&caller, &webhook).map(drop),
        world.app.credentials(&caller, caller.environment()).await.map(drop),
        world.app.create_webhook(&caller, draft()).await.map(drop),
        world.app.switch_webhook(&caller, webhook.id, false).await.map(drop),
        world.app.delete_webhook(&caller, webhook.id).await,
        world
            .app
            .create_environment(&caller, "Mine", SettingsChange::default())
            .await
            .map(drop),
        world.app.delete_environment(&caller, other.id, true).await,
        world.app.people(&viewer).await.map(drop),
        world.app.invite(&viewer, "friend@example.com", PersonRole::Owner).await.map(drop),
        world.app.change_role(&viewer, "vera@example.com", PersonRole::Owner).await,
        world.app.password_link(&viewer, OWNER).await.map(drop),
        world.app.audit(&viewer, AuditFilter::default(), Page::first(1)).await.map(drop),
        world.app.sessions(&viewer, Whose::Everybodys).await.map(drop),
        world.app.sessions(&viewer, Whose::Of(OWNER)).await.map(drop),
    ];
    for (number, refusal) in refusals.into_iter().enumerate() {
        assert_eq!(refusal.unwrap_err().code, Code::Forbidden, "refusal {number}");
    }
}

#[tokio::test]
async fn an_admin_changes_everything_but_people_and_a_changed_role_counts_at_once() {
    let world = World::new().await;
    let owner = owner(&world).await;
    let signed_in = invited(&world, &owner, "adam@example.com", PersonRole::Admin).await;
    let admin = &signed_in.visit;
    let made = world
        .app
        .create_environment(&world.app.caller_above(admin), "Made", SettingsChange::default())
        .await
        .unwrap();
    let caller = world.app.caller_of(admin, made.id).unwrap();
    world.app.create_webhook(&caller, draft()).await.unwrap();
    world.app.create_credential(&caller, made.id, "ci", None).await.unwrap();
    assert_eq!(
        world
            .app
            .invite(admin, "friend@example.com", PersonRole::Viewer)
            .await
            .unwrap_err()
            .code,
        Code::Forbidden
    );
    world
        .app
        .change_role(&owner.visit, "adam@example.com", PersonRole::Viewer)
        .await
        .unwrap();
    let demoted = world.app.visit(&signed_in.token).await.unwrap();
    let caller = world.app.caller_of(&demoted, made.id).unwrap();
    assert_eq!(world.app.create_webhook(&caller, draft()).await.unwrap_err().code, Code::Forbidden);
}

#[tokio::test]
async fn there_is_no_caller_in_an_environment_that_does_not_exist() {
    let world = World::new().await;
    let owner = owner(&world).await;
    let nowhere = EnvironmentId::from_chance([7; 16]);
    assert_eq!(world.app.caller_of(&owner.visit, nowhere).unwrap_err().code, Code::NotFound);
    world
        .app
        .delete_environment(&world.operator, world.operator.environment(), true)
        .await
        .unwrap();
    let above = world.app.caller_above(&owner.visit);
    assert!(world.app.environments(&above).await.unwrap().is_empty());
    world
        .app
        .create_environment(&above, "Again", SettingsChange::default())
        .await
        .unwrap();
}

#[tokio::test]
async fn owners_see_who_was_invited_and_who_was_seen() {
    let world = World::new().await;
    let owner = owner(&world).await;
    world
        .app
        .invite(&owner.visit, "vera@example.com", PersonRole::Viewer)
        .await
        .unwrap();
    let people = world.app.people(&owner.visit).await.unwrap();
    let shown: Vec<_> = people
        .iter()
        .map(|person| (person.email.as_str(), person.invited, person.seen_at.is_some(), person.current))
        .collect();
    assert_eq!(shown, [(OWNER, false, true, true), ("vera@example.com", true, false, false)]);
}
