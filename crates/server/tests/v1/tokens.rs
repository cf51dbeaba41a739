//! Access tokens that are not what they seem, and what ends with a credential, a key or an hour: the very next request is refused.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use tidings_model::Scopes;
use tidings_signing::{MasterKey, TokenKeys};

use crate::world::{CLIENT_ID, CLIENT_SECRET, START, World};

/// The keys of the world's server, as whoever has its master key could make them.
fn keys() -> TokenKeys {
    TokenKeys::new(&MasterKey::from_bytes([3; 32]).derive("tidings access tokens"), &[])
}

fn now() -> u64 {
    START.as_seconds().unsigned_abs()
}

/// What a genuine token of the first credential says.
fn claims(world: &World) -> Value {
    json!({
        "type": "vendor", "aud": "tidings", "sub": CLIENT_ID, "vendorId": world.environment.to_string(),
        "scopes": "read write", "iat": now(), "exp": now() + 600,
    })
}

/// The token with another header.
fn with_header(token: &str, header: &Value, signed: bool) -> String {
    let mut parts = token.split('.').skip(1);
    let (claims, signature) = (parts.next().unwrap(), parts.next().unwrap());
    let header = BASE64URL_NOPAD.encode(header.to_string().as_bytes());
    format!("{header}.{claims}.{}", if signed { signature } else { "" })
}

async fn status(world: &World, token: &str) -> u16 {
    world.ask("GET", "/v1/webhooks").bearer(token).send().await.status
}

#[tokio::test]
async fn a_forged_token_is_refused_however_it_is_forged() {
    let world = World::new().await;
    let mint = |claims: &Value| keys().mint(claims).unwrap();
    let token = mint(&claims(&world));
    assert_eq!(status(&world, &token).await, 200, "the genuine one");
    let kid = TokenKeys::name_of(&MasterKey::from_bytes([3; 32]).derive("tidings access tokens"));
    for alg in ["none", "None", "HS384", "HS512", "RS256", "ES256", "EdDSA", ""] {
        let header = json!({"typ": "JWT", "alg": alg, "kid": kid});
        for signed in [true, false] {
            assert_eq!(status(&world, &with_header(&token, &header, signed)).await, 401, "{alg}");
        }
    }
    for kid in [json!("0000000000000000"), json!(null), json!("../../master.key"), json!(7)] {
        let header = json!({"typ": "JWT", "alg": "HS256", "kid": kid});
        assert_eq!(status(&world, &with_header(&token, &header, true)).await, 401, "{kid}");
    }
    let other = TokenKeys::new(&[7; 32], &[]).mint(&claims(&world)).unwrap();
    assert_eq!(status(&world, &other).await, 401, "another server's");
    for length in [0, 1, token.len() / 2, token.len() - 1] {
        let cut = if length == 0 { "x" } else { &token[..length] };
        assert_eq!(status(&world, cut).await, 401, "{length}");
    }
    let mut huge = claims(&world);
    huge["padding"] = "x".repeat(9_000).into();
    assert_eq!(status(&world, &mint(&huge)).await, 401, "huge");
}

#[tokio::test]
async fn a_genuine_token_with_claims_that_do_not_fit_is_refused() {
    let world = World::new().await;
    let (elsewhere, ..) = world.neighbour(Scopes::READ_WRITE).await;
    for (claim, value) in [
        ("aud", json!("tidings invitation")),
        ("aud", json!(null)),
        ("exp", json!(now())),
        ("exp", json!(-1)),
        ("exp", json!(null)),
        ("iat", json!(now() + 3_600)),
        ("nbf", json!(now() + 3_600)),
        ("vendorId", json!(elsewhere.to_string())),
        ("vendorId", json!(null)),
        ("sub", json!("00000000-0000-4000-8000-000000000000")),
        ("type", json!("tenant")),
        ("type", json!("local")),
        ("type", json!("god")),
        ("scopes", json!("everything")),
    ] {
        let mut claims = claims(&world);
        claims[claim] = value.clone();
        let token = keys().mint(&claims).unwrap();
        assert_eq!(status(&world, &token).await, 401, "{claim}: {value}");
    }
}

#[tokio::test]
async fn a_token_ends_with_its_hour() {
    let world = World::new().await;
    let token = world.state.app.vendor_token(CLIENT_ID, CLIENT_SECRET).unwrap();
    assert_eq!(status(&world, &token.token).await, 200);
    world.clock.advance(Duration::from_secs(token.expires_in - 1));
    assert_eq!(status(&world, &token.token).await, 200);
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(status(&world, &token.token).await, 401);
}

#[tokio::test]
async fn the_next_request_after_a_credential_was_revoked_is_refused_with_it_its_token_and_its_tenants_token() {
    let world = World::new().await;
    let (client, secret) = world.credential(Scopes::READ_WRITE).await;
    let token = world.state.app.vendor_token(&client, &secret).unwrap().token;
    let minted = world.ask("POST", "/v1/tenants/acme/tokens").basic(&client, &secret).body("{}");
    let tenant = minted.send().await.text_at("/token").to_owned();
    let asks = || {
        let list = world.ask("GET", "/v1/webhooks").anonymous();
        [
            list.clone().basic(&client, &secret),
            list.clone().bearer(&token),
            list.clone().header("x-access-token", &token),
            list.bearer(&tenant),
        ]
    };
    for ask in asks() {
        ask.send().await.expect(200);
    }
    let path = format!("/v1/environments/{}/credentials/{client}", world.environment);
    world.ask("DELETE", &path).send().await.expect(204);
    for ask in asks() {
        ask.send().await.expect(401);
    }
}

#[tokio::test]
async fn the_credentials_of_a_deleted_environment_are_refused_at_once_an_operators_too() {
    let world = World::new().await;
    let (environment, client, secret) = world.neighbour(Scopes::OPERATOR).await;
    let here = world.environment.to_string();
    let ask = || {
        world
            .ask("GET", "/v1/webhooks")
            .basic(&client, &secret)
            .header("tidings-environment", &here)
    };
    ask().send().await.expect(200);
    let path = format!("/v1/environments/{environment}?force=true");
    world.ask("DELETE", &path).send().await.expect(204);
    ask().send().await.expect(401);
}

#[tokio::test]
async fn tokens_live_through_a_change_of_their_key_and_end_with_it_when_that_is_asked() {
    let world = World::new().await;
    let mint = || world.state.app.vendor_token(CLIENT_ID, CLIENT_SECRET).unwrap().token;
    let before = mint();
    assert_eq!(status(&world, &before).await, 200);
    let rotated = world.ask("POST", "/v1/keys/tokens/rotate").body("{}").send().await.expect(200);
    assert_eq!(rotated.json["tokenKeys"].as_array().unwrap().len(), 2);
    let between = mint();
    for token in [&before, &between] {
        assert_eq!(status(&world, token).await, 200);
    }
    let ask = world.ask("POST", "/v1/keys/tokens/rotate").body(r#"{"revokeTokens":true}"#);
    assert_eq!(ask.send().await.expect(200).json["tokenKeys"].as_array().unwrap().len(), 1);
    for token in [&before, &between] {
        assert_eq!(status(&world, token).await, 401);
    }
    assert_eq!(status(&world, &mint()).await, 200);
    let refused = world.ask("POST", "/v1/keys/master/rotate").body("{}").send().await.expect(409);
    assert!(refused.text_at("/detail").contains("TIDINGS_OLD_MASTER_KEY"));
}
