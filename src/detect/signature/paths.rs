//! Paths by which a signature knows its files, as globs: `*` and `?` stay inside one name, `**`
//! stands for any number of directories.

use crate::finding::Grade;
use crate::limits;

/// What a file's path says of a match in it.
#[derive(Clone, Debug, Default)]
pub struct Paths {
    /// Where a match is worth one grade more, `strong` at most.
    pub prefer: Vec<Glob>,
    /// Where alone matches count; empty for everywhere. Bytes without a path, such as free space,
    /// are none of them.
    pub only: Vec<Glob>,
    /// Where matches do not count.
    pub never: Vec<Glob>,
}

impl Paths {
    /// Whether a match in the file at `path` counts.
    pub fn allow(&self, path: Option<&[u8]>) -> bool {
        let among = |globs: &[Glob]| path.is_some_and(|path| any(globs, path));
        (self.only.is_empty() || among(&self.only)) && !among(&self.never)
    }

    /// What `grade` becomes in the file at `path`. Proof is a matter of bytes, not of places.
    pub fn grade(&self, grade: Grade, path: Option<&[u8]>) -> Grade {
        let preferred = path.is_some_and(|path| any(&self.prefer, path));
        match grade {
            Grade::Weak if preferred => Grade::Plausible,
            Grade::Plausible if preferred => Grade::Strong,
            grade => grade,
        }
    }
}

fn any(globs: &[Glob], path: &[u8]) -> bool {
    globs.iter().any(|glob| glob.matches(path))
}

/// A pattern of whole paths; a leading slash means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    text: String,
    parts: Vec<Part>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Byte(u8),
    /// One byte of a name.
    One,
    /// Any bytes of a name.
    Name,
    /// Any number of directories, slash included.
    Directories,
    /// Anything.
    Rest,
}

impl Glob {
    /// The glob that `text` writes; `None` when it writes none.
    pub fn new(text: &str) -> Option<Glob> {
        if text.is_empty() || text.len() > limits::GLOB_BYTES {
            return None;
        }
        let mut parts = Vec::new();
        let mut rest = text.strip_prefix('/').unwrap_or(text).as_bytes();
        loop {
            let at_name = matches!(parts.last(), None | Some(Part::Directories | Part::Byte(b'/')));
            let (part, len) = match rest {
                [] => break,
                b"**" if at_name => (Part::Rest, 2),
                [b'*', b'*', b'/', ..] if at_name => (Part::Directories, 3),
                [b'*', b'*', ..] => return None,
                [b'*', ..] => (Part::Name, 1),
                [b'?', ..] => (Part::One, 1),
                [byte, ..] => (Part::Byte(*byte), 1),
            };
            parts.push(part);
            rest = rest.get(len..)?;
        }
        Some(Glob { text: text.to_owned(), parts })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches the whole of `path`. All positions of the glob that can be reached are
    /// followed side by side, so that no path takes longer than the glob is long.
    pub fn matches(&self, path: &[u8]) -> bool {
        let path = path.strip_prefix(b"/").unwrap_or(path);
        let mut here = vec![false; self.parts.len() + 1];
        self.reach(&mut here, 0);
        for byte in path {
            let mut next = vec![false; here.len()];
            let reached = here.iter().enumerate().filter(|(_, reached)| **reached);
            reached.for_each(|(at, _)| self.step(&mut next, at, *byte));
            here = next;
        }
        here.last().is_some_and(|reached| *reached)
    }

    /// Mark what can be reached from `at` over `byte`.
    fn step(&self, next: &mut [bool], at: usize, byte: u8) {
        match self.parts.get(at) {
            Some(Part::Byte(wanted)) if *wanted == byte => self.reach(next, at + 1),
            Some(Part::One) if byte != b'/' => self.reach(next, at + 1),
            Some(Part::Name) if byte != b'/' => self.reach(next, at),
            Some(Part::Rest) => self.reach(next, at),
            // What follows may begin after a slash only; the part itself goes on.
            Some(Part::Directories) if byte == b'/' => self.reach(next, at),
            Some(Part::Directories) => mark(next, at),
            _ => {}
        }
    }

    /// Mark `at`, and what follows parts that match nothing.
    fn reach(&self, states: &mut [bool], mut at: usize) {
        loop {
            mark(states, at);
            match self.parts.get(at) {
                Some(Part::Name | Part::Rest | Part::Directories) => at += 1,
                _ => return,
            }
        }
    }
}

fn mark(states: &mut [bool], at: usize) {
    if let Some(state) = states.get_mut(at) {
        *state = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs_match_whole_paths() {
        let check = |glob: &str, path: &str| Glob::new(glob).unwrap().matches(path.as_bytes());
        for (glob, path) in [
            ("**/.env", ".env"),
            ("**/.env", "/srv/app/.env"),
            ("/etc/*.conf", "etc/a.conf"),
            ("etc/**", "/etc/a/b"),
            ("**/.aws/**/credentials*", "root/.aws/a/b/credentials.bak"),
            ("**/.aws/**/credentials*", "root/.aws/credentials"),
            ("home/?/x", "home/a/x"),
            ("**/a/**/b/**/c", "a/x/b/y/z/c"),
        ] {
            assert!(check(glob, path), "{glob} {path}");
        }
        for (glob, path) in [
            ("**/.env", "srv/x.env"),
            ("etc/*.conf", "etc/a/b.conf"),
            ("home/?/x", "home//x"),
            ("home/?/x", "home/ab/x"),
            ("**/b", "ab"),
            ("etc", "etc/a"),
        ] {
            assert!(!check(glob, path), "{glob} {path}");
        }
        for bad in ["", "a**", "**a", "a/**b", &"a".repeat(257)] {
            assert!(Glob::new(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn paths_admit_and_raise() {
        let globs = |text: &str| vec![Glob::new(text).unwrap()];
        let paths = Paths { prefer: globs("**/.env"), only: Vec::new(), never: globs("usr/**") };
        assert!(paths.allow(None) && paths.allow(Some(b"etc/x")) && !paths.allow(Some(b"/usr/x")));
        assert_eq!(paths.grade(Grade::Weak, Some(b"/a/.env")), Grade::Plausible);
        assert_eq!(paths.grade(Grade::Plausible, Some(b"/a/.env")), Grade::Strong);
        assert_eq!(paths.grade(Grade::Strong, Some(b"/a/.env")), Grade::Strong);
        assert_eq!(paths.grade(Grade::Weak, Some(b"/a/env")), Grade::Weak);
        assert_eq!(paths.grade(Grade::Weak, None), Grade::Weak);
        let only = Paths { only: globs("etc/**"), ..Paths::default() };
        assert!(!only.allow(None) && only.allow(Some(b"/etc/x")) && !only.allow(Some(b"/x")));
    }
}
