//! Links that let somebody choose a password: the first owner, who was invited, who forgot theirs.
//!
//! A link is a signed token and is stored nowhere. It works once, because it is bound to what using it changes: that there is no owner yet, or the
//! password that the person has (or has not) now.

use std::time::Duration;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
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

/// The purpose of the key that signs links.
pub(crate) const LINK_KEY_PURPOSE: &str = "tidings links";
/// The audience of set-up links.
const SETUP_AUDIENCE: &str = "tidings set-up";
/// The audience of invitations and of links to choose a password anew.
const INVITATION_AUDIENCE: &str = "tidings invitation";

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
    /// See [`mark`].
    mark: String,
}

impl App {
    /// The token of a set-up link, while nobody can sign in; `None` once somebody can.
    pub async fn setup_token(&self) -> Result<Option<String>, Problem> {
        if self.somebody_can_sign_in().await? {
            return Ok(None);
        }
        let claims = SetupClaims {
            aud: SETUP_AUDIENCE.to_owned(),
            exp: self.seconds_in(SETUP_LASTS),
        };
        self.mint_link(&claims).map(Some)
    }

    /// Checks a set-up link without using it: for the page that it leads to.
    ///
    /// # Errors
    /// [`Code::Forbidden`] when the link is not valid, or somebody can sign in already.
    pub async fn check_setup_token(&self, token: &str) -> Result<(), Problem> {
        let _: SetupClaims = self
            .links
            .verify(token, SETUP_AUDIENCE, self.seconds_in(Duration::ZERO))
            .map_err(|_| {
                Problem::new(
                    Code::Forbidden,
                    "this set-up link is not valid, or not any more; restart the server for a new one",
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
        self.invited(token).await.map(|person| person.email)
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
            let person = self.invited(token).await?;
            let change = PersonChange {
                password_hash: Some(password_hash.clone()),
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
        self.mint_link(&InvitationClaims {
            aud: INVITATION_AUDIENCE.to_owned(),
            exp: self.seconds_in(INVITATION_LASTS),
            sub: person.email.clone(),
            mark: mark(person),
        })
    }

    async fn invited(&self, token: &str) -> Result<Person, Problem> {
        let claims: InvitationClaims = self
            .links
            .verify(token, INVITATION_AUDIENCE, self.seconds_in(Duration::ZERO))
            .map_err(|_| used())?;
        let person = self.person(&claims.sub).await?;
        person.filter(|person| mark(person) == claims.mark).ok_or_else(used)
    }

    async fn somebody_can_sign_in(&self) -> Result<bool, Problem> {
        let people = self.store.people().await?;
        Ok(people.iter().any(|person| !person.password_hash.is_empty()))
    }

    fn mint_link<C: Serialize>(&self, claims: &C) -> Result<String, Problem> {
        self.links
            .mint(claims)
            .map_err(|error| Problem::new(Code::Internal, error.to_string()))
    }

    /// Unix seconds, that long from now.
    fn seconds_in(&self, duration: Duration) -> u64 {
        (self.clock.now() + duration).as_seconds().unsigned_abs()
    }
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
        "this link is not valid, or not any more: it works once, for seven days; ask an owner for a new one",
    )
}
