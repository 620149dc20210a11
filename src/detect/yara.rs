//! [YARA](https://yara.readthedocs.io) rules, which classify whole files: malware, web shells,
//! packers. [YARA-X](https://virustotal.github.io/yara-x) compiles and runs them.

use super::Examiner;
use super::signature::{intern, intern_rule};
use crate::error::{Error, ErrorKind, Result};
use crate::finding::{Facts, Grade, Match, Rule, Severity, Subject};
use crate::limits;
use crate::run::Run;
use std::cell::RefCell;
use std::time::Duration;
use yara_x::{Compiler, MetaValue, Rules, Scanner, SourceCode};

/// Modules of YARA that this build has no reader for: rules that import one are left out.
const MISSING: [&str; 9] =
    ["console", "crx", "cuckoo", "dex", "dotnet", "lnk", "macho", "pe", "vt"];

/// Metadata of a rule that are told with its matches.
const TOLD: [&str; 4] = ["author", "description", "family", "reference"];

/// Compiled rules. They live as long as the process, as all rules do.
pub struct Yara {
    rules: &'static Rules,
}

impl Yara {
    /// Compile files of rules, given as name and text. Returns what of them is not used, too: the
    /// name of a rule and why.
    pub fn compile(files: &[(String, String)]) -> Result<(Yara, Vec<(String, String)>)> {
        let mut compiler = Compiler::new();
        for module in MISSING {
            compiler.ignore_module(module);
        }
        for (name, text) in files {
            compiler.new_namespace(name);
            let source = SourceCode::from(text.as_str()).with_origin(name);
            compiler.add_source(source).map_err(|cause| {
                Error::new(ErrorKind::Usage, "YARA rules cannot be compiled")
                    .detail(name)
                    .caused_by(cause)
            })?;
        }
        let ignored = compiler.ignored_rules();
        let unused = ignored.map(|(rule, why)| (rule.to_owned(), reason(&why))).collect();
        let rules: &'static Rules = Box::leak(Box::new(compiler.build()));
        Ok((Yara { rules }, unused))
    }

    /// How many rules there are.
    pub fn len(&self) -> usize {
        self.rules.iter().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn reason(why: &yara_x::IgnoredRuleReason<'_>) -> String {
    use yara_x::IgnoredRuleReason as Why;
    match why {
        Why::IgnoredModule(module) => format!("it needs the module {module}"),
        Why::IgnoredRule(rule) => format!("it needs the rule {rule}"),
        Why::CompileError(error) => error.to_string(),
    }
}

thread_local! {
    /// The scanner of this thread, and whose rules it has: to make one costs more than to match a
    /// small file.
    static SCANNER: RefCell<Option<(*const Rules, Scanner<'static>)>> = const { RefCell::new(None) };
}

impl Examiner for Yara {
    fn examine(&self, bytes: &[u8], out: &mut Vec<Match>) -> Result<()> {
        SCANNER.with_borrow_mut(|kept| {
            if kept.as_ref().is_none_or(|(whose, _)| !std::ptr::eq(*whose, self.rules)) {
                let mut scanner = Scanner::new(self.rules);
                scanner.set_timeout(Duration::from_secs(limits::EXAMINED_SECONDS));
                scanner.max_matches_per_pattern(limits::EXAMINED_MATCHES);
                *kept = Some((self.rules, scanner));
            }
            let Some((_, scanner)) = kept.as_mut() else { return Ok(()) };
            let results = scanner.scan(bytes).map_err(|cause| {
                Error::new(ErrorKind::Limit, "YARA rules were not matched to the end")
                    .caused_by(cause)
            })?;
            out.extend(results.matching_rules().map(|rule| found(&rule)));
            Ok(())
        })
    }
}

/// A match of a rule: at the first of its patterns, or at the first byte if it has none.
fn found(rule: &yara_x::Rule<'_, '_>) -> Match {
    let ranges = rule.patterns().flat_map(|pattern| pattern.matches().map(|found| found.range()));
    let first = ranges.min_by_key(|range| range.start).unwrap_or(0..0);
    let severity = severity(rule).unwrap_or(Severity::High);
    let known = Rule {
        id: intern(&format!("yara.{}", rule.identifier())),
        title: intern(&format!("YARA rule {}", rule.identifier())),
        severity,
        rotate: "Ask what the rule's author says of it. If it is what the rule looks for, take the \
                 image for compromised: build it anew and change every secret in it.",
    };
    let mut facts = Facts::from([("rules", rule.namespace().to_owned())]);
    for (key, value) in rule.metadata() {
        if let (Some(key), MetaValue::String(text)) =
            (TOLD.into_iter().find(|told| *told == key), value)
        {
            facts.insert(key, text.chars().take(limits::FACT_CHARS).collect());
        }
    }
    let tags: Vec<&str> = rule.tags().map(|tag| tag.identifier()).collect();
    if !tags.is_empty() {
        facts.insert("tags", tags.join(" "));
    }
    Match {
        rule: intern_rule(known),
        severity,
        grade: Grade::Plausible,
        harmless: None,
        subject: Subject::Fact(rule.identifier().as_bytes().to_vec()),
        span: Run::between(first.start as u64, first.end as u64),
        facts,
        decoded: None,
    }
}

/// The severity that a rule gives itself: by name, or by a score up to 100.
fn severity(rule: &yara_x::Rule<'_, '_>) -> Option<Severity> {
    rule.metadata().find_map(|(key, value)| match (key, value) {
        ("severity", MetaValue::String(name)) => Severity::from_name(&name.to_ascii_lowercase()),
        ("score", MetaValue::Integer(score)) => Some(match score {
            ..40 => Severity::Low,
            40..60 => Severity::Medium,
            60..80 => Severity::High,
            80.. => Severity::Critical,
        }),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(text: &str, bytes: &[u8]) -> Vec<Match> {
        let (yara, unused) = Yara::compile(&[("x.yar".to_owned(), text.to_owned())]).unwrap();
        assert!(unused.is_empty(), "{unused:?}");
        let mut found = Vec::new();
        yara.examine(bytes, &mut found).unwrap();
        found
    }

    #[test]
    fn a_rule_that_matches_tells_where_and_what_it_says_of_itself() {
        let rule = r#"rule shell : web { meta: severity = "critical" author = "x"
            strings: $a = "eval(" $b = "base64_decode" condition: all of them and filesize < 1KB }"#;
        let found = examined(rule, b"<?php eval(base64_decode($_POST['x']));");
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((one.rule.id, one.severity), ("yara.shell", Severity::Critical));
        assert_eq!(one.span, Run::new(6, 5));
        assert_eq!(one.facts.get("author").map(String::as_str), Some("x"));
        assert_eq!(one.facts.get("tags").map(String::as_str), Some("web"));
        assert!(examined(rule, b"eval(1)").is_empty());
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let text = "import \"pe\" rule a { condition: pe.is_pe } rule b { condition: true }";
        let (yara, unused) = Yara::compile(&[("x.yar".to_owned(), text.to_owned())]).unwrap();
        assert_eq!(yara.len(), 1);
        assert_eq!(unused, [("a".to_owned(), "it needs the module pe".to_owned())]);
        let wrong = [("x.yar".to_owned(), "rule a { condition: }".to_owned())];
        let error = Yara::compile(&wrong).err().unwrap().to_string();
        assert!(error.contains("x.yar"), "{error}");
    }
}
