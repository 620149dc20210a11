//! What-if: every cell of the state tables against tables written from the documents, and every
//! printed answer against one that was read.

use amisweep::exposure::disk::find;
use amisweep::exposure::facts::{self, Facts};
use amisweep::exposure::whatif::{Act, Plan, Source, allowed, asks, bare, predict, table};
use std::path::{Path, PathBuf};

pub(crate) fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

pub(crate) fn account_facts() -> Facts {
    facts::read(&[data("whatif/facts.json")]).unwrap()
}

/// Compare with a file of testdata; `AMISWEEP_BLESS=1` writes it instead, to be read by a person.
pub(crate) fn golden(name: &str, found: &str) {
    let path = data(name);
    if std::env::var_os("AMISWEEP_BLESS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        #[allow(clippy::disallowed_methods, reason = "a test writes what it expects")]
        std::fs::write(&path, found).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{name}");
}

#[test]
fn every_cell_of_the_tables() {
    assert_eq!(asks().count(), 48);
    for (act, name, rows) in [(Act::Launch, "launch", 48), (Act::Copy, "copy", 96)] {
        let expected = std::fs::read_to_string(data(&format!("whatif/{name}.csv"))).unwrap();
        assert_eq!(expected.lines().count(), rows + 1);
        assert_eq!(table(act), expected, "{name}");
    }
}

fn told(act: Act, image: &str, plan: &Plan) -> (String, bool, bool) {
    let facts = account_facts();
    let found = find(&facts, image).unwrap();
    let prediction = predict(&facts, &found, act, plan).unwrap();
    let json = serde_json::to_string_pretty(&prediction.json()).unwrap();
    assert!(json.contains("amisweep.whatif/1"));
    (prediction.text(), prediction.fails(), prediction.open())
}

const WEB: &str = "ami-0aaaaaaaaaaaaaa01";
const SEALED: &str = "ami-0aaaaaaaaaaaaaa02";
const HOSTILE: &str = "ami-0aaaaaaaaaaaaaa04";
const UNCOLLECTED: &str = "ami-0aaaaaaaaaaaaaa05";
const EMPTY: &str = "ami-0aaaaaaaaaaaaaa07";
const SHARED: &str = "ami-0aaaaaaaaaaaaaa32";
const TARGET: &str = "111122223333";
const ROLE: &str = "arn:aws:iam::111122223333:role/ops";

/// What is predicted: the file it is told in, the image, the parameters, and whether something
/// fails or is not known. Parameters are `Encrypted`, `KmsKeyId`, the other region, who acts.
type Case = (&'static str, Act, &'static str, [&'static str; 4], (bool, bool));

const CASES: [Case; 15] = [
    ("launch-own", Act::Launch, WEB, ["", "", "", ""], (false, false)),
    ("launch-key-alone", Act::Launch, WEB, ["", "alias/golden", "", ""], (true, false)),
    ("launch-false", Act::Launch, WEB, ["false", "", "", ""], (false, true)),
    ("launch-as-target", Act::Launch, SEALED, ["", "", "", TARGET], (false, true)),
    ("launch-as-target-plain", Act::Launch, WEB, ["", "", "", TARGET], (true, true)),
    ("launch-as-role", Act::Launch, SEALED, ["", "", "", ROLE], (false, true)),
    ("launch-unknown", Act::Launch, UNCOLLECTED, ["", "", "", ""], (false, true)),
    ("launch-empty-disk", Act::Launch, EMPTY, ["", "", "", ""], (false, false)),
    ("launch-empty-sealed-disk", Act::Launch, EMPTY, ["true", "", "", ""], (false, false)),
    ("copy-empty-disk", Act::Copy, EMPTY, ["", "", "", ""], (false, false)),
    ("copy-own", Act::Copy, WEB, ["", "", "", ""], (false, false)),
    ("copy-cross", Act::Copy, WEB, ["", "", "eu-west-1", ""], (false, false)),
    ("copy-key", Act::Copy, WEB, ["true", "alias/golden", "", ""], (false, false)),
    ("copy-shared", Act::Copy, SHARED, ["", "", "", ""], (false, true)),
    ("copy-hostile-name", Act::Copy, HOSTILE, ["", "", "", ""], (false, false)),
];

#[test]
fn predictions_are_told_as_written() {
    let mut wrong = Vec::new();
    for (name, act, image, [encrypted, key, to_region, acting], expected) in CASES {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let plan = Plan {
            encrypted: encrypted.parse().ok(),
            key: given(key),
            by_default: None,
            to_region: given(to_region),
            acting: given(acting),
        };
        let (text, fails, open) = told(act, image, &plan);
        golden(&format!("whatif/{name}.txt"), &text);
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'), "{name}");
        if (fails, open) != expected {
            wrong.push((name, fails, open));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn a_snapshot_can_be_asked_for_without_facts() {
    let plan = Plan { by_default: Some(true), ..Plan::default() };
    let prediction = bare(Source { encrypted: true, own: false }, Act::Copy, &plan);
    golden("whatif/bare.txt", &prediction.text());
    let open = bare(Source { encrypted: false, own: true }, Act::Launch, &Plan::default());
    assert!(open.open(), "encryption by default is not known");
    let same = Plan { encrypted: Some(true), ..Plan::default() };
    let same = bare(Source { encrypted: false, own: true }, Act::Launch, &same);
    assert!(!same.open(), "and does not matter here");
}

#[test]
fn criteria_are_tried_on_instances_and_launches() {
    let facts = account_facts();
    let criteria =
        allowed::criteria(&std::fs::read(data("whatif/criteria.json")).unwrap()).unwrap();
    let judged = allowed::judge(&facts, &criteria);
    golden("whatif/allowed-amis.txt", &judged.text());
    golden("whatif/allowed-amis.json", &serde_json::to_string_pretty(&judged.json()).unwrap());
    assert!(judged.blocks() && judged.open());
}

/// One image against one criterion: the member that decides, and the verdict.
#[test]
fn each_member_of_a_criterion_decides() {
    let image = r#"{"ImageId": "ami-0aaaaaaa", "OwnerId": "888877776666", "Name": "v-1",
        "CreationDate": "2026-11-11T20:00:00Z", "DeprecationTime": "2026-11-16T20:00:00Z",
        "ImageOwnerAlias": "aws-marketplace", "ProductCodes": [{"ProductCode": "abc"}],
        "ImageWatermarks": [{"WatermarkKey": "444455556666:clean",
            "WatermarkCreationTime": "2026-11-20T20:00:00Z"}]}"#;
    for (criterion, expected) in [
        (r#"{"ImageProviders": ["aws-marketplace"]}"#, "allowed"),
        (r#"{"ImageProviders": ["amazon", "888877776666"]}"#, "allowed"),
        (r#"{"ImageProviders": ["amazon"]}"#, "blocked"),
        (r#"{"ImageProviders": ["none"]}"#, "blocked"),
        (r#"{"ImageNames": ["v-?"]}"#, "allowed"),
        (r#"{"ImageNames": ["w*"]}"#, "blocked"),
        (r#"{"MarketplaceProductCodes": ["abc"]}"#, "allowed"),
        (r#"{"MarketplaceProductCodes": ["abd"]}"#, "blocked"),
        (r#"{"CreationDateCondition": {"MaximumDaysSinceCreated": 10}}"#, "allowed"),
        (r#"{"CreationDateCondition": {"MaximumDaysSinceCreated": 9}}"#, "blocked"),
        (r#"{"DeprecationTimeCondition": {"MaximumDaysSinceDeprecated": 5}}"#, "allowed"),
        (r#"{"DeprecationTimeCondition": {"MaximumDaysSinceDeprecated": 0}}"#, "blocked"),
        (r#"{"ImageWatermarks": [{"WatermarkKey": "444455556666:*"}]}"#, "allowed"),
        (r#"{"ImageWatermarks": [{"WatermarkKey": "1*:clean"}]}"#, "blocked"),
        (
            r#"{"ImageWatermarks": [{"WatermarkKey": "*", "MaximumDaysSinceWatermarkCreated": 0}]}"#,
            "blocked",
        ),
        (r#"{"ImageWatermarks": [{"SourceImageRegion": "us-*"}]}"#, "unknown"),
        (r#"{"ScanResultCondition": {"MaximumFindingSeverity": "low"}}"#, "unknown"),
        (
            r#"{"ScanResultCondition": {"MaximumFindingSeverity": "low"}, "ImageNames": ["w"]}"#,
            "blocked",
        ),
    ] {
        let text = format!(
            r#"{{"schema": "amisweep.facts/1", "collected_at": "2026-11-21T20:00:00Z",
                "accounts": [{{"Account": "444455556666", "Regions": [{{"Region": "us-east-1",
                "Images": [{image}], "Events": [],
                "Instances": [{{"InstanceId": "i-1", "ImageId": "ami-0aaaaaaa"}}]}}]}}]}}"#
        );
        let facts = Facts::parse(text.as_bytes()).unwrap();
        let criteria = allowed::criteria(format!("[{criterion}]").as_bytes()).unwrap();
        let judged = allowed::judge(&facts, &criteria);
        assert_eq!(judged.instances[0].blocked.to_string(), expected, "{criterion}");
    }
    for bad in [
        "[]",
        "{}",
        "5",
        "[{}]",
        r#"[{"ImageProvider": ["amazon"]}]"#,
        "x",
        r#"[{"ImageProviders": ["none", "amazon"]}]"#,
    ] {
        assert!(allowed::criteria(bad.as_bytes()).is_err(), "{bad}");
    }
}
