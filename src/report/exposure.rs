//! The exposure of an image, and what its owner says of leaked keys, as text.
//!
//! Names, actors and addresses come from AWS, where strangers wrote some of them: everything is
//! printed through [`Safe`].

use super::output::failed;
use super::safe::{Safe, to_json};
use crate::error::Result;
use crate::exposure::facts::Time;
use crate::exposure::owner::{Answer, Known, State};
use crate::exposure::window::{self, Deed, Exposure, Window};
use serde::Serialize;
use serde_json::ser::PrettyFormatter;
use std::fmt::Write as _;
use std::io::Write;

/// The most calls of one key that are listed; all are in the JSON.
const CALLS: usize = 10;

/// Print any of them as JSON.
pub fn json(value: &impl Serialize, to: &mut dyn Write) -> Result<()> {
    to_json(value, PrettyFormatter::new(), to)?;
    writeln!(to).and_then(|()| to.flush()).map_err(failed)
}

/// Print the exposure of an image.
pub fn windows(exposure: &Exposure, to: &mut dyn Write) -> Result<()> {
    let mut text = String::new();
    let name = exposure.name.as_deref().unwrap_or_default();
    let Exposure { image, account, region, .. } = exposure;
    line(&mut text, format_args!("{image}  {name}  {region}  owner {account}"));
    line(&mut text, format_args!("\nWHEN OTHERS COULD READ IT"));
    for window in &exposure.windows {
        of_window(&mut text, window, exposure.collected_at);
    }
    if exposure.windows.is_empty() {
        let known = exposure.unknown.is_empty();
        let told = if known { "never, as far as is known" } else { "unknown" };
        line(&mut text, format_args!("  {told}"));
    }
    line(
        &mut text,
        format_args!("\nWHO MADE SOMETHING OF IT (tell them; what they copied is theirs)"),
    );
    for consumer in &exposure.consumers {
        let uses: Vec<String> =
            consumer.uses.iter().map(|(what, count)| format!("{what} x{count}")).collect();
        let (first, last) = (moment(consumer.first), moment(consumer.last));
        let uses = uses.join(", ");
        line(&mut text, format_args!("  account {}  {first} to {last}  {uses}", consumer.account));
    }
    if exposure.consumers.is_empty() {
        line(&mut text, format_args!("  nobody is known"));
    }
    section(
        &mut text,
        "COPIES MADE IN THIS ACCOUNT",
        exposure.copies.iter().map(|copy| {
            let failed = copy.error.as_deref().map(|code| format!("  failed: {code}"));
            format!("{} of {}{}", deed(&copy.deed), copy.of, failed.unwrap_or_default())
        }),
    );
    section(&mut text, "BLOCK PUBLIC ACCESS CHANGED", exposure.settings.iter().map(deed));
    section(&mut text, "KEY USES REFUSED", exposure.key_refusals.iter().map(deed));
    section(&mut text, "NOT KNOWN", exposure.unknown.iter().cloned());
    let since = match exposure.events_since {
        Some(since) => format!("events are known since {since}"),
        None => "no events are known".to_owned(),
    };
    let silence = std::iter::once(since).chain(exposure.silence.iter().cloned());
    section(&mut text, "WHAT SILENCE DOES NOT PROVE", silence);
    write!(to, "{text}").and_then(|()| to.flush()).map_err(failed)
}

fn of_window(text: &mut String, window: &Window, now: Option<Time>) {
    let from = match &window.from {
        Some(deed) => moment(deed.at),
        None => "before the events".to_owned(),
    };
    let to = match (&window.to, window.state) {
        (Some(deed), _) => moment(deed.at),
        (None, window::State::Open) => format!("OPEN ({})", moment(now)),
        (None, window::State::OverSinceUnknown) => "over, no event says when".to_owned(),
        (None, _) => "unknown".to_owned(),
    };
    let note = window.note.map(|note| format!("  {note}")).unwrap_or_default();
    line(text, format_args!("  {} {}  {from} to {to}{note}", window.resource, window.audience));
    for (what, deed) in [("by", &window.from), ("ended by", &window.to)] {
        if let Some(deed) = deed {
            line(
                text,
                format_args!("    {what} {} from {} ({})", deed.actor, deed.source, deed.event),
            );
        }
    }
}

/// Print what the owner's accounts say of what leaked.
pub fn owners(all: &[Known], to: &mut dyn Write) -> Result<()> {
    let mut text = String::new();
    for known in all {
        let state = match known.state {
            State::Active => "ACTIVE",
            State::Inactive => "inactive",
            State::Deleted => "deleted",
            State::Elsewhere => "elsewhere",
            State::Unknown => "unknown",
        };
        let owner = known.owner.as_deref().unwrap_or("nobody known");
        let account = known.account.as_deref().unwrap_or("unknown");
        line(
            &mut text,
            format_args!("{} {}  {state}  {owner}  account {account}", known.kind, known.subject),
        );
        if let Some(verdict) = &known.administrator {
            let answer = match verdict.answer {
                Answer::Yes => "YES",
                Answer::No => "no",
                Answer::Unknown => "unknown",
            };
            let because = verdict.because.join("; ");
            line(&mut text, format_args!("  administrator: {answer}  {because}"));
        }
        if let Some(policy) = &known.quarantine {
            line(&mut text, format_args!("  quarantined by AWS: {policy}"));
        }
        if known.kind == "access-key" {
            let service = known.last_service.as_deref().unwrap_or_default();
            let used = match known.last_used {
                Some(_) => moment(known.last_used),
                None => "not known".to_owned(),
            };
            line(&mut text, format_args!("  last used: {used} {service}"));
            let (inside, outside) = (known.calls.len(), known.calls_outside);
            line(
                &mut text,
                format_args!("  calls while exposed: {inside}, at other times: {outside}"),
            );
        }
        for call in known.calls.iter().take(CALLS) {
            line(&mut text, format_args!("    {}", deed(call)));
        }
        for opens in &known.opens {
            line(&mut text, format_args!("  opens: {opens}"));
        }
        for finding in &known.findings {
            line(&mut text, format_args!("  found: {finding}"));
        }
        for unknown in &known.unknown {
            line(&mut text, format_args!("  {unknown}"));
        }
    }
    if all.is_empty() {
        line(
            &mut text,
            format_args!("the report names nothing that an account could be asked about"),
        );
    }
    write!(to, "{text}").and_then(|()| to.flush()).map_err(failed)
}

/// One line; a line break inside a value would forge another.
fn line(text: &mut String, what: std::fmt::Arguments<'_>) {
    let what = what.to_string();
    let (begin, rest) = match what.strip_prefix('\n') {
        Some(rest) => ("\n", rest.to_owned()),
        None => ("", what),
    };
    let _ = writeln!(text, "{begin}{}", Safe(&rest));
}

fn section(text: &mut String, title: &str, items: impl Iterator<Item = String>) {
    let items: Vec<String> = items.collect();
    if items.is_empty() {
        return;
    }
    line(text, format_args!("\n{title}"));
    for item in items {
        line(text, format_args!("  {item}"));
    }
}

fn deed(deed: &Deed) -> String {
    format!("{}  {} by {} from {}", moment(deed.at), deed.event, deed.actor, deed.source)
}

fn moment(at: Option<Time>) -> String {
    at.map_or_else(|| "unknown".to_owned(), |at| at.to_string())
}
