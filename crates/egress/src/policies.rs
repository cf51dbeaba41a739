//! Which policy applies to which environment.

use std::collections::HashMap;

use ipnet::IpNet;
use tidings_model::EnvironmentId;

use crate::AddressPolicy;

/// The operator's exceptions: those for everybody, and those that single environments have beside them.
#[derive(Clone, Debug, Default)]
pub struct AddressPolicies {
    everywhere: AddressPolicy,
    by_environment: HashMap<EnvironmentId, AddressPolicy>,
}

impl AddressPolicies {
    /// Nothing but the exceptions that hold in every environment.
    pub fn everywhere(allow: Vec<IpNet>) -> Self {
        Self {
            everywhere: AddressPolicy::new(allow),
            by_environment: HashMap::new(),
        }
    }

    /// Exceptions for everybody, and per environment those that hold there in addition.
    pub fn new(allow: &[IpNet], by_environment: impl IntoIterator<Item = (EnvironmentId, Vec<IpNet>)>) -> Self {
        let by_environment = by_environment
            .into_iter()
            .map(|(environment, own)| (environment, AddressPolicy::new([allow, &own].concat())))
            .collect();
        Self {
            everywhere: AddressPolicy::new(allow.to_vec()),
            by_environment,
        }
    }

    /// The policy of that environment.
    pub fn of(&self, environment: EnvironmentId) -> &AddressPolicy {
        self.by_environment.get(&environment).unwrap_or(&self.everywhere)
    }

    /// The same shape with something made from each policy, made once for policies that are equal.
    pub(crate) fn map<T: Clone>(&self, mut make: impl FnMut(&AddressPolicy) -> T) -> PerEnvironment<T> {
        let mut made = HashMap::from([(&self.everywhere, make(&self.everywhere))]);
        let by_environment = self
            .by_environment
            .iter()
            .map(|(environment, policy)| (*environment, made.entry(policy).or_insert_with(|| make(policy)).clone()))
            .collect();
        PerEnvironment {
            everywhere: made[&self.everywhere].clone(),
            by_environment,
        }
    }
}

/// One thing per environment, shared by the environments whose policies are equal.
pub(crate) struct PerEnvironment<T> {
    everywhere: T,
    by_environment: HashMap<EnvironmentId, T>,
}

impl<T> PerEnvironment<T> {
    pub(crate) fn of(&self, environment: EnvironmentId) -> &T {
        self.by_environment.get(&environment).unwrap_or(&self.everywhere)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn environment(number: u8) -> EnvironmentId {
        EnvironmentId::from_chance([number; 16])
    }

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }

    #[test]
    fn an_environment_has_its_own_exceptions_beside_those_for_everybody() {
        let policies = AddressPolicies::new(&[net("10.0.0.1/32")], [(environment(1), vec![net("127.0.0.0/8")])]);
        let (shared, own) = ("10.0.0.1".parse().unwrap(), "127.0.0.1".parse().unwrap());
        assert!(policies.of(environment(1)).check(shared).is_ok() && policies.of(environment(1)).check(own).is_ok());
        assert!(policies.of(environment(2)).check(shared).is_ok() && policies.of(environment(2)).check(own).is_err());
    }

    #[test]
    fn equal_policies_share_and_different_ones_do_not() {
        let loopback = || vec![net("127.0.0.0/8")];
        let policies = AddressPolicies::new(
            &[],
            [(environment(1), loopback()), (environment(2), loopback()), (environment(3), vec![])],
        );
        let pools = policies.map(|policy| Arc::new(policy.clone()));
        assert!(Arc::ptr_eq(pools.of(environment(1)), pools.of(environment(2))));
        assert!(Arc::ptr_eq(pools.of(environment(3)), pools.of(environment(4))));
        assert!(!Arc::ptr_eq(pools.of(environment(1)), pools.of(environment(3))));
    }
}
