//! What the Systems Manager agent keeps: the key of a registered machine, the documents it ran
//! with their output, and its logs
//! ([agent](https://github.com/aws/amazon-ssm-agent)).

use super::Artifact;
use super::boot_log;
use super::history;
use super::judge::{self, Kind};
use super::paths;
use super::piece::Piece;
use super::store::{self, From, Slot};
use super::yaml::{self, Step};
use crate::blob::{Blob, Budget, Out};
use crate::credential::base64;
use crate::error::Result;
use crate::finding::{Grade, Rule, Severity};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "ssm agent", applies, run };

static KEY: Rule = Rule {
    id: "ssm.registration_key",
    title: "Identity of a machine registered with Systems Manager",
    severity: Severity::Critical,
    rotate: "Deregister the managed node in Systems Manager, delete /var/lib/amazon/ssm from the image, and register each machine by itself.",
};

static NODE: Rule = Rule {
    id: "ssm.registration",
    title: "Machine that was registered with Systems Manager",
    severity: Severity::Info,
    rotate: "Nothing to rotate: delete /var/lib/amazon/ssm before making an image.",
};

static COMMAND: Rule = Rule {
    id: "ssm.command",
    title: "Secret in a command that Systems Manager ran, or in what it printed",
    severity: Severity::High,
    rotate: "Change the secret at the service it opens, delete /var/lib/amazon/ssm and /var/log/amazon/ssm, and pass secrets as parameter references.",
};

const SLOTS: [Slot; 1] = [Slot {
    rule: &KEY,
    path: &["privateKey"],
    kind: Kind::Token,
    facts: &[
        ("instance", From::Beside(&["instanceID"])),
        ("region", From::Beside(&["region"])),
        ("algorithm", From::Beside(&["privateKeyType"])),
    ],
}];

fn applies(blob: &Blob<'_>) -> bool {
    paths::under(&blob.name, "amazon/ssm") || paths::under(&blob.name, "Amazon/SSM")
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let text = Piece::whole(&blob.bytes);
    let name = paths::file_name(&blob.name);
    if name.ends_with(b"RegistrationKey") {
        return store::secrets(text, &SLOTS, &mut |mut found| {
            let der = base64::decode(found.subject.bytes());
            if der.is_some_and(|der| der.starts_with(&[0x30, 0x82])) {
                found.grade = Grade::Proven;
            }
            out(Out::Match(found));
        });
    }
    if name == b"registration" {
        return node(text, out);
    }
    if paths::under(&blob.name, "document/state/*") {
        return document(text, out);
    }
    let script = name.starts_with(b"_script") || text.bytes.starts_with(b"#!");
    let printed = matches!(name, b"stdout" | b"stderr" | b"stdoutConsole" | b"stderrConsole");
    let log = name.windows(4).any(|w| w == b".log");
    let mut result = Ok(());
    for line in text.lines().filter(|_| script || printed || log) {
        let mut keep = |found| out(Out::Match(found));
        let of_line = if script {
            history::secrets(&COMMAND, line, &mut keep)
        } else {
            boot_log::secrets(&COMMAND, line, &mut keep)
        };
        result = result.and(of_line);
    }
    result
}

fn node(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (leaves, result) = yaml::leaves(text);
    for (number, leaf) in leaves.iter().enumerate() {
        if leaf.is(&["ManagedInstanceID"]) && !store::is_nothing(&leaf.value) {
            let found = judge::fact(&NODE, Grade::Strong, leaf.raw);
            let region = store::beside(&leaves, number, &["Region"]);
            out(Out::Match(found.fact("region", region)));
        }
    }
    result
}

/// A document that was run, with its parameters filled in.
fn document(text: Piece<'_>, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let (leaves, mut result) = yaml::leaves(text);
    for leaf in &leaves {
        let list = matches!(leaf.path.last(), Some(Step::Item(_)));
        let key = store::up(leaf, usize::from(list));
        let mut keep = |found| out(Out::Match(found));
        if list && matches!(key.as_str(), "commands" | "runCommand") {
            result = result.and(store::script(&COMMAND, leaf, &mut keep));
        } else {
            let value = (leaf.value.as_ref(), leaf.raw);
            store::variable(&COMMAND, key.as_bytes(), value, &mut keep);
        }
    }
    result
}
