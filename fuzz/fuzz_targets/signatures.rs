//! Signatures: what was signed verifies in both schemes, and stops doing so with any bit of the body, the secret or the signature turned round. A
//! signature that somebody made up never verifies. An input is the secret, the event's id and a signature that is made up in a line each, then the time,
//! the place that is changed, and the body.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tidings_fuzz::input::Input;
use tidings_signing::{Secret, SignInput, Signer, frontegg, standard};

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let (Some(text), Some(id), Some(made_up)) = (input.line(), input.line(), input.line()) else {
        return;
    };
    let Ok(secret) = Secret::new(text) else { return };
    let [time, place] = [input.bytes(), input.bytes()].map(u32::from_le_bytes);
    let body = input.0;
    let signed = SignInput {
        message_id: &id.replace('.', ""),
        timestamp_secs: u64::from(time),
        body,
    };
    let headers = Signer::new([&secret]).sign(&signed);
    let [id, timestamp, signature, token] = [
        standard::ID_HEADER,
        standard::TIMESTAMP_HEADER,
        standard::SIGNATURE_HEADER,
        frontegg::HEADER,
    ]
    .map(|name| headers.get(name).expect("a secret signs in both schemes"));
    let now = signed.timestamp_secs;
    let verify = |secret: &Secret, id, timestamp, signature, body: &[u8]| {
        let headers = standard::Headers { id, timestamp, signature };
        standard::verify(secret, &headers, body, now, 300).is_ok()
    };
    let token_verifies = |secret: &Secret, token: &str, body: &[u8]| frontegg::verify(secret, token, Some(body), now, 0).is_ok();
    assert!(verify(&secret, id, timestamp, signature, body) && token_verifies(&secret, token, body));

    let mut other_body = body.to_vec();
    let at = place as usize / 8 % body.len().max(1);
    if let Some(byte) = other_body.get_mut(at) {
        *byte ^= 1 << (place % 8);
        assert!(!verify(&secret, id, timestamp, signature, &other_body) && !token_verifies(&secret, token, &other_body));
    }
    other_body.push(b'.');
    assert!(!verify(&secret, id, timestamp, signature, &other_body) && !token_verifies(&secret, token, &other_body));

    let changed = [with_another_letter(signature, place), with_another_letter(token, place)];
    for changed in &changed {
        assert!(!verify(&secret, id, timestamp, changed, body), "{changed}");
        assert!(!token_verifies(&secret, changed, body), "{changed}");
    }
    if let Ok(other) = Secret::new(format!("x{text}")) {
        assert!(!verify(&other, id, timestamp, signature, body) && !token_verifies(&other, token, body));
    }
    assert_eq!(
        verify(&secret, id, timestamp, made_up, body),
        made_up.split(' ').any(|entry| entry == signature)
    );
    assert_eq!(token_verifies(&secret, made_up, body), made_up == token);
});

/// The text with one letter changed to another of the same alphabet.
fn with_another_letter(text: &str, place: u32) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let place = place as usize % letters.len();
    letters[place] = if letters[place] == 'A' { 'Q' } else { 'A' };
    letters.into_iter().collect()
}
