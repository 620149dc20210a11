//! Compiled Python: the strings of a module, and what its code gives names to
//! ([marshal](https://docs.python.org/3/library/marshal.html), 2.7 and 3).
//!
//! In a raw search the byte before a string, its length or its kind, may look like a part of it.
//! And a password is only one by the name it is given, which stands elsewhere: the two are handed
//! out as the line of source they were.

use super::notes::Notes;
use super::stream::Front;
use super::{Given, Head, Open, Out, Unpacker, failed};
use crate::bytes::u16_le;
use crate::error::{Error, Result};
use crate::limits;
use std::io::Read;
use std::rc::Rc;

pub(super) const UNPACKER: Unpacker = Unpacker { name: "pyc", applies, open: Open::Stream(open) };

/// Strings shorter than this are no secrets, and most of what a module holds.
const SHORT: usize = 4;

/// What a version of Python writes.
#[derive(Clone, Copy)]
struct Version {
    /// The number in the magic.
    magic: u16,
    /// Bytes before the code.
    header: usize,
}

impl Version {
    fn of(head: &[u8]) -> Option<Version> {
        let magic = u16_le(head, 0).ok()?;
        let header = match magic {
            // 2.7, and 3 before a size, before flags, and since.
            62_000..62_300 | 3000..3190 => 8,
            3190..3390 => 12,
            3390..4000 => 16,
            _ => return None,
        };
        let code = matches!(head.get(header)?, b'c' | 0xe3);
        (head.get(2..4)? == b"\r\n" && code).then_some(Version { magic, header })
    }

    /// Numbers before the first object of a code.
    fn numbers(self) -> usize {
        match self.magic {
            62_000.. => 4,
            // Arguments by position alone came with 3.8, and 3.11 no longer counts variables.
            3410..3450 => 6,
            _ => 5,
        }
    }

    /// Objects of a code, of which eight stand before the number of its first line.
    fn objects(self) -> usize {
        if (3450..4000).contains(&self.magic) { 10 } else { 9 }
    }

    /// The instructions that take a constant and give it a name, in words of two bytes.
    fn opcodes(self) -> Option<(u8, [u8; 2])> {
        match self.magic {
            // Word code came with 3.6; 3.13 numbered the instructions anew.
            3376..3550 => Some((100, [90, 97])),
            3550..3600 => Some((83, [114, 113])),
            _ => None,
        }
    }
}

fn applies(head: &Head<'_>) -> bool {
    Version::of(head.bytes).is_some()
}

fn open(bytes: &mut dyn Read, _given: &Given<'_>, out: Out<'_>) -> Result<()> {
    let mut front = Front::new(bytes);
    let head = front.peek(32).map_err(failed)?;
    let version = Version::of(head).ok_or_else(|| Error::corrupt("no compiled Python"))?;
    front.skip(u64::try_from(version.header).unwrap_or(0)).map_err(failed)?;
    let mut reader = Reader {
        front,
        version,
        notes: Notes::default(),
        frames: Vec::new(),
        interned: Vec::new(),
        references: Vec::new(),
        kept: 0,
    };
    let read = reader.read(out);
    reader.notes.flush(out)?;
    read
}

/// An object that holds others.
struct Frame {
    /// Objects still to come; none where a null ends them.
    left: Option<u64>,
    what: What,
    /// Its place among the objects that may be referred to.
    reference: Option<usize>,
}

enum What {
    Sequence(Vec<Value>),
    Other,
    Code(Vec<Value>),
}

/// What is remembered of an object.
#[derive(Clone)]
enum Value {
    Text(Rc<[u8]>),
    Many(Vec<Value>),
    Other,
}

struct Reader<'a> {
    front: Front<'a>,
    version: Version,
    notes: Notes,
    frames: Vec<Frame>,
    /// Strings of Python 2 that may be referred to.
    interned: Vec<Value>,
    references: Vec<Value>,
    /// Bytes of all that is remembered.
    kept: usize,
}

impl Reader<'_> {
    fn read(&mut self, out: Out<'_>) -> Result<()> {
        loop {
            if self.frames.len() > limits::PYC_DEPTH {
                return Err(Error::corrupt("objects of compiled Python nest too deep"));
            }
            if self.frames.last().is_some_and(|frame| frame.left == Some(0)) {
                let value = self.close(out)?;
                if !self.give(value)? {
                    return Ok(());
                }
                continue;
            }
            let kind = self.byte()?;
            let reference = (kind & 0x80 != 0).then(|| {
                self.references.push(Value::Other);
                self.references.len().saturating_sub(1)
            });
            if self.references.len() > limits::PYC_OBJECTS {
                return Err(Error::corrupt("a compiled module of Python has too many objects"));
            }
            let value = self.object(kind & 0x7f, reference, out)?;
            let Some(value) = value else { continue };
            if let Some(known) = reference.and_then(|at| self.references.get_mut(at)) {
                *known = value.clone();
            }
            if !self.give(value)? {
                return Ok(());
            }
        }
    }

    /// Read an object that holds no others; one that does is opened, and has no value yet.
    fn object(
        &mut self,
        kind: u8,
        reference: Option<usize>,
        out: Out<'_>,
    ) -> Result<Option<Value>> {
        match kind {
            b'0' => {
                // The end of a dictionary.
                if let Some(frame) = self.frames.last_mut().filter(|frame| frame.left.is_none()) {
                    frame.left = Some(0);
                    return Ok(None);
                }
                Ok(Some(Value::Other))
            }
            b'N' | b'F' | b'T' | b'S' | b'.' => Ok(Some(Value::Other)),
            b'i' => self.pass(4),
            b'I' | b'g' => self.pass(8),
            b'y' => self.pass(16),
            b'f' => {
                let len = self.byte()?;
                self.pass(u64::from(len))
            }
            b'x' => {
                let real = self.byte()?;
                self.pass(u64::from(real))?;
                let imaginary = self.byte()?;
                self.pass(u64::from(imaginary))
            }
            b'l' => {
                let digits = self.number()?.cast_signed().unsigned_abs();
                self.pass(u64::from(digits).saturating_mul(2))
            }
            b's' | b't' | b'u' | b'a' | b'A' => {
                let len = self.number()?;
                let text = self.text(len, out)?;
                if kind == b't' && self.interned.len() < limits::PYC_OBJECTS {
                    self.interned.push(text.clone());
                }
                Ok(Some(text))
            }
            b'z' | b'Z' => {
                let len = self.byte()?;
                self.text(u32::from(len), out).map(Some)
            }
            b'R' | b'r' => {
                let number = usize::try_from(self.number()?).unwrap_or(usize::MAX);
                let known = if kind == b'R' { &self.interned } else { &self.references };
                let known = known.get(number).cloned().unwrap_or(Value::Other);
                // What is referred to again and again must not grow without bound.
                Ok(Some(if matches!(known, Value::Many(_)) { Value::Other } else { known }))
            }
            _ => self.open(kind, reference),
        }
    }

    /// Open an object that holds others.
    fn open(&mut self, kind: u8, reference: Option<usize>) -> Result<Option<Value>> {
        let (left, what) = match kind {
            b')' => (Some(u64::from(self.byte()?)), What::Sequence(Vec::new())),
            b'(' => (Some(u64::from(self.number()?)), What::Sequence(Vec::new())),
            b'[' | b'<' | b'>' => (Some(u64::from(self.number()?)), What::Other),
            b'{' => (None, What::Other),
            b':' => (Some(3), What::Other),
            b'c' => {
                let numbers = self.version.numbers().saturating_mul(4);
                self.pass(u64::try_from(numbers).unwrap_or(0))?;
                (u64::try_from(self.version.objects()).ok(), What::Code(Vec::new()))
            }
            _ => return Err(Error::corrupt("no such object of compiled Python").detail(kind)),
        };
        self.frames.push(Frame { left, what, reference });
        Ok(None)
    }

    /// Give a value to the object it is in; whether there is one.
    fn give(&mut self, value: Value) -> Result<bool> {
        let Some(frame) = self.frames.last_mut() else { return Ok(false) };
        frame.left = frame.left.map(|left| left.saturating_sub(1));
        let mut line = false;
        match &mut frame.what {
            What::Sequence(values) if values.len() < limits::PYC_OBJECTS => values.push(value),
            What::Code(values) => {
                values.push(value);
                line = values.len() == 8;
            }
            What::Sequence(_) | What::Other => {}
        }
        if line {
            self.number()?;
        }
        Ok(true)
    }

    /// The innermost object is whole.
    fn close(&mut self, out: Out<'_>) -> Result<Value> {
        let Some(Frame { what, reference, .. }) = self.frames.pop() else {
            return Ok(Value::Other);
        };
        let value = match what {
            What::Sequence(values) => Value::Many(values),
            What::Other => Value::Other,
            What::Code(values) => {
                self.assigned(&values, out)?;
                Value::Other
            }
        };
        // Sequences are referred to as well, but what they hold has been seen.
        if let Some(known) = reference.and_then(|at| self.references.get_mut(at)) {
            *known = Value::Other;
        }
        Ok(value)
    }

    /// Hand out the constants that a code gives names to.
    fn assigned(&mut self, code: &[Value], out: Out<'_>) -> Result<()> {
        let Some((load, store)) = self.version.opcodes() else { return Ok(()) };
        let [Value::Text(code), Value::Many(constants), Value::Many(names), ..] = code else {
            return Ok(());
        };
        let mut loaded: Option<&Value> = None;
        for word in code.as_chunks::<2>().0 {
            let [operation, argument] = *word;
            let argument = usize::from(argument);
            let name = names.get(argument).filter(|_| store.contains(&operation));
            if let (Some(Value::Text(text)), Some(Value::Text(name))) = (loaded, name)
                && text.len() >= SHORT
            {
                let line = [&**name, b" = \"", &**text, b"\""].concat();
                self.notes.add(b"", name, &line, out)?;
            }
            loaded = constants.get(argument).filter(|_| operation == load);
        }
        Ok(())
    }

    /// A string, which is handed out under its place.
    fn text(&mut self, len: u32, out: Out<'_>) -> Result<Value> {
        let at = self.front.at();
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > limits::PYC_BYTES {
            return Err(Error::corrupt("a string of compiled Python is too long").detail(len));
        }
        let text = self.front.take_vec(len).map_err(failed)?;
        if text.len() < len {
            return Err(cut());
        }
        if len >= SHORT {
            self.notes.add(b"", at.to_string().as_bytes(), &text, out)?;
        }
        self.kept = self.kept.saturating_add(len);
        Ok(if self.kept > limits::PYC_BYTES { Value::Other } else { Value::Text(text.into()) })
    }

    fn pass(&mut self, len: u64) -> Result<Option<Value>> {
        if self.front.skip(len).map_err(failed)? { Ok(Some(Value::Other)) } else { Err(cut()) }
    }

    fn byte(&mut self) -> Result<u8> {
        self.front.take_vec(1).map_err(failed)?.first().copied().ok_or_else(cut)
    }

    fn number(&mut self) -> Result<u32> {
        crate::bytes::u32_le(&self.front.take_vec(4).map_err(failed)?, 0).map_err(|_| cut())
    }
}

fn cut() -> Error {
    Error::corrupt("a compiled module of Python is cut short")
}

#[cfg(test)]
mod tests {
    #![allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "a test may panic"
    )]

    use crate::content::probe::listing;

    /// `marshal` of a code of Python 3.8, by hand: two constants, one name, and what it does.
    fn module() -> Vec<u8> {
        let mut bytes = vec![0x55, 0x0d, b'\r', b'\n'];
        bytes.extend([0; 12]);
        bytes.push(0xe3);
        bytes.extend([0; 24]);
        // LOAD_CONST 0, STORE_NAME 0, LOAD_CONST 1, RETURN_VALUE
        bytes.extend(b"s\x08\0\0\0\x64\0\x5a\0\x64\x01\x53\0");
        bytes.extend(b")\x02z\x08kept outN");
        bytes.extend(b")\x01\xda\x08PASSWORD");
        for _ in 0..3 {
            bytes.extend(b")\0");
        }
        bytes.extend(b"z\x04a.pyr\0\0\0\0");
        bytes.extend([1, 0, 0, 0]);
        bytes.extend(b"s\0\0\0\0");
        bytes
    }

    #[test]
    fn strings_and_what_they_are_assigned_to() {
        let expected =
            ["d%00Z%00d%01S%00", "kept out", "PASSWORD", "a.py", "PASSWORD = \"kept out\"", ""];
        assert_eq!(listing("a.pyc", &module()), [format!("pyc = {}", expected.join("%0A"))]);
    }

    #[test]
    fn cut_or_flipped_bytes_end_in_an_error_at_worst() {
        let whole = module();
        for len in 33..whole.len() {
            let lines = listing("a.pyc", &whole[..len]);
            assert_eq!(lines.last().unwrap(), "pyc: Corrupt", "{len}");
        }
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            drop(listing("a.pyc", &bytes));
        }
    }

    /// Sequences in sequences, and lengths of four billion.
    #[test]
    fn depth_and_lengths_are_bounded() {
        let start = module()[..41].to_vec();
        for more in [
            b")\x01".repeat(100_000),
            b"(\xff\xff\xff\x7fN".to_vec(),
            b"s\xff\xff\xff\xff".to_vec(),
        ] {
            let bytes = [start.clone(), more].concat();
            assert_eq!(listing("a.pyc", &bytes), ["pyc: Corrupt"]);
        }
    }
}
