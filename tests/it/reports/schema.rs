//! `docs/report.schema.json`: real reports follow it, and it describes every member they have.

use super::scan;
use crate::planted::unpack;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;

/// The part of JSON Schema that the document uses. A keyword it does not know is a panic, so that
/// none is ignored.
struct Schema {
    root: Value,
    wrong: Vec<String>,
}

impl Schema {
    fn read() -> Schema {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/report.schema.json");
        let root = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        Schema { root, wrong: Vec::new() }
    }

    fn definition(&self, pointer: &str) -> Value {
        let pointer = pointer.strip_prefix('#').unwrap();
        self.root.pointer(pointer).unwrap_or_else(|| panic!("no {pointer}")).clone()
    }

    fn say(&mut self, at: &str, what: &str) {
        self.wrong.push(format!("{at}: {what}"));
    }

    /// Whether `value` follows `schema`, without keeping what is wrong.
    fn fits(&mut self, schema: &Value, value: &Value, at: &str) -> bool {
        let before = self.wrong.len();
        self.check(schema, value, at);
        let fits = self.wrong.len() == before;
        self.wrong.truncate(before);
        fits
    }

    fn check(&mut self, schema: &Value, value: &Value, at: &str) {
        for (keyword, rule) in schema.as_object().unwrap() {
            match keyword.as_str() {
                "$schema" | "$id" | "$defs" | "title" | "description" => {}
                "$ref" => {
                    let definition = self.definition(rule.as_str().unwrap());
                    self.check(&definition, value, at);
                }
                "allOf" => rule.as_array().unwrap().iter().for_each(|s| self.check(s, value, at)),
                "oneOf" => {
                    let all = rule.as_array().unwrap();
                    let fitting = all.iter().filter(|s| self.fits(s, value, at)).count();
                    if fitting != 1 {
                        self.say(at, &format!("fits {fitting} of one: {value}"));
                    }
                }
                "properties" => self.members(rule.as_object().unwrap(), value, at),
                "additionalProperties" => self.additional(schema, rule, value, at),
                "items" => self.items(rule, value, at),
                "prefixItems" => {
                    let items = value.as_array().into_iter().flatten();
                    for (number, (rule, item)) in
                        rule.as_array().unwrap().iter().zip(items).enumerate()
                    {
                        self.check(rule, item, &format!("{at}/{number}"));
                    }
                }
                _ if holds(keyword, rule, value) => {}
                _ => self.say(at, &format!("{keyword} {rule} does not hold for {value}")),
            }
        }
    }

    fn members(&mut self, rules: &Map<String, Value>, value: &Value, at: &str) {
        for (name, rule) in rules {
            if let Some(member) = value.get(name) {
                self.check(rule, member, &format!("{at}/{name}"));
            }
        }
    }

    fn additional(&mut self, schema: &Value, rule: &Value, value: &Value, at: &str) {
        let known = &schema["properties"];
        for (name, member) in value.as_object().into_iter().flatten() {
            if rule.is_object() && known.get(name).is_none() {
                self.check(rule, member, &format!("{at}/{name}"));
            }
        }
    }

    fn items(&mut self, rule: &Value, value: &Value, at: &str) {
        for (number, item) in value.as_array().into_iter().flatten().enumerate() {
            self.check(rule, item, &format!("{at}/{number}"));
        }
    }

    /// Every member of `value` that `schemas`, which it fits, say nothing of.
    fn undocumented(&mut self, schemas: &[Value], value: &Value, at: &str) {
        let schemas = self.applicable(schemas, value, at);
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let about: Vec<Value> = schemas
                        .iter()
                        .filter_map(|s| s["properties"].get(name).or(s.get("additionalProperties")))
                        .filter(|rule| rule.is_object())
                        .cloned()
                        .collect();
                    let at = format!("{at}/{name}");
                    if about.is_empty() {
                        self.say(&at, "is not in the schema");
                    }
                    self.undocumented(&about, member, &at);
                }
            }
            Value::Array(items) => {
                let about: Vec<Value> =
                    schemas.iter().filter_map(|s| s.get("items")).cloned().collect();
                for item in items {
                    self.undocumented(&about, item, at);
                }
            }
            _ => {}
        }
    }

    /// The schemas, those they point at, and of alternatives the one that fits.
    fn applicable(&mut self, schemas: &[Value], value: &Value, at: &str) -> Vec<Value> {
        let mut pending = schemas.to_vec();
        let mut all = Vec::new();
        while let Some(schema) = pending.pop() {
            if let Some(pointer) = schema["$ref"].as_str() {
                pending.push(self.definition(pointer));
            }
            let parts = schema["allOf"].as_array().into_iter().flatten();
            pending.extend(parts.cloned());
            for one in schema["oneOf"].as_array().into_iter().flatten() {
                if self.fits(one, value, at) {
                    pending.push(one.clone());
                }
            }
            all.push(schema);
        }
        all
    }
}

/// Whether a keyword that looks at one value alone holds. What concerns other types holds.
fn holds(keyword: &str, rule: &Value, value: &Value) -> bool {
    let least = |len: usize| rule.as_u64().unwrap() <= len as u64;
    let most = |len: usize| rule.as_u64().unwrap() >= len as u64;
    match keyword {
        "const" => rule == value,
        "enum" => rule.as_array().unwrap().contains(value),
        "type" => match rule.as_array() {
            Some(types) => types.iter().any(|one| is_a(one, value)),
            None => is_a(rule, value),
        },
        "required" => {
            let names = rule.as_array().unwrap().iter().map(|name| name.as_str().unwrap());
            value.as_object().is_none_or(|has| names.into_iter().all(|n| has.contains_key(n)))
        }
        "minimum" => value.as_f64().is_none_or(|number| number >= rule.as_f64().unwrap()),
        "minItems" => value.as_array().is_none_or(|items| least(items.len())),
        "maxItems" => value.as_array().is_none_or(|items| most(items.len())),
        "pattern" => {
            let pattern = regex::bytes::Regex::new(rule.as_str().unwrap()).unwrap();
            value.as_str().is_none_or(|text| pattern.is_match(text.as_bytes()))
        }
        other => panic!("the schema uses {other}, which the test does not know"),
    }
}

fn is_a(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("no type {other}"),
    }
}

/// What is wrong with `value` by the definition at `pointer`.
fn faults(pointer: &str, value: &Value) -> Vec<String> {
    let mut schema = Schema::read();
    let definition = schema.definition(pointer);
    schema.check(&definition, value, "");
    if schema.wrong.is_empty() {
        schema.undocumented(&[definition], value, "");
    }
    schema.wrong
}

#[test]
fn reports_follow_their_schema() {
    for name in ["ext4-inline", "ext4-dirty", "xfs-planted"] {
        let disk = unpack(name);
        for options in [["--cross-check", "--jobs=2"], ["--reveal=force", "--fail-on=info"]] {
            let [first, second] = options;
            let done = scan(disk.path(), &["-f", "json", first, second]);
            let report: Value = serde_json::from_slice(&done.stdout).unwrap();
            assert_eq!(faults("#", &report), [""; 0], "{name} {options:?}");
            assert_eq!(report["verdict"]["exit"].as_i64(), done.status.code().map(i64::from));
            let found = report["findings"].as_array().unwrap();
            assert!(!found.is_empty());
            let revealed = found.iter().any(|finding| finding.get("secret").is_some());
            assert_eq!(revealed, first.starts_with("--reveal"), "{name}");
            adds_up(&report["coverage"]);
        }
    }
}

/// The kinds of a coverage sum up to what was written.
fn adds_up(coverage: &Value) {
    let kinds = coverage["kinds"].as_object().unwrap();
    let sum: u64 = kinds.values().map(|bytes| bytes.as_u64().unwrap()).sum();
    assert_eq!(Some(sum), coverage["written_bytes"].as_u64());
}

#[test]
fn lines_follow_their_schema() {
    let disk = unpack("ext4-dirty");
    let done = scan(disk.path(), &["-f", "ndjson", "--cross-check"]);
    let text = String::from_utf8(done.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        assert_eq!(faults("#/$defs/line", line), [""; 0], "{line}");
    }
    let types: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!((types.first(), types.last()), (Some(&"report"), Some(&"verdict")));
    let seen: BTreeSet<&str> = types.into_iter().collect();
    for kind in ["finding", "volume", "cross_check", "coverage", "summary"] {
        assert!(seen.contains(kind), "{kind} is missing in {seen:?}");
    }
}

/// A checker that lets everything pass would prove nothing.
#[test]
fn what_is_no_report_is_refused() {
    let disk = unpack("ext4-inline");
    let report: Value = serde_json::from_slice(&scan(disk.path(), &["-f", "json"]).stdout).unwrap();
    for (pointer, value) in [
        ("/schema", json!("amisweep.report/2")),
        ("/target/kind", json!("floppy")),
        ("/coverage/written_bytes", json!(-1)),
        ("/coverage/kinds/file", json!("many")),
        ("/findings/0/severity", json!(null)),
        ("/findings/0/fingerprint", json!("xyz")),
        ("/findings/0/places/0/image_runs", json!([[1, 2]])),
        ("/findings/0/facts", json!({ "name": 3 })),
        ("/run", json!({ "tool": "amisweep" })),
        ("/summary/undocumented", json!(1)),
    ] {
        let mut broken = report.clone();
        match broken.pointer_mut(pointer) {
            Some(member) => *member = value,
            None => broken["summary"]["undocumented"] = value,
        }
        assert!(!faults("#", &broken).is_empty(), "{pointer}");
    }
}
