//! A principal: who asks for a key, and whether an entry of a policy means them.

use super::truth::Truth;
use serde_json::Value;

/// Who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asker<'a> {
    /// Their account; none for every account of an organisation.
    pub account: Option<&'a str>,
    /// The one account of that organisation that is not asked for: the key's own, as a rule.
    pub besides: Option<&'a str>,
    /// The ARN of one user or role; none for whoever the account's own IAM lets.
    pub principal: Option<&'a str>,
    /// Their organisation.
    pub org: Org<'a>,
}

/// The organisation of whoever asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Org<'a> {
    /// It is not known whether they are in one.
    #[default]
    Unknown,
    /// They are in none.
    None,
    /// They are in this one.
    Of {
        /// Its id, `o-…`.
        id: &'a str,
        /// The paths of the units they are in, `o-…/r-…/ou-…/`; none when not known.
        paths: Option<&'a [&'a str]>,
    },
}

/// The kinds of principals there are.
const KINDS: [&str; 4] = ["AWS", "CanonicalUser", "Federated", "Service"];

/// The `Principal` or `NotPrincipal` of a statement: the AWS principals it lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Principals {
    entries: Vec<String>,
    except: bool,
}

impl Principals {
    /// Read one. Services, federated and canonical users are nobody who launches an image.
    pub(super) fn parse(value: &Value, except: bool) -> Option<Principals> {
        let entries = match value {
            Value::String(one) if one == "*" => vec![one.clone()],
            Value::Object(kinds) => {
                if kinds.is_empty() || !kinds.keys().all(|kind| KINDS.contains(&kind.as_str())) {
                    return None;
                }
                match kinds.get("AWS") {
                    Some(value) => super::policy::texts(value)?,
                    None => Vec::new(),
                }
            }
            _ => return None,
        };
        Some(Principals { entries, except })
    }

    /// Whether they mean `asker`.
    pub(super) fn mean(&self, asker: &Asker<'_>) -> Truth {
        let named = Truth::any(self.entries.iter().map(|entry| means(entry, asker)));
        match (self.except, named) {
            (false, _) => named,
            (true, Truth::No) => Truth::Yes,
            // Whether an exception reaches every principal of an account it names depends on the
            // effect and on the session; AWS itself advises against it.
            (true, _) => Truth::Unknown,
        }
    }

    /// The entries that are meant for some of `asker` only, to be told.
    pub(super) fn partly(&self, asker: &Asker<'_>) -> Option<&str> {
        let entry = self.entries.iter().find(|entry| means(entry, asker) == Truth::Unknown);
        entry.map(String::as_str)
    }

    /// Whether they name this user or role, alone or among everybody.
    pub(super) fn name(&self, principal: &str) -> bool {
        !self.except && self.entries.iter().any(|entry| entry == "*" || entry == principal)
    }

    /// Whether this is a `NotPrincipal`.
    pub(super) fn is_exception(&self) -> bool {
        self.except
    }
}

/// Whether one entry means `asker`. An entry that means one role of the asker's account leaves open
/// whether it is that role who asks.
pub(super) fn means(entry: &str, asker: &Asker<'_>) -> Truth {
    if entry == "*" {
        return Truth::Yes;
    }
    if is_account(entry) {
        return of_account(entry, asker);
    }
    let mut parts = entry.splitn(6, ':');
    let head = (parts.next(), parts.next(), parts.next(), parts.next());
    let (account, resource) = (parts.next(), parts.next());
    let (Some(account), Some(resource), (Some("arn"), Some(_), Some(service), Some(""))) =
        (account, resource, head)
    else {
        // The id that AWS leaves in place of a deleted user or role means nobody any more.
        let gone = entry.len() > 15 && entry.chars().all(|c| c.is_ascii_alphanumeric());
        return if gone { Truth::No } else { Truth::Unknown };
    };
    let whole = of_account(account, asker);
    match (service, resource) {
        ("iam", "root") => whole,
        ("iam" | "sts", _) if whole == Truth::No => Truth::No,
        ("iam", _) => match asker.principal {
            Some(principal) => Truth::from(principal == entry).and(whole),
            None => Truth::Unknown,
        },
        // A session of a role, or a federated one: who asks is known by the role at most.
        ("sts", _) => Truth::Unknown,
        _ => Truth::Unknown,
    }
}

fn of_account(account: &str, asker: &Asker<'_>) -> Truth {
    match asker.account {
        Some(own) => Truth::from(own == account),
        None if asker.besides == Some(account) => Truth::No,
        None => Truth::Unknown,
    }
}

/// Whether `text` is the id of an account.
pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}
