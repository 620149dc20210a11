//! A prediction as text and as JSON.

use super::predict::{Act, End, Extra, Prediction, Row};
use super::{Cell, KEY_WITHOUT_ENCRYPTED, Outcome, State};
use crate::exposure::disk::Shown;
use serde_json::{Value, json};
use std::fmt::Write as _;

/// What holds for every copy.
const COPY_NOTES: [&str; 4] = [
    "a copy carries no launch permissions and, without CopyImageTags, no user tags; watermarks it \
     does carry",
    "AWS checks the key only after the call: look at StateMessage of the snapshots and StateReason \
     of the image before relying on the copy",
    "copying an image of somebody else also takes createVolumePermission on its snapshots; launch \
     permission is not enough (unverified)",
    "the key of a copy is symmetric and of the region of the copy",
];

/// What holds for every launch.
const LAUNCH_NOTES: [&str; 2] = [
    "KmsKeyId in a block device is taken by RunInstances, RequestSpotFleet, RequestSpotInstances \
     and launch templates alone",
    "encryption cannot be removed from a disk, by launch or by copy",
];

impl Prediction {
    /// As text, one paragraph for each disk.
    pub fn text(&self) -> String {
        let mut out = String::new();
        let Prediction { image, region, to_region, acting, .. } = self;
        let name = self.name.as_deref().map(|name| format!(" \"{}\"", Shown(name)));
        let (verb, place) = match self.act {
            Act::Launch => ("launch", region.clone()),
            Act::Copy if region == to_region => ("copy", region.clone()),
            Act::Copy => ("copy", format!("{region} to {to_region}")),
        };
        let name = name.unwrap_or_default();
        let _ = writeln!(
            out,
            "what if: {verb} {}{name} in {}, as {}",
            Shown(image),
            Shown(&place),
            Shown(acting)
        );
        let _ = writeln!(out, "parameters: {}", self.parameters());
        for row in &self.rows {
            row.write(&mut out, self.act);
        }
        if let Some(extra) = &self.extra {
            let _ = writeln!(out, "\nextra storage: {}", extra.text());
        }
        let notes: &[&str] = match self.act {
            Act::Launch => &LAUNCH_NOTES,
            Act::Copy => &COPY_NOTES,
        };
        for note in notes {
            let _ = writeln!(out, "note: {note}");
        }
        out
    }

    fn parameters(&self) -> String {
        let flag = match self.plan.encrypted {
            None => "absent",
            Some(true) => "true",
            Some(false) => "false",
        };
        let key = self.plan.key.as_deref().unwrap_or("absent");
        let by_default = match self.plan.by_default {
            None => "as the facts say",
            Some(true) => "on",
            Some(false) => "off",
        };
        format!("Encrypted {flag}, KmsKeyId {}, encryption by default {by_default}", Shown(key))
    }

    /// As JSON, of the schema `amisweep.whatif/1`.
    pub fn json(&self) -> Value {
        json!({
            "schema": "amisweep.whatif/1",
            "act": match self.act { Act::Launch => "launch", Act::Copy => "copy" },
            "image": self.image,
            "region": self.region,
            "to_region": self.to_region,
            "acting": self.acting,
            "encrypted": self.plan.encrypted,
            "kms_key": self.plan.key,
            "disks": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
            "extra_bytes": self.extra.map(|extra| extra.bytes),
            "extra_is_at_most": self.extra.map(|extra| extra.at_most > 0),
            "extra_unknown_snapshots": self.extra.map(|extra| extra.unknown),
        })
    }
}

impl Row {
    fn write(&self, out: &mut String, act: Act) {
        let snapshot = self.snapshot.as_deref().unwrap_or("starts empty");
        let source = self.source.map_or_else(|| "state unknown".to_owned(), |s| s.to_string());
        let key = self.source_key.as_deref().map(|key| format!(", key {}", Shown(key)));
        let _ = writeln!(
            out,
            "\n{}  {}  {source}{}",
            Shown(&self.device),
            Shown(snapshot),
            key.unwrap_or_default()
        );
        let _ = writeln!(out, "  -> {}", self.end.text(self.key.as_deref(), act));
        for warning in &self.warnings {
            let _ = writeln!(out, "  warning: {}", Shown(warning));
        }
        for doubt in &self.doubts {
            let _ = writeln!(out, "  unknown: {}", Shown(doubt));
        }
        for one in &self.uses {
            let (key, reason) = (Shown(&one.key), Shown(&one.reason));
            let _ = writeln!(out, "  may use {key}: {} ({reason})", one.truth);
        }
    }

    fn json(&self) -> Value {
        let (outcome, basis) = match &self.end {
            End::Known(cell) => (cell.outcome.to_string(), cell.basis.to_string()),
            End::Unknown(why) => (format!("unknown: {why}"), "unknown".to_owned()),
        };
        let uses = self.uses.iter().map(
            |one| json!({"key": one.key, "answer": one.truth.to_string(), "reason": one.reason}),
        );
        json!({
            "device": self.device,
            "snapshot": self.snapshot,
            "source": self.source.map(|source| source.to_string()),
            "source_key": self.source_key,
            "outcome": outcome,
            "basis": basis,
            "key": self.key,
            "warnings": self.warnings,
            "unknown": self.doubts,
            "may_use": uses.collect::<Vec<_>>(),
        })
    }
}

impl End {
    fn text(&self, key: Option<&str>, act: Act) -> String {
        let cell = match self {
            End::Known(cell) => cell,
            End::Unknown(why) => return format!("unknown: {}", Shown(why)),
        };
        let Cell { outcome, basis } = cell;
        let under = key.map(|key| format!(" {}", Shown(key))).unwrap_or_default();
        let what = match outcome {
            Outcome::Becomes(State::Plain) => "unencrypted".to_owned(),
            Outcome::Becomes(State::DefaultKey) => {
                format!("encrypted under the default EBS key{under}")
            }
            Outcome::Becomes(State::SourceKey) => {
                format!("encrypted under the key of its source{under}")
            }
            Outcome::Becomes(State::GivenKey) => format!("encrypted under the key given{under}"),
            Outcome::KeyWithoutEncrypted => {
                format!("ERROR {KEY_WITHOUT_ENCRYPTED} (the code is unverified)")
            }
            Outcome::Undefined(_) | Outcome::NeverPlain => outcome.to_string(),
        };
        let note = match (outcome, act) {
            (Outcome::NeverPlain, Act::Launch) => "; an error, or the false is ignored",
            (Outcome::NeverPlain, Act::Copy) => "; an unencrypted copy of it is impossible",
            _ => "",
        };
        format!("{what}{note}  [{basis}]")
    }
}

impl Extra {
    fn text(&self) -> String {
        let tenths = self.bytes.saturating_mul(10) >> 30;
        let mut text = format!("up to {}.{} GiB", tenths / 10, tenths % 10);
        if self.at_most > 0 {
            let _ = write!(text, " ({} counted by the size of the disk)", self.at_most);
        }
        if self.unknown > 0 {
            let _ = write!(text, ", and unknown for {}: needs ec2:DescribeSnapshots", self.unknown);
        }
        text + "; a copy under another key, in another region or account is a full one"
    }
}
