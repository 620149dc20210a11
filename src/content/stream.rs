//! Streams that unpackers share: bytes from front to back with a look ahead, a run of bytes at
//! random, and compressed streams one behind the other.

use super::{Found, From, Given, Member, Out, failed};
use crate::bytes::ReadAt;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use std::io::{self, BufRead, Read};

/// A container's bytes from front to back: where they stand is known, and what comes next can be
/// looked at.
pub(super) struct Front<'a> {
    bytes: Box<dyn Read + 'a>,
    /// Room for bytes; those from `start` to `end` were read and not yet taken.
    buf: Vec<u8>,
    start: usize,
    end: usize,
    at: u64,
    ended: bool,
    /// Why the bytes could not be read on: some decoders keep that for themselves.
    error: Option<Error>,
}

impl<'a> Front<'a> {
    pub(super) fn new(bytes: impl Read + 'a) -> Front<'a> {
        let bytes = Box::new(bytes);
        Front { bytes, buf: Vec::new(), start: 0, end: 0, at: 0, ended: false, error: None }
    }

    /// Where the next byte stands.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    fn ready(&self) -> &[u8] {
        self.buf.get(self.start..self.end).unwrap_or_default()
    }

    /// The next `len` bytes, or all there are.
    pub(super) fn peek(&mut self, len: usize) -> io::Result<&[u8]> {
        while self.ready().len() < len && !self.ended {
            self.more()?;
        }
        let ready = self.ready();
        Ok(ready.get(..len).unwrap_or(ready))
    }

    /// Read once. Memory is taken as bytes come, and they are moved only when as many were taken:
    /// a container that is looked at byte by byte must not be copied for each.
    fn more(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.start >= limits::STREAM_BYTES {
            self.buf.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end.saturating_sub(self.start));
        }
        if self.end == self.buf.len() {
            self.buf.resize(self.end.saturating_add(limits::STREAM_BYTES), 0);
        }
        match self.bytes.read(self.buf.get_mut(self.end..).unwrap_or_default()) {
            Ok(len) => {
                self.ended = len == 0;
                self.end = self.end.saturating_add(len).min(self.buf.len());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(self.failing(error)),
        }
        Ok(())
    }

    fn failing(&mut self, error: io::Error) -> io::Error {
        let ours = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        self.error = ours.cloned();
        error
    }

    /// What reading the bytes below failed with.
    pub(super) fn failure(&self) -> Option<io::Error> {
        self.error.clone().map(io::Error::other)
    }

    /// The next `len` bytes, taken; fewer at the end. The caller has bounded `len`.
    pub(super) fn take_vec(&mut self, len: usize) -> io::Result<Vec<u8>> {
        let taken = self.peek(len)?.to_vec();
        self.consume(taken.len());
        Ok(taken)
    }

    /// Pass over `len` bytes; whether there were as many.
    pub(super) fn skip(&mut self, mut len: u64) -> io::Result<bool> {
        while len > 0 {
            let ready = self.fill_buf()?.len();
            if ready == 0 {
                return Ok(false);
            }
            let step = usize::try_from(len).unwrap_or(usize::MAX).min(ready);
            self.consume(step);
            len = len.saturating_sub(u64::try_from(step).unwrap_or(u64::MAX));
        }
        Ok(true)
    }

    /// Pass over zeros, to the first other byte or the end; whether there is one.
    pub(super) fn skip_zeros(&mut self) -> io::Result<bool> {
        loop {
            let ready = self.fill_buf()?;
            let Some(len) = ready.iter().position(|byte| *byte != 0) else {
                let len = ready.len();
                if len == 0 {
                    return Ok(false);
                }
                self.consume(len);
                continue;
            };
            self.consume(len);
            return Ok(true);
        }
    }

    /// Pass over everything before the next `magic`, which is not empty; whether there is one.
    pub(super) fn skip_to(&mut self, magic: &[u8]) -> io::Result<bool> {
        let finder = memchr::memmem::Finder::new(magic);
        loop {
            let ready = self.peek(limits::STREAM_BYTES)?;
            if let Some(len) = finder.find(ready) {
                self.consume(len);
                return Ok(true);
            }
            let len = ready.len();
            let kept = magic.len().saturating_sub(1).min(len);
            let ended = len < limits::STREAM_BYTES;
            self.consume(if ended { len } else { len.saturating_sub(kept) });
            if ended {
                return Ok(false);
            }
        }
    }

    /// Hand out the next `len` bytes as a member, and pass over what of them was not read; whether
    /// there were as many.
    pub(super) fn member(&mut self, mut member: About<'_>, len: u64, out: Out<'_>) -> Result<bool> {
        member.size.get_or_insert(len);
        let from = From::Verbatim(self.at);
        let mut bytes = self.by_ref().take(len);
        out(Found::Member(member.member(from, &mut bytes)))?;
        let left = bytes.limit();
        self.skip(left).map_err(failed)
    }

    /// Hand out what is left, if it is more than padding: what stands behind a container is
    /// searched too.
    pub(super) fn rest(&mut self, out: Out<'_>) -> Result<()> {
        if !self.skip_zeros().map_err(failed)? {
            return Ok(());
        }
        let from = From::Verbatim(self.at);
        out(Found::Member(Member { from, ..Member::new(None, self) }))
    }
}

impl Read for Front<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.ready().is_empty() && buf.len() >= limits::STREAM_BYTES && !self.ended {
            let len = self.bytes.read(buf).map_err(|error| self.failing(error))?;
            self.at = self.at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
            return Ok(len);
        }
        let ready = self.fill_buf()?;
        let len = ready.len().min(buf.len());
        buf.get_mut(..len)
            .unwrap_or_default()
            .copy_from_slice(ready.get(..len).unwrap_or_default());
        self.consume(len);
        Ok(len)
    }
}

impl BufRead for Front<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.ready().is_empty() && !self.ended {
            self.more()?;
        }
        Ok(self.ready())
    }

    fn consume(&mut self, len: usize) {
        let len = len.min(self.ready().len());
        self.start = self.start.saturating_add(len);
        self.at = self.at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
    }
}

/// What is known of a member before its bytes are at hand.
#[derive(Default)]
pub(super) struct About<'a> {
    pub(super) name: Option<&'a [u8]>,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) modified: i64,
    pub(super) size: Option<u64>,
}

impl<'a> About<'a> {
    /// The member, with its bytes.
    pub(super) fn member(self, from: From, bytes: &'a mut dyn Read) -> Member<'a> {
        let mut member = Member::new(self.name, bytes);
        // What does not fit is no mode.
        member.meta.mode = u16::try_from(self.mode).unwrap_or(0);
        member.meta.uid = self.uid;
        member.meta.modified = self.modified;
        member.size = self.size;
        member.from = from;
        member
    }
}

/// A run of bytes at random, read from front to back.
pub(super) struct Span<'a> {
    bytes: &'a dyn ReadAt,
    at: u64,
    end: u64,
}

impl<'a> Span<'a> {
    /// `len` bytes from `at`, cut at the end.
    pub(super) fn new(bytes: &'a dyn ReadAt, at: u64, len: u64) -> Span<'a> {
        let end = at.saturating_add(len).min(bytes.len());
        Span { bytes, at, end }
    }
}

impl Read for Span<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_sub(self.at);
        let len = buf.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        if len == 0 {
            return Ok(0);
        }
        let buf = buf.get_mut(..len).unwrap_or_default();
        self.bytes.read_at(self.at, buf).map_err(io::Error::other)?;
        self.at = self.at.saturating_add(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(len)
    }
}

/// A decoder of one compressed stream that knows where it ends.
pub(super) struct Codec<'a, D> {
    /// What every stream begins with; empty where that says too little to be looked for.
    pub(super) magic: &'static [u8],
    /// Whether a stream begins here, by more than that.
    pub(super) begins: fn(&[u8]) -> bool,
    pub(super) new: fn(Front<'a>) -> D,
    pub(super) end: fn(D) -> Front<'a>,
}

/// Compressed streams one behind the other, read as one. One that is damaged ends early; the next
/// that begins behind the damage is read on, and the error comes at the end.
pub(super) struct Streams<'a, D> {
    codec: Codec<'a, D>,
    now: Option<D>,
    /// Where it begins.
    begun: u64,
    front: Option<Front<'a>>,
    error: Option<io::Error>,
    /// How often it may still be begun behind damage.
    restarts: usize,
    /// Whether only what follows without a gap belongs to it.
    alone: bool,
}

impl<'a, D: Read> Streams<'a, D> {
    pub(super) fn new(front: Front<'a>, codec: Codec<'a, D>) -> Streams<'a, D> {
        let begun = front.at();
        Streams {
            now: Some((codec.new)(front)),
            begun,
            codec,
            front: None,
            error: None,
            restarts: limits::STREAM_RESTARTS,
            alone: false,
        }
    }

    /// Hand out the streams, then what stands behind them.
    pub(super) fn hand_out(mut self, given: &Given<'_>, out: Out<'_>) -> Result<()> {
        self.alone = given.alone;
        out(Found::Member(Member::new(None, &mut self)))?;
        if given.alone {
            return Ok(());
        }
        // What is left unread is left because everything ends, or because of the damage.
        self.front.map_or(Ok(()), |mut front| front.rest(out))
    }

    /// Begin with the next stream, if there is one.
    fn next(&mut self, mut front: Front<'a>) -> io::Result<()> {
        if self.alone && self.error.is_some() {
            return Ok(());
        }
        if !self.alone {
            front.skip_zeros()?;
        }
        if self.error.is_some() {
            let left = self.restarts.checked_sub(1).filter(|_| !self.codec.magic.is_empty());
            let Some(left) = left else { return Ok(()) };
            self.restarts = left;
            // A stream that fails at once may have taken nothing.
            if front.at() == self.begun {
                front.consume(1);
            }
            while front.skip_to(self.codec.magic)? {
                if (self.codec.begins)(front.peek(16)?) {
                    break;
                }
                front.consume(1);
            }
        }
        if (self.codec.begins)(front.peek(16)?) {
            self.begun = front.at();
            self.now = Some((self.codec.new)(front));
        } else {
            self.front = Some(front);
        }
        Ok(())
    }
}

impl<D: Read> Read for Streams<'_, D> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(stream) = &mut self.now {
            match stream.read(buf) {
                Ok(len) if len > 0 || buf.is_empty() => return Ok(len),
                Ok(_) => {}
                // Of the bytes below: there is no going on.
                Err(error) if is_ours(&error) => {
                    self.now = None;
                    return Err(error);
                }
                Err(error) => self.error = self.error.take().or(Some(error)),
            }
            if let Some(stream) = self.now.take() {
                self.next((self.codec.end)(stream))?;
            }
        }
        match self.error.take() {
            Some(error) => Err(error),
            None => Ok(0),
        }
    }
}

/// Whether an error is of the bytes below, or a bound, and not of the stream's own format.
pub(super) fn is_ours(error: &io::Error) -> bool {
    error.get_ref().is_some_and(<dyn std::error::Error + Send + Sync>::is::<Error>)
}

/// A decoder that is handed its input.
pub(super) trait Step {
    /// Decode some of `input`, which is empty at the end, to `output`: how much was taken, how much
    /// was made, and whether the stream has ended.
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> (usize, usize, io::Result<bool>);
}

/// Reads through such a decoder. What it makes before an error is kept.
pub(super) struct Stepped<'a, S> {
    pub(super) front: Front<'a>,
    pub(super) step: S,
    error: Option<io::Error>,
    ended: bool,
}

impl<'a, S: Step> Stepped<'a, S> {
    pub(super) fn new(front: Front<'a>, step: S) -> Stepped<'a, S> {
        Stepped { front, step, error: None, ended: false }
    }

    pub(super) fn into_front(self) -> Front<'a> {
        self.front
    }
}

impl<S: Step> Read for Stepped<'_, S> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        while !self.ended {
            let input = self.front.fill_buf()?;
            let at_end = input.is_empty();
            let (taken, made, result) = self.step.step(input, buf);
            self.front.consume(taken);
            let stuck = taken == 0 && made == 0;
            match result {
                Ok(ended) => self.ended = ended,
                Err(error) => {
                    self.ended = true;
                    self.error = Some(told(error));
                }
            }
            if stuck && !self.ended {
                self.ended = true;
                let kind =
                    if at_end { io::ErrorKind::UnexpectedEof } else { io::ErrorKind::InvalidData };
                self.error = Some(kind.into());
            }
            if made > 0 {
                return Ok(made);
            }
        }
        self.error.take().map_or(Ok(0), Err)
    }
}

/// An error of a decoder, as ours where its kind says more than that the stream is damaged.
fn told(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::OutOfMemory => io::Error::other(Error::new(
            ErrorKind::Limit,
            "a compressed stream needs a larger dictionary than is held",
        )),
        io::ErrorKind::Unsupported => {
            io::Error::other(Error::unsupported("a compressed stream uses an unknown method"))
        }
        _ => error,
    }
}

/// Checks the length and checksum of what it reads, at the end.
pub(super) struct Checked<R> {
    bytes: R,
    crc: crc32fast::Hasher,
    wanted: Option<u32>,
    left: u64,
    ended: bool,
}

impl<R> Checked<R> {
    pub(super) fn new(bytes: R, size: u64, wanted: Option<u32>) -> Checked<R> {
        Checked { bytes, crc: crc32fast::Hasher::new(), wanted, left: size, ended: false }
    }
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let len = self.bytes.read(buf)?;
        self.crc.update(buf.get(..len).unwrap_or_default());
        self.left = self.left.wrapping_sub(u64::try_from(len).unwrap_or(0));
        let ended = len == 0 && !buf.is_empty() && !std::mem::replace(&mut self.ended, true);
        let sum = || Some(self.crc.clone().finalize());
        if ended && (self.left != 0 || self.wanted.is_some() && self.wanted != sum()) {
            let what = "the length or checksum of a member is another";
            return Err(io::Error::other(Error::corrupt(what)));
        }
        Ok(len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out one byte at a time.
    struct Drip<'a>(&'a [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let len = buf.len().min(1);
            self.0.read(&mut buf[..len])
        }
    }

    #[test]
    fn a_front_knows_where_it_stands() {
        let bytes = b"\0\0\0abcdef-abc";
        let mut front = Front::new(Drip(bytes));
        assert!(front.skip_zeros().unwrap());
        assert_eq!((front.at(), front.peek(3).unwrap()), (3, b"abc".as_slice()));
        assert!(front.skip(2).unwrap());
        assert!(front.skip_to(b"abc").unwrap());
        assert_eq!(front.at(), 10);
        assert_eq!(front.take_vec(99).unwrap(), b"abc");
        assert!(!front.skip_to(b"abc").unwrap());
        assert!(!front.skip(1).unwrap());
        assert_eq!(front.at(), 13);
    }
}
