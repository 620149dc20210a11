//! Short lists that Redis keeps in one string, and the packing of long strings
//! ([listpack](https://github.com/antirez/listpack/blob/master/listpack.md),
//! [LZF](http://oldhome.schmorp.de/marc/liblzf.html)).

use crate::bytes::{take, u8_at, u32_be, u32_le};
use crate::error::{Error, Result};

/// The phrase of a list that contradicts itself.
pub(super) const DAMAGED: &str = "a list in a snapshot of Redis is damaged";

type Visit<'a> = &'a mut dyn FnMut(&[u8]) -> Result<()>;

fn damaged() -> Error {
    Error::corrupt(DAMAGED)
}

fn field(list: &[u8], at: usize, len: usize) -> Result<&[u8]> {
    take(list, at, len).map_err(|_| damaged())
}

fn byte(list: &[u8], at: usize) -> Result<u8> {
    u8_at(list, at).map_err(|_| damaged())
}

fn sum(a: usize, b: usize) -> usize {
    a.saturating_add(b)
}

/// The older list: each item behind the length of the one before it.
pub(super) fn ziplist(list: &[u8], visit: Visit<'_>) -> Result<()> {
    let mut at = 10;
    loop {
        let before = byte(list, at)?;
        if before == 0xff {
            return Ok(());
        }
        at = sum(at, if before == 0xfe { 5 } else { 1 });
        let first = byte(list, at)?;
        let (header, len) = match first >> 6 {
            0 => (1, usize::from(first & 0x3f)),
            1 => (2, usize::from(first & 0x3f) << 8 | usize::from(byte(list, sum(at, 1))?)),
            2 => {
                let len = u32_be(field(list, sum(at, 1), 4)?, 0)?;
                (5, usize::try_from(len).unwrap_or(usize::MAX))
            }
            _ => {
                let (len, small) = match first {
                    0xc0 => (2, None),
                    0xd0 => (4, None),
                    0xe0 => (8, None),
                    0xf0 => (3, None),
                    0xfe => (1, None),
                    0xf1..=0xfd => (0, Some(i64::from(first & 0x0f).saturating_sub(1))),
                    _ => return Err(damaged()),
                };
                let bytes = field(list, sum(at, 1), len)?;
                visit(small.unwrap_or_else(|| little(bytes)).to_string().as_bytes())?;
                at = sum(at, sum(1, len));
                continue;
            }
        };
        visit(field(list, sum(at, header), len)?)?;
        at = sum(at, sum(header, len));
    }
}

/// The newer one: each item before its own length.
pub(super) fn listpack(list: &[u8], visit: Visit<'_>) -> Result<()> {
    let mut at = 6;
    loop {
        let first = byte(list, at)?;
        let (header, len, number) = match first {
            0xff => return Ok(()),
            0x00..=0x7f => (1, 0, Some(i64::from(first))),
            0x80..=0xbf => (1, usize::from(first & 0x3f), None),
            0xc0..=0xdf => {
                let number = i64::from(first & 0x1f) << 8 | i64::from(byte(list, sum(at, 1))?);
                (2, 0, Some(if number >= 4096 { number.saturating_sub(8192) } else { number }))
            }
            0xe0..=0xef => {
                (2, usize::from(first & 0x0f) << 8 | usize::from(byte(list, sum(at, 1))?), None)
            }
            0xf0 => {
                let len = u32_le(field(list, sum(at, 1), 4)?, 0)?;
                (5, usize::try_from(len).unwrap_or(usize::MAX), None)
            }
            0xf1..=0xf4 => {
                let len = match first {
                    0xf1 => 2,
                    0xf2 => 3,
                    0xf3 => 4,
                    _ => 8,
                };
                (sum(1, len), 0, Some(little(field(list, sum(at, 1), len)?)))
            }
            _ => return Err(damaged()),
        };
        match number {
            Some(number) => visit(number.to_string().as_bytes())?,
            None => visit(field(list, sum(at, header), len)?)?,
        }
        let entry = sum(header, len);
        let back = match entry {
            0..=127 => 1,
            128..=16_383 => 2,
            16_384..=2_097_151 => 3,
            2_097_152..=268_435_455 => 4,
            _ => 5,
        };
        at = sum(at, sum(entry, back));
    }
}

/// Fields with values and times, of which the times are left out.
pub(super) fn triples(list: &[u8], visit: Visit<'_>) -> Result<()> {
    let mut number = 0_u8;
    listpack(list, &mut |item| {
        number = if number == 2 { 0 } else { number.saturating_add(1) };
        if number == 0 { Ok(()) } else { visit(item) }
    })
}

/// The oldest list of fields.
pub(super) fn zipmap(list: &[u8], visit: Visit<'_>) -> Result<()> {
    let mut at = 1;
    let mut is_value = false;
    loop {
        let first = byte(list, at)?;
        let (header, len) = match first {
            0xff => return Ok(()),
            0xfe => {
                let len = u32_le(field(list, sum(at, 1), 4)?, 0)?;
                (5, usize::try_from(len).unwrap_or(usize::MAX))
            }
            _ => (1, usize::from(first)),
        };
        // Behind a value there may be room left, which stands before it.
        let free = if is_value { usize::from(byte(list, sum(at, header))?) } else { 0 };
        let start = sum(at, sum(header, usize::from(is_value)));
        visit(field(list, start, len)?)?;
        at = sum(start, sum(len, free));
        is_value = !is_value;
    }
}

/// A number of up to eight bytes, the lowest first.
fn little(bytes: &[u8]) -> i64 {
    let negative = bytes.last().is_some_and(|last| *last >= 0x80);
    let mut all = [if negative { 0xff } else { 0 }; 8];
    all.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    i64::from_le_bytes(all)
}

/// Unpack LZF to `len` bytes, which the caller has bounded.
pub(super) fn unpack(packed: &[u8], len: usize) -> Result<Vec<u8>> {
    let mut text: Vec<u8> = Vec::new();
    let mut at = 0;
    while let Some(&control) = packed.get(at) {
        at = sum(at, 1);
        if control < 32 {
            let run = sum(usize::from(control), 1);
            text.extend_from_slice(field(packed, at, run)?);
            at = sum(at, run);
        } else {
            let mut run = usize::from(control >> 5);
            if run == 7 {
                run = sum(run, usize::from(byte(packed, at)?));
                at = sum(at, 1);
            }
            let back = usize::from(control & 0x1f) << 8 | usize::from(byte(packed, at)?);
            at = sum(at, 1);
            let start = text.len().checked_sub(sum(back, 1)).ok_or_else(damaged)?;
            // What is copied may overlap what it is copied to.
            for from in (start..).take(sum(run, 2)) {
                let copied = text.get(from).copied().ok_or_else(damaged)?;
                text.push(copied);
            }
        }
        if text.len() > len {
            return Err(damaged());
        }
    }
    if text.len() == len { Ok(text) } else { Err(damaged()) }
}
