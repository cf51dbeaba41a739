use tidings_signing::{BodyDigest, Secret, SignInput, Signer};

const BODY: &[u8] = br#"{"test": 2432232314}"#;
const INPUT: SignInput<'_> = SignInput {
    message_id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestamp_secs: 1_614_265_330,
    body: BODY,
};

fn secret(text: &str) -> Secret {
    Secret::new(text).unwrap()
}

fn signature(text: &str, input: &SignInput<'_>) -> String {
    let signed = Signer::new([&secret(text)]).sign(input);
    signed.get("webhook-signature").expect("a signer with a secret signs").to_owned()
}

#[test]
fn the_public_hmac_vector_of_standard_webhooks_holds() {
    assert_eq!(
        signature("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &INPUT),
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    );
}

#[test]
fn the_public_ed25519_vector_of_the_svix_server_holds() {
    assert_eq!(
        signature(
            "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==",
            &INPUT
        ),
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
    );
}

#[test]
fn a_secret_without_a_prefix_signs_with_its_utf8_bytes() {
    let input = SignInput {
        message_id: "evt_1",
        timestamp_secs: 1_614_265_330,
        body: b"{}",
    };
    let expected = "v1,aJSh+raDQQ6SVSJ9Hq7dayyuOO3cYliRIsBHJkGbjrA=";
    assert_eq!(signature("a secret of words", &input), expected);
}

#[test]
fn the_frontegg_token_is_the_one_that_any_other_jwt_library_makes() {
    let input = SignInput {
        message_id: "evt_1",
        timestamp_secs: 1_700_000_000,
        body: br#"{"a":1}"#,
    };
    let signed = Signer::new([&secret("a secret of words")]).sign(&input);
    let made_elsewhere = concat!(
        "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.",
        "eyJpYXQiOjE3MDAwMDAwMDAsImV4cCI6MTcwMDAwMDMwMCwiYm9keVNoYTI1NiI6IjAxNWFiZDdmNWNjNTdhMmRkOTRiNzU5MGYwNGFk",
        "ODA4NDI3MzkwNWVlMzNlYzVjZWJlYWU2MjI3NmE5N2Y4NjIiLCJldmVudElkIjoiZXZ0XzEifQ.",
        "NYL7ZVJxZp0uaxyL7trWMeKSdkzYZfZh-D1AjXCR1ac"
    );
    assert_eq!(signed.get("x-webhook-secret"), Some(made_elsewhere));
}

#[test]
fn without_a_secret_a_delivery_is_named_and_dated_but_not_signed() {
    for signer in [Signer::default(), Signer::new([])] {
        let signed: Vec<_> = signer.sign(&INPUT).into_iter().collect();
        let expected = [("webhook-id", INPUT.message_id), ("webhook-timestamp", "1614265330")];
        assert_eq!(signed, expected.map(|(name, value)| (name, value.to_owned())));
    }
}

#[test]
fn during_a_rotation_every_secret_signs_and_the_current_one_makes_the_token() {
    let (current, previous) = (secret("the current secret"), secret("the previous secret"));
    let both = Signer::new([&current, &previous]).sign(&INPUT);
    let alone = [&current, &previous].map(|one| Signer::new([one]).sign(&INPUT));

    let listed: Vec<_> = both.get("webhook-signature").unwrap().split(' ').collect();
    assert_eq!(listed, alone.each_ref().map(|one| one.get("webhook-signature").unwrap()));
    assert_eq!(both.get("x-webhook-secret"), alone[0].get("x-webhook-secret"));
}

#[test]
fn a_digest_that_was_computed_before_changes_nothing() {
    let signer = Signer::new([&secret("a secret of words")]);
    assert_eq!(signer.sign_with_digest(&INPUT, &BodyDigest::of(BODY)), signer.sign(&INPUT));
}

#[test]
fn a_body_digest_is_shown_as_the_hex_of_its_sha256() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(BodyDigest::of(b"").to_string(), empty);
}

#[test]
fn debug_shows_neither_the_key_nor_the_signatures() {
    let signer = Signer::new([&secret("a secret of words")]);
    let signed = signer.sign(&INPUT);
    let shown = format!("{signer:?} {signed:?}");
    for hidden in [
        "a secret of words",
        signed.get("webhook-signature").unwrap(),
        signed.get("x-webhook-secret").unwrap(),
    ] {
        assert!(!shown.contains(hidden), "{shown}");
    }
    // The bytes of the secret as `Debug` would print them.
    assert!(!shown.contains("97, 32, 115"), "{shown}");
}
