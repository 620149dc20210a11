//! Objects that are kept one by one, each compressed in a file that is called by its id.

use super::object::{self, Kind, header, hex, unhex};
use crate::blob::Clue;
use crate::content::{Found, From, Given, Head, Member, Open, Out, Unpacker, failed};
use crate::error::{Error, Result};
use crate::limits;
use crate::locator::Locator;
use crate::run::Run;
use flate2::read::ZlibDecoder;
use std::io::Read;

pub(in crate::content) const UNPACKER: Unpacker =
    Unpacker { name: "git", applies, open: Open::Stream(open) };

/// Compressed bytes that begin as objects do.
fn applies(head: &Head<'_>) -> bool {
    let looks = matches!(head.bytes, [first, second, ..]
        if first & 0x8f == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0);
    if !looks {
        return false;
    }
    let mut begin = Vec::new();
    // What was cut fails behind what was read.
    let _ = ZlibDecoder::new(head.bytes).take(32).read_to_end(&mut begin);
    header(&begin).is_some()
}

/// The id that an object's file is called by.
fn named(path: &[u8]) -> Option<[u8; 20]> {
    let mut parts = path.rsplit(|byte| *byte == b'/');
    let (rest, first) = (parts.next()?, parts.next()?);
    if rest.len() != 38 || first.len() != 2 {
        return None;
    }
    unhex(&[first, rest].concat())
}

fn open(bytes: &mut dyn Read, given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let mut bytes = ZlibDecoder::new(bytes);
    let mut begin = Vec::new();
    while header(&begin).is_none() && begin.len() < 32 {
        let mut byte = [0];
        bytes.read_exact(&mut byte).map_err(failed)?;
        begin.extend(byte);
    }
    let (kind, size, _) =
        header(&begin).ok_or_else(|| Error::corrupt("an object has no header"))?;
    let id = named(given.name);
    let facts: Vec<(&'static str, String)> = match (kind, id) {
        (Kind::Commit, Some(id)) => vec![("commit", hex(&id))],
        (_, Some(id)) => vec![("object", hex(&id))],
        _ => Vec::new(),
    };
    let from = given.size.map_or(From::Somewhere, |size| From::Packed(Run::new(0, size)));
    let whole = usize::try_from(size).ok().filter(|size| *size <= limits::GIT_CLUE_BYTES);
    let told = whole.filter(|_| kind != Kind::Blob);
    let mut kept = Vec::new();
    if told.is_some() {
        let _ = Read::by_ref(&mut bytes).take(size).read_to_end(&mut kept).map_err(failed)?;
    }
    if let Some(id) = id.filter(|_| told.is_some() || kind == Kind::Blob) {
        let (name, value) = match kind {
            Kind::Blob => ("git-blob", Vec::new()),
            Kind::Tree => ("git-tree", kept.clone()),
            Kind::Commit => ("git-commit", heading(&kept).to_vec()),
            Kind::Tag => ("git-tag", heading(&kept).to_vec()),
        };
        out(Found::Clue(clue(name, given.at, &id, value)))?;
    }
    let mut rest: Box<dyn Read> =
        if told.is_some() { Box::new(kept.as_slice()) } else { Box::new(bytes.take(size)) };
    let member = Member::new(None, &mut *rest);
    out(Found::Member(Member { size: Some(size), from, facts: &facts, ..member }))
}

/// The header of a commit or a tag.
fn heading(bytes: &[u8]) -> &[u8] {
    let end = memchr::memmem::find(bytes, b"\n\n").unwrap_or(bytes.len());
    let end = memchr::memmem::find(bytes, b"\ngpgsig").unwrap_or(end).min(end);
    bytes.get(..end).unwrap_or(bytes)
}

fn clue(kind: &'static str, at: &Locator, id: &object::Id, value: Vec<u8>) -> Clue {
    Clue { kind, at: at.clone(), key: (*id).into(), value: value.into() }
}
