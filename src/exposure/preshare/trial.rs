//! A trial from the target: what AWS answers there to a launch with `DryRun`, which launches
//! nothing.

use super::{Check, Preshare, Status, Target};
use crate::error::{Error, ErrorKind, Result};

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// The account that tried.
    pub account: String,
    /// What AWS answered: the code of an error, and its message.
    pub answer: String,
}

/// Whether `account` may try in the name of the target.
///
/// # Errors
/// When it is another account, and an answer would say nothing about the target.
pub fn stands_for(target: &Target, account: &str, owner: &str) -> Result<()> {
    let another = matches!(target, Target::Account(id) if id != account);
    if !another && account != owner {
        return Ok(());
    }
    let what = "the profile is not of the target";
    let detail = format!("it is of account {account}, and the target is {}", target.id());
    Err(Error::new(ErrorKind::Usage, what).detail(detail))
}

impl Preshare {
    /// Add what a trial says: one more check.
    pub fn tried(&mut self, trial: &Trial) {
        let said = trial.answer.as_str();
        let code = said.split(':').next().unwrap_or_default();
        let (status, what) = match code {
            "DryRunOperation" => (
                Status::Pass,
                "it would be let through; whether the key opens shows only in a real launch"
                    .to_owned(),
            ),
            "InvalidAMIID.NotFound" | "InvalidAMIID.Unavailable" | "AuthFailure" => {
                (Status::Fail, format!("the image is not shared with this account yet: {said}"))
            }
            "UnauthorizedOperation" | "AccessDenied" => {
                let what = "a policy of the account or of its organization denies it";
                (Status::Fail, format!("{what}: {said}"))
            }
            _ => (Status::Unknown, format!("it does not tell: {said}")),
        };
        self.checks.push(Check::new("target.launch", status, &trial.account, what));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_meaning() {
        for (answer, status) in [
            (
                "DryRunOperation: Request would have succeeded, but DryRun flag is set.",
                Status::Pass,
            ),
            ("InvalidAMIID.NotFound: The image id does not exist", Status::Fail),
            ("AuthFailure: Not authorized for images", Status::Fail),
            ("UnauthorizedOperation: You are not authorized", Status::Fail),
            ("VPCIdNotSpecified: No default VPC for this user", Status::Unknown),
            ("", Status::Unknown),
        ] {
            let mut preshare = Preshare::default();
            let account = "111122223333".to_owned();
            preshare.tried(&Trial { account, answer: answer.to_owned() });
            assert_eq!(preshare.checks[0].status, status, "{answer}");
        }
    }

    #[test]
    fn nobody_tries_for_somebody_else() {
        let (own, other, owner) = ("111122223333", "999900001111", "444455556666");
        let account = Target::Account(own.to_owned());
        assert!(stands_for(&account, own, owner).is_ok());
        assert!(stands_for(&account, other, owner).is_err());
        let organization = Target::Organization { id: "o-a1b2c3d4e5".to_owned(), arn: None };
        assert!(stands_for(&organization, other, owner).is_ok());
        assert!(stands_for(&organization, owner, owner).is_err());
    }
}
