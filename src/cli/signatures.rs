//! `amisweep signatures`: what is looked for, and whether a rule file is any good.

use super::rules::{Flags, read_all};
use crate::detect::Engine;
use crate::detect::import::{Format, Loss, Rules};
use crate::detect::lint::{Complaint, Level, lint};
use crate::detect::signature::{Encoding, Expect, Glob, Signature};
use crate::detect::trial;
use crate::error::{Error, ErrorKind, Result};
use crate::report::output::failed;
use crate::report::safe::{Safe, to_json};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;

/// Exit code when a rule is wrong or an example does not come out.
const EXIT_WRONG: u8 = 10;

/// Exit code of both.
const EXIT_BOTH: u8 = 12;

/// Characters of an example that are shown.
const SHOWN_CHARS: usize = 160;

/// List, show, test and check signatures.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List what is looked for.
    List {
        /// Only signatures with this tag.
        #[arg(long, value_name = "TAG")]
        tag: Option<String>,
        /// Only signatures of this issuer.
        #[arg(long, value_name = "NAME")]
        provider: Option<String>,
        #[arg(short, long, default_value = "text", value_parser = ["text", "json"])]
        format: String,
        #[command(flatten)]
        rules: Flags,
    },
    /// Show one signature.
    Show {
        /// Its id, as `list` and reports have it.
        id: String,
        #[arg(short, long, default_value = "text", value_parser = ["text", "json"])]
        format: String,
        #[command(flatten)]
        rules: Flags,
    },
    /// Try every example: each hit must hit, each miss must miss.
    ///
    /// Exit codes: 0 all come out, 10 some do not, 11 parts of a file are not understood, 12 both.
    Test {
        /// Rule files or directories; the built-in signatures when none is given.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
    /// Look for mistakes and for what makes a rule slow, and name what is not read.
    ///
    /// Exit codes: 0 nothing wrong, 10 something is, 11 parts of a file are not understood, 12
    /// both. What is only doubtful is named and changes nothing.
    Lint {
        /// Rule files or directories; the built-in signatures when none is given.
        #[arg(value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

pub(super) fn run(args: &Args) -> Result<u8> {
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let code = match &args.command {
        Command::List { tag, provider, format, rules } => {
            let engine = rules.engine(false)?;
            let has = |signature: &&Signature| {
                tag.as_ref().is_none_or(|tag| signature.about.tags.contains(tag))
                    && provider.as_ref().is_none_or(|name| signature.about.provider == *name)
            };
            let chosen: Vec<_> = engine.signatures().iter().filter(has).collect();
            list(&chosen, format == "json", &mut out)?;
            0
        }
        Command::Show { id, format, rules } => {
            let engine = rules.engine(false)?;
            let found = engine.signatures().iter().find(|signature| signature.rule.id == *id);
            let signature = found.ok_or_else(|| {
                let what = "no such signature; `amisweep signatures list` names them all";
                Error::new(ErrorKind::Usage, what).detail(id)
            })?;
            match format.as_str() {
                "json" => to_json(&as_json(signature), pretty(), &mut out)?,
                _ => show(signature, &mut out).map_err(failed)?,
            }
            0
        }
        Command::Test { files } => test(chosen(files)?, &mut out)?,
        Command::Lint { files } => check(chosen(files)?, files.is_empty(), &mut out)?,
    };
    out.flush().map_err(failed)?;
    Ok(code)
}

/// The rules of the files, or the built-in ones when there are none.
fn chosen(files: &[PathBuf]) -> Result<Vec<Rules>> {
    if !files.is_empty() {
        return read_all(files);
    }
    Ok(vec![Rules {
        file: "built-in".to_owned(),
        format: Format::Amisweep,
        signatures: Engine::builtin_signatures()?,
        remarks: Vec::new(),
    }])
}

fn pretty() -> serde_json::ser::PrettyFormatter<'static> {
    serde_json::ser::PrettyFormatter::new()
}

fn list(chosen: &[&Signature], json: bool, out: &mut dyn Write) -> Result<()> {
    if json {
        let all: Vec<Value> = chosen.iter().map(|signature| as_json(signature)).collect();
        let document = json!({ "schema": "amisweep.signatures/1", "signatures": all });
        to_json(&document, pretty(), out)?;
        return writeln!(out).map_err(failed);
    }
    let widest = chosen.iter().map(|signature| signature.rule.id.len()).max().unwrap_or(0);
    for signature in chosen {
        let rule = signature.rule;
        let line = writeln!(
            out,
            "{:widest$}  {:8}  {}",
            Safe(rule.id).to_string(),
            rule.severity.name(),
            Safe(rule.title)
        );
        line.map_err(failed)?;
    }
    Ok(())
}

fn as_json(signature: &Signature) -> Value {
    let about = &signature.about;
    let anchors = signature.anchors.iter().map(|anchor| {
        json!({ "text": anchor.text.escape_ascii().to_string(), "ignore_case": anchor.ignore_case })
    });
    let globs = |globs: &[Glob]| globs.iter().map(|g| g.text().to_owned()).collect::<Vec<_>>();
    let pair = signature.pair.as_ref().map(|pair| {
        let scopes: Vec<_> = pair.scopes.iter().map(|scope| scope.name()).collect();
        json!({ "with": pair.with, "lines": pair.lines, "scope": scopes })
    });
    json!({
        "id": signature.rule.id,
        "title": signature.rule.title,
        "description": about.description,
        "file": about.file,
        "provider": about.provider,
        "tags": about.tags,
        "references": about.references,
        "severity": signature.rule.severity.name(),
        "confidence": signature.grade.name(),
        "public_by_design": about.public_by_design,
        "anchors": anchors.collect::<Vec<_>>(),
        "back": signature.back,
        "max_len": signature.max_len,
        "multiline": signature.multiline,
        "pattern": signature.pattern,
        "encodings": encodings(signature),
        "paths": {
            "prefer": globs(&signature.paths.prefer),
            "only": globs(&signature.paths.only),
            "never": globs(&signature.paths.never),
        },
        "pair": pair,
        "blast": {
            "opens": about.opens,
            "rotate": signature.rule.rotate,
            "reach": about.reach,
            "lifetime": about.lifetime,
            "detect_use": about.detect_use,
        },
        "examples": signature.examples.len(),
    })
}

fn encodings(signature: &Signature) -> Vec<&'static str> {
    let looked = Encoding::ALL.into_iter().filter(|e| signature.encodings.has(*e));
    std::iter::once("plain").chain(looked.map(Encoding::name)).collect()
}

fn show(signature: &Signature, out: &mut dyn Write) -> std::io::Result<()> {
    let about = &signature.about;
    let rule = signature.rule;
    writeln!(out, "{}: {}", Safe(rule.id), Safe(rule.title))?;
    let mut row = |name: &str, text: &str| {
        if text.is_empty() { Ok(()) } else { writeln!(out, "  {name:12} {}", Safe(text)) }
    };
    let list = |texts: &[String]| texts.join(", ");
    let globs = |globs: &[Glob]| globs.iter().map(Glob::text).collect::<Vec<_>>().join(", ");
    row("what", &about.description)?;
    row("file", &about.file)?;
    row("issuer", &about.provider)?;
    row("tags", &list(&about.tags))?;
    row("severity", rule.severity.name())?;
    row("confidence", signature.grade.name())?;
    row("opens", &about.opens)?;
    row("reach", &list(&about.reach))?;
    row("lifetime", about.lifetime.as_deref().unwrap_or_default())?;
    row("rotate", rule.rotate)?;
    row("use shows in", about.detect_use.as_deref().unwrap_or_default())?;
    row("public", if about.public_by_design { "by design" } else { "" })?;
    for anchor in &signature.anchors {
        let case = if anchor.ignore_case { ", any case" } else { "" };
        row("anchor", &format!("\"{}\"{case}", anchor.text.escape_ascii()))?;
    }
    row("pattern", &signature.pattern)?;
    let lines = if signature.multiline { ", across lines" } else { "" };
    let reach =
        format!("{} bytes at most, {} before the anchor", signature.max_len, signature.back);
    row("match", &format!("{reach}{lines}"))?;
    row("looked for", &encodings(signature).join(", "))?;
    row("prefers", &globs(&signature.paths.prefer))?;
    row("only in", &globs(&signature.paths.only))?;
    row("never in", &globs(&signature.paths.never))?;
    if let Some(pair) = &signature.pair {
        let scopes = pair.scopes.iter().map(|scope| format!(", or one {}", scope.name()));
        let within = format!("within {} lines{}", pair.lines, scopes.collect::<String>());
        row("joins", &format!("{} {within}", pair.with.join(", ")))?;
    }
    let count = |expect| signature.examples.iter().filter(|e| e.expect == expect).count();
    let (hit, noted, miss) = (count(Expect::Hit), count(Expect::Noted), count(Expect::Miss));
    row("examples", &format!("{hit} hit, {noted} noted, {miss} miss"))?;
    about.references.iter().try_for_each(|page| row("see", page))
}

fn test(all: Vec<Rules>, out: &mut dyn Write) -> Result<u8> {
    let mut failures = 0;
    let mut lost = false;
    for mut rules in all {
        lost |= remarks(&rules, out).map_err(failed)?;
        let engine = Engine::with(false, std::mem::take(&mut rules.signatures))?;
        let (tried, failed_ones) = trial::run(&engine);
        for failure in &failed_ones {
            let shown: String = failure.text.chars().take(SHOWN_CHARS).collect();
            writeln!(
                out,
                "{}: {}: example {} {}\n    gen:  {}\n    text: {}",
                Safe(&failure.file),
                Safe(failure.id),
                failure.number,
                Safe(&failure.what),
                Safe(&failure.template),
                Safe(&shown),
            )
            .map_err(failed)?;
        }
        failures += failed_ones.len();
        let count = engine.signatures().len();
        writeln!(
            out,
            "{}: {count} signatures, {tried} examples, {} do not come out",
            Safe(&rules.file),
            failed_ones.len()
        )
        .map_err(failed)?;
    }
    Ok(exit_code(failures > 0, lost))
}

fn check(all: Vec<Rules>, builtin: bool, out: &mut dyn Write) -> Result<u8> {
    let known = if builtin { Vec::new() } else { Engine::builtin_signatures()? };
    let others: Vec<&str> = known.iter().map(|signature| signature.rule.id).collect();
    let mut wrong = false;
    let mut lost = false;
    for rules in all {
        lost |= remarks(&rules, out).map_err(failed)?;
        let count = rules.signatures.len();
        let own = rules.format == Format::Amisweep;
        let complaints = lint(rules.signatures, own, &others);
        for complaint in &complaints {
            say(complaint, out).map_err(failed)?;
        }
        let is_wrong = |complaint: &&Complaint| complaint.level == Level::Wrong;
        let errors = complaints.iter().filter(is_wrong).count();
        wrong |= errors > 0;
        writeln!(
            out,
            "{} ({}): {count} signatures, {errors} wrong, {} doubtful",
            Safe(&rules.file),
            rules.format.name(),
            complaints.len() - errors,
        )
        .map_err(failed)?;
    }
    Ok(exit_code(wrong, lost))
}

fn say(complaint: &Complaint, out: &mut dyn Write) -> std::io::Result<()> {
    let Complaint { id, file, level, what, detail } = complaint;
    write!(out, "{}: {}: {}: {what}", Safe(file), level.name(), Safe(id))?;
    if detail.is_empty() { writeln!(out) } else { writeln!(out, " ({})", Safe(detail)) }
}

/// Name what of a file is not read: one by one, then counted. Returns whether there is anything.
fn remarks(rules: &Rules, out: &mut dyn Write) -> std::io::Result<bool> {
    for remark in &rules.remarks {
        write!(out, "{}", Safe(&rules.file))?;
        if let Some(line) = remark.line {
            write!(out, ":{line}")?;
        }
        let loss = match remark.loss {
            Loss::Rule => "rule not used",
            Loss::Part => "not read",
        };
        write!(out, ": {loss}: ")?;
        if let Some(rule) = &remark.rule {
            write!(out, "{}: ", Safe(rule))?;
        }
        write!(out, "{}", remark.what)?;
        if !remark.detail.is_empty() {
            write!(out, " ({})", Safe(&remark.detail))?;
        }
        writeln!(out)?;
    }
    for ((loss, what), count) in rules.counts() {
        writeln!(out, "{}: {count} x {}: {what}", Safe(&rules.file), loss.name())?;
    }
    Ok(!rules.remarks.is_empty())
}

fn exit_code(wrong: bool, lost: bool) -> u8 {
    match (wrong, lost) {
        (false, false) => 0,
        (true, false) => EXIT_WRONG,
        (false, true) => super::EXIT_INCOMPLETE,
        (true, true) => EXIT_BOTH,
    }
}
