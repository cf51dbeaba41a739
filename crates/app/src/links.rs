//! Links that let somebody choose a password: the first owner, who was invited, who forgot theirs.
//!
//! A link is a signed token and is stored nowhere. It works once, because it is bound to what using it changes: that there is no owner yet, the password
//! that the person has (or has not) now, or the end of the recovery link that they used last. Whoever has the master key makes links without asking
//! anybody: [`keys`].

use std::time::Duration;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use tidings_model::Timestamp;
use tidings_signing::{MasterKey, MintError, TokenKeys, Verified};
use tidings_store::{Person, PersonChange, PersonRole};

use crate::app::App;
use crate::passwords;
use crate::problem::{Code, Problem};
use crate::sessions::{Browser, SignedIn};
use crate::validate::{self, Faults};
use crate::visit::Visit;

/// A set-up link lasts that long.
pub const SETUP_LASTS: Duration = Duration::from_secs(24 * 3_600);
/// An invitation lasts that long.
pub const INVITATION_LASTS: Duration = Duration::from_secs(7 * 24 * 3_600);
/// A recovery link lasts that long: it is made at a terminal beside the browser.
pub const RECOVERY_LASTS: Duration = Duration::from_secs(15 * 60);

/// The purpose of the key that signs links.
pub(crate) const LINK_KEY_PURPOSE: &str = "tidings links";
/// The audience of set-up links.
const SETUP_AUDIENCE: &str = "tidings set-up";
/// The audience of invitations and of links to choose a password anew.
const INVITATION_AUDIENCE: &str = "tidings invitation";
/// The audience of recovery links.
const RECOVERY_AUDIENCE: &str = "tidings recovery";

/// The keys that links of a server are signed with.
pub fn keys(master_key: &MasterKey) -> TokenKeys {
    TokenKeys::new(&master_key.derive(LINK_KEY_PURPOSE), &[])
}

/// The token of a set-up link. It is refused while somebody can sign in.
pub fn mint_setup_token(keys: &TokenKeys, now: Timestamp) -> Result<String, MintError> {
    keys.mint(&SetupClaims {
        aud: SETUP_AUDIENCE.to_owned(),
        exp: seconds(now + SETUP_LASTS),
    })
}

/// The token of a link with which a person who is there chooses a new password, made by whoever has the master key: the way back in for an owner
/// whom no other owner can help. Using it uses up those that were made before, and in the same second.
pub fn mint_recovery_token(keys: &TokenKeys, email: &str, now: Timestamp) -> Result<String, MintError> {
    keys.mint(&InvitationClaims {
        aud: RECOVERY_AUDIENCE.to_owned(),
        exp: seconds(now + RECOVERY_LASTS),
        sub: email.to_owned(),
        mark: String::new(),
    })
}

#[derive(Serialize, Deserialize)]
struct SetupClaims {
    aud: String,
    exp: u64,
}

#[derive(Serialize, Deserialize)]
struct InvitationClaims {
    aud: String,
    exp: u64,
    /// The person's address.
    sub: String,
    /// See [`mark`]; empty in a recovery link, which is made without asking who the person is now.
    mark: String,
}

impl InvitationClaims {
    /// The end of a recovery link.
    fn recovers_until(&self) -> Option<Timestamp> {
        let ends = i64::try_from(self.exp).unwrap_or(i64::MAX / 1_000);
        (self.aud == RECOVERY_AUDIENCE).then(|| Timestamp::from_seconds(ends))
    }
}

/// A link that is good now, and whom it is for.
struct Invited {
    person: Person,
    claims: InvitationClaims,
}

impl App {
    /// The token of a set-up link, while nobody can sign in; `None` once somebody can.
    pub async fn setup_token(&self) -> Result<Option<String>, Problem> {
        if self.somebody_can_sign_in().await? {
            return Ok(None);
        }
        mint_setup_token(&self.keys.live().links, self.clock.now())
            .map(Some)
            .map_err(|error| not_minted(&error))
    }

    /// Checks a set-up link without using it: for the page that it leads to.
    ///
    /// # Errors
    /// [`Code::Forbidden`] when the link is not valid, or somebody can sign in already.
    pub async fn check_setup_token(&self, token: &str) -> Result<(), Problem> {
        let _: Verified<SetupClaims> = self
            .keys
            .live()
            .links
            .verify(token, SETUP_AUDIENCE, seconds(self.clock.now()))
            .map_err(|_| {
                Problem::new(
                    Code::Forbidden,
                    "this set-up link is not valid, or not any more; `tidings people link` makes a new one",
                )
            })?;
        if self.somebody_can_sign_in().await? {
            return Err(Problem::new(Code::Forbidden, "this server is set up already; sign in"));
        }
        Ok(())
    }

    /// Makes the first owner and signs them in.
    ///
    /// # Errors
    /// [`Code::Forbidden`] when the link is not valid or was used; [`Code::Invalid`] with the fields `email` and `password`.
    pub async fn set_up(&self, token: &str, email: &str, password: &str, from: &Browser) -> Result<SignedIn, Problem> {
        self.check_setup_token(token).await?;
        let mut faults = Faults::default();
        let email = faults.check("email", validate::email(email));
        faults.check("password", passwords::check(password));
        faults.into_result()?;
        let owner = Person {
            email: email.unwrap_or_default(),
            role: PersonRole::Owner,
            password_hash: self.passwords.hash(password, self.entropy.bytes16()).await?,
            created_at: self.clock.now(),
            recovered_until: None,
        };
        {
            let _alone = self.linking.lock().await;
            self.check_setup_token(token).await?;
            let created = self.store.create_person(&owner).await?;
            created.map_err(|_| Problem::field("email", "is taken"))?;
        }
        let signed_in = self.open_session(&owner, from).await?;
        self.record(&signed_in.visit, "person.set-up", None, &owner.email, "the first owner")
            .await;
        Ok(signed_in)
    }

    /// The token of a link with which a person chooses a password, their first or a new one: for owners. An earlier link stays good until one is used.
    pub async fn password_link(&self, visit: &Visit, email: &str) -> Result<String, Problem> {
        visit.can_manage_people()?;
        let person = self.person(email).await?.ok_or_else(|| Problem::not_found("person", &email))?;
        let token = self.invitation_token(&person)?;
        self.record(visit, "person.link-made", None, email, "").await;
        Ok(token)
    }

    /// Whom an invitation is for, without using it: for the page that it leads to.
    ///
    /// # Errors
    /// [`Code::Forbidden`] when it is not valid, or was used.
    pub async fn invitation(&self, token: &str) -> Result<String, Problem> {
        self.invited(token).await.map(|invited| invited.person.email)
    }

    /// Gives a person who was invited the password that they chose, ends their sessions, and signs them in.
    ///
    /// # Errors
    /// [`Code::Forbidden`] when the invitation is not valid, or was used; [`Code::Invalid`] with the field `password`.
    pub async fn accept_invitation(&self, token: &str, password: &str, from: &Browser) -> Result<SignedIn, Problem> {
        self.invited(token).await?;
        passwords::check(password).map_err(|message| Problem::field("password", message))?;
        let password_hash = self.passwords.hash(password, self.entropy.bytes16()).await?;
        let person = {
            let _alone = self.linking.lock().await;
            let Invited { person, claims } = self.invited(token).await?;
            let change = PersonChange {
                password_hash: Some(password_hash.clone()),
                recovered_until: claims.recovers_until(),
                ..PersonChange::default()
            };
            self.store.change_person(&person.email, &change).await?.map_err(|_| used())?;
            Person { password_hash, ..person }
        };
        self.store.end_sessions(&person.email, None).await?;
        let signed_in = self.open_session(&person, from).await?;
        self.record(&signed_in.visit, "person.password-chosen", None, &person.email, "by a link")
            .await;
        Ok(signed_in)
    }

    pub(crate) fn invitation_token(&self, person: &Person) -> Result<String, Problem> {
        let claims = InvitationClaims {
            aud: INVITATION_AUDIENCE.to_owned(),
            exp: seconds(self.clock.now() + INVITATION_LASTS),
            sub: person.email.clone(),
            mark: mark(person),
        };
        self.keys.live().links.mint(&claims).map_err(|error| not_minted(&error))
    }

    async fn invited(&self, token: &str) -> Result<Invited, Problem> {
        let now = seconds(self.clock.now());
        let read = |audience| self.keys.live().links.verify::<InvitationClaims>(token, audience, now);
        let Verified { claims, .. } = read(INVITATION_AUDIENCE).or_else(|_| read(RECOVERY_AUDIENCE)).map_err(|_| used())?;
        let person = self.person(&claims.sub).await?.ok_or_else(used)?;
        let good = match claims.recovers_until() {
            Some(until) => person.recovered_until < Some(until),
            None => mark(&person) == claims.mark,
        };
        if good { Ok(Invited { person, claims }) } else { Err(used()) }
    }

    async fn somebody_can_sign_in(&self) -> Result<bool, Problem> {
        let people = self.store.people().await?;
        Ok(people.iter().any(|person| !person.password_hash.is_empty()))
    }
}

fn not_minted(error: &MintError) -> Problem {
    Problem::new(Code::Internal, error.to_string())
}

fn seconds(at: Timestamp) -> u64 {
    at.as_seconds().unsigned_abs()
}

/// What an invitation is bound to: this person, added then, with this password or none. It tells nothing of the password's hash.
fn mark(person: &Person) -> String {
    let text = format!("{} {} {}", person.created_at.as_millis(), person.email, person.password_hash);
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    HEXLOWER.encode(&hash.as_ref()[..16])
}

fn used() -> Problem {
    Problem::new(
        Code::Forbidden,
        "this link is not valid, or not any more: it works once, for a while; ask an owner for a new one",
    )
}
