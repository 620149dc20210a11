//! Output: locators print and parse back, and no name from an image steers a report.

use crate::Target;
use amisweep::coverage::{Coverage, Kind};
use amisweep::error::Error;
use amisweep::finding::{
    Finding, Fingerprint, Grade, Harmless, Place, Rule, Secret, Severity, State, Subject,
};
use amisweep::inventory::Inventory;
use amisweep::locator::{Area, Locator, Member};
use amisweep::outcome::{Outcome, Packages, VolumeSummary};
use amisweep::policy::Verdict;
use amisweep::report::{FORMATS, Report, RunFacts, Style};
use amisweep::run::{ImageNo, Run};
use libfuzzer_sys::arbitrary::{self, Unstructured};
use std::collections::BTreeMap;

type Made<T> = arbitrary::Result<T>;

fn name(from: &mut Unstructured<'_>) -> Made<Box<[u8]>> {
    let len = from.int_in_range(0..=40)?;
    Ok(from.bytes(len.min(from.len()))?.into())
}

fn text(from: &mut Unstructured<'_>) -> Made<String> {
    Ok(String::from_utf8_lossy(&name(from)?).into_owned())
}

fn path(from: &mut Unstructured<'_>) -> Made<Box<[u8]>> {
    Ok([b"/", &name(from)?[..]].concat().into())
}

fn locator(from: &mut Unstructured<'_>) -> Made<Locator> {
    let area = match from.int_in_range(0..=7)? {
        0 => Area::Whole,
        1 => Area::Path(path(from)?),
        2 => Area::Deleted { inode: from.arbitrary()?, path: None },
        3 => Area::Deleted { inode: from.arbitrary()?, path: Some(path(from)?) },
        4 => Area::Slack(None),
        5 => Area::Slack(Some(path(from)?)),
        6 => Area::Unallocated,
        _ => Area::Path(name(from)?),
    };
    let mut locator = Locator::new(&text(from)?.into(), Some(&text(from)?.into()), area);
    if from.ratio(1, 4)? {
        locator.volume = None;
    }
    if from.ratio(1, 4)? && locator.path().is_some() {
        locator.stream = Some([b"$Xattr/", &name(from)?[..]].concat().into());
    }
    for _ in 0..from.int_in_range(0..=2)? {
        let name = if from.arbitrary()? { Some(name(from)?) } else { None };
        locator.members.push(Member { format: "gzip".into(), name });
    }
    if from.arbitrary()? {
        locator.span = Some(Run::new(from.arbitrary()?, from.arbitrary()?));
    }
    Ok(locator)
}

/// A locator prints and parses back, and a text that parses prints as the same place.
pub struct LocatorTarget;

impl Target for LocatorTarget {
    fn run(&self, input: &[u8]) {
        let [choice, rest @ ..] = input else { return };
        if choice % 2 == 0 {
            let Ok(made) = locator(&mut Unstructured::new(rest)) else { return };
            let printed = made.to_string();
            assert!(!printed.contains(char::is_control), "{printed:?}");
            let parsed: Locator = printed.parse().unwrap_or_else(|e| panic!("{printed}: {e}"));
            assert_eq!(parsed, printed.parse().unwrap());
            assert_eq!(parsed.to_string(), printed);
            assert_eq!(parsed, made, "{printed}");
        } else {
            let Ok(text) = std::str::from_utf8(rest) else { return };
            let Ok(parsed) = text.parse::<Locator>() else { return };
            let printed = parsed.to_string();
            assert_eq!(printed.parse::<Locator>().as_ref(), Ok(&parsed), "{text:?} {printed}");
        }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let texts = [
            "snap-0a1b#p1:/srv/home.tar.gz!gzip!tar:etc/app.env@116+40",
            "snap-0a1b#vg0/root:$Unalloc@7301444+64",
            "snap-0a1b#p1:$Deleted/131842:/root/x:$Xattr/user.k",
            "tree:$Slack:app.log",
            "tree:%24Slack/a%3Ab%23%21%40%25%2B%0A%FF",
        ];
        let parsed = texts.map(|text| [b"1", text.as_bytes()].concat());
        let made = texts.map(|text| [b"0", text.as_bytes(), &[1; 40]].concat());
        [parsed, made].concat()
    }
}

static RULE: Rule =
    Rule { id: "fuzz.rule", title: "A title", severity: Severity::High, rotate: "Rotate it." };

fn finding(from: &mut Unstructured<'_>) -> Made<Finding> {
    let bytes = name(from)?.into_vec();
    let subject = match from.int_in_range(0..=2)? {
        0 => Subject::Secret(Secret::new(bytes)),
        1 => Subject::Password(Secret::new(bytes)),
        _ => Subject::Fact(bytes),
    };
    let mut places = Vec::new();
    for _ in 0..from.int_in_range(0..=2)? {
        places.push(Place {
            line: from.arbitrary()?,
            image_runs: vec![(ImageNo(0), Run::new(from.arbitrary()?, from.arbitrary()?))],
            ..Place::new(locator(from)?, State::Deleted)
        });
    }
    Ok(Finding {
        rule: &RULE,
        also: vec!["fuzz.other"],
        severity: *from.choose(&Severity::ALL)?,
        grade: *from.choose(&Grade::ALL)?,
        parsed: from.arbitrary()?,
        harmless: from.ratio(1, 3)?.then_some(Harmless::Placeholder),
        fingerprint: Fingerprint(from.arbitrary()?),
        subject,
        facts: BTreeMap::from([("user", vec![text(from)?]), ("host", vec![text(from)?])]),
        place_count: places.len() as u64,
        places,
    })
}

fn report(from: &mut Unstructured<'_>) -> Made<Report> {
    let mut findings = Vec::new();
    for _ in 0..from.int_in_range(0..=3)? {
        findings.push(finding(from)?);
    }
    let mut coverage = Coverage::default();
    coverage.written = from.arbitrary()?;
    coverage.count(*from.choose(&Kind::ALL)?, from.arbitrary()?);
    coverage.error(&Error::corrupt("a phrase").detail(text(from)?).at(&locator(from)?));
    coverage.remark(Some(locator(from)?), "a remark");
    coverage.seal();
    let volumes = vec![VolumeSummary {
        locator: locator(from)?.to_string(),
        format: text(from)?,
        bytes: from.arbitrary()?,
        files: from.arbitrary()?,
        deleted: from.arbitrary()?,
    }];
    let verdict = Verdict::of(&findings, &coverage, *from.choose(&Severity::ALL)?);
    let packages = vec![Packages {
        locator: locator(from)?.to_string(),
        formats: vec!["dpkg"],
        changed_files: vec![locator(from)?.to_string()],
        noted: BTreeMap::from([(text(from)?, 1)]),
        ..Packages::default()
    }];
    let (cross_checks, base) = (Vec::new(), None);
    let inventory = Inventory::default();
    let outcome = Outcome { findings, coverage, volumes, cross_checks, inventory, packages, base };
    let (target, images) = (text(from)?, vec![text(from)?]);
    Ok(Report { target, target_kind: "image", images, outcome, verdict, run: RunFacts::default() })
}

/// Every report format over hostile names: JSON parses, and text steers no terminal.
pub struct ReportTarget;

impl Target for ReportTarget {
    fn run(&self, input: &[u8]) {
        let [choice, rest @ ..] = input else { return };
        let Ok(report) = report(&mut Unstructured::new(rest)) else { return };
        let style = Style { reveal: choice & 1 != 0, colour: choice & 2 != 0 };
        for format in FORMATS {
            let mut out = Vec::new();
            (format.write)(&report, style, &mut out).expect("memory takes any report");
            let text = String::from_utf8(out).expect("a report is UTF-8");
            if format.name.ends_with("json") {
                for value in serde_json::Deserializer::from_str(&text).into_iter() {
                    let value: serde_json::Value = value.expect("a JSON report parses");
                    assert!(value.is_object());
                }
            }
            let steers = |c: char| {
                (c.is_control() && c != '\n' && !(style.colour && c == '\x1b'))
                    || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
            };
            // JSON may hold any character but controls, a terminal is not its reader.
            let shown = format.name == "text";
            assert!(!shown || !text.contains(steers), "{}: {text:?}", format.name);
        }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        let hostile = b"\x1b[2J\n</script>\xe2\x80\xae\"\\,=cmd|\x00\xff".repeat(20);
        (0..4).map(|choice| [&[choice], &hostile[..]].concat()).collect()
    }
}
