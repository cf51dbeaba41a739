//! Credentials of environments.

use tidings_model::limits::CREDENTIALS_PER_ENVIRONMENT_MAX;
use tidings_model::{Credential, CredentialId, EnvironmentId, Scopes};

use crate::app::App;
use crate::caller::{Caller, Identity};
use crate::problem::{Code, Problem};
use crate::validate;

/// A credential and its secret, which is shown this once.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// The credential.
    pub credential: Credential,
    /// The client secret.
    pub secret: String,
}

impl App {
    /// The credentials of an environment, by creation. People who may only look get [`App::credential_names`].
    pub async fn credentials(&self, caller: &Caller, environment: EnvironmentId) -> Result<Vec<Credential>, Problem> {
        if matches!(caller.identity, Identity::Person(_)) {
            caller.can_operate()?;
        }
        self.credentials_of(caller, environment).await
    }

    /// What the credentials of an environment are called, by creation: all that somebody who may only look needs to know of them.
    pub async fn credential_names(&self, caller: &Caller, environment: EnvironmentId) -> Result<Vec<String>, Problem> {
        let credentials = self.credentials_of(caller, environment).await?;
        Ok(credentials.into_iter().map(|credential| credential.name).collect())
    }

    async fn credentials_of(&self, caller: &Caller, environment: EnvironmentId) -> Result<Vec<Credential>, Problem> {
        caller.can_read_environment()?;
        self.environment(caller, environment).await?;
        let mut credentials: Vec<_> = self
            .credentials
            .load()
            .values()
            .filter(|credential| credential.environment == environment)
            .cloned()
            .collect();
        credentials.sort_by_key(|credential| (credential.created_at, credential.id.clone()));
        Ok(credentials)
    }

    /// Adds a credential to an environment. Only an operator makes operators.
    pub async fn create_credential(
        &self,
        caller: &Caller,
        environment: EnvironmentId,
        name: &str,
        scopes: Option<Scopes>,
    ) -> Result<NewCredential, Problem> {
        caller.can_operate()?;
        let existing = self.credentials(caller, environment).await?;
        let name = validate::name(name).map_err(|message| Problem::field("name", message))?;
        if existing.len() >= CREDENTIALS_PER_ENVIRONMENT_MAX {
            return Err(Problem::new(
                Code::Conflict,
                format!("an environment has at most {CREDENTIALS_PER_ENVIRONMENT_MAX} credentials; revoke one first"),
            ));
        }
        let scopes = scopes.unwrap_or(Scopes::READ_WRITE);
        if scopes == Scopes::default() {
            return Err(Problem::field("scopes", "at least one of read, write and operator has to be given"));
        }
        let id = CredentialId::from_chance(self.entropy.bytes16());
        let secret = self.new_client_secret();
        let credential = self.add_credential(id, environment, name, scopes, &secret).await?;
        let detail = format!("'{}', may {scopes}", credential.name);
        self.record(caller, "credential.created", Some(environment), credential.id.as_str(), &detail)
            .await;
        Ok(NewCredential { credential, secret })
    }

    pub(crate) async fn add_credential(
        &self,
        id: CredentialId,
        environment: EnvironmentId,
        name: String,
        scopes: Scopes,
        secret: &str,
    ) -> Result<Credential, Problem> {
        let secret_hash = self.keys.hasher().hash(secret).as_bytes().to_vec();
        let credential = Credential {
            id,
            environment,
            name,
            scopes,
            secret_hash,
            created_at: self.clock.now(),
        };
        self.store.create_credential(&credential).await?;
        self.credentials.reload().await?;
        Ok(credential)
    }

    /// Revokes a credential: it and every token minted with it stop working at once.
    pub async fn revoke_credential(&self, caller: &Caller, environment: EnvironmentId, id: CredentialId) -> Result<(), Problem> {
        caller.can_operate()?;
        let revoked = self.credentials.revoke(environment, &id).await?;
        if !revoked {
            return Err(Problem::not_found("credential", &id));
        }
        self.record(caller, "credential.revoked", Some(environment), id.as_str(), "").await;
        Ok(())
    }
}
