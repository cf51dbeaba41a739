//! Who asks, and what they may.

use tidings_model::{CredentialId, EnvironmentId, Scopes, TenantId};

use crate::problem::{Code, Problem};

/// How somebody proved who they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A credential of an environment, or a token minted with one.
    Credential(CredentialId),
    /// A tenant's token, minted with that credential.
    Tenant(CredentialId),
    /// Whoever can read the data folder.
    Local,
    /// A person who is signed in, by their address.
    Person(String),
}

/// Who asks: authenticated, with the environment and, for a tenant, the tenant that everything is confined to. Only [`App`](crate::App) makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub(crate) identity: Identity,
    pub(crate) environment: EnvironmentId,
    pub(crate) tenant: Option<TenantId>,
    pub(crate) scopes: Scopes,
}

impl Caller {
    /// The environment that everything is confined to.
    pub const fn environment(&self) -> EnvironmentId {
        self.environment
    }

    /// The tenant that everything is confined to, if any.
    pub const fn tenant(&self) -> Option<&TenantId> {
        self.tenant.as_ref()
    }

    /// How they proved who they are.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What they may do.
    pub const fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// The same caller confined to one tenant: what a vendor sees on behalf of it. A tenant stays itself.
    pub fn on_behalf_of(mut self, tenant: TenantId) -> Result<Self, Problem> {
        match &self.tenant {
            Some(own) if *own != tenant => Err(Problem::new(Code::Forbidden, "this token belongs to another tenant")),
            _ => {
                self.tenant = Some(tenant);
                Ok(self)
            }
        }
    }

    /// May look into every environment: operators, and people, whose roles hold everywhere.
    pub(crate) const fn sees_every_environment(&self) -> bool {
        self.scopes.operator || matches!(self.identity, Identity::Person(_))
    }

    /// May look.
    pub(crate) fn can_read(&self) -> Result<(), Problem> {
        scoped(self.scopes.read, "read")
    }

    /// May change.
    pub(crate) fn can_write(&self) -> Result<(), Problem> {
        scoped(self.scopes.write, "write")
    }

    /// Holds no tenant's token; a vendor that acts on behalf of a tenant does not.
    pub(crate) fn is_no_tenant(&self) -> Result<(), Problem> {
        match self.identity {
            Identity::Tenant(_) => Err(Problem::new(Code::Forbidden, "a tenant's token is never shown a secret")),
            _ => Ok(()),
        }
    }

    /// May change what belongs to the whole environment.
    pub(crate) fn can_write_environment(&self) -> Result<(), Problem> {
        self.can_write()?;
        self.whole_environment()
    }

    /// May look at what belongs to the whole environment.
    pub(crate) fn can_read_environment(&self) -> Result<(), Problem> {
        self.can_read()?;
        self.whole_environment()
    }

    /// May manage environments and credentials.
    pub(crate) fn can_operate(&self) -> Result<(), Problem> {
        self.whole_environment()?;
        scoped(self.scopes.operator, "operator")
    }

    fn whole_environment(&self) -> Result<(), Problem> {
        match self.tenant {
            Some(_) => Err(Problem::new(
                Code::Forbidden,
                "a tenant's token sees only that tenant's webhooks and logs",
            )),
            None => Ok(()),
        }
    }
}

fn scoped(given: bool, name: &str) -> Result<(), Problem> {
    if given {
        return Ok(());
    }
    Err(Problem::new(
        Code::Forbidden,
        format!("this needs the scope '{name}', which the credential or token does not have"),
    ))
}
