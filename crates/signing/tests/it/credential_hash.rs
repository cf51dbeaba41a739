use proptest::prelude::*;
use tidings_signing::{CredentialHash, CredentialHasher};

#[test]
fn the_hash_is_hmac_sha256_and_never_changes() {
    let key: [u8; 32] = std::array::from_fn(|i| i as u8);
    let hash = CredentialHasher::new(&key, &[]).hash("client-secret-1");
    let made_elsewhere = "c0a3aac6bfd4038086a2c42ab300dfd16504d840512b483265c005153f376dff";
    assert_eq!(data_encoding::HEXLOWER.encode(hash.as_bytes()), made_elsewhere);
}

#[test]
fn a_hash_of_an_older_key_is_recognised_until_that_key_is_retired() {
    let (old, new) = ([1; 32], [2; 32]);
    let stored = *CredentialHasher::new(&old, &[]).hash("client-secret-1").as_bytes();
    let stored = CredentialHash::from_bytes(stored);
    assert!(CredentialHasher::new(&new, &[old]).verify("client-secret-1", &stored));
    assert!(!CredentialHasher::new(&new, &[]).verify("client-secret-1", &stored));
}

#[test]
fn debug_shows_neither_key_nor_hash() {
    let hasher = CredentialHasher::new(&[1; 32], &[]);
    assert_eq!(format!("{:?}", hasher.hash("client-secret-1")), "CredentialHash(…)");
    assert!(!format!("{hasher:?}").contains("1, 1, 1"));
}

proptest! {
    #[test]
    fn only_the_secret_itself_matches_its_hash(secret in "[ -~]{1,60}", other in "[ -~]{0,60}") {
        let hasher = CredentialHasher::new(&[1; 32], &[]);
        let hash = hasher.hash(&secret);
        prop_assert!(hasher.verify(&secret, &hash));
        prop_assert_eq!(hasher.verify(&other, &hash), secret == other);
    }
}
