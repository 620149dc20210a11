//! The explanation of a refusal: which of the known cases it is, and the commands that lead on.
//!
//! The EBS direct APIs answer nearly every case with the same words; the facts tell them apart.

use super::{ImageFacts, SnapshotFacts, Standing};
use crate::error::{Error, ErrorKind};

/// Why a snapshot cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// The AMI has no snapshot at all.
    InstanceStore,
    /// It lies on an Outpost.
    Outpost,
    /// It lies in the archive tier.
    Archived,
    /// It is still being made.
    Pending,
    /// The key it is encrypted under may not be used.
    Key,
    /// It belongs to a product of the AWS Marketplace.
    Marketplace,
    /// It is public, and somebody else's.
    PublicSnapshot,
    /// It is public, and ours.
    OwnPublicSnapshot,
    /// The AMI may be launched and its snapshots may not be read.
    LaunchOnly,
    /// There is no such snapshot here.
    NotFound,
    /// AWS does not accept the credentials themselves.
    Credentials,
    /// The caller lacks a permission.
    Permission,
    /// None of these.
    Other,
}

/// What was refused, and what is known of it.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The AMI the snapshot was reached through.
    pub image: Option<&'a ImageFacts>,
    /// The snapshot.
    pub snapshot: &'a SnapshotFacts,
    /// Whose they are.
    pub standing: Standing,
    /// The region asked.
    pub region: &'a str,
}

/// A refusal in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// Which case it is.
    pub case: Case,
    /// The case in one phrase.
    pub what: &'static str,
    /// Why, and what to run next.
    pub advice: String,
}

impl Explanation {
    /// The error to show, in place of `cause`.
    pub fn into_error(self, snapshot: &str, cause: &Error) -> Error {
        let kind = match self.case {
            Case::NotFound => ErrorKind::NotFound,
            Case::InstanceStore | Case::Outpost => ErrorKind::Unsupported,
            Case::Other => cause.kind(),
            _ => ErrorKind::Denied,
        };
        let text = format!("{}\n\n{}", cause.message(), self.advice);
        Error::new(kind, self.what).detail(snapshot).caused_by(text)
    }
}

/// Explain why reading `subject` ended in `error`.
pub fn explain(subject: &Subject<'_>, error: &Error) -> Explanation {
    let case = case(subject, error);
    let (what, advice) = words(case);
    Explanation { case, what, advice: fill(advice, subject) }
}

/// What AWS says of credentials that are too old, unknown, or do not fit what they signed.
const CREDENTIALS: [&str; 7] = [
    "ExpiredToken",
    "RequestExpired",
    "InvalidSignatureException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "IncompleteSignatureException",
];

fn case(subject: &Subject<'_>, error: &Error) -> Case {
    let Subject { image, snapshot, standing, .. } = *subject;
    let said = error.message();
    if CREDENTIALS.iter().any(|code| said.contains(code)) {
        return Case::Credentials;
    }
    let marketplace = image.is_some_and(|image| !image.product_codes.is_empty());
    if image.is_some_and(|image| image.mappings.iter().all(|m| m.snapshot.is_none())) {
        return Case::InstanceStore;
    }
    if snapshot.outpost.is_some() {
        return Case::Outpost;
    }
    if snapshot.tier.as_deref() == Some("archive") {
        return Case::Archived;
    }
    if matches!(snapshot.state.as_deref(), Some("pending" | "recovering")) {
        return Case::Pending;
    }
    if ["DEPENDENCY_ACCESS_DENIED", "DEPENDENCY_RESOURCE_NOT_FOUND", "INVALID_CUSTOMER_KEY"]
        .iter()
        .any(|reason| said.contains(reason))
    {
        return Case::Key;
    }
    if !matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound) {
        return Case::Other;
    }
    match standing {
        Standing { image_mine: None | Some(false), .. } if marketplace => Case::Marketplace,
        Standing { snapshot_public: Some(true), snapshot_mine: Some(true), .. } => {
            Case::OwnPublicSnapshot
        }
        Standing { snapshot_public: Some(true), .. } => Case::PublicSnapshot,
        Standing { image_mine: Some(false), snapshot_mine: None | Some(false), .. } => {
            Case::LaunchOnly
        }
        _ if error.kind() == ErrorKind::NotFound && snapshot.owner.is_none() => Case::NotFound,
        _ => Case::Permission,
    }
}

/// Each case in one phrase, and in the words that lead on; `{…}` are filled in from the facts.
const WORDS: &[(Case, &str, &str)] = &[
    (
        Case::InstanceStore,
        "the AMI has no snapshot",
        "The root of {image} is an instance-store volume, kept as a bundle in S3, not as a \
         snapshot. Launch it, write its disk to a file from inside, and scan the file:\n  \
         amisweep scan disk.img",
    ),
    (
        Case::Outpost,
        "the snapshot lies on an Outpost",
        "Snapshots on an Outpost are served by no API of the region and cannot be copied to it. \
         Make a volume from it on the Outpost, attach it to an instance there, and scan the \
         device:\n  \
         aws ec2 create-volume --region {region} --outpost-arn {outpost} --availability-zone \
         <its zone> --snapshot-id {snapshot}\n  \
         amisweep scan /dev/sdf",
    ),
    (
        Case::Archived,
        "the snapshot is archived",
        "The EBS direct APIs do not reach the archive tier. Restoring takes up to 72 hours and \
         is billed per GB:\n  \
         aws ec2 restore-snapshot-tier --region {region} --snapshot-id {snapshot} \
         --temporary-restore-days 3\n  \
         amisweep scan {snapshot}",
    ),
    (
        Case::Pending,
        "the snapshot is not complete yet",
        "Blocks can be read once the snapshot is complete:\n  \
         aws ec2 wait snapshot-completed --region {region} --snapshot-ids {snapshot}\n  \
         amisweep scan {snapshot}",
    ),
    (
        Case::Key,
        "the snapshot's key may not be used",
        "It is encrypted under {key}. Reading its blocks takes kms:Decrypt on that key, for \
         this caller, in the key's policy or in a grant; a key of another account takes both \
         that policy and an IAM policy here:\n  \
         aws kms describe-key --region {region} --key-id {key}\n  \
         aws kms get-key-policy --region {region} --key-id {key} --policy-name default",
    ),
    (
        Case::Marketplace,
        "the AMI is a product of the AWS Marketplace",
        "The EBS direct APIs do not serve snapshots of Marketplace products, and those cannot be \
         copied. An instance of it that you subscribed to and launched can be scanned from \
         inside:\n  \
         amisweep scan /",
    ),
    (
        Case::PublicSnapshot,
        "the snapshot is public and belongs to somebody else",
        "The EBS direct APIs do not serve public snapshots. A copy in your own account is \
         yours to read; its storage is billed until you delete it:\n  \
         aws ec2 copy-snapshot --region {region} --source-region {region} \
         --source-snapshot-id {snapshot} --description amisweep-copy\n  \
         aws ec2 wait snapshot-completed --region {region} --snapshot-ids <the copy>\n  \
         amisweep scan <the copy>",
    ),
    (
        Case::OwnPublicSnapshot,
        "the snapshot is public",
        "Everybody can make a volume from it, and the EBS direct APIs do not serve public \
         snapshots. Stop the exposure first, then scan it:\n  \
         aws ec2 modify-snapshot-attribute --region {region} --snapshot-id {snapshot} \
         --attribute createVolumePermission --operation-type remove --group-names all\n  \
         amisweep scan {snapshot}",
    ),
    (
        Case::LaunchOnly,
        "the AMI may be launched, and its snapshots may not be read",
        "{image} belongs to account {owner}, which shares the right to launch it and not its \
         snapshots, so neither the EBS direct APIs nor a copy are open to you. Launch it where \
         it can reach nothing (it runs the image's own code), stop it, and take a snapshot of \
         your own volume:\n  \
         aws ec2 run-instances --region {region} --image-id {image} --instance-type t3.micro \
         --subnet-id <a subnet without a route out> --no-associate-public-ip-address\n  \
         aws ec2 stop-instances --region {region} --instance-ids <the instance>\n  \
         aws ec2 create-snapshot --region {region} --volume-id <its volume>\n  \
         amisweep scan <the snapshot>",
    ),
    (
        Case::NotFound,
        "there is no such snapshot",
        "Snapshots belong to one region, and this asked {region}; a deleted snapshot, and one \
         that is not shared with you, look the same. See where it is:\n  \
         aws ec2 describe-snapshots --region <region> --snapshot-ids {snapshot}\n  \
         amisweep scan --region <region> {snapshot}",
    ),
    (
        Case::Credentials,
        "AWS does not accept these credentials",
        "They are too old or wrong, or this machine's clock is. Sign in again, and see who is \
         calling:\n  \
         aws sso login\n  \
         aws sts get-caller-identity",
    ),
    (
        Case::Permission,
        "the caller may not read the snapshot",
        "Reading takes this policy on the caller (for a snapshot of another account, it must \
         be shared with this one too):\n  \
         {\"Version\": \"2012-10-17\", \"Statement\": [\n    \
         {\"Effect\": \"Allow\", \"Action\": [\"ebs:ListSnapshotBlocks\", \
         \"ebs:GetSnapshotBlock\"],\n     \
         \"Resource\": \"arn:*:ec2:{region}::snapshot/{snapshot}\"},\n    \
         {\"Effect\": \"Allow\", \"Action\": [\"ec2:DescribeImages\", \
         \"ec2:DescribeSnapshots\"], \"Resource\": \"*\"}]}\n\
         and kms:Decrypt on the key of an encrypted one. See who is calling:\n  \
         aws sts get-caller-identity",
    ),
    (
        Case::Other,
        "the snapshot cannot be read",
        "It is none of the refusals known here; the words above are AWS's own. The same call \
         by hand:\n  \
         aws ebs list-snapshot-blocks --region {region} --snapshot-id {snapshot} \
         --max-results 100",
    ),
];

fn words(case: Case) -> (&'static str, &'static str) {
    let found = WORDS.iter().find(|(of, ..)| *of == case);
    found.map_or(("the snapshot cannot be read", ""), |(_, what, advice)| (what, advice))
}

fn fill(text: &str, subject: &Subject<'_>) -> String {
    let Subject { image, snapshot, region, .. } = *subject;
    let mapped = || {
        let image = image?;
        let same = |id: &String| *id == snapshot.id;
        image.mappings.iter().find(|m| m.snapshot.as_ref().is_some_and(same))?.kms_key.as_deref()
    };
    let key = snapshot.kms_key.as_deref().or_else(mapped).unwrap_or("<the snapshot's key>");
    let owner = image.and_then(|image| image.owner.as_deref()).unwrap_or("unknown");
    text.replace("{region}", region)
        .replace("{snapshot}", if snapshot.id.is_empty() { "<the snapshot>" } else { &snapshot.id })
        .replace("{image}", image.map_or("<the AMI>", |image| &image.id))
        .replace("{key}", key)
        .replace("{owner}", owner)
        .replace("{outpost}", snapshot.outpost.as_deref().unwrap_or("<the Outpost>"))
}

#[cfg(test)]
mod tests {
    use super::super::Mapping;
    use super::*;

    fn image() -> ImageFacts {
        let mapping = Mapping {
            device: "/dev/xvda".to_owned(),
            snapshot: Some("snap-1".to_owned()),
            kms_key: Some("arn:key/1".to_owned()),
            ..Mapping::default()
        };
        ImageFacts {
            id: "ami-1".to_owned(),
            owner: Some("111122223333".to_owned()),
            mappings: vec![mapping],
            ..ImageFacts::default()
        }
    }

    fn denied() -> Error {
        Error::new(ErrorKind::Denied, "refused").detail("AccessDeniedException")
    }

    /// The case of a refusal of `snap-1` after `change` to what is known of it.
    fn found(
        error: &Error,
        change: fn(&mut Option<ImageFacts>, &mut SnapshotFacts, &mut Standing),
    ) -> Explanation {
        let mut image = Some(image());
        let mut snapshot = SnapshotFacts { id: "snap-1".to_owned(), ..SnapshotFacts::default() };
        let mut standing = Standing::default();
        change(&mut image, &mut snapshot, &mut standing);
        let subject =
            Subject { image: image.as_ref(), snapshot: &snapshot, standing, region: "eu-west-1" };
        explain(&subject, error)
    }

    type Change = fn(&mut Option<ImageFacts>, &mut SnapshotFacts, &mut Standing);

    #[test]
    fn tells_the_cases_apart() {
        let cases: &[(Case, Change)] = &[
            (Case::Permission, |_, _, _| {}),
            (Case::Permission, |i, _, _| *i = None),
            (Case::Permission, |_, _, t| t.image_mine = Some(true)),
            (Case::Permission, |i, s, _| {
                *i = None;
                s.owner = Some("4".to_owned());
            }),
            (Case::InstanceStore, |i, _, _| {
                if let Some(image) = i {
                    image.mappings.clear();
                }
            }),
            (Case::Outpost, |_, s, _| s.outpost = Some("arn:outpost".to_owned())),
            (Case::Archived, |_, s, _| s.tier = Some("archive".to_owned())),
            (Case::Pending, |_, s, _| s.state = Some("pending".to_owned())),
            (Case::Permission, |_, s, _| s.state = Some("completed".to_owned())),
            (Case::Marketplace, |i, _, t| {
                t.image_mine = Some(false);
                if let Some(image) = i {
                    image.product_codes.push("code".to_owned());
                }
            }),
            (Case::Permission, |i, _, t| {
                t.image_mine = Some(true);
                if let Some(image) = i {
                    image.product_codes.push("code".to_owned());
                }
            }),
            (Case::PublicSnapshot, |_, _, t| t.snapshot_public = Some(true)),
            (Case::OwnPublicSnapshot, |_, _, t| {
                t.snapshot_public = Some(true);
                t.snapshot_mine = Some(true);
            }),
            (Case::LaunchOnly, |_, _, t| t.image_mine = Some(false)),
            (Case::Permission, |_, _, t| {
                t.image_mine = Some(false);
                t.snapshot_mine = Some(true);
            }),
        ];
        for (number, (case, change)) in cases.iter().enumerate() {
            assert_eq!(found(&denied(), *change).case, *case, "row {number}");
        }
    }

    #[test]
    fn listens_to_what_aws_says() {
        for (kind, said, case) in [
            (ErrorKind::Denied, "AccessDeniedException DEPENDENCY_ACCESS_DENIED", Case::Key),
            (ErrorKind::NotFound, "ResourceNotFoundException SNAPSHOT_NOT_FOUND", Case::NotFound),
            (ErrorKind::NotFound, "… DEPENDENCY_RESOURCE_NOT_FOUND", Case::Key),
            (ErrorKind::Denied, "ExpiredTokenException: too old", Case::Credentials),
            (ErrorKind::Unreadable, "no answer", Case::Other),
        ] {
            let error = Error::new(kind, "refused").detail(said);
            assert_eq!(found(&error, |_, _, _| {}).case, case, "{said}");
        }
        let shown = found(&denied(), |_, _, t| t.image_mine = Some(false));
        let error = shown.into_error("snap-1", &denied());
        assert_eq!(error.kind(), ErrorKind::Denied);
        let text = error.message();
        assert!(text.contains("AccessDeniedException") && text.contains("--image-id ami-1"));
        assert!(text.contains("belongs to account 111122223333"));
    }

    #[test]
    fn every_case_ends_in_a_command_with_nothing_left_blank() {
        let image = image();
        let snapshot = SnapshotFacts { id: "snap-1".to_owned(), ..SnapshotFacts::default() };
        let standing = Standing::default();
        let subject =
            Subject { image: Some(&image), snapshot: &snapshot, standing, region: "eu-west-1" };
        for (case, _, advice) in WORDS {
            let text = fill(advice, &subject);
            let commands = ["\n  aws ", "\n  amisweep "];
            assert!(commands.iter().any(|c| text.contains(c)), "{case:?}");
            for blank in ["{region}", "{snapshot}", "{image}", "{key}", "{owner}", "{outpost}"] {
                assert!(!text.contains(blank), "{case:?} {blank}");
            }
        }
        assert!(fill(words(Case::Key).1, &subject).contains("--key-id arn:key/1"));
    }
}
