use proptest::prelude::*;
use proptest::sample::Index;
use tidings_signing::{MasterKey, MasterKeyError, OpenError, Vault};

/// The bytes 0, 1, 2 … 31, in the three ways to write them.
const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const BASE64: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// Sealed by another implementation of HKDF and AES-GCM: what is in a store today must open in every later version.
const ENVELOPE: &str = "015b5f0b8e070707070707070707070707ce000ae178928aebad5045ef0afd139904ee3491510760dcb4d85bcfe1";

fn counting_key() -> MasterKey {
    MasterKey::from_bytes(std::array::from_fn(|i| i as u8))
}

#[test]
fn a_master_key_is_read_from_base64_and_from_hex() {
    for text in [BASE64, HEX, &HEX.to_uppercase(), &format!(" {BASE64}\r\n")] {
        let key: MasterKey = text.parse().unwrap();
        assert_eq!(key.expose().as_str(), BASE64, "{text:?}");
    }
}

#[test]
fn a_text_of_another_length_or_alphabet_is_no_master_key() {
    for text in [
        "",
        "AAECAwQF",
        &HEX[2..],
        &"zz".repeat(32),
        &BASE64[..43],
        &format!("{BASE64}{BASE64}"),
    ] {
        assert_eq!(text.parse::<MasterKey>().map(|_| ()), Err(MasterKeyError), "{text:?}");
    }
}

#[test]
fn derived_keys_and_key_ids_never_change() {
    let derived = data_encoding::HEXLOWER.encode(&counting_key().derive("api tokens"));
    assert_eq!(derived, "e089f37b53e90bc72534724ccc15478b34404106dcabe3ee6e592aa638de77b5");
    assert_eq!(counting_key().id().to_string(), "5b5f0b8e");
}

#[test]
fn each_purpose_has_its_own_key() {
    assert_ne!(counting_key().derive("api tokens"), counting_key().derive("credentials"));
}

#[test]
fn debug_shows_the_id_of_a_master_key_and_nothing_else() {
    assert_eq!(format!("{:?}", counting_key()), "MasterKey(5b5f0b8e)");
}

#[test]
fn the_layout_of_an_envelope_never_changes() {
    let vault = Vault::new(&counting_key(), &[]);
    let sealed = vault.seal(b"correct horse", [7; 12], b"webhook 1");
    assert_eq!(data_encoding::HEXLOWER.encode(&sealed), ENVELOPE);
    assert_eq!(vault.open(&sealed, b"webhook 1").unwrap().as_slice(), b"correct horse");
}

#[test]
fn an_envelope_does_not_open_in_another_place() {
    let vault = Vault::new(&counting_key(), &[]);
    let sealed = vault.seal(b"correct horse", [7; 12], b"webhook 1");
    assert_eq!(vault.open(&sealed, b"webhook 2"), Err(OpenError::Damaged));
}

#[test]
fn an_unknown_key_and_a_later_version_are_named() {
    let vault = Vault::new(&MasterKey::from_bytes([9; 32]), &[]);
    let mut sealed = Vault::new(&counting_key(), &[]).seal(b"correct horse", [7; 12], b"webhook 1");

    let error = vault.open(&sealed, b"webhook 1").unwrap_err();
    assert_eq!(error, OpenError::UnknownKey { id: counting_key().id() });
    assert!(error.to_string().contains("5b5f0b8e"), "{error}");

    sealed[0] = 2;
    assert_eq!(vault.open(&sealed, b"webhook 1"), Err(OpenError::Version { version: 2 }));
}

#[test]
fn after_a_change_of_keys_old_envelopes_open_and_ask_to_be_sealed_again() {
    let (old, new) = (counting_key(), MasterKey::from_bytes([9; 32]));
    let sealed = Vault::new(&old, &[]).seal(b"correct horse", [7; 12], b"webhook 1");
    let vault = Vault::new(&new, &[old]);

    assert!(!vault.is_current(&sealed));
    let opened = vault.open(&sealed, b"webhook 1").unwrap();
    let again = vault.seal(&opened, [8; 12], b"webhook 1");
    assert!(vault.is_current(&again));
    let without_the_old_key = Vault::new(&new, &[]);
    assert_eq!(without_the_old_key.open(&again, b"webhook 1").unwrap().as_slice(), b"correct horse");
}

#[test]
fn a_vault_in_use_changes_its_key_and_still_opens_what_it_sealed_before() {
    let (old, new) = (counting_key(), MasterKey::from_bytes([9; 32]));
    let vault = Vault::new(&old, &[]);
    let before = vault.seal(b"correct horse", [7; 12], b"webhook 1");
    vault.change_to(&new);
    assert_eq!(vault.current(), new.id());
    let after = vault.seal(b"correct horse", [8; 12], b"webhook 1");
    assert!(vault.is_current(&after) && !vault.is_current(&before));
    for sealed in [before, after] {
        assert_eq!(vault.open(&sealed, b"webhook 1").unwrap().as_slice(), b"correct horse");
    }
    vault.change_to(&old);
    assert!(vault.current() == old.id() && vault.opens(new.id()), "and back");
}

proptest! {
    #[test]
    fn what_is_sealed_opens_and_is_not_readable(
        key in any::<[u8; 32]>(),
        plaintext in proptest::collection::vec(any::<u8>(), 0..300),
        nonce in any::<[u8; 12]>(),
        context in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let vault = Vault::new(&MasterKey::from_bytes(key), &[]);
        let sealed = vault.seal(&plaintext, nonce, &context);
        prop_assert!(plaintext.len() < 4 || !sealed.windows(plaintext.len()).any(|part| part == plaintext));
        let opened = vault.open(&sealed, &context).unwrap();
        prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
    }

    #[test]
    fn no_envelope_opens_with_a_bit_changed_or_a_byte_missing(at in any::<Index>(), bit in 0..8_u8, cut in any::<Index>()) {
        let vault = Vault::new(&counting_key(), &[]);
        let sealed = vault.seal(b"correct horse", [7; 12], b"webhook 1");

        let mut changed = sealed.clone();
        changed[at.index(sealed.len())] ^= 1 << bit;
        prop_assert!(vault.open(&changed, b"webhook 1").is_err());
        prop_assert!(vault.open(&sealed[..cut.index(sealed.len())], b"webhook 1").is_err());
    }
}
