//! A grant: operations on a key that were given to one principal
//! ([grants](https://docs.aws.amazon.com/kms/latest/developerguide/grants.html)).

use super::principal::{self, Asker};
use super::truth::Truth;

/// A grant on a key, as `ListGrants` tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant<'a> {
    /// Its id.
    pub id: &'a str,
    /// Who may use it.
    pub grantee: &'a str,
    /// The operations, without the prefix `kms:`.
    pub operations: Vec<&'a str>,
    /// Whether it holds for some encryption contexts only.
    pub constrained: bool,
}

impl Grant<'_> {
    /// Whether it lets `asker` do `action`.
    pub(super) fn lets(&self, asker: &Asker<'_>, action: &str) -> Truth {
        let operation = action.strip_prefix("kms:").unwrap_or(action);
        if !self.operations.contains(&operation) {
            return Truth::No;
        }
        // A service that holds a grant is nobody who launches an image.
        if !self.grantee.contains(':') && !principal::is_account(self.grantee) {
            return Truth::No;
        }
        let open = if self.constrained { Truth::Unknown } else { Truth::Yes };
        principal::means(self.grantee, asker).and(open)
    }
}
