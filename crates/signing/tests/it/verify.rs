use proptest::prelude::*;
use proptest::sample::Index;
use tidings_signing::{Secret, SignInput, SignedHeaders, Signer, frontegg, standard};

const NOW: u64 = 1_700_000_000;
const BODY: &[u8] = br#"{"user":{"id":"u1"},"eventKey":"frontegg.user.created"}"#;

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn delivery(secret: &Secret) -> SignedHeaders {
    Signer::new([secret]).sign(&SignInput {
        message_id: "evt_1",
        timestamp_secs: NOW,
        body: BODY,
    })
}

fn received(signed: &SignedHeaders) -> standard::Headers<'_> {
    standard::Headers {
        id: signed.get("webhook-id").unwrap(),
        timestamp: signed.get("webhook-timestamp").unwrap(),
        signature: signed.get("webhook-signature").unwrap(),
    }
}

fn token(signed: &SignedHeaders) -> &str {
    signed.get("x-webhook-secret").unwrap()
}

/// A token over `claims`, signed with `key` and whatever algorithm `alg` names.
fn forged(alg: jsonwebtoken::Algorithm, key: &str, claims: &serde_json::Value) -> String {
    let key = jsonwebtoken::EncodingKey::from_secret(key.as_bytes());
    jsonwebtoken::encode(&jsonwebtoken::Header::new(alg), claims, &key).unwrap()
}

#[test]
fn a_token_says_when_it_was_made_for_which_event_and_for_how_long() {
    let secret = secret("a secret of words");
    let signed = delivery(&secret);
    let claims = frontegg::verify(&secret, token(&signed), Some(BODY), NOW, 0).unwrap();
    assert_eq!((claims.iat, claims.exp, &*claims.event_id), (NOW, NOW + 300, "evt_1"));
}

#[test]
fn a_token_expires_after_five_minutes_and_the_leeway() {
    let secret = secret("a secret of words");
    let signed = delivery(&secret);
    let at = |now, leeway| frontegg::verify(&secret, token(&signed), None, now, leeway).map(|_| ());
    assert_eq!(at(NOW + 299, 0), Ok(()));
    assert_eq!(at(NOW + 300, 0), Err(frontegg::VerifyError::Expired { exp: NOW + 300 }));
    assert_eq!(at(NOW + 329, 30), Ok(()));
    assert_eq!(at(NOW + 330, 30), Err(frontegg::VerifyError::Expired { exp: NOW + 300 }));
    assert_eq!(at(NOW - 1, 0), Err(frontegg::VerifyError::NotYet { iat: NOW }));
    assert_eq!(at(NOW - 1, 1), Ok(()));
}

#[test]
fn a_token_of_another_body_or_another_secret_is_refused() {
    let ours = secret("a secret of words");
    let signed = delivery(&ours);
    assert_eq!(
        frontegg::verify(&ours, token(&signed), Some(b"{}"), NOW, 0),
        Err(frontegg::VerifyError::Body)
    );
    assert_eq!(
        frontegg::verify(&secret("another secret"), token(&signed), Some(BODY), NOW, 0),
        Err(frontegg::VerifyError::Signature)
    );
}

#[test]
fn only_hs256_with_the_claims_of_a_delivery_is_believed() {
    let ours = secret("a secret of words");
    let claims = serde_json::json!({"iat": NOW, "exp": NOW + 300, "bodySha256": "", "eventId": "evt_1"});
    let check = |token: &str| frontegg::verify(&ours, token, None, NOW, 0).map(|_| ());

    assert_eq!(check(&forged(jsonwebtoken::Algorithm::HS256, ours.expose(), &claims)), Ok(()));
    let hs384 = forged(jsonwebtoken::Algorithm::HS384, ours.expose(), &claims);
    assert_eq!(check(&hs384), Err(frontegg::VerifyError::Algorithm));

    let unsigned_header = data_encoding::BASE64URL_NOPAD.encode(br#"{"alg":"none"}"#);
    let payload = data_encoding::BASE64URL_NOPAD.encode(claims.to_string().as_bytes());
    let without_exp = serde_json::json!({"iat": NOW, "bodySha256": "", "eventId": "evt_1"});
    for malformed in [
        format!("{unsigned_header}.{payload}."),
        forged(jsonwebtoken::Algorithm::HS256, ours.expose(), &without_exp),
        ours.expose().to_owned(),
        String::new(),
    ] {
        assert!(matches!(check(&malformed), Err(frontegg::VerifyError::Malformed(_))), "{malformed}");
    }
}

#[test]
fn either_secret_of_a_rotation_verifies_and_a_third_does_not() {
    let (current, previous) = (Secret::generate(&[1; 32]), secret("the previous secret"));
    let signed = Signer::new([&current, &previous]).sign(&SignInput {
        message_id: "evt_1",
        timestamp_secs: NOW,
        body: BODY,
    });
    let check = |secret: &Secret| standard::verify(secret, &received(&signed), BODY, NOW, 300);
    assert_eq!(check(&current), Ok(()));
    assert_eq!(check(&previous), Ok(()));
    assert_eq!(check(&Secret::generate(&[2; 32])), Err(standard::VerifyError::NoMatch));
}

#[test]
fn a_timestamp_outside_the_tolerance_is_refused_either_way() {
    let secret = secret("a secret of words");
    let signed = delivery(&secret);
    let at = |now| standard::verify(&secret, &received(&signed), BODY, now, 300);
    assert_eq!(at(NOW + 300), Ok(()));
    assert_eq!(at(NOW + 301), Err(standard::VerifyError::TooOld { by_secs: 301 }));
    assert_eq!(at(NOW - 300), Ok(()));
    assert_eq!(at(NOW - 301), Err(standard::VerifyError::TooNew { by_secs: 301 }));
}

#[test]
fn a_signature_list_that_makes_no_sense_is_refused_without_a_panic() {
    let secret = secret("a secret of words");
    let signed = delivery(&secret);
    let good = received(&signed);
    for signature in ["", " ", "v1", "v1,", "v1,%%%", "v2,AAAA", "v1a,AAAA", &good.signature[3..]] {
        let headers = standard::Headers { signature, ..good };
        let verdict = standard::verify(&secret, &headers, BODY, NOW, 300);
        assert_eq!(verdict, Err(standard::VerifyError::NoMatch), "{signature:?}");
    }
    let headers = standard::Headers {
        timestamp: "yesterday",
        ..good
    };
    let verdict = standard::verify(&secret, &headers, BODY, NOW, 300);
    assert_eq!(verdict, Err(standard::VerifyError::Timestamp));
}

fn any_secret() -> impl Strategy<Value = Secret> {
    let whsk = |seed: [u8; 32]| secret(&format!("whsk_{}", data_encoding::BASE64.encode(&seed)));
    prop_oneof![
        any::<[u8; 32]>().prop_map(|entropy| Secret::generate(&entropy)),
        any::<[u8; 32]>().prop_map(whsk),
        "[ -~]{8,40}".prop_filter_map("a prefix that is not kept", |text| Secret::new(text).ok()),
    ]
}

proptest! {
    #[test]
    fn what_is_signed_verifies_until_one_bit_of_the_body_changes(
        secret in any_secret(),
        mut body in proptest::collection::vec(any::<u8>(), 1..400),
        timestamp_secs in 1..u64::from(u32::MAX),
        at in any::<Index>(),
        bit in 0..8_u8,
    ) {
        let input = SignInput { message_id: "evt_1", timestamp_secs, body: &body };
        let signed = Signer::new([&secret]).sign(&input);
        let standard = |body: &[u8]| standard::verify(&secret, &received(&signed), body, timestamp_secs, 0);
        let frontegg = |body: &[u8]| frontegg::verify(&secret, token(&signed), Some(body), timestamp_secs, 0);

        prop_assert_eq!(standard(&body), Ok(()));
        prop_assert!(frontegg(&body).is_ok());

        let at = at.index(body.len());
        body[at] ^= 1 << bit;
        prop_assert_eq!(standard(&body), Err(standard::VerifyError::NoMatch));
        prop_assert_eq!(frontegg(&body), Err(frontegg::VerifyError::Body));
    }

    #[test]
    fn no_text_in_the_header_makes_verification_panic(text in "\\PC{0,200}") {
        let secret = secret("a secret of words");
        prop_assert!(frontegg::verify(&secret, &text, None, NOW, 0).is_err());
        let headers = standard::Headers { id: &text, timestamp: "1700000000", signature: &text };
        prop_assert!(standard::verify(&secret, &headers, BODY, NOW, 0).is_err());
    }
}
