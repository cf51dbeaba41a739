//! Passwords of people: what one may be, and hashing it.

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use tidings_runtime::{Blocking, Crowded};

use crate::problem::{Code, Problem};

/// Shortest password.
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password: hashing is work.
pub const PASSWORD_CHARS_MAX: usize = 256;
/// Hashes at a time: each takes a processor and 19 MiB of memory for some ten milliseconds.
const HASHES_AT_A_TIME: usize = 2;
/// Hashes that wait for their turn, at most.
const HASHES_WAITING: usize = 64;
/// Salts the hash that is made for somebody who does not exist, which is compared with nothing.
const NOBODYS_SALT: &[u8; 16] = b"nobody is hashed";

/// Checks the length of a password.
pub(crate) fn check(password: &str) -> Result<(), String> {
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&password.chars().count()) {
        return Ok(());
    }
    Err(format!("has to have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters"))
}

/// Hashes passwords, a few at a time and away from the threads that answer requests.
#[derive(Debug)]
pub(crate) struct Passwords(Blocking);

impl Default for Passwords {
    fn default() -> Self {
        Self(Blocking::new(HASHES_AT_A_TIME, HASHES_WAITING))
    }
}

impl Passwords {
    /// The hash to keep of a password that was checked.
    pub(crate) async fn hash(&self, password: &str, salt: [u8; 16]) -> Result<String, Problem> {
        let password = password.to_owned();
        let hash = self
            .0
            .run(move || Argon2::default().hash_password_with_salt(password.as_bytes(), &salt))
            .await
            .map_err(crowded)?;
        hash.map(|hash| hash.to_string())
            .map_err(|error| Problem::new(Code::Internal, format!("the password could not be hashed: {error}")))
    }

    /// Whether a password is the one that was hashed. `None`, or a hash of no password, is nobody's: it takes as long and is never right.
    pub(crate) async fn verify(&self, password: &str, hash: Option<&str>) -> Result<bool, Problem> {
        if password.chars().count() > PASSWORD_CHARS_MAX {
            return Ok(false); // nobody has one, and hashing it would be work
        }
        let password = password.to_owned();
        let hash = hash.filter(|hash| !hash.is_empty()).map(str::to_owned);
        let work = move || match hash {
            Some(hash) => Argon2::default().verify_password(password.as_bytes(), hash.as_str()).is_ok(),
            None => {
                // Made for the time that it takes.
                let _ = std::hint::black_box(Argon2::default().hash_password_with_salt(password.as_bytes(), NOBODYS_SALT));
                false
            }
        };
        self.0.run(work).await.map_err(crowded)
    }
}

fn crowded(_: Crowded) -> Problem {
    Problem::new(Code::Overloaded, "too many people are signing in at the moment; try again")
}
