//! A place: the locator of what a worker finds, and the line it is on.

use super::plan::Part;
use crate::coverage::Kind;
use crate::filesystem::{FileEntry, FileState, Stream, StreamName};
use crate::finding::{Decoded, State};
use crate::locator::{Area, Locator};
use crate::run::Run;

/// A locator narrowed to a match: to its bytes, or to the view they decode to.
pub(super) fn narrowed(at: Locator, span: Run, decoded: Option<Decoded>) -> Locator {
    let Some(Decoded { chain, span: inside }) = decoded else { return at.with_span(span) };
    let view = chain.iter().fold(at, |at, step| {
        let name = step.at.map(|offset| offset.to_string());
        at.with_member(step.format, name.as_deref().map(str::as_bytes))
    });
    view.with_span(inside)
}

/// What was decoded, its place counted from `base` bytes before.
pub(super) fn shifted(mut decoded: Decoded, base: u64) -> Decoded {
    if let Some(at) = decoded.chain.first_mut().and_then(|step| step.at.as_mut()) {
        *at = at.saturating_add(base);
    }
    decoded
}

/// The same, counted from `base` bytes behind.
pub(super) fn unshifted(mut decoded: Decoded, base: u64) -> Decoded {
    if let Some(at) = decoded.chain.first_mut().and_then(|step| step.at.as_mut()) {
        *at = at.saturating_sub(base);
    }
    decoded
}

/// The line a byte of a text is on, counted from one; none in what is no text.
pub(super) fn line_of(text: &[u8], offset: u64) -> Option<u64> {
    let before = text.get(..usize::try_from(offset).ok()?)?;
    let head = text.get(..1024).unwrap_or(text);
    if head.contains(&0) {
        return None;
    }
    Some(1 + memchr::memchr_iter(b'\n', before).count() as u64)
}

pub(super) fn file_locator(part: &Part, file: &FileEntry, stream: &Stream) -> Locator {
    let path = file.path.clone();
    let mut at = part.locator(match file.state {
        FileState::Live => Area::Path(path),
        FileState::Deleted { .. } => {
            Area::Deleted { inode: file.inode, path: Some(path).filter(|path| !path.is_empty()) }
        }
    });
    at.stream = match &stream.name {
        StreamName::Data => None,
        StreamName::Xattr(name) => Some([b"$Xattr/", &**name].concat().into()),
        StreamName::LinkTarget => Some((*b"$Link").into()),
    };
    at
}

/// The same stream of the same file under another of its names.
pub(super) fn renamed(at: &Locator, name: &[u8]) -> Locator {
    let mut at = at.clone();
    match &mut at.area {
        Area::Path(path) | Area::Deleted { path: Some(path), .. } => *path = name.into(),
        _ => {}
    }
    at
}

pub(super) fn area(part: &Part, kind: Kind, owner: Option<u32>) -> Area {
    let owner = owner.and_then(|file| part.files.get(usize::try_from(file).ok()?));
    match kind {
        Kind::Slack => Area::Slack(owner.map(|file| file.path.clone())),
        Kind::Free => Area::Unallocated,
        Kind::Journal => Area::Journal,
        Kind::Metadata => Area::Metadata,
        Kind::File | Kind::Swap | Kind::Gap | Kind::Unparsed | Kind::Opaque | Kind::Unreadable => {
            Area::Whole
        }
    }
}

pub(super) fn state(kind: Kind) -> State {
    match kind {
        Kind::File => State::Live,
        Kind::Free => State::Free,
        Kind::Slack => State::Slack,
        Kind::Journal => State::Journal,
        Kind::Metadata => State::Metadata,
        Kind::Swap => State::Swap,
        Kind::Gap => State::Gap,
        Kind::Unparsed | Kind::Unreadable => State::Unparsed,
        Kind::Opaque => State::Opaque,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_in_text_alone() {
        assert_eq!(line_of(b"a\nb\nc", 4), Some(3));
        assert_eq!(line_of(b"a\0b\nc", 4), None);
        assert_eq!(line_of(b"a", 9), None);
    }
}
