//! Git's refs and their logs ([format](https://git-scm.com/docs/gitrepository-layout)): they hold
//! no secret, but tell which of the repository's objects are still in use.

use super::Artifact;
use super::paths;
use crate::blob::{Blob, Budget, Clue, Out};
use crate::error::Result;
use crate::locator::{Area, Locator};

/// The parser.
pub(super) const ARTIFACT: Artifact = Artifact { name: "git refs", applies, run };

/// Refs of one file that are told.
const REFS: usize = 2000;

fn applies(blob: &Blob<'_>) -> bool {
    kind(blob).is_some()
}

/// Where the folder of the repository ends in the path, and what the file is called there.
fn kind<'b>(blob: &'b Blob<'_>) -> Option<(usize, &'b [u8])> {
    let path = &*blob.name;
    let head = blob.bytes.get(..64).unwrap_or(&blob.bytes);
    let file = paths::file_name(path);
    // A repository may be what is scanned itself, so that nothing stands before its files.
    let folder = Some(path.len().saturating_sub(file.len().saturating_add(1)));
    let is_id = is_id(head.trim_ascii());
    if file == b"packed-refs" {
        return folder.filter(|_| head.starts_with(b"#") || is_id_line(head)).map(|at| (at, file));
    }
    if let Some(found) = below(path, b"/logs/") {
        return Some(found).filter(|_| is_id_line(head));
    }
    if let Some(found) = below(path, b"/refs/") {
        return Some(found).filter(|_| is_id);
    }
    let is_head = matches!(file, b"HEAD" | b"ORIG_HEAD" | b"FETCH_HEAD" | b"MERGE_HEAD");
    let formed = head.starts_with(b"ref: refs/") || is_id || is_id_line(head);
    folder.filter(|_| is_head && formed).map(|at| (at, file))
}

/// Where the last folder of that name begins, and the path from there on.
fn below<'p>(path: &'p [u8], folder: &[u8]) -> Option<(usize, &'p [u8])> {
    match memchr::memmem::rfind(path, folder) {
        Some(at) => Some((at, path.get(at.checked_add(1)?..)?)),
        None => path.starts_with(folder.get(1..)?).then_some((0, path)),
    }
}

fn is_id(text: &[u8]) -> bool {
    text.len() == 40 && text.iter().all(u8::is_ascii_hexdigit)
}

fn is_id_line(text: &[u8]) -> bool {
    text.get(..40).is_some_and(is_id) && text.get(40).is_some_and(u8::is_ascii_whitespace)
}

fn run(blob: &Blob<'_>, _: &mut Budget, out: &mut dyn FnMut(Out<'_>)) -> Result<()> {
    let Some((end, name)) = kind(blob) else { return Ok(()) };
    let at = folder(&blob.at, end);
    let mut tell = |key: &[u8], value: &[u8]| {
        out(Out::Clue(Clue {
            kind: "git-ref",
            at: at.clone(),
            key: key.into(),
            value: value.into(),
        }));
    };
    let lines = blob.bytes.split(|byte| *byte == b'\n');
    if name == b"packed-refs" {
        for line in lines.filter(|line| is_id_line(line)).take(REFS) {
            let (id, name) = line.split_at_checked(40).unwrap_or_default();
            tell(name.trim_ascii(), id);
        }
    } else if name.starts_with(b"logs/") {
        let mut ids: Vec<u8> = Vec::new();
        for line in lines.filter(|line| is_id_line(line)).take(REFS) {
            for id in line.split(|byte| *byte == b' ').take(2).filter(|word| is_id(word)) {
                if !ids.ends_with(&[id, b" "].concat()) {
                    ids.extend_from_slice(id);
                    ids.push(b' ');
                }
            }
        }
        tell(name, &ids);
    } else {
        let first = blob.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        tell(name, first.get(..1024).unwrap_or(first).trim_ascii());
    }
    Ok(())
}

/// The place of the repository's folder, by where its name ends in the file's.
fn folder(at: &Locator, end: usize) -> Locator {
    let mut at = at.clone();
    let cut = |path: &mut Box<[u8]>| *path = path.get(..end).unwrap_or_default().into();
    match (at.members.last_mut().and_then(|last| last.name.as_mut()), &mut at.area) {
        (Some(name), _) => cut(name),
        (None, Area::Path(path) | Area::Deleted { path: Some(path), .. }) => cut(path),
        _ => {}
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blob::Meta;
    use std::borrow::Cow;

    fn clues(path: &str, text: &str) -> Vec<String> {
        let blob = Blob {
            at: Locator::new(&"d".into(), None, Area::Path(path.as_bytes().into())),
            name: Cow::Borrowed(path.as_bytes()),
            meta: Meta::default(),
            bytes: Cow::Borrowed(text.as_bytes()),
            decoded_from: None,
        };
        let mut found = Vec::new();
        let _ = run(&blob, &mut Budget::default(), &mut |out| {
            if let Out::Clue(clue) = out {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                found.push(format!("{} {} {}", clue.at, text(&clue.key), text(&clue.value)));
            }
        });
        found
    }

    #[test]
    fn refs_are_told_by_repository() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        assert_eq!(
            clues("/s/.git/HEAD", "ref: refs/heads/x\n"),
            ["d:/s/.git HEAD ref: refs/heads/x"]
        );
        assert_eq!(
            clues("/s/.git/refs/heads/a/b", &format!("{a}\n")),
            [format!("d:/s/.git refs/heads/a/b {a}")]
        );
        assert_eq!(
            clues(
                "/s/.git/packed-refs",
                &format!("# pack-refs with: peeled\n{a} refs/tags/v\n^{b}\n")
            ),
            [format!("d:/s/.git refs/tags/v {a}")]
        );
        let log = format!("{a} {b} X <x> 1 +0\tcommit\n{b} {a} X <x> 2 +0\treset\n");
        assert_eq!(clues("/s/.git/logs/HEAD", &log), [format!("d:/s/.git logs/HEAD {a} {b} {a} ")]);
        assert_eq!(clues("logs/HEAD", &log), [format!("d: logs/HEAD {a} {b} {a} ")]);
        assert_eq!(clues("HEAD", &a), [format!("d: HEAD {a}")]);
        assert!(clues("/usr/share/HEAD", "<html>").is_empty());
    }
}
