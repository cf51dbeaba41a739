use proptest::prelude::*;
use proptest::sample::Index;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tidings_signing::{TokenError, TokenKeys};

const NOW: u64 = 1_700_000_000;
const KEY: [u8; 32] = [1; 32];

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Claims {
    aud: String,
    exp: u64,
    sub: String,
}

fn claims() -> Claims {
    Claims {
        aud: "api".to_owned(),
        exp: NOW + 60,
        sub: "credential 1".to_owned(),
    }
}

fn keys() -> TokenKeys {
    TokenKeys::new(&KEY, &[])
}

/// A token with the header given, signed rightly with `KEY`.
fn handmade(header: &serde_json::Value, claims: &serde_json::Value) -> String {
    let base64 = |bytes: &[u8]| data_encoding::BASE64URL_NOPAD.encode(bytes);
    let message = format!(
        "{}.{}",
        base64(header.to_string().as_bytes()),
        base64(claims.to_string().as_bytes())
    );
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &KEY);
    let tag = aws_lc_rs::hmac::sign(&key, message.as_bytes());
    format!("{message}.{}", base64(tag.as_ref()))
}

fn genuine_kid() -> String {
    let token = keys().mint(&claims()).unwrap();
    jsonwebtoken::decode_header(token)
        .unwrap()
        .kid
        .expect("a minted token names its key")
}

#[test]
fn a_minted_token_gives_its_claims_back() {
    let token = keys().mint(&claims()).unwrap();
    let verified = keys().verify::<Claims>(&token, "api", NOW).unwrap();
    assert_eq!((verified.claims, verified.until_secs), (claims(), NOW + 60));
}

#[test]
fn a_token_is_good_until_the_second_before_it_expires() {
    let token = keys().mint(&claims()).unwrap();
    assert!(keys().verify::<Claims>(&token, "api", NOW + 59).is_ok());
    let late = keys().verify::<Claims>(&token, "api", NOW + 60);
    assert!(matches!(late, Err(TokenError::Expired { exp }) if exp == NOW + 60), "{late:?}");
}

#[test]
fn a_token_for_another_audience_is_refused() {
    let token = keys().mint(&claims()).unwrap();
    let verdict = keys().verify::<Claims>(&token, "portal", NOW);
    assert!(matches!(verdict, Err(TokenError::Audience)), "{verdict:?}");
}

#[test]
fn a_token_without_exp_or_aud_is_refused_though_its_signature_is_right() {
    let header = json!({"alg": "HS256", "kid": genuine_kid()});
    let verify = |claims| keys().verify::<serde_json::Value>(&handmade(&header, &claims), "api", NOW);
    assert!(verify(json!({"aud": "api", "exp": NOW + 1})).is_ok());
    for claims in [
        json!({"aud": "api"}),
        json!({"exp": NOW + 1}),
        json!({"aud": "api", "exp": "never"}),
    ] {
        let verdict = verify(claims);
        assert!(matches!(verdict, Err(TokenError::Malformed(_))), "{verdict:?}");
    }
}

#[test]
fn alg_none_and_every_other_algorithm_are_refused() {
    let claims = json!({"aud": "api", "exp": NOW + 1});
    let verify = |alg: &str| {
        let token = handmade(&json!({"alg": alg, "kid": genuine_kid()}), &claims);
        keys().verify::<serde_json::Value>(&token, "api", NOW)
    };
    assert!(verify("HS256").is_ok());
    for alg in ["HS384", "HS512", "RS256", "ES256", "PS256", "EdDSA", "none", "None", "hs256", ""] {
        assert!(matches!(verify(alg), Err(TokenError::Algorithm)), "{alg}");
    }
    let header = json!({"alg": "none", "kid": genuine_kid()}).to_string();
    let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
    let unsigned = format!("{}.{}.", encode(&header), encode(&claims.to_string()));
    assert!(keys().verify::<serde_json::Value>(&unsigned, "api", NOW).is_err());
}

#[test]
fn what_is_no_token_is_refused_in_words_of_ours() {
    let encode = |text: &str| data_encoding::BASE64URL_NOPAD.encode(text.as_bytes());
    let header = encode(&json!({"alg": "HS256", "kid": genuine_kid()}).to_string());
    for token in [
        "",
        "x",
        "a.b.c",
        "..",
        &format!("{}.e30.", encode("{")),
        &format!("{}.e30.", encode(r#"{"alg":7}"#)),
        &format!("{header}.!."),
    ] {
        let refused = keys().verify::<serde_json::Value>(token, "api", NOW).unwrap_err().to_string();
        let ours = refused.contains("three parts of a JWT") || refused == "the token's signature is wrong";
        assert!(ours, "{token}: {refused}");
    }
}

#[test]
fn a_token_must_name_a_key_that_is_in_use() {
    let claims = json!({"aud": "api", "exp": NOW + 1});
    for header in [json!({"alg": "HS256"}), json!({"alg": "HS256", "kid": "another"})] {
        let verdict = keys().verify::<serde_json::Value>(&handmade(&header, &claims), "api", NOW);
        assert!(matches!(verdict, Err(TokenError::UnknownKey)), "{verdict:?}");
    }
}

#[test]
fn a_token_of_an_older_key_is_accepted_until_that_key_is_retired() {
    let token = keys().mint(&claims()).unwrap();
    let rotated = TokenKeys::new(&[2; 32], &[(KEY, NOW + 10)]);
    let verified = rotated.verify::<Claims>(&token, "api", NOW + 9).unwrap();
    assert_eq!(
        (verified.claims, verified.until_secs),
        (claims(), NOW + 10),
        "the key ends before the token"
    );
    for keys in [&rotated, &TokenKeys::new(&[2; 32], &[])] {
        let verdict = keys.verify::<Claims>(&token, "api", NOW + 10);
        assert!(matches!(verdict, Err(TokenError::UnknownKey)), "{verdict:?}");
    }
    let fresh = rotated.mint(&claims()).unwrap();
    let verified = TokenKeys::new(&[2; 32], &[]).verify::<Claims>(&fresh, "api", NOW).unwrap();
    assert_eq!(verified.claims, claims());
}

#[test]
fn a_token_from_the_future_is_refused_but_a_clock_may_have_been_set_back_by_a_minute() {
    let header = json!({"alg": "HS256", "kid": genuine_kid()});
    for claim in ["iat", "nbf"] {
        let verify = |from: u64| {
            let mut claims = json!({"aud": "api", "exp": NOW + 1_000});
            claims[claim] = from.into();
            keys().verify::<serde_json::Value>(&handmade(&header, &claims), "api", NOW)
        };
        assert!(verify(NOW + 60).is_ok(), "{claim}");
        let early = verify(NOW + 61);
        assert!(
            matches!(early, Err(TokenError::NotYet { from }) if from == NOW + 61),
            "{claim}: {early:?}"
        );
    }
}

#[test]
fn a_token_that_is_cut_off_or_huge_is_malformed() {
    let token = keys().mint(&claims()).unwrap();
    for length in 0..token.len() {
        assert!(keys().verify::<Claims>(&token[..length], "api", NOW).is_err(), "{length}");
    }
    let padded = json!({"aud": "api", "exp": NOW + 1, "padding": "x".repeat(10_000)});
    let huge = keys().mint(&padded).unwrap();
    let verdict = keys().verify::<serde_json::Value>(&huge, "api", NOW);
    assert!(
        matches!(&verdict, Err(TokenError::Malformed(why)) if why.contains("8192 bytes")),
        "{verdict:?}"
    );
}

#[test]
fn a_key_that_is_only_named_like_ours_does_not_make_a_token() {
    let forger = jsonwebtoken::EncodingKey::from_secret(&[3; 32]);
    let mut header = jsonwebtoken::Header::new(jsonwebtoken::Algorithm::HS256);
    header.kid = Some(genuine_kid());
    let token = jsonwebtoken::encode(&header, &claims(), &forger).unwrap();
    let verdict = keys().verify::<Claims>(&token, "api", NOW);
    assert!(matches!(verdict, Err(TokenError::Signature)), "{verdict:?}");
}

#[test]
fn genuine_claims_of_another_kind_do_not_fit() {
    let token = keys().mint(&json!({"aud": "api", "exp": NOW + 1})).unwrap();
    let verdict = keys().verify::<Claims>(&token, "api", NOW);
    assert!(matches!(verdict, Err(TokenError::Claims(_))), "{verdict:?}");
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?}", keys());
    assert!(!shown.contains("1, 1, 1"), "{shown}");
}

proptest! {
    #[test]
    fn a_token_with_one_character_changed_is_refused(at in any::<Index>(), other in "[A-Za-z0-9_.-]") {
        let token = keys().mint(&claims()).unwrap();
        let at = at.index(token.len());
        prop_assume!(token[at..=at] != other);
        let mut changed = token;
        changed.replace_range(at..=at, &other);
        prop_assert!(keys().verify::<Claims>(&changed, "api", NOW).is_err());
    }
}
