//! The organization an account belongs to.

use super::{Asked, Document};

shape! { "PascalCase";
    /// What `describe-organization` says, and what it holds.
    Organization {
        id: String,
        arn: Option<String>,
        master_account_id: Option<String>,
        /// `Accounts` of `list-accounts`.
        accounts: Asked<Vec<OrganizationAccount>>,
        organizational_units: Asked<Vec<OrganizationalUnit>>,
        policies: Asked<Vec<OrganizationPolicy>>,
    }

    /// A member.
    OrganizationAccount {
        id: String,
        arn: Option<String>,
        name: Option<String>,
        status: Option<String>,
        /// `o-a1b2c3/r-ab12/ou-ab12-11111111/`, as `aws:PrincipalOrgPaths` has it.
        path: Option<String>,
    }

    /// A unit.
    OrganizationalUnit {
        id: String,
        arn: Option<String>,
        name: Option<String>,
        /// Like that of an account, the unit itself included.
        path: Option<String>,
    }

    /// A policy of the organization.
    OrganizationPolicy {
        id: String,
        name: Option<String>,
        /// `SERVICE_CONTROL_POLICY`, `DECLARATIVE_POLICY_EC2` …
        #[serde(rename = "Type")]
        kind: Option<String>,
        content: Asked<Document>,
        targets: Vec<PolicyTarget>,
    }

    /// What a policy is attached to.
    PolicyTarget {
        target_id: String,
        #[serde(rename = "Type")]
        kind: Option<String>,
    }
}
