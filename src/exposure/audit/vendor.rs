//! Vendors: accounts that publish images for everybody, and the names they use.
//!
//! The accounts are those that the documents of
//! [kOps](https://github.com/kubernetes/kops/blob/master/docs/operations/images.md) tell their
//! users to search, except where a line says otherwise.

/// An account that publishes images.
#[derive(Debug)]
pub struct Vendor {
    /// Who it is.
    pub name: &'static str,
    /// The account.
    pub account: &'static str,
    /// How the names of its images begin.
    pub prefixes: &'static [&'static str],
}

/// The accounts that are known.
pub const VENDORS: &[Vendor] = &[
    Vendor {
        name: "Amazon Linux",
        account: "137112412989",
        prefixes: &["amzn2-ami-", "amzn-ami-", "al2023-ami-"],
    },
    Vendor { name: "Canonical (Ubuntu)", account: "099720109477", prefixes: &["ubuntu/images"] },
    Vendor {
        name: "Debian",
        account: "136693071363",
        prefixes: &["debian-10-", "debian-11-", "debian-12-", "debian-13-"],
    },
    Vendor { name: "Red Hat", account: "309956199498", prefixes: &["RHEL-"] },
    Vendor {
        name: "CentOS and Fedora",
        account: "125523088429",
        prefixes: &["CentOS ", "Fedora-Cloud-Base-", "Fedora-Cloud-"],
    },
    Vendor { name: "Flatcar", account: "075585003325", prefixes: &["Flatcar-"] },
    // Playbooks for SUSE name it; no page of the vendor was found.
    Vendor { name: "SUSE", account: "013907871322", prefixes: &["suse-sles-"] },
    // Modules that launch products of the Marketplace name it.
    Vendor { name: "AWS Marketplace", account: "679593333241", prefixes: &[] },
];

/// The vendor of an account.
pub fn of_account(account: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.account == account)
}

/// The vendor whose images have names like `name`.
pub fn of_name(name: &str) -> Option<&'static Vendor> {
    VENDORS.iter().find(|vendor| vendor.prefixes.iter().any(|prefix| name.starts_with(prefix)))
}
