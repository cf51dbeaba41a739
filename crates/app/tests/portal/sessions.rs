use std::time::Duration;

use tidings_app::sessions::{SESSION_IDLE, SESSION_MAX};
use tidings_app::{Code, PersonRole, Whose};
use tidings_store::Store;

use super::{OWNER, PASSWORD, browser, invited, owner, sign_in};
use crate::support::World;

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_answered_alike() {
    let world = World::new().await;
    owner(&world).await;
    let wrong = sign_in(&world, OWNER, "not the password").await.err().unwrap();
    let unknown = sign_in(&world, "nobody@example.com", PASSWORD).await.err().unwrap();
    assert_eq!(wrong.code, Code::Unauthenticated);
    assert_eq!(wrong, unknown);
    let long = sign_in(&world, OWNER, &"x".repeat(1_000)).await.err().unwrap();
    assert_eq!(wrong, long);
}

#[tokio::test]
async fn after_five_wrong_passwords_the_right_one_waits_too_and_then_works() {
    let world = World::new().await;
    let owner = owner(&world).await;
    for _ in 0..5 {
        let wrong = sign_in(&world, OWNER, "not the password").await.err().unwrap();
        assert_eq!(wrong.code, Code::Unauthenticated);
    }
    let refused = sign_in(&world, OWNER, PASSWORD).await.err().unwrap();
    assert_eq!((refused.code, refused.retry_after_seconds), (Code::Throttled, Some(30)));
    world.app.visit(&owner.token).await.unwrap();
    invited(&world, &owner, "vera@example.com", PersonRole::Viewer).await;
    sign_in(&world, "vera@example.com", PASSWORD).await.unwrap();
    world.clock.advance(Duration::from_secs(30));
    sign_in(&world, OWNER, PASSWORD).await.unwrap();
    for _ in 0..5 {
        let wrong = sign_in(&world, OWNER, "not the password").await.err().unwrap();
        assert_eq!(wrong.code, Code::Unauthenticated, "success forgot the failures before");
    }
}

#[tokio::test]
async fn guesses_made_at_once_are_counted_like_guesses_in_turn() {
    let world = World::new().await;
    owner(&world).await;
    let guess = || sign_in(&world, OWNER, "not the password");
    let answers = tokio::join!(guess(), guess(), guess(), guess(), guess(), guess(), guess());
    let codes = <[_; 7]>::from(answers).map(|answer| answer.err().unwrap().code);
    assert_eq!(codes.iter().filter(|code| **code == Code::Unauthenticated).count(), 5);
}

#[tokio::test]
async fn a_session_ends_a_week_after_its_person_was_last_seen() {
    let world = World::new().await;
    let signed_in = owner(&world).await;
    world.clock.advance(HOUR * (7 * 24 - 1));
    world.app.visit(&signed_in.token).await.unwrap();
    world.clock.advance(HOUR * (7 * 24 - 1));
    world.app.visit(&signed_in.token).await.unwrap();
    world.clock.advance(SESSION_IDLE);
    assert_eq!(world.app.visit(&signed_in.token).await.unwrap_err().code, Code::Unauthenticated);
}

#[tokio::test]
async fn a_session_ends_thirty_days_after_signing_in_however_busy_it_is() {
    let world = World::new().await;
    let signed_in = owner(&world).await;
    let days = u32::try_from(SESSION_MAX.as_secs() / 86_400).unwrap();
    for _ in 1..days {
        world.clock.advance(24 * HOUR);
        world.app.visit(&signed_in.token).await.unwrap();
    }
    world.clock.advance(24 * HOUR);
    assert_eq!(world.app.visit(&signed_in.token).await.unwrap_err().code, Code::Unauthenticated);
}

#[tokio::test]
async fn being_seen_is_noted_once_a_minute() {
    let world = World::new().await;
    let signed_in = owner(&world).await;
    let seen = async || world.app.sessions(&signed_in.visit, Whose::Own).await.unwrap()[0].seen_at;
    let first = seen().await;
    world.clock.advance(Duration::from_secs(59));
    world.app.visit(&signed_in.token).await.unwrap();
    assert_eq!(seen().await, first);
    world.clock.advance(Duration::from_secs(1));
    world.app.visit(&signed_in.token).await.unwrap();
    assert_eq!(seen().await, first + Duration::from_secs(60));
}

#[tokio::test]
async fn signing_out_ends_this_session_and_no_other() {
    let world = World::new().await;
    let one = owner(&world).await;
    let other = sign_in(&world, OWNER, PASSWORD).await.unwrap();
    world.app.sign_out(&one.visit).await.unwrap();
    assert_eq!(world.app.visit(&one.token).await.unwrap_err().code, Code::Unauthenticated);
    assert_eq!(world.app.visit(&other.token).await.unwrap(), other.visit);
}

#[tokio::test]
async fn everybody_ends_their_own_sessions_and_an_owner_anybodys() {
    let world = World::new().await;
    let owner = owner(&world).await;
    let vera = invited(&world, &owner, "vera@example.com", PersonRole::Viewer).await;
    let all = world.app.sessions(&owner.visit, Whose::Everybodys).await.unwrap();
    let of = |email: &str| all.iter().find(|session| session.email == email).unwrap().id.clone();
    let others = world.app.end_session(&vera.visit, &of(OWNER)).await;
    assert_eq!(others.unwrap_err().code, Code::NotFound);
    world.app.visit(&owner.token).await.unwrap();
    world.app.end_session(&owner.visit, &of("vera@example.com")).await.unwrap();
    assert_eq!(world.app.visit(&vera.token).await.unwrap_err().code, Code::Unauthenticated);
    assert_eq!(
        world.app.end_session(&owner.visit, "not an id").await.unwrap_err().code,
        Code::NotFound
    );
}

#[tokio::test]
async fn a_changed_password_ends_every_session_for_a_new_one_and_needs_the_old_password() {
    let world = World::new().await;
    let one = owner(&world).await;
    let other = sign_in(&world, OWNER, PASSWORD).await.unwrap();
    let change = async |old, new| world.app.change_password(&one.visit, old, new, &browser()).await;
    assert_eq!(change("wrong", "a new password").await.err().unwrap().fields[0].field, "old");
    assert_eq!(change(PASSWORD, "short").await.err().unwrap().fields[0].field, "new");
    let goes_on = change(PASSWORD, "a new password").await.unwrap();
    world.app.visit(&goes_on.token).await.unwrap();
    for ended in [&one, &other] {
        assert_eq!(world.app.visit(&ended.token).await.unwrap_err().code, Code::Unauthenticated);
    }
    assert!(sign_in(&world, OWNER, PASSWORD).await.is_err());
    sign_in(&world, OWNER, "a new password").await.unwrap();
    for _ in 0..5 {
        assert_eq!(change("wrong", "yet another one").await.err().unwrap().code, Code::Invalid);
    }
    assert_eq!(
        change("a new password", "yet another one").await.err().unwrap().code,
        Code::Throttled
    );
}

#[tokio::test]
async fn the_store_keeps_nothing_that_a_browser_could_bring() {
    let world = World::new().await;
    let signed_in = owner(&world).await;
    let id = world.app.sessions(&signed_in.visit, Whose::Own).await.unwrap()[0].id.clone();
    for token in [id.as_str(), "", "AAAA", signed_in.visit.csrf()] {
        assert_eq!(world.app.visit(token).await.unwrap_err().code, Code::Unauthenticated);
    }
    let people = world.store.people().await.unwrap();
    assert!(people[0].password_hash.starts_with("$argon2id$"));
}

#[tokio::test]
async fn the_mark_of_forms_belongs_to_one_session() {
    let world = World::new().await;
    let one = owner(&world).await;
    let other = sign_in(&world, OWNER, PASSWORD).await.unwrap();
    let again = world.app.visit(&one.token).await.unwrap();
    assert!(again.is_csrf(one.visit.csrf()));
    assert!(!again.is_csrf(other.visit.csrf()) && !again.is_csrf(""));
}
