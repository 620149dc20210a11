//! A check before sharing, as text and as JSON.

use super::{Check, Fix, Preshare, Status};
use crate::exposure::disk::Shown;
use serde_json::{Value, json};
use std::fmt::{self, Write as _};

impl Preshare {
    /// As text: one line for each check, with what puts it right below.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let name = self.name.as_deref().map(|name| format!(" \"{}\"", Shown(name)));
        let (image, region) = (Shown(&self.image), Shown(&self.region));
        let name = name.unwrap_or_default();
        let _ = writeln!(out, "before sharing {image}{name} in {region} with {}", self.target);
        for check in &self.checks {
            check.write(&mut out);
        }
        let count = |status| self.checks.iter().filter(|check| check.status == status).count();
        let (fail, unknown) = (count(Status::Fail), count(Status::Unknown));
        let all = self.checks.len();
        let _ = writeln!(out, "\n{all} checks: {fail} fail, {unknown} unknown");
        if self.share.is_empty() {
            return out;
        }
        let when = if self.fails() || self.open() { "once they all pass, " } else { "" };
        let _ = writeln!(out, "\n{when}share it:");
        for command in &self.share {
            let _ = writeln!(out, "  {}", Shown(command));
        }
        out.push_str("\non the side of the target:\n");
        for fix in &self.theirs {
            fix.write(&mut out, "  ");
        }
        out
    }

    /// As JSON, of the schema `amisweep.preshare/1`.
    pub fn json(&self) -> Value {
        json!({
            "schema": "amisweep.preshare/1",
            "image": self.image,
            "region": self.region,
            "target": self.target,
            "checks": self.checks.iter().map(Check::json).collect::<Vec<_>>(),
            "share": self.share,
            "target_side": self.theirs.iter().map(Fix::json).collect::<Vec<_>>(),
        })
    }
}

impl Check {
    fn write(&self, out: &mut String) {
        let Check { id, status, subject, what, fixes } = self;
        let (subject, what) = (Shown(subject), Shown(what));
        let _ = writeln!(out, "{status:<7}  {id}  {subject}: {what}");
        for fix in fixes {
            fix.write(out, "         ");
        }
    }

    fn json(&self) -> Value {
        json!({
            "id": self.id,
            "status": self.status.to_string(),
            "subject": self.subject,
            "what": self.what,
            "fixes": self.fixes.iter().map(Fix::json).collect::<Vec<_>>(),
        })
    }
}

impl Fix {
    fn write(&self, out: &mut String, indent: &str) {
        match self {
            Fix::Command(command) => {
                let _ = writeln!(out, "{indent}$ {}", Shown(command));
            }
            Fix::Advice(text) => {
                let _ = writeln!(out, "{indent}{}", Shown(text));
            }
            Fix::Statement(policy, statement) => {
                let _ = writeln!(out, "{indent}in the {policy}:");
                let text = serde_json::to_string_pretty(statement).unwrap_or_default();
                for line in text.lines() {
                    let _ = writeln!(out, "{indent}  {}", Shown(line));
                }
            }
        }
    }

    fn json(&self) -> Value {
        match self {
            Fix::Command(command) => json!({"command": command}),
            Fix::Advice(text) => json!({"advice": text}),
            Fix::Statement(policy, statement) => json!({"policy": policy, "statement": statement}),
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Status::Pass => "pass",
            Status::Fail => "FAIL",
            Status::Unknown => "unknown",
        })
    }
}
