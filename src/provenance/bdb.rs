//! Berkeley DB: the values of a hash database, which rpm kept its headers in for twenty years
//! ([the pages](https://github.com/berkeleydb/libdb/blob/master/src/dbinc/db_page.h)).

use crate::bytes::{ReadAt, read_vec, take, u8_at, u16_be, u16_le, u32_be, u32_le};
use crate::error::{Error, ErrorKind, Result};
use crate::limits;

const HASH_MAGIC: u32 = 0x0006_1561;
const PAGE_HEAD: usize = 26;
const OVERFLOW: u8 = 7;
const HASH_PAGES: [u8; 2] = [2, 13];

/// An item that is a key or a value itself.
const KEY_DATA: u8 = 1;
/// An item that says on which pages it is.
const OFF_PAGE: u8 = 3;

/// The file and the order of its bytes.
struct Store<'a> {
    bytes: &'a dyn ReadAt,
    big: bool,
    page_bytes: usize,
    pages: u32,
    /// Bytes of long values that may still be gathered.
    left: u64,
}

/// Every value of a hash database, in the order of its pages.
pub(super) fn values(bytes: &dyn ReadAt, visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    let mut store = Store::open(bytes)?;
    let mut damaged = false;
    for number in 1..=store.pages {
        let page = store.page(number)?;
        if !HASH_PAGES.contains(&u8_at(&page, 25)?) {
            continue;
        }
        let entries = usize::from(store.u16(&page, 20)?);
        let mut end = store.page_bytes;
        for entry in 0..entries {
            let Ok(at) = store.item(&page, entry) else {
                damaged = true;
                break;
            };
            let item = page.get(at..end.max(at)).unwrap_or_default();
            end = at;
            // Keys and values take turns.
            if entry % 2 == 1 {
                damaged |= !store.value(item, visit)?;
            }
        }
    }
    if damaged { Err(Error::corrupt("a database of packages is damaged")) } else { Ok(()) }
}

impl<'a> Store<'a> {
    fn open(bytes: &'a dyn ReadAt) -> Result<Store<'a>> {
        let meta = read_vec(bytes, 0, 72)?;
        let big = u32_be(&meta, 12)? == HASH_MAGIC;
        let mut store = Store { bytes, big, page_bytes: 0, pages: 0, left: 0 };
        if store.u32(&meta, 12)? != HASH_MAGIC {
            return Err(Error::unsupported("a database of packages that is no hash"));
        }
        if u8_at(&meta, 24)? != 0 {
            return Err(Error::new(ErrorKind::Encrypted, "a database of packages is encrypted"));
        }
        let size = store.u32(&meta, 20)?;
        if !size.is_power_of_two() || !(512..=64 * 1024).contains(&size) {
            return Err(Error::corrupt("a database of packages has pages of no size"));
        }
        store.page_bytes = usize::try_from(size).unwrap_or(0);
        let held = bytes.len().checked_div(u64::from(size)).unwrap_or(0).saturating_sub(1);
        store.pages = u32::try_from(held).unwrap_or(u32::MAX).min(store.u32(&meta, 32)?);
        store.left = bytes.len().saturating_mul(2);
        Ok(store)
    }

    fn u16(&self, bytes: &[u8], at: usize) -> Result<u16> {
        if self.big { u16_be(bytes, at) } else { u16_le(bytes, at) }
    }

    fn u32(&self, bytes: &[u8], at: usize) -> Result<u32> {
        if self.big { u32_be(bytes, at) } else { u32_le(bytes, at) }
    }

    fn page(&self, number: u32) -> Result<Vec<u8>> {
        let bytes = u64::try_from(self.page_bytes).unwrap_or(0);
        read_vec(self.bytes, u64::from(number).saturating_mul(bytes), self.page_bytes)
    }

    /// Where the item of a page begins.
    fn item(&self, page: &[u8], entry: usize) -> Result<usize> {
        let at = PAGE_HEAD.saturating_add(entry.saturating_mul(2));
        self.u16(page, at).map(usize::from)
    }

    /// Hand over a value; whether it could be had.
    fn value(&mut self, item: &[u8], visit: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<bool> {
        match item.first() {
            // rpm keeps a number under the key 0, which is no header.
            Some(&KEY_DATA) if item.len() < 17 => Ok(true),
            Some(&KEY_DATA) => visit(item.get(1..).unwrap_or_default()).map(|()| true),
            Some(&OFF_PAGE) => {
                let (first, len) = (self.u32(item, 4)?, self.u32(item, 8)?);
                match self.gather(first, len) {
                    Ok(value) => visit(&value).map(|()| true),
                    Err(error) if error.kind() == ErrorKind::Corrupt => Ok(false),
                    Err(error) => Err(error),
                }
            }
            _ => Ok(false),
        }
    }

    /// A value that lies on pages of its own.
    fn gather(&mut self, first: u32, len: u32) -> Result<Vec<u8>> {
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        if len > limits::RPM_HEADER_BYTES {
            return Err(Error::new(ErrorKind::Limit, "an rpm header is too long"));
        }
        let (mut value, mut next) = (Vec::new(), first);
        while value.len() < len {
            if next == 0 || next > self.pages {
                return Err(Error::corrupt("a value leads to no page"));
            }
            let page = self.page(next)?;
            let many = || Error::new(ErrorKind::Limit, "values share more pages than are read");
            let size = u64::try_from(self.page_bytes).unwrap_or(u64::MAX);
            self.left = self.left.checked_sub(size).ok_or_else(many)?;
            let held = usize::from(self.u16(&page, 22)?);
            if u8_at(&page, 25)? != OVERFLOW || held == 0 {
                return Err(Error::corrupt("a value leads to a page of another kind"));
            }
            let held = held.min(len.saturating_sub(value.len()));
            value.extend(take(&page, PAGE_HEAD, held)?);
            next = self.u32(&page, 16)?;
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A database of three pages: the head, a page with a short and a long value, the long value's.
    fn sample() -> Vec<u8> {
        let mut file = vec![0; 3 * 512];
        let mut put = |at: usize, bytes: &[u8]| file[at..at + bytes.len()].copy_from_slice(bytes);
        put(12, &HASH_MAGIC.to_le_bytes());
        put(20, &512u32.to_le_bytes());
        put(32, &2u32.to_le_bytes());
        let page = 512;
        put(page + 20, &4u16.to_le_bytes());
        put(page + 25, &[13]);
        for (entry, at) in [507u16, 480, 475, 463].into_iter().enumerate() {
            put(page + 26 + 2 * entry, &at.to_le_bytes());
        }
        put(page + 507, &[1, 1, 0, 0, 0]);
        put(page + 480, b"\x01short value, on the page..");
        put(page + 475, &[1, 2, 0, 0, 0]);
        put(page + 463, &[3, 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0]);
        put(1024 + 22, &4u16.to_le_bytes());
        put(1024 + 25, &[7]);
        put(1024 + 26, b"long");
        file
    }

    fn read(file: &Vec<u8>) -> (Vec<String>, Result<()>) {
        let mut found = Vec::new();
        let result = values(file, &mut |value| {
            found.push(String::from_utf8_lossy(value).into_owned());
            Ok(())
        });
        (found, result)
    }

    #[test]
    fn short_and_long_values() {
        let (found, result) = read(&sample());
        assert!(result.is_ok(), "{result:?}");
        assert_eq!(found, ["short value, on the page..", "long"]);
    }

    #[test]
    fn damage_ends() {
        let sample = sample();
        for len in 0..sample.len() {
            let _ = read(&sample[..len].to_vec());
        }
        for at in 0..sample.len() * 8 {
            let mut bent = sample.clone();
            bent[at / 8] ^= 1 << (at % 8);
            assert!(read(&bent).0.len() <= 1024, "{at}");
        }
        // A value whose pages go round.
        let mut looped = sample;
        looped[512 + 463 + 8..512 + 463 + 12].copy_from_slice(&[0, 0, 200, 0]);
        looped[1024 + 16] = 2;
        assert!(read(&looped).1.is_err());
    }
}
