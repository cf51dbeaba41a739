//! Access tokens: only what these keys minted is believed, for the use and the time that it was minted for. An
//! input is a token that is made up, an audience and a subject in a line each, then two times and the place that is changed.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde::{Deserialize, Serialize};
use tidings_fuzz::input::Input;
use tidings_signing::TokenKeys;

/// What is longer is not read as a token.
const READ_BYTES_MAX: usize = 8_192;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    aud: String,
    sub: String,
    exp: u64,
}

fuzz_target!(|bytes: &[u8]| {
    let mut input = Input(bytes);
    let (Some(made_up), Some(audience), Some(subject)) = (input.line(), input.line(), input.line()) else {
        return;
    };
    let [exp, now] = [input.bytes(), input.bytes()].map(u64::from_le_bytes);
    let place = usize::from(u16::from_le_bytes(input.bytes()));
    let keys = TokenKeys::new(&[7; 32], &[([6; 32], u64::MAX)]);
    assert!(keys.verify::<Claims>(made_up, audience, now).is_err());

    let claims = Claims {
        aud: audience.to_owned(),
        sub: subject.to_owned(),
        exp,
    };
    let token = keys.mint(&claims).expect("strings and numbers are JSON");
    if token.len() > READ_BYTES_MAX {
        assert!(keys.verify::<Claims>(&token, audience, 0).is_err());
        return;
    }
    match keys.verify::<Claims>(&token, audience, now) {
        Ok(read) => assert!(read.claims == claims && read.until_secs == exp && now < exp),
        Err(error) => assert!(now >= exp, "{error}"),
    }
    assert!(keys.verify::<Claims>(&token, "another use", 0).is_err() || audience == "another use");
    let others = TokenKeys::new(&[8; 32], &[]);
    assert!(others.verify::<Claims>(&token, audience, 0).is_err());
    let rotated = TokenKeys::new(&[8; 32], &[([7; 32], 2)]);
    assert_eq!(rotated.verify::<Claims>(&token, audience, 1).is_ok(), exp > 1);
    assert!(rotated.verify::<Claims>(&token, audience, 2).is_err(), "the key's time is over");

    let mut letters: Vec<u8> = token.clone().into_bytes();
    let place = place % letters.len();
    letters[place] = if letters[place] == b'A' { b'Q' } else { b'A' };
    let changed = String::from_utf8(letters).expect("tokens are ASCII");
    assert!(keys.verify::<Claims>(&changed, audience, 0).is_err(), "{changed}");
});
