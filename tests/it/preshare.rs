//! Before sharing: each image of the facts against a target, told as it was read.

use crate::whatif::{account_facts, golden};
use amisweep::exposure::disk::find;
use amisweep::exposure::preshare::{Options, Preshare, Status, Target, check};

fn checked(image: u8, to: &str, autoscaling: bool) -> Preshare {
    let facts = account_facts();
    let id = format!("ami-0aaaaaaaaaaaaaa{image:02}");
    let found = find(&facts, &id).unwrap();
    let target = Target::parse(to, &facts).unwrap();
    check(&facts, found, &target, Options { autoscaling })
}

/// The checks that did not pass.
fn left(result: &Preshare) -> Vec<String> {
    let open = result.checks.iter().filter(|check| check.status != Status::Pass);
    open.map(|check| format!("{} {}", check.status, check.id)).collect()
}

const TARGET: &str = "111122223333";

#[test]
fn each_image_is_checked() {
    let unit = "ou-ab12-11111111";
    for (name, image, to, expected) in [
        (
            "plain-and-public",
            1,
            TARGET,
            &[
                "FAIL image.audience",
                "FAIL disk.encrypted",
                "FAIL key.policy",
                "FAIL key.autoscaling",
            ][..],
        ),
        ("fit", 2, TARGET, &[]),
        ("aws-key", 3, TARGET, &["FAIL disk.encrypted"]),
        ("hostile-name", 4, TARGET, &["FAIL disk.encrypted", "FAIL disk.encrypted"]),
        (
            "not-collected",
            5,
            TARGET,
            &["unknown image.audience", "unknown disk.snapshot", "unknown disk.encrypted"],
        ),
        (
            "over-granted",
            6,
            TARGET,
            &[
                "FAIL image.deprecated",
                "FAIL key.create-grant",
                "FAIL key.admin",
                "FAIL key.autoscaling",
            ],
        ),
        (
            "denied",
            7,
            TARGET,
            &[
                "FAIL key.policy",
                "unknown key.create-grant",
                "unknown key.admin",
                "unknown key.autoscaling",
            ],
        ),
        ("unit", 8, unit, &["FAIL key.create-grant", "unknown key.autoscaling"]),
        ("other-unit", 8, "ou-ab12-22222222", &["FAIL key.policy", "unknown key.autoscaling"]),
        (
            "organisation",
            8,
            "o-abc1234567",
            &["unknown key.policy", "unknown key.create-grant", "unknown key.autoscaling"],
        ),
        (
            "other-organisation",
            2,
            "o-other12345",
            &["unknown key.policy", "unknown key.create-grant", "unknown key.autoscaling"],
        ),
        ("not-ours", 32, TARGET, &["FAIL image.owner"]),
        ("owner", 2, "444455556666", &["FAIL image.owner"]),
    ] {
        let result = checked(image, to, true);
        golden(&format!("preshare/{name}.txt"), &result.text());
        let got = left(&result);
        assert_eq!(got, expected, "{name}");
        assert_eq!(result.fails(), expected.iter().any(|one| one.starts_with("FAIL")));
        assert_eq!(result.open(), expected.iter().any(|one| one.starts_with("unknown")));
    }
}

/// Facts of the target tell whether its own Allowed AMIs stop the image.
#[test]
fn the_target_may_stop_it_itself() {
    use amisweep::exposure::facts::Asked;
    for (state, providers, expected) in [
        ("enabled", "amazon", "FAIL target.allowed-amis"),
        ("enabled", "none", "FAIL target.allowed-amis"),
        ("audit-mode", "amazon", ""),
        ("enabled", "444455556666", ""),
        ("refused", "", "unknown target.allowed-amis"),
    ] {
        let mut facts = account_facts();
        let account = facts.accounts.iter_mut().find(|one| one.account == TARGET).unwrap();
        let settings = &mut account.regions[0].allowed_images_settings;
        if state == "refused" {
            *settings = Asked::refused("ec2:GetAllowedImagesSettings", "no");
        } else if let Asked::Known(settings) = settings {
            settings.state = Some(state.to_owned());
            settings.image_criteria[0].image_providers = vec![providers.to_owned()];
        }
        let found = find(&facts, "ami-0aaaaaaaaaaaaaa02").unwrap();
        let target = Target::parse(TARGET, &facts).unwrap();
        let result = check(&facts, found, &target, Options { autoscaling: true });
        assert_eq!(left(&result).join(" "), expected, "{state} {providers}");
    }
}

#[test]
fn a_target_without_auto_scaling_needs_no_grant() {
    let left = left(&checked(1, TARGET, false));
    assert!(!left.iter().any(|one| one.contains("autoscaling")), "{left:?}");
}

#[test]
fn the_answer_is_json_too() {
    let json = checked(1, TARGET, true).json();
    golden("preshare/plain-and-public.json", &serde_json::to_string_pretty(&json).unwrap());
}

/// The statement that is printed for a failure lets the target in once it is added.
#[test]
fn the_statement_printed_is_the_one_that_is_missing() {
    use amisweep::exposure::facts::{Asked, Document};
    use amisweep::exposure::preshare::Fix;
    for to in [TARGET, "ou-ab12-22222222", "o-other12345"] {
        let mut facts = account_facts();
        let before = {
            let target = Target::parse(to, &facts).unwrap();
            let found = find(&facts, "ami-0aaaaaaaaaaaaaa01").unwrap();
            check(&facts, found, &target, Options { autoscaling: false })
        };
        let policy = before.checks.iter().find(|check| check.id == "key.policy").unwrap();
        let statements: Vec<_> = policy
            .fixes
            .iter()
            .filter_map(|fix| match fix {
                Fix::Statement(_, statement) => Some(statement.clone()),
                Fix::Command(_) | Fix::Advice(_) => None,
            })
            .collect();
        assert_eq!(statements.len(), 2, "{to}");
        let region = facts.accounts.iter_mut().find(|one| one.account == "444455556666").unwrap();
        let region = region.regions.iter_mut().find(|one| one.region == "us-east-1").unwrap();
        let Asked::Known(keys) = &mut region.keys else { panic!("keys") };
        let Asked::Known(Document(document)) = &mut keys[0].policy else { panic!("policy") };
        document["Statement"].as_array_mut().unwrap().extend(statements);
        let target = Target::parse(to, &facts).unwrap();
        let found = find(&facts, "ami-0aaaaaaaaaaaaaa01").unwrap();
        let after = check(&facts, found, &target, Options { autoscaling: false });
        let key = after.checks.iter().filter(|check| check.id.starts_with("key."));
        for check in key {
            assert_eq!(check.status, Status::Pass, "{to}: {check:?}");
        }
    }
}

#[test]
fn targets_have_their_shapes() {
    let facts = account_facts();
    for bad in ["", "1", "11112222333", "o-", "o-ABC1234567", "ou-ab12", "$(id)", "arn:aws:x"] {
        assert!(Target::parse(bad, &facts).is_err(), "{bad}");
    }
    let arn = "arn:aws:organizations::444455556666:organization/o-zzzzzzzzzz";
    assert_eq!(Target::parse(arn, &facts).unwrap().id(), "o-zzzzzzzzzz");
}
