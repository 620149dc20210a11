//! What an unpacker makes of some bytes, as lines for tests.

use super::{Found, Given, Head, Open, Siblings, failed, opener};
use crate::locator::{Area, Locator, Printable};
use std::fmt::Write as _;

/// One line for each thing that the unpacker of `bytes` hands out: `format:name = text` for a
/// member, with its facts behind it, and `format:name: Kind` for what was not read, by its error's
/// kind. None when no unpacker is for it.
pub(super) fn listing(name: &str, bytes: &[u8]) -> Vec<String> {
    beside(name, bytes, Siblings(None))
}

/// The same of a container with files beside it.
pub(super) fn beside(name: &str, bytes: &[u8], siblings: Siblings<'_>) -> Vec<String> {
    let name = name.as_bytes();
    let size = Some(bytes.len() as u64);
    let head = bytes.get(..bytes.len().min(crate::limits::HEAD_BYTES)).unwrap_or_default();
    let Some(unpacker) = opener(&Head { name, bytes: head, size }) else { return Vec::new() };
    let mut lines = Vec::new();
    let label = |name: Option<&[u8]>| match name {
        Some(name) => format!("{}:{}", unpacker.name, Printable(name)),
        None => unpacker.name.to_owned(),
    };
    let mut out = |found: Found<'_>| {
        match found {
            Found::Member(member) => {
                let mut text = Vec::new();
                let read = member.bytes.read_to_end(&mut text);
                let mut line = format!("{} = {}", label(member.name), Printable(&text));
                for (name, value) in member.facts {
                    let _ = write!(line, " {name}={value}");
                }
                lines.push(line);
                if let Err(error) = read {
                    lines.push(format!("{}: {:?}", label(member.name), failed(error).kind()));
                }
            }
            Found::Closed { name, error } => {
                lines.push(format!("{}: {:?}", label(name), error.kind()));
            }
            Found::Match(found) => lines.push(format!("match {}", found.rule.id)),
            Found::Clue(clue) => lines.push(format!(
                "clue {} {} {}",
                clue.kind,
                Printable(&clue.key),
                Printable(&clue.value)
            )),
        }
        Ok(())
    };
    let at = Locator::new(&"x".into(), None, Area::Whole);
    let given = Given { name, at: &at, size, alone: false, siblings };
    let opened = match unpacker.open {
        Open::Stream(open) => open(&mut &*bytes, &given, &mut out),
        Open::Random(open) | Open::Either(open, _) => open(&bytes.to_vec(), &given, &mut out),
    };
    if let Err(error) = opened {
        lines.push(format!("{}: {:?}", unpacker.name, error.kind()));
    }
    lines
}
