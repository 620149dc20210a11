//! A locator: where bytes stand, outermost first, in one line that prints and parses back.
//!
//! ```text
//! snap-0a1b#p1:/srv/app.env@116+40          40 bytes at offset 116 of a file
//! disk.img#p1:$Slack/var/log/app.log@4100+8 behind the end of a file (offsets count from its start)
//! disk.img#p1:$Unalloc@7301444+64           free space (offset in the volume)
//! disk.img#p1:$Deleted/131842:/root/.netrc  a deleted file, by inode
//! disk.img#gap@1048576+512                  between partitions (offset in the image)
//! disk.img:/etc/app.conf:$Xattr/user.k      an extended attribute
//! disk.img#p1:/cloud/user-data!gzip!mime:2  a member of a file, by format and name
//! ```
//!
//! Names are bytes. Reserved bytes (`# : ! @ % +`), controls and what is not UTF-8 are
//! percent-escaped.

use crate::run::Run;
use std::fmt::{self, Write as _};
use std::sync::Arc;

/// Where bytes stand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator {
    /// The image, or the scanned directory.
    pub root: Arc<str>,
    /// The volume inside it (`p1`, `vg0/root`), or `gap`; none for a filesystem on the whole disk.
    pub volume: Option<Arc<str>>,
    /// The place inside the volume.
    pub area: Area,
    /// What of a file is meant when it is not its data: an attribute, a link target.
    pub stream: Option<Box<[u8]>>,
    /// Members and decoded views, outermost first.
    pub members: Vec<Member>,
    /// The bytes inside the innermost of these.
    pub span: Option<Run>,
}

/// A place inside a volume.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Area {
    /// The volume itself: a gap, swap, a format that is not read.
    Whole,
    /// A live file.
    Path(Box<[u8]>),
    /// A deleted file.
    Deleted {
        /// Its inode (or record) number.
        inode: u64,
        /// The path it had, when that is known.
        path: Option<Box<[u8]>>,
    },
    /// Bytes a file owns and does not show; without a path, owned by no file that is known.
    Slack(Option<Box<[u8]>>),
    /// Free space.
    Unallocated,
    /// The filesystem's journal.
    Journal,
    /// The filesystem's own structures.
    Metadata,
}

/// One step inside a file: a format and, where the format has names, a name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Member {
    /// The format that was opened, such as `gzip` or `tar`.
    pub format: Box<str>,
    /// The member's name inside it.
    pub name: Option<Box<[u8]>>,
}

impl Locator {
    /// The locator of a whole image, directory or volume.
    pub fn new(root: &Arc<str>, volume: Option<&Arc<str>>, area: Area) -> Locator {
        Locator {
            root: Arc::clone(root),
            volume: volume.cloned(),
            area,
            stream: None,
            members: Vec::new(),
            span: None,
        }
    }

    /// The same place narrowed to `span`.
    #[must_use]
    pub fn with_span(mut self, span: Run) -> Locator {
        self.span = Some(span);
        self
    }

    /// The same place one step further inside.
    #[must_use]
    pub fn with_member(mut self, format: &str, name: Option<&[u8]>) -> Locator {
        self.members.push(Member { format: format.into(), name: name.map(Into::into) });
        self
    }

    /// The file's path, for live and deleted files and their slack.
    pub fn path(&self) -> Option<&[u8]> {
        match &self.area {
            Area::Path(path) => Some(path),
            Area::Deleted { path, .. } | Area::Slack(path) => path.as_deref(),
            Area::Whole | Area::Unallocated | Area::Journal | Area::Metadata => None,
        }
    }
}

/// Bytes of a name with reserved and unprintable ones percent-escaped.
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a>(pub &'a [u8]);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, |c| is_reserved(c) || is_unprintable(c))
    }
}

/// Bytes as text of which only what cannot be shown is percent-escaped; it does not parse back.
#[derive(Clone, Copy, Debug)]
pub struct Printable<'a>(pub &'a [u8]);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        escape(f, self.0, is_unprintable)
    }
}

fn escape(f: &mut fmt::Formatter<'_>, bytes: &[u8], needs: fn(char) -> bool) -> fmt::Result {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if needs(c) {
                percent(f, c.encode_utf8(&mut [0; 4]).as_bytes())?;
            } else {
                f.write_char(c)?;
            }
        }
        percent(f, chunk.invalid())?;
    }
    Ok(())
}

fn percent(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "%{byte:02X}"))
}

fn is_reserved(c: char) -> bool {
    matches!(c, '#' | ':' | '!' | '@' | '%' | '+')
}

/// Controls, and the characters that reorder or hide text on a terminal.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{61c}' | '\u{e0000}'..='\u{e007f}')
}

/// Undo [`Escaped`]. A `%` without two hex digits stands for itself.
fn unescape(text: &str) -> Box<[u8]> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let hex = text.get(at + 1..at + 3).and_then(|h| u8::from_str_radix(h, 16).ok());
        let (value, len) = match hex {
            Some(value) if byte == b'%' => (value, 3),
            _ => (byte, 1),
        };
        out.push(value);
        at += len;
    }
    out.into()
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Area::Whole => Ok(()),
            Area::Path(path) if path.first() == Some(&b'$') => {
                write!(f, ":%24{}", Escaped(path.get(1..).unwrap_or_default()))
            }
            Area::Path(path) => write!(f, ":{}", Escaped(path)),
            Area::Deleted { inode, path: None } => write!(f, ":$Deleted/{inode}"),
            Area::Deleted { inode, path: Some(path) } => {
                write!(f, ":$Deleted/{inode}:{}", Escaped(path))
            }
            Area::Slack(None) => f.write_str(":$Slack"),
            Area::Slack(Some(path)) if path.first() == Some(&b'/') => {
                write!(f, ":$Slack{}", Escaped(path))
            }
            Area::Slack(Some(path)) => write!(f, ":$Slack:{}", Escaped(path)),
            Area::Unallocated => f.write_str(":$Unalloc"),
            Area::Journal => f.write_str(":$Journal"),
            Area::Metadata => f.write_str(":$Metadata"),
        }
    }
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Escaped(self.root.as_bytes()))?;
        if let Some(volume) = &self.volume {
            write!(f, "#{}", Escaped(volume.as_bytes()))?;
        }
        self.area.fmt(f)?;
        if let Some(stream) = &self.stream {
            write!(f, ":{}", Escaped(stream))?;
        }
        for member in &self.members {
            write!(f, "!{}", Escaped(member.format.as_bytes()))?;
            if let Some(name) = &member.name {
                write!(f, ":{}", Escaped(name))?;
            }
        }
        match self.span {
            Some(span) => write!(f, "@{}+{}", span.start, span.len),
            None => Ok(()),
        }
    }
}

/// Why a text is not a locator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotALocator(&'static str);

impl fmt::Display for NotALocator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a locator: {}", self.0)
    }
}

impl std::error::Error for NotALocator {}

impl std::str::FromStr for Locator {
    type Err = NotALocator;

    fn from_str(text: &str) -> Result<Locator, NotALocator> {
        let (text, span) = match text.rsplit_once('@') {
            Some((rest, span)) => (rest, Some(parse_span(span)?)),
            None => (text, None),
        };
        let mut steps = text.split('!');
        let outer = steps.next().unwrap_or_default();
        let members = steps.map(parse_member).collect::<Result<_, _>>()?;
        let mut parts = outer.split(':');
        let head = parts.next().unwrap_or_default();
        let (root, volume) = match head.split_once('#') {
            Some((root, volume)) => (root, Some(unescape_text(volume)?)),
            None => (head, None),
        };
        let (area, stream) = parse_area(&parts.collect::<Vec<_>>())?;
        Ok(Locator { root: unescape_text(root)?, volume, area, stream, members, span })
    }
}

fn unescape_text(text: &str) -> Result<Arc<str>, NotALocator> {
    String::from_utf8(unescape(text).into())
        .map(Arc::from)
        .map_err(|_| NotALocator("the image or volume name is not UTF-8"))
}

fn parse_member(step: &str) -> Result<Member, NotALocator> {
    let (format, name) = match step.split_once(':') {
        Some((format, name)) => (format, Some(unescape(name))),
        None => (step, None),
    };
    let format = String::from_utf8(unescape(format).into())
        .map_err(|_| NotALocator("a member's format is not UTF-8"))?;
    Ok(Member { format: format.into(), name })
}

fn parse_span(text: &str) -> Result<Run, NotALocator> {
    let (start, len) = text.split_once('+').ok_or(NotALocator("the span has no length"))?;
    match (start.parse(), len.parse()) {
        (Ok(start), Ok(len)) => Ok(Run::new(start, len)),
        _ => Err(NotALocator("the span is not two numbers")),
    }
}

fn parse_area(parts: &[&str]) -> Result<(Area, Option<Box<[u8]>>), NotALocator> {
    let Some((&first, rest)) = parts.split_first() else { return Ok((Area::Whole, None)) };
    let (area, rest) = match first.strip_prefix('$') {
        None => (Area::Path(unescape(first)), rest),
        Some("Unalloc") => (Area::Unallocated, rest),
        Some("Journal") => (Area::Journal, rest),
        Some("Metadata") => (Area::Metadata, rest),
        Some("Slack") => match rest.split_first() {
            Some((path, rest)) => (Area::Slack(Some(unescape(path))), rest),
            None => (Area::Slack(None), rest),
        },
        Some(special) => match (special.strip_prefix("Slack"), special.strip_prefix("Deleted/")) {
            (Some(path), _) => (Area::Slack(Some(unescape(path))), rest),
            (None, Some(inode)) => {
                let inode = inode.parse().map_err(|_| NotALocator("the inode is no number"))?;
                let path = rest.first().filter(|p| !p.starts_with('$')).map(|p| unescape(p));
                let rest = if path.is_some() { &rest[1..] } else { rest };
                (Area::Deleted { inode, path }, rest)
            }
            (None, None) => return Err(NotALocator("unknown area")),
        },
    };
    match rest {
        [] => Ok((area, None)),
        [stream] => Ok((area, Some(unescape(stream)))),
        _ => Err(NotALocator("too many parts")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_parses_back() {
        for text in [
            "snap-0a1b#p1:/srv/home.tar.gz!gzip!tar:etc/app.env@116+40",
            "snap-0a1b#vg0/root:$Unalloc@7301444+64",
            "snap-0a1b#p1:$Deleted/131842:/root/.ssh/id_ed25519",
            "snap-0a1b#p1:$Deleted/131842:/root/x:$Xattr/user.k",
            "snap-0a1b#p1:$Deleted/7:$Xattr/user.k",
            "snap-0a1b#p1:$Slack/var/log/app.log@4100+8",
            "tree:$Slack:app.log",
            "disk.img#p1:$Slack@4096+4",
            "disk.img#p1:$Journal@0+1",
            "disk.img#p1:$Metadata",
            "disk.qcow2#gap@1048576+512",
            "disk.img:/etc/app.conf:$Xattr/user.k@0+12",
            "disk.img",
            "tree:%24Slack/a%3Ab%23%21%40%25%2B%0A%FF",
            "disk.img:/a!odd%00%3Aname:b",
        ] {
            let locator: Locator = text.parse().unwrap();
            assert_eq!(locator.to_string(), text);
        }
    }

    #[test]
    fn hides_nothing_from_a_terminal() {
        let path: &[u8] = b"/a\x1b[31m\n\xe2\x80\xae\xff";
        let locator = Locator::new(&"d".into(), None, Area::Path(path.into()));
        assert_eq!(locator.to_string(), "d:/a%1B[31m%0A%E2%80%AE%FF");
        assert_eq!(locator.to_string().parse::<Locator>().unwrap(), locator);
    }

    #[test]
    fn refuses_what_is_not_one() {
        for text in ["a@1", "a@x+y", "a#p1:$Nope", "a:/x:y:z", "a:$Deleted/x", "a:/x!%FF"] {
            assert!(text.parse::<Locator>().is_err(), "{text}");
        }
    }
}
