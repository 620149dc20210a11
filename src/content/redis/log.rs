//! A log of commands: each an array of strings, as clients send them.

use super::super::notes::Notes;
use super::super::stream::Front;
use super::super::{Given, Head, Out, failed};
use crate::error::{Error, Result};
use crate::limits;
use std::io::Read;

pub(super) fn applies(head: &Head<'_>) -> bool {
    begins(head.bytes)
}

/// Whether a command begins there.
pub(super) fn begins(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"*") else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let behind = rest.get(digits..).unwrap_or_default();
    (1..6).contains(&digits)
        && behind.starts_with(b"\r\n$")
        && behind.get(3).is_some_and(u8::is_ascii_digit)
}

pub(super) fn open(bytes: &mut dyn Read, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    read(&mut Front::new(bytes), out)
}

/// Hand out every command as a line, one that sets something with its name and its value.
pub(super) fn read(front: &mut Front<'_>, out: Out<'_>) -> Result<()> {
    let mut notes = Notes::default();
    let mut damage = None;
    while !front.peek(1).map_err(failed)?.is_empty() {
        let at = front.at();
        // A remark of the server.
        if front.peek(1).map_err(failed)? == b"#" {
            line(front)?;
            continue;
        }
        match command(front) {
            Ok(words) => hand(&words, at, &mut notes, out)?,
            Err(error) => {
                damage.get_or_insert(error);
                // Commands begin on a line of their own.
                if !front.skip_to(b"\r\n*").map_err(failed)? {
                    break;
                }
                front.skip(2).map_err(failed)?;
            }
        }
    }
    notes.flush(out)?;
    damage.map_or(Ok(()), Err)
}

fn command(front: &mut Front<'_>) -> Result<Vec<Vec<u8>>> {
    let count = number(front, b'*')?;
    let mut words = Vec::new();
    let mut held = 0_usize;
    for _ in 0..count {
        let len = number(front, b'$')?;
        let kept = usize::try_from(len).unwrap_or(usize::MAX).min(limits::REDIS_BYTES);
        let word = front.take_vec(kept).map_err(failed)?;
        let rest = len.saturating_sub(u64::try_from(kept).unwrap_or(0)).saturating_add(2);
        if word.len() < kept || !front.skip(rest).map_err(failed)? {
            return Err(damaged());
        }
        held = held.saturating_add(word.len()).saturating_add(24);
        // What is beyond is passed over.
        if held <= limits::REDIS_BYTES.saturating_mul(2) {
            words.push(word);
        }
    }
    Ok(words)
}

/// A number behind a mark, on a line of its own.
fn number(front: &mut Front<'_>, mark: u8) -> Result<u64> {
    let line = line(front)?;
    let digits = line.strip_prefix(&[mark]).ok_or_else(damaged)?;
    let text = std::str::from_utf8(digits).map_err(|_| damaged())?;
    text.parse().map_err(|_| damaged())
}

fn line(front: &mut Front<'_>) -> Result<Vec<u8>> {
    let ready = front.peek(128).map_err(failed)?;
    let len = memchr::memchr(b'\n', ready).ok_or_else(damaged)?;
    let line = front.take_vec(len.saturating_add(1)).map_err(failed)?;
    Ok(line.trim_ascii_end().to_vec())
}

fn hand(words: &[Vec<u8>], at: u64, notes: &mut Notes, out: Out<'_>) -> Result<()> {
    let Some((command, rest)) = words.split_first() else { return Ok(()) };
    let command = command.to_ascii_uppercase();
    let place = at.to_string();
    // The key that fields are of is a name, and no value.
    let (key, pairs) = match command.as_slice() {
        b"SET" | b"SETNX" | b"GETSET" | b"MSET" | b"MSETNX" => (None, rest),
        b"HSET" | b"HMSET" | b"HSETNX" | b"XADD" => {
            let skipped = if command == b"XADD" { 2 } else { 1 };
            (rest.first(), rest.get(skipped..).unwrap_or_default())
        }
        _ => {
            let line = [command, rest.join(&b' ')].join(&b' ');
            return notes.add(b"", place.as_bytes(), &line, out);
        }
    };
    for pair in pairs.chunks(2) {
        let (name, value) = match pair {
            [name, value] => (name, value),
            [value, ..] => (value, &Vec::new()),
            [] => continue,
        };
        let label = key.unwrap_or(name);
        super::pair(notes, label, name, value, out)?;
    }
    Ok(())
}

fn damaged() -> Error {
    Error::corrupt("a command in a log of Redis is damaged")
}
