use proptest::prelude::*;
use tidings_signing::{Secret, SecretError};

/// Base64 of the 32 bytes 0, 1, 2 … 31.
const SEED: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// The key pair of the Svix server's own test of `v1a`.
const PRIVATE_KEY: &str = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
const PUBLIC_KEY: &str = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";

fn refusal(text: &str) -> SecretError {
    Secret::new(text).expect_err("the text is not a secret")
}

#[test]
fn a_secret_has_between_8_and_256_characters() {
    assert_eq!(refusal(""), SecretError::Empty);
    assert_eq!(refusal("1234567"), SecretError::TooShort { chars: 7 });
    assert_eq!(refusal(&"x".repeat(257)), SecretError::TooLong { chars: 257 });
    assert!(Secret::new("12345678").is_ok());
    assert!(Secret::new("x".repeat(256)).is_ok());
}

#[test]
fn characters_are_counted_and_not_bytes() {
    assert_eq!(refusal("äöüäöüä"), SecretError::TooShort { chars: 7 });
    assert!(Secret::new("ä".repeat(256)).is_ok());
}

#[test]
fn a_control_character_is_refused_with_its_position() {
    assert_eq!(refusal("a secret\n"), SecretError::ControlCharacter { position: 9 });
    assert_eq!(refusal("\u{7f}a secret"), SecretError::ControlCharacter { position: 1 });
}

#[test]
fn a_whsec_secret_must_be_base64_of_24_to_64_bytes() {
    assert_eq!(refusal("whsec_not base64"), SecretError::NotBase64 { prefix: "whsec_" });
    assert_eq!(refusal("whsec_AAECAwQF-_"), SecretError::NotBase64 { prefix: "whsec_" });
    let of_bytes = |bytes: usize| format!("whsec_{}", data_encoding::BASE64.encode(&vec![7; bytes]));
    for bytes in [3, 23, 65, 100] {
        let expected = SecretError::KeyLength {
            prefix: "whsec_",
            expected: "24 to 64",
            bytes,
        };
        assert_eq!(refusal(&of_bytes(bytes)), expected);
    }
    for bytes in [24, 32, 64] {
        assert!(Secret::new(of_bytes(bytes)).is_ok(), "{bytes} bytes");
    }
}

#[test]
fn a_whsk_secret_is_a_seed_or_a_key_pair_and_tells_its_public_key() {
    let pair = Secret::new(PRIVATE_KEY).unwrap();
    assert_eq!(pair.public_key().as_deref(), Some(PUBLIC_KEY));

    let seed_alone = data_encoding::BASE64.decode(&PRIVATE_KEY.as_bytes()[5..]).unwrap()[..32].to_vec();
    let seed = Secret::new(format!("whsk_{}", data_encoding::BASE64.encode(&seed_alone))).unwrap();
    assert_eq!(seed.public_key().as_deref(), Some(PUBLIC_KEY));

    assert_eq!(Secret::new("only a text").unwrap().public_key(), None);
}

#[test]
fn a_whsk_secret_whose_halves_do_not_match_is_refused() {
    let mut bytes = data_encoding::BASE64.decode(&PRIVATE_KEY.as_bytes()[5..]).unwrap();
    bytes[63] ^= 1;
    let text = format!("whsk_{}", data_encoding::BASE64.encode(&bytes));
    assert_eq!(refusal(&text), SecretError::KeyPairMismatch);
    let short = SecretError::KeyLength {
        prefix: "whsk_",
        expected: "32 or 64",
        bytes: 6,
    };
    assert_eq!(refusal("whsk_AAECAwQF"), short);
}

#[test]
fn a_generated_secret_is_whsec_and_the_entropy_in_base64() {
    let entropy: [u8; 32] = std::array::from_fn(|i| i as u8);
    let secret = Secret::generate(&entropy);
    assert_eq!(secret.expose(), format!("whsec_{SEED}"));
    assert!(Secret::new(secret.expose()).is_ok());
}

#[test]
fn debug_does_not_show_a_secret() {
    assert_eq!(format!("{:?}", Secret::new("hunter2hunter2").unwrap()), "Secret(…)");
}

proptest! {
    #[test]
    fn any_text_is_kept_as_it_is_or_refused_without_repeating_it(
        text in "(whsec_|whsk_|)[a-zA-Z0-9+/=\u{20}-\u{2ff}]{0,100}",
    ) {
        match Secret::new(text.as_str()) {
            Ok(secret) => prop_assert_eq!(secret.expose(), text),
            Err(error) => {
                let shown = format!("{error} {error:?}");
                prop_assert!(text.chars().count() < 8 || !shown.contains(&text));
            }
        }
    }
}
