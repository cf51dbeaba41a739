//! The first start of a data folder: an environment, a credential, an owner.

use argon2::Argon2;
use argon2::password_hash::PasswordHasher;
use tidings_model::{CredentialId, Scopes, Settings};
use tidings_store::{Person, PersonRole};

use crate::app::App;
use crate::problem::{Code, Problem};
use crate::validate::Faults;

/// The environment that a first start makes.
pub const FIRST_ENVIRONMENT: &str = "Development";
/// Shortest client secret that is taken from outside: it is hashed for speed, not against guessing.
const CLIENT_SECRET_CHARS_MIN: usize = 8;
/// Shortest password of a person.
const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password of a person: hashing is work.
const PASSWORD_CHARS_MAX: usize = 256;

/// What an unattended first start is given.
#[derive(Clone, Default)]
pub struct Bootstrap {
    /// The client id of the first credential.
    pub client_id: Option<String>,
    /// Its secret.
    pub client_secret: Option<String>,
    /// The address of the first owner.
    pub admin_email: Option<String>,
    /// Their password.
    pub admin_password: Option<String>,
}

/// What the first start made and has to be shown once.
#[derive(Clone)]
pub struct FirstStart {
    /// The environment.
    pub environment: String,
    /// The client id.
    pub client_id: CredentialId,
    /// The secret, when it was generated.
    pub generated_secret: Option<String>,
}

impl App {
    /// Makes what a first start needs; does nothing when there is an environment already. `None`: it was not the first start.
    pub async fn bootstrap(&self, given: &Bootstrap) -> Result<Option<FirstStart>, Problem> {
        if !self.store.environments().await?.is_empty() {
            return Ok(None);
        }
        let client_id = check(given)?;
        let owner = given
            .admin_email
            .as_ref()
            .zip(given.admin_password.as_ref())
            .map(|(email, password)| self.owner(email, password));
        let owner = owner.transpose()?;
        let settings = Settings::default();
        let environment = self.add_environment(FIRST_ENVIRONMENT.to_owned(), settings).await?;
        let environment = environment.map_err(|_| Problem::new(Code::Conflict, "another process made the first environment"))?;
        if let Some(owner) = owner {
            self.store
                .create_person(&owner)
                .await?
                .map_err(|_| Problem::field("TIDINGS_BOOTSTRAP_ADMIN_EMAIL", "is taken"))?;
        }
        let id = client_id.unwrap_or_else(|| CredentialId::from_chance(self.entropy.bytes16()));
        let generated_secret = given.client_secret.is_none().then(|| self.new_client_secret());
        let secret = given
            .client_secret
            .as_ref()
            .or(generated_secret.as_ref())
            .map_or("", String::as_str);
        self.add_credential(id.clone(), environment.id, "First credential".to_owned(), Scopes::OPERATOR, secret)
            .await?;
        Ok(Some(FirstStart {
            environment: environment.name,
            client_id: id,
            generated_secret,
        }))
    }

    fn owner(&self, email: &str, password: &str) -> Result<Person, Problem> {
        let salt = self.entropy.bytes16();
        let hash = Argon2::default()
            .hash_password_with_salt(password.as_bytes(), &salt)
            .map_err(|error| Problem::new(Code::Internal, format!("the password could not be hashed: {error}")))?;
        Ok(Person {
            email: email.trim().to_lowercase(),
            role: PersonRole::Owner,
            password_hash: hash.to_string(),
            created_at: self.clock.now(),
        })
    }
}

/// Checks what an unattended first start is given, and reads the client id in it. Fields are named by their variables.
pub fn check(given: &Bootstrap) -> Result<Option<CredentialId>, Problem> {
    let mut faults = Faults::default();
    let client_id = given
        .client_id
        .as_ref()
        .and_then(|text| faults.check("TIDINGS_BOOTSTRAP_CLIENT_ID", text.parse::<CredentialId>()));
    if given.client_id.is_some() != given.client_secret.is_some() {
        faults.add(
            "TIDINGS_BOOTSTRAP_CLIENT_SECRET",
            "give the client id and the client secret, or neither",
        );
    }
    if given
        .client_secret
        .as_ref()
        .is_some_and(|secret| secret.chars().count() < CLIENT_SECRET_CHARS_MIN)
    {
        faults.add(
            "TIDINGS_BOOTSTRAP_CLIENT_SECRET",
            format!("has to have at least {CLIENT_SECRET_CHARS_MIN} characters"),
        );
    }
    if given.admin_email.is_some() != given.admin_password.is_some() {
        faults.add(
            "TIDINGS_BOOTSTRAP_ADMIN_PASSWORD",
            "give the admin's email and password, or neither",
        );
    }
    if given
        .admin_email
        .as_ref()
        .is_some_and(|email| !email.contains('@') || email.chars().any(char::is_whitespace))
    {
        faults.add("TIDINGS_BOOTSTRAP_ADMIN_EMAIL", "is not an email address");
    }
    let length = given.admin_password.as_ref().map(|password| password.chars().count());
    if length.is_some_and(|length| !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&length)) {
        faults.add(
            "TIDINGS_BOOTSTRAP_ADMIN_PASSWORD",
            format!("has to have {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters"),
        );
    }
    faults.into_result()?;
    Ok(client_id)
}
