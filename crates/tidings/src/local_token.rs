//! Whoever can read the master key of a local server may do everything there: a short-lived token says so to it.

use tidings_app::keys::LOCAL_TOKEN_PURPOSE;
use tidings_app::tokens::{AUDIENCE, Claims, TokenKind};
use tidings_client::Secret;
use tidings_model::{Scopes, Timestamp};
use tidings_signing::{MasterKey, MintError, TokenKeys};

/// Long enough for the longest command, which sends many deliveries again.
const LIFE_SECONDS: u64 = 15 * 60;

/// Mints a token of an operator.
pub(crate) fn mint(master_key: &MasterKey, now: Timestamp) -> Result<Secret, MintError> {
    let iat = now.as_seconds().unsigned_abs();
    let claims = Claims {
        kind: TokenKind::Local,
        aud: AUDIENCE.to_owned(),
        sub: None,
        vendor_id: None,
        tenant_id: None,
        scopes: Scopes::OPERATOR.to_string(),
        iat,
        exp: iat + LIFE_SECONDS,
    };
    let keys = TokenKeys::new(&master_key.derive(LOCAL_TOKEN_PURPOSE), &[]);
    keys.mint(&claims).map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> TokenKeys {
        TokenKeys::new(&MasterKey::from_bytes([byte; 32]).derive(LOCAL_TOKEN_PURPOSE), &[])
    }

    #[test]
    fn a_local_token_is_an_operators_for_a_quarter_of_an_hour() {
        let token = mint(&MasterKey::from_bytes([1; 32]), Timestamp::from_seconds(1_000_000)).unwrap();
        let claims = keys(1).verify::<Claims>(token.expose(), AUDIENCE, 1_000_000).unwrap().claims;
        assert_eq!(
            (claims.kind, claims.scopes.as_str(), claims.exp),
            (TokenKind::Local, "read write operator", 1_000_900)
        );
        assert!(keys(1).verify::<Claims>(token.expose(), AUDIENCE, 1_000_900).is_err());
    }

    #[test]
    fn it_is_worth_nothing_on_a_server_with_another_master_key() {
        let token = mint(&MasterKey::from_bytes([1; 32]), Timestamp::from_seconds(1_000_000)).unwrap();
        assert!(keys(2).verify::<Claims>(token.expose(), AUDIENCE, 1_000_000).is_err());
    }
}
