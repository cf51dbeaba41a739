//! People signing in, and the sessions they hold.
//!
//! A session is asked for anew with every request: one that was ended, and a role that was changed, count at once.

use std::net::IpAddr;
use std::time::Duration;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use tidings_model::Timestamp;
use tidings_store::{Person, PersonChange, Session, SessionId};

use crate::app::App;
use crate::audit::Actor;
use crate::passwords;
use crate::problem::{Code, Problem};
use crate::throttle::{Attempt, Wait};
use crate::validate;
use crate::visit::{Visit, session_id};

/// A session ends that long after its person was last seen.
pub const SESSION_IDLE: Duration = Duration::from_secs(7 * 24 * 3_600);
/// A session ends that long after signing in, however busy its person is.
pub const SESSION_MAX: Duration = Duration::from_secs(30 * 24 * 3_600);
/// That a person was seen is noted at most so often.
const SEEN_EVERY: Duration = Duration::from_secs(60);
/// Characters that are kept of what a browser calls itself.
const AGENT_CHARS_MAX: usize = 256;

/// Somebody signs in.
#[derive(Clone)]
pub struct SignIn {
    /// Their address; white space around it and case do not matter.
    pub email: String,
    /// Their password.
    pub password: String,
    /// Where from, and with what.
    pub from: Browser,
}

/// Where somebody signs in from, and with what.
#[derive(Clone, Debug)]
pub struct Browser {
    /// The address that the request came from.
    pub address: IpAddr,
    /// What the browser calls itself; only so much of it is kept.
    pub agent: String,
}

/// A new session.
#[derive(Clone)]
pub struct SignedIn {
    /// What the browser keeps and brings along, and nobody else sees: 43 characters of base64url.
    pub token: String,
    /// The session.
    pub visit: Visit,
}

/// A session as its person sees it in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionView {
    /// Names it: 64 hex digits, from which the token cannot be found.
    pub id: String,
    /// Whose it is.
    pub email: String,
    /// When they signed in.
    pub created_at: Timestamp,
    /// When they were last seen, to a minute.
    pub seen_at: Timestamp,
    /// When it ends by itself.
    pub ends_at: Timestamp,
    /// What their browser calls itself.
    pub agent: String,
    /// The address that they signed in from.
    pub address: String,
    /// True for the session that asks.
    pub current: bool,
}

/// Whose sessions to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whose<'a> {
    /// One's own.
    Own,
    /// A person's, by address: for owners, unless it is oneself.
    Of(&'a str),
    /// Everybody's: for owners.
    Everybodys,
}

impl App {
    /// Signs somebody in. A wrong address and a wrong password are not told apart, in words or in time.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when the two do not fit, [`Code::Throttled`] after too many of these (with the right password too).
    pub async fn sign_in(&self, input: SignIn) -> Result<SignedIn, Problem> {
        let email = validate::email(&input.email).map_err(|message| Problem::field("email", message))?;
        let attempt = Attempt::sign_in(&email, input.from.address);
        self.throttle.admit(&attempt, self.clock.now()).map_err(throttled)?;
        let person = self.person(&email).await?;
        let hash = person.as_ref().map(|person| person.password_hash.as_str());
        let right = self.passwords.verify(&input.password, hash).await?;
        let Some(person) = person.filter(|_| right) else {
            self.note_refusal(&attempt, &email, input.from.address).await;
            return Err(wrong());
        };
        self.throttle.succeeded(&attempt);
        self.open_session(&person, &input.from).await
    }

    /// The person whose browser brings that token.
    ///
    /// # Errors
    /// [`Code::Unauthenticated`] when the session has ended, or never was.
    pub async fn visit(&self, token: &str) -> Result<Visit, Problem> {
        let key = read_token(token).ok_or_else(signed_out)?;
        let (id, now) = (session_id(&key), self.clock.now());
        let (session, person) = self.store.session(id, now).await?.ok_or_else(signed_out)?;
        self.catch_up().await?; // what they see next may show what they did at another node
        if now.since(session.seen_at) >= SEEN_EVERY {
            let touched = self.store.touch_session(id, now, ends_at(session.created_at, now)).await;
            if let Err(error) = touched {
                tracing::warn!(%error, "a session could not be extended"); // whoever can be shown something is
            }
        }
        Ok(Visit::new(&key, &person))
    }

    /// Ends the session that asks.
    pub async fn sign_out(&self, visit: &Visit) -> Result<(), Problem> {
        if self.store.delete_session(visit.session).await? {
            self.record(visit, "session.ended", None, &visit.email, "signed out").await;
        }
        Ok(())
    }

    /// Sessions that have not ended, newest first.
    pub async fn sessions(&self, visit: &Visit, whose: Whose<'_>) -> Result<Vec<SessionView>, Problem> {
        let email = match whose {
            Whose::Own => Some(visit.email.as_str()),
            Whose::Of(email) => Some(email),
            Whose::Everybodys => None,
        };
        if email != Some(&visit.email) {
            visit.can_manage_people()?;
        }
        let sessions = self.store.sessions(email, self.clock.now()).await?;
        Ok(sessions.into_iter().map(|session| view(session, visit)).collect())
    }

    /// Ends a session of one's own; an owner anybody's. It stops working at once.
    pub async fn end_session(&self, visit: &Visit, id: &str) -> Result<(), Problem> {
        let whose = if visit.may_manage_people() { Whose::Everybodys } else { Whose::Own };
        let missing = || Problem::new(Code::NotFound, "there is no such session; it may have ended");
        let sessions = self.sessions(visit, whose).await?;
        let session = sessions.into_iter().find(|session| session.id == id).ok_or_else(missing)?;
        let bytes = HEXLOWER.decode(session.id.as_bytes()).ok().and_then(|bytes| bytes.try_into().ok());
        if !self.store.delete_session(SessionId(bytes.ok_or_else(missing)?)).await? {
            return Err(missing());
        }
        let detail = format!("signed in from {} at {}", session.address, session.created_at);
        self.record(visit, "session.ended", None, &session.email, &detail).await;
        Ok(())
    }

    /// Changes one's own password, ends all one's sessions, and opens a new one where it was changed: a copy of the cookie of the session that asks
    /// is worth nothing afterwards.
    ///
    /// # Errors
    /// [`Code::Invalid`] with the field `old` or `new`, [`Code::Throttled`] after too many wrong old ones.
    pub async fn change_password(&self, visit: &Visit, old: &str, new: &str, from: &Browser) -> Result<SignedIn, Problem> {
        passwords::check(new).map_err(|message| Problem::field("new", message))?;
        let attempt = Attempt::change(&visit.email);
        self.throttle.admit(&attempt, self.clock.now()).map_err(throttled)?;
        let person = self.person(&visit.email).await?.ok_or_else(signed_out)?;
        if !self.passwords.verify(old, Some(&person.password_hash)).await? {
            return Err(Problem::field("old", "is not your password"));
        }
        self.throttle.succeeded(&attempt);
        let hash = self.passwords.hash(new, self.entropy.bytes16()).await?;
        let change = PersonChange {
            password_hash: Some(hash.clone()),
            ..PersonChange::default()
        };
        self.store.change_person(&visit.email, &change).await?.map_err(|_| signed_out())?;
        let ended = self.store.end_sessions(&visit.email, None).await?;
        let detail = format!("{} other sessions ended", ended.saturating_sub(1));
        self.record(visit, "person.password-changed", None, &visit.email, &detail).await;
        let person = Person {
            password_hash: hash,
            ..person
        };
        self.open_session(&person, from).await
    }

    pub(crate) async fn person(&self, email: &str) -> Result<Option<Person>, Problem> {
        let people = self.store.people().await?;
        Ok(people.into_iter().find(|person| person.email == email))
    }

    /// Opens a session for somebody who has just proved who they are.
    pub(crate) async fn open_session(&self, person: &Person, from: &Browser) -> Result<SignedIn, Problem> {
        let key = self.entropy.bytes32();
        let now = self.clock.now();
        let session = Session {
            id: session_id(&key),
            email: person.email.clone(),
            created_at: now,
            seen_at: now,
            ends_at: ends_at(now, now),
            agent: from
                .agent
                .chars()
                .filter(|letter| !letter.is_control())
                .take(AGENT_CHARS_MAX)
                .collect(),
            address: from.address.to_canonical().to_string(),
        };
        if !self.store.create_session(&session).await? {
            return Err(wrong());
        }
        // The password may have been changed, and all sessions ended, after it was compared and before this one began.
        let now_is = self.store.session(session.id, now).await?.map(|(_, now_is)| now_is);
        let unchanged = now_is.filter(|now_is| now_is.password_hash == person.password_hash);
        let Some(person) = unchanged else {
            self.store.delete_session(session.id).await?;
            return Err(wrong());
        };
        let visit = Visit::new(&key, &person);
        let detail = format!("from {}", session.address);
        self.record(&visit, "session.started", None, &visit.email, &detail).await;
        Ok(SignedIn {
            token: BASE64URL_NOPAD.encode(&key),
            visit,
        })
    }

    /// Records that somebody has to wait from now on; single failures are not recorded, or guessing would fill the log.
    async fn note_refusal(&self, attempt: &Attempt, email: &str, address: IpAddr) {
        if let Some(Wait(wait)) = self.throttle.wait(attempt, self.clock.now()) {
            let detail = format!("too many failures; the next attempt waits {} s", wait.as_secs());
            self.record(Actor::from(address), "sign-in.refused", None, email, &detail).await;
        }
    }
}

fn view(session: Session, visit: &Visit) -> SessionView {
    SessionView {
        id: HEXLOWER.encode(&session.id.0),
        current: session.id == visit.session,
        email: session.email,
        created_at: session.created_at,
        seen_at: session.seen_at,
        ends_at: session.ends_at,
        agent: session.agent,
        address: session.address,
    }
}

fn read_token(token: &str) -> Option<[u8; 32]> {
    BASE64URL_NOPAD.decode(token.as_bytes()).ok()?.try_into().ok()
}

fn ends_at(created_at: Timestamp, seen_at: Timestamp) -> Timestamp {
    (seen_at + SESSION_IDLE).min(created_at + SESSION_MAX)
}

fn wrong() -> Problem {
    Problem::new(Code::Unauthenticated, "the email address or the password is wrong")
}

fn signed_out() -> Problem {
    Problem::new(Code::Unauthenticated, "you are not signed in, or not any more; sign in")
}

fn throttled(Wait(wait): Wait) -> Problem {
    let seconds = u32::try_from(wait.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX);
    Problem {
        retry_after_seconds: Some(seconds),
        ..Problem::new(Code::Throttled, format!("too many wrong passwords; try again in {seconds} seconds"))
    }
}
