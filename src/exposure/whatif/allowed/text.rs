//! What the criteria would have stopped, as text and as JSON.

use super::{Case, Judged, Launches, Verdict};
use crate::exposure::disk::Shown;
use serde_json::{Value, json};
use std::fmt::{self, Write as _};

impl Judged {
    /// Whether something would have been stopped.
    pub fn blocks(&self) -> bool {
        self.all().any(|case| case.blocked == Verdict::Blocked)
    }

    /// Whether something is not known.
    pub fn open(&self) -> bool {
        !self.missing.is_empty() || self.all().any(|case| case.blocked == Verdict::Unknown)
    }

    fn all(&self) -> impl Iterator<Item = &Case> {
        self.instances.iter().chain(&self.launches)
    }

    /// As text: what is stopped and what is not known, one line each.
    pub fn text(&self) -> String {
        let mut out = String::from("what if: these Allowed-AMIs criteria were enabled\n");
        let one = |_: &Case| 1;
        let launches = |case: &Case| case.launches.as_ref().map_or(0, |launches| launches.count);
        section(&mut out, "running instances", &self.instances, one);
        section(&mut out, "launches of the last 90 days", &self.launches, launches);
        for why in &self.missing {
            let _ = writeln!(out, "unknown: {}", Shown(why));
        }
        out.push_str("note: images of the launching account itself are never stopped\n");
        out
    }

    /// As JSON, of the schema `amisweep.whatif-allowed-amis/1`.
    pub fn json(&self) -> Value {
        json!({
            "schema": "amisweep.whatif-allowed-amis/1",
            "instances": self.instances.iter().map(Case::json).collect::<Vec<_>>(),
            "launches": self.launches.iter().map(Case::json).collect::<Vec<_>>(),
            "unknown": self.missing,
        })
    }
}

fn section(out: &mut String, what: &str, cases: &[Case], weight: impl Fn(&Case) -> u64) {
    let sum =
        |verdict| -> u64 { cases.iter().filter(|case| case.blocked == verdict).map(&weight).sum() };
    let (blocked, unknown) = (sum(Verdict::Blocked), sum(Verdict::Unknown));
    let all: u64 = cases.iter().map(&weight).sum();
    let _ = writeln!(out, "\n{what}: {blocked} of {all} blocked, {unknown} unknown");
    for case in cases.iter().filter(|case| case.blocked != Verdict::Allowed) {
        let _ = writeln!(out, "  {case}");
    }
}

impl Case {
    fn json(&self) -> Value {
        let launches = self.launches.as_ref().map(|launches| {
            json!({
                "count": launches.count,
                "first": launches.first,
                "last": launches.last,
                "actors": launches.actors,
            })
        });
        json!({
            "account": self.account,
            "region": self.region,
            "instance": self.instance,
            "image": self.image,
            "name": self.name,
            "owner": self.owner,
            "launches": launches,
            "verdict": self.blocked.to_string(),
            "reason": self.reason,
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Case { account, region, image, blocked, reason, .. } = self;
        write!(f, "{blocked:<7}  {account} {}", Shown(region))?;
        if let Some(instance) = &self.instance {
            write!(f, " {}", Shown(instance))?;
        }
        write!(f, " {}", Shown(image))?;
        if let Some(name) = &self.name {
            write!(f, " \"{}\"", Shown(name))?;
        }
        if let Some(owner) = &self.owner {
            write!(f, " of {}", Shown(owner))?;
        }
        if let Some(Launches { count, first, last, actors }) = &self.launches {
            let time = |time: &Option<_>| time.map_or_else(|| "?".to_owned(), time_text);
            write!(f, ", {count} from {} to {}", time(first), time(last))?;
            if !actors.is_empty() {
                let actors: Vec<_> = actors.iter().map(|one| Shown(one).to_string()).collect();
                write!(f, " by {}", actors.join(", "))?;
            }
        }
        write!(f, ": {}", Shown(reason))
    }
}

fn time_text(time: crate::exposure::facts::Time) -> String {
    time.to_string()
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Verdict::Blocked => "blocked",
            Verdict::Unknown => "unknown",
            Verdict::Allowed => "allowed",
        })
    }
}
