//! The table of a pack's objects, and their contents.

use super::delta;
use super::object::{self, Id, Kind};
use super::pack::{self, EntryHead, Inflating, Packed, Source, too_much};
use crate::content::failed;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use flate2::Decompress;
use sha1::Digest;
use std::collections::{HashMap, VecDeque};
use std::io::Read;
use std::rc::Rc;

/// No object.
pub(super) const NONE: u32 = u32::MAX;

/// Every object of a pack, by the order in which they stand.
#[derive(Default)]
pub(super) struct Table {
    pub(super) offsets: Vec<u64>,
    /// What each was made from: for a delta its base, or none that is known.
    bases: Vec<u32>,
    /// What each is; a delta is what its base is.
    kinds: Vec<Option<Kind>>,
    deltas: Vec<bool>,
    /// Their ids; none in a pack of very many.
    ids: Vec<Option<Id>>,
    /// All that have one, sorted by it.
    by_id: Vec<u32>,
    /// All deltas, sorted by their base.
    by_base: Vec<u32>,
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

impl Table {
    pub(super) fn len(&self) -> u32 {
        u32::try_from(self.offsets.len()).unwrap_or(NONE)
    }

    pub(super) fn kind(&self, number: u32) -> Option<Kind> {
        self.kinds.get(index(number)).copied().flatten()
    }

    pub(super) fn id(&self, number: u32) -> Option<Id> {
        self.ids.get(index(number)).copied().flatten()
    }

    pub(super) fn offset(&self, number: u32) -> u64 {
        self.offsets.get(index(number)).copied().unwrap_or(u64::MAX)
    }

    fn base(&self, number: u32) -> u32 {
        self.bases.get(index(number)).copied().unwrap_or(NONE)
    }

    pub(super) fn is_delta(&self, number: u32) -> bool {
        self.deltas.get(index(number)).copied().unwrap_or(false)
    }

    /// The object of that id.
    pub(super) fn find(&self, id: &Id) -> Option<u32> {
        let at = self.by_id.binary_search_by(|number| self.id(*number).as_ref().cmp(&Some(id)));
        self.by_id.get(at.ok()?).copied()
    }

    /// The object at that offset.
    fn at(&self, offset: u64) -> Option<u32> {
        u32::try_from(self.offsets.binary_search(&offset).ok()?).ok()
    }

    /// The deltas of an object.
    pub(super) fn children(&self, number: u32) -> &[u32] {
        let from = self.by_base.partition_point(|child| self.base(*child) < number);
        let to = self.by_base.partition_point(|child| self.base(*child) <= number);
        self.by_base.get(from..to).unwrap_or_default()
    }

    /// One more object; `named` when there are ids.
    fn push(&mut self, offset: u64, kind: Option<Kind>, (id, named): (Option<Id>, bool)) {
        self.offsets.push(offset);
        self.kinds.push(kind);
        self.deltas.push(kind.is_none());
        self.bases.push(NONE);
        if named {
            self.ids.push(id);
        }
    }

    fn sort(&mut self) {
        let mut by_id: Vec<u32> = (0..self.len()).filter(|at| self.id(*at).is_some()).collect();
        by_id.sort_by_key(|number| self.id(*number));
        self.by_id = by_id;
        let mut by_base: Vec<u32> = (0..self.len()).filter(|at| self.base(*at) != NONE).collect();
        by_base.sort_by_key(|number| (self.base(*number), *number));
        self.by_base = by_base;
    }

    fn set<T>(list: &mut [T], number: u32, value: T) {
        if let Some(place) = list.get_mut(index(number)) {
            *place = value;
        }
    }
}

/// A pack being read.
pub(super) struct Store<'a> {
    pub(super) source: Source<'a>,
    state: Decompress,
    pub(super) table: Table,
    /// Deltas of objects that are known by their id alone.
    named: Vec<(Id, u32)>,
    /// Bytes that may still be made of it.
    pub(super) work: u64,
    kept: HashMap<u32, Rc<Vec<u8>>>,
    order: VecDeque<u32>,
    kept_bytes: usize,
}

impl<'a> Store<'a> {
    pub(super) fn new(source: Source<'a>) -> Store<'a> {
        let work = source.end.saturating_mul(limits::UNPACKED_FACTOR);
        Store {
            source,
            state: Decompress::new(true),
            table: Table::default(),
            named: Vec::new(),
            work: work.saturating_add(limits::UNPACKED_BYTES),
            kept: HashMap::new(),
            order: VecDeque::new(),
            kept_bytes: 0,
        }
    }

    /// Take the objects from an index.
    pub(super) fn listed(&mut self, objects: &[(u64, Id)]) {
        let mut heads = Vec::with_capacity(objects.len());
        for (offset, id) in objects {
            let Ok(head) = pack::head(&mut self.source, *offset) else { continue };
            heads.push(head.packed);
            let kind = match head.packed {
                Packed::Whole(kind) => Some(kind),
                _ => None,
            };
            self.table.push(*offset, kind, (Some(*id), true));
        }
        self.table.sort();
        self.based(&heads);
        self.table.sort();
        self.typed();
    }

    /// Find the bases of all deltas.
    fn based(&mut self, heads: &[Packed]) {
        for (number, head) in (0u32..).zip(heads) {
            let base = match head {
                Packed::Whole(_) => continue,
                Packed::Offset(offset) => self.table.at(*offset),
                Packed::Named(id) => {
                    self.named.push((*id, number));
                    self.table.find(id)
                }
            };
            Table::set(&mut self.table.bases, number, base.unwrap_or(NONE));
        }
        self.named.sort_unstable();
    }

    /// Give every delta the kind of what it is made from.
    fn typed(&mut self) {
        let mut pending: Vec<u32> =
            (0..self.table.len()).filter(|number| !self.table.is_delta(*number)).collect();
        while let Some(number) = pending.pop() {
            let kind = self.table.kind(number);
            for child in self.table.children(number).to_vec() {
                if self.table.kind(child).is_none() && child != number {
                    Table::set(&mut self.table.kinds, child, kind);
                    pending.push(child);
                }
            }
        }
    }

    /// Find the objects by reading the pack from front to back. What is damaged is passed over to
    /// where an object begins again; the first damage is told.
    pub(super) fn scanned(&mut self, count: u64) -> Result<()> {
        let named = count <= limits::GIT_NAMED_OBJECTS;
        let most = count.min(limits::GIT_OBJECTS);
        let mut result = Ok(());
        let mut heads = Vec::new();
        let mut at = 12u64;
        let mut tries = limits::GIT_RESYNCS;
        while u64::from(self.table.len()) < most && at < self.source.end {
            match self.scan(at, named) {
                Ok((head, id, end)) => {
                    let kind = match head.packed {
                        Packed::Whole(kind) => Some(kind),
                        _ => None,
                    };
                    heads.push(head.packed);
                    self.table.push(at, kind, (id, named));
                    at = end;
                }
                Err(error) => {
                    let over = error.kind() == ErrorKind::Limit;
                    result = result.and(Err(error));
                    let Some(next) = self.resync(at, &mut tries).filter(|_| !over) else { break };
                    at = next;
                }
            }
        }
        if count > most && result.is_ok() {
            result = Err(Error::new(ErrorKind::Limit, "a pack holds too many objects"));
        }
        self.table.sort();
        self.based(&heads);
        self.table.sort();
        self.typed();
        if named {
            self.identify();
            self.table.sort();
            self.typed();
        }
        result
    }

    /// Read an object to its end; its id, if it is no delta.
    fn scan(&mut self, at: u64, named: bool) -> Result<(EntryHead, Option<Id>, u64)> {
        let head = pack::head(&mut self.source, at)?;
        let kind = match head.packed {
            Packed::Whole(kind) if named => Some(kind),
            _ => None,
        };
        let mut hash = kind.map(|kind| object::hash(kind, head.size));
        let (source, state) = (&mut self.source, &mut self.state);
        let mut bytes = Inflating::new(source, state, &mut self.work, head.data);
        let mut buf = vec![0; 32 * 1024];
        let mut size = 0u64;
        loop {
            let len = bytes.read(&mut buf).map_err(failed)?;
            let part = buf.get(..len).unwrap_or_default();
            if len == 0 {
                break;
            }
            size = size.saturating_add(u64::try_from(len).unwrap_or(0));
            if let Some(hash) = &mut hash {
                hash.update(part);
            }
        }
        if size != head.size {
            return Err(Error::corrupt("an object of a pack has another length than it says"));
        }
        Ok((head, hash.map(|hash| hash.finalize().into()), bytes.at))
    }

    /// The next place behind `at` where an object seems to begin.
    fn resync(&mut self, at: u64, tries: &mut usize) -> Option<u64> {
        let mut next = at.checked_add(1)?;
        while next < self.source.end && *tries > 0 {
            let window = self.source.from(next, 64).ok()?;
            // The compressed bytes begin with one of four pairs, some bytes behind the head.
            let mark = window
                .windows(2)
                .position(|pair| matches!(pair, [0x78, 0x01 | 0x5e | 0x9c | 0xda]));
            let Some(mark) = mark.and_then(|mark| u64::try_from(mark).ok()) else {
                next =
                    next.checked_add(u64::try_from(window.len().max(2)).ok()?)?.checked_sub(1)?;
                continue;
            };
            let data = next.checked_add(mark)?;
            if let Some(start) = self.begins(next, data, tries) {
                return Some(start);
            }
            next = data.checked_add(1)?;
        }
        None
    }

    /// Where the object begins whose compressed bytes seem to begin at `data`.
    fn begins(&mut self, after: u64, data: u64, tries: &mut usize) -> Option<u64> {
        for back in (1..=31u64).rev() {
            let start = data.checked_sub(back).filter(|start| *start >= after);
            let Some(start) = start else { continue };
            if !pack::head(&mut self.source, start).is_ok_and(|head| head.data == data) {
                continue;
            }
            *tries = tries.checked_sub(1)?;
            if self.scan(start, false).is_ok() {
                return Some(start);
            }
        }
        None
    }

    /// Find the ids of all deltas, which takes making every object.
    fn identify(&mut self) {
        let whole = (0..self.table.len()).filter(|number| !self.table.is_delta(*number));
        let mut pending: Vec<u32> = whole.collect();
        while let Some(number) = pending.pop() {
            if self.table.is_delta(number) {
                let Ok(bytes) = self.content(number) else { continue };
                let Some(kind) = self.table.kind(number) else { continue };
                let id = object::id(kind, &bytes);
                Table::set(&mut self.table.ids, number, Some(id));
            }
            pending.extend(self.table.children(number));
            let Some(id) = self.table.id(number) else { continue };
            let from = self.named.partition_point(|(base, _)| *base < id);
            let named = self.named.get(from..).unwrap_or_default();
            let mut waiting: Vec<u32> =
                named.iter().take_while(|(base, _)| *base == id).map(|(_, child)| *child).collect();
            waiting.retain(|child| self.table.base(*child) == NONE && *child != number);
            for child in waiting {
                Table::set(&mut self.table.bases, child, number);
                let kind = self.table.kind(number);
                Table::set(&mut self.table.kinds, child, kind);
                pending.push(child);
            }
        }
    }

    /// The bytes of an object.
    pub(super) fn content(&mut self, number: u32) -> Result<Rc<Vec<u8>>> {
        let mut chain = Vec::new();
        let mut at = number;
        let mut made = loop {
            if let Some(kept) = self.kept.get(&at) {
                break Rc::clone(kept);
            }
            if !self.table.is_delta(at) {
                break self.keep(at, b"", None)?;
            }
            chain.push(at);
            at = self.table.base(at);
            if at == NONE {
                return Err(Error::corrupt("an object is a delta of one that is not there"));
            }
            if chain.len() > limits::GIT_DELTA_DEPTH {
                return Err(Error::new(ErrorKind::Limit, "a chain of deltas is too long"));
            }
        };
        while let Some(number) = chain.pop() {
            let delta = self.inflate(number)?;
            made = self.keep(number, &delta, Some(&made))?;
        }
        Ok(made)
    }

    /// Make an object of its delta, or of itself, and keep it for those made of it.
    fn keep(&mut self, number: u32, delta: &[u8], base: Option<&[u8]>) -> Result<Rc<Vec<u8>>> {
        let bytes = match base {
            None => self.inflate(number)?,
            Some(base) => delta::apply(base, delta, limits::GIT_OBJECT_BYTES)?,
        };
        let cost = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        self.work = self.work.checked_sub(cost).ok_or_else(too_much)?;
        let bytes = Rc::new(bytes);
        self.kept_bytes = self.kept_bytes.saturating_add(bytes.len());
        let _ = self.kept.insert(number, Rc::clone(&bytes));
        self.order.push_back(number);
        while self.kept_bytes > limits::GIT_OBJECT_BYTES || self.order.len() > limits::GIT_KEPT {
            let Some(gone) = self.order.pop_front().and_then(|old| self.kept.remove(&old)) else {
                break;
            };
            self.kept_bytes = self.kept_bytes.saturating_sub(gone.len());
        }
        Ok(bytes)
    }

    /// The unpacked bytes of an object or its delta.
    pub(super) fn inflate(&mut self, number: u32) -> Result<Vec<u8>> {
        let head = pack::head(&mut self.source, self.table.offset(number))?;
        let most = u64::try_from(limits::GIT_OBJECT_BYTES).unwrap_or(u64::MAX);
        if head.size > most {
            return Err(Error::new(ErrorKind::Limit, "an object that deltas are of is too long"));
        }
        let mut bytes = Vec::new();
        let (source, state) = (&mut self.source, &mut self.state);
        let packed = Inflating::new(source, state, &mut self.work, head.data);
        let read = packed.take(most.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        if u64::try_from(read).ok() != Some(head.size) {
            return Err(Error::corrupt("an object of a pack has another length than it says"));
        }
        Ok(bytes)
    }

    /// The bytes of an object that is no delta, as a stream, and how many they are.
    pub(super) fn stream(&mut self, number: u32) -> Result<(u64, Inflating<'_, 'a>)> {
        let head = pack::head(&mut self.source, self.table.offset(number))?;
        let (source, state) = (&mut self.source, &mut self.state);
        Ok((head.size, Inflating::new(source, state, &mut self.work, head.data)))
    }
}
