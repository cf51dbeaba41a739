//! The first start of a data folder: an environment, a credential, an owner.

use tidings_model::{CredentialId, Scopes, Settings};
use tidings_store::{Person, PersonRole};

use crate::app::App;
use crate::audit::Actor;
use crate::passwords;
use crate::problem::Problem;
use crate::validate::{self, Faults};

/// The environment that a first start makes.
pub const FIRST_ENVIRONMENT: &str = "Development";
/// Shortest client secret that is taken from outside: it is hashed for speed, not against guessing.
const CLIENT_SECRET_CHARS_MIN: usize = 8;

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
    /// Makes what a first start needs; does nothing when there is an environment already. `None`: it was not the first start, or another node makes it.
    pub async fn bootstrap(&self, given: &Bootstrap) -> Result<Option<FirstStart>, Problem> {
        if !self.store.environments().await?.is_empty() {
            return Ok(None);
        }
        let client_id = check(given)?;
        let owner = match given.admin_email.as_ref().zip(given.admin_password.as_ref()) {
            Some((email, password)) => Some(self.owner(email, password).await?),
            None => None,
        };
        let settings = Settings::default();
        let Ok(environment) = self.add_environment(FIRST_ENVIRONMENT.to_owned(), settings).await? else {
            return Ok(None); // another node started at the same time, and makes the rest
        };
        if let Some(owner) = owner {
            self.store
                .create_person(&owner)
                .await?
                .map_err(|_| Problem::field("TIDINGS_BOOTSTRAP_ADMIN_EMAIL", "is taken"))?;
            self.record(Actor::first_start(), "person.set-up", None, &owner.email, "the first owner")
                .await;
        }
        self.record(
            Actor::first_start(),
            "environment.created",
            Some(environment.id),
            &environment.name,
            "",
        )
        .await;
        let id = client_id.unwrap_or_else(|| CredentialId::from_chance(self.entropy.bytes16()));
        let generated_secret = given.client_secret.is_none().then(|| self.new_client_secret());
        let secret = given
            .client_secret
            .as_ref()
            .or(generated_secret.as_ref())
            .map_or("", String::as_str);
        self.add_credential(id.clone(), environment.id, "First credential".to_owned(), Scopes::OPERATOR, secret)
            .await?;
        self.record(Actor::first_start(), "credential.created", Some(environment.id), id.as_str(), "")
            .await;
        Ok(Some(FirstStart {
            environment: environment.name,
            client_id: id,
            generated_secret,
        }))
    }

    async fn owner(&self, email: &str, password: &str) -> Result<Person, Problem> {
        Ok(Person {
            email: validate::email(email).map_err(|message| Problem::field("TIDINGS_BOOTSTRAP_ADMIN_EMAIL", message))?,
            role: PersonRole::Owner,
            password_hash: self.passwords.hash(password, self.entropy.bytes16()).await?,
            created_at: self.clock.now(),
            recovered_until: None,
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
    if let Some(email) = &given.admin_email {
        faults.check("TIDINGS_BOOTSTRAP_ADMIN_EMAIL", validate::email(email));
    }
    if let Some(password) = &given.admin_password {
        faults.check("TIDINGS_BOOTSTRAP_ADMIN_PASSWORD", passwords::check(password));
    }
    faults.into_result()?;
    Ok(client_id)
}
