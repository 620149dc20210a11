//! An error: what failed in one phrase, where, and why.

use crate::locator::Locator;
use std::fmt;

/// The result of anything that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller may want to decide on. New formats add no kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The command line or a configuration file is wrong.
    Usage,
    /// The operating system refused.
    Io,
    /// Bytes contradict their own format.
    Corrupt,
    /// A known format, or a feature of one, that is not read.
    Unsupported,
    /// Bytes that are encrypted.
    Encrypted,
    /// Bytes that could not be had: a block that was refused or never came whole.
    Unreadable,
    /// AWS refused a call; the message says which and what to do.
    Denied,
    /// The image, snapshot or file does not exist.
    NotFound,
    /// A bound of [`crate::limits`] was reached.
    Limit,
    /// A fault of the scanner itself.
    Internal,
}

/// What failed, where and why.
#[derive(Clone)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    what: &'static str,
    detail: Option<String>,
    at: Option<Locator>,
    source: Option<std::sync::Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error that says `what` in one phrase.
    pub fn new(kind: ErrorKind, what: &'static str) -> Error {
        Error { inner: Box::new(Inner { kind, what, detail: None, at: None, source: None }) }
    }

    /// Bytes that contradict their own format.
    pub fn corrupt(what: &'static str) -> Error {
        Error::new(ErrorKind::Corrupt, what)
    }

    /// A known format or feature that is not read.
    pub fn unsupported(what: &'static str) -> Error {
        Error::new(ErrorKind::Unsupported, what)
    }

    /// With particulars: the number that was out of bounds, the name that was missing.
    #[must_use]
    pub fn detail(mut self, detail: impl fmt::Display) -> Error {
        self.inner.detail = Some(detail.to_string());
        self
    }

    /// With the name of whoever failed put before its particulars.
    #[must_use]
    pub fn named(mut self, name: &str) -> Error {
        let detail = self.inner.detail.take().map_or_else(String::new, |d| format!(": {d}"));
        self.inner.detail = Some(format!("{name}{detail}"));
        self
    }

    /// With the place, unless a deeper layer already gave one.
    #[must_use]
    pub fn at(mut self, at: &Locator) -> Error {
        self.inner.at.get_or_insert_with(|| at.clone());
        self
    }

    /// With the cause.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        self.inner.source = Some(source.into().into());
        self
    }

    /// What a caller may decide on.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The phrase, without place and cause.
    pub fn what(&self) -> &'static str {
        self.inner.what
    }

    /// The place, when a layer gave one.
    pub fn place(&self) -> Option<&Locator> {
        self.inner.at.as_ref()
    }

    /// The message without the place: phrase, particulars and every cause.
    pub fn message(&self) -> String {
        use fmt::Write as _;
        let mut text = String::from(self.inner.what);
        if let Some(detail) = &self.inner.detail {
            let _ = write!(text, " ({detail})");
        }
        let mut cause = self.inner.source.as_ref().map(|s| &**s as &dyn std::error::Error);
        while let Some(error) = cause {
            let _ = write!(text, ": {error}");
            cause = error.source();
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.inner.at {
            Some(at) => write!(f, "{at}: {}", self.message()),
            None => f.write_str(&self.message()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.inner.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.inner.source.as_ref().map(|source| &**source as &(dyn std::error::Error + 'static))
    }
}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Error {
        Error::new(ErrorKind::Io, "read failed").caused_by(error)
    }
}
