//! The store: which blocks are held, on their way, known empty or lost, and what goes first.

use super::kept::{Kept, Later};
use super::packed::Packed;
use super::{Data, Flight, Ticket, block_run};
use crate::error::{Error, Result};
use crate::limits::{BLOCK_BYTES, CACHE_WHOLE_SHARE};
use crate::run::Run;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// What a cache did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Fetches started.
    pub fetches: u64,
    /// Fetches of a block that had been fetched before and was thrown out since.
    pub refetches: u64,
    /// Reads answered from memory, a known empty block included.
    pub hits: u64,
    /// Blocks thrown out.
    pub evictions: u64,
    /// Blocks that came and hold only zeros.
    pub zeros: u64,
    /// Blocks that could not be had.
    pub failed: u64,
    /// The most blocks that were held or on their way at one time.
    pub peak_blocks: usize,
    /// The most blocks that readers had in hand or waited for at one time.
    pub peak_lent: usize,
}

/// A block that could not be had.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its bytes on the image.
    pub run: Run,
    /// Why.
    pub reason: Arc<Error>,
}

/// What goes first when room is needed, first to last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// The sweep is beyond it.
    Passed,
    /// It was read, and there was no room to keep it until the sweep passes.
    Read,
    /// It was read, and the sweep has still to pass it.
    Pinned,
    /// Fetched ahead and not yet read.
    Unread,
}

struct Held {
    bytes: Arc<Vec<u8>>,
    class: Class,
    stamp: u64,
}

struct Coming {
    flight: Flight,
    /// Whether a reader waits, so that on arrival it counts as read.
    asked: bool,
}

pub(super) struct Store {
    pub(super) stopped: bool,
    pub(super) counters: Counters,
    capacity: usize,
    held: BTreeMap<u64, Held>,
    /// The held blocks, first to go first.
    order: BTreeSet<(Class, u64, u64)>,
    /// What stays of blocks that went.
    kept: Kept,
    packed: Packed,
    coming: HashMap<u64, Coming>,
    zeros: Bits,
    /// Blocks that came, for the count of those bought twice.
    bought: Bits,
    /// Blocks thrown out since the sweep began.
    gone: Bits,
    failed: BTreeMap<u64, Arc<Error>>,
    last_failure: Option<Arc<Error>>,
    /// Blocks before this one have been swept.
    passed: u64,
    sweeping: bool,
    clock: u64,
    pinned: usize,
    unread: usize,
    /// Blocks that readers have in hand or wait for.
    lent: usize,
}

impl Store {
    /// Blocks it may hold.
    pub(super) fn capacity(&self) -> usize {
        self.capacity
    }

    pub(super) fn new(capacity: usize) -> Store {
        Store {
            stopped: false,
            counters: Counters::default(),
            capacity,
            held: BTreeMap::new(),
            order: BTreeSet::new(),
            kept: Kept::default(),
            packed: Packed::default(),
            coming: HashMap::new(),
            zeros: Bits::default(),
            bought: Bits::default(),
            gone: Bits::default(),
            failed: BTreeMap::new(),
            last_failure: None,
            passed: 0,
            sweeping: false,
            clock: 0,
            pinned: 0,
            unread: 0,
            lent: 0,
        }
    }

    /// Whether a reader that has a block in hand may have one more. Each may always have one, so
    /// that no reader waits for another.
    pub(super) fn may_lend(&self) -> bool {
        self.lent < self.capacity.div_ceil(2)
    }

    pub(super) fn lend(&mut self) {
        self.lent = self.lent.saturating_add(1);
        self.counters.peak_lent = self.counters.peak_lent.max(self.lent);
    }

    pub(super) fn give_back(&mut self, blocks: usize) {
        self.lent = self.lent.saturating_sub(blocks);
    }

    /// What a reader of `run`, which lies in `block`, gets now; the reader starts the fetch when it
    /// is told to.
    pub(super) fn ask(&mut self, block: u64, run: Run) -> Ticket {
        if self.zeros.get(block) {
            self.counters.hits = self.counters.hits.saturating_add(1);
            return Ticket::Ready(Data::Zeros);
        }
        if let Some(reason) = self.failed.get(&block) {
            return Ticket::Failed(Arc::clone(reason));
        }
        self.unpack(block);
        if let Some(held) = self.held.get(&block) {
            let bytes = Arc::clone(&held.bytes);
            self.counters.hits = self.counters.hits.saturating_add(1);
            let class = self.class_once_read(block, held.class);
            self.reclass(block, class);
            return Ticket::Ready(Data::Bytes(bytes));
        }
        if let Some((bytes, skip)) = self.kept.get(run) {
            self.counters.hits = self.counters.hits.saturating_add(1);
            return Ticket::Ready(Data::Kept(bytes, skip));
        }
        if let Some(coming) = self.coming.get_mut(&block) {
            coming.asked = true;
            return Ticket::Wait { flight: Arc::clone(&coming.flight), start: false };
        }
        Ticket::Wait { flight: self.depart(block, true), start: true }
    }

    /// The prefetcher asks for `block`: the flight to start, if one is needed.
    pub(super) fn ask_ahead(&mut self, block: u64) -> Option<Flight> {
        if self.is_wanted_ahead(block) {
            return Some(self.depart(block, false));
        }
        let class = self.held.get(&block)?.class;
        if matches!(class, Class::Read | Class::Passed) {
            let ahead = self.passed <= block && self.has_room_ahead();
            self.reclass(block, if ahead { Class::Unread } else { Class::Read });
        }
        None
    }

    /// Whether having `block` takes a fetch that nobody has started, and that is worth starting
    /// ahead: a prefetcher that the sweep has overtaken must not buy again what is done with.
    pub(super) fn is_wanted_ahead(&self, block: u64) -> bool {
        !(block < self.passed && self.bought.get(block)
            || self.gone.get(block)
            || self.zeros.get(block)
            || self.failed.contains_key(&block)
            || self.held.contains_key(&block)
            || self.packed.has(block)
            || self.coming.contains_key(&block))
    }

    /// Whether one more block may be fetched ahead. What planning keeps narrows it, down to an
    /// eighth, and another eighth stays free for reads on demand.
    pub(super) fn has_room_ahead(&self) -> bool {
        let (half, eighth) = (self.capacity.div_ceil(2), self.capacity.div_ceil(8));
        let apart = self.pinned.saturating_add(self.used_by_parts());
        let free = self.capacity.saturating_sub(apart);
        let bound = half.min(free.saturating_sub(eighth)).max(eighth);
        self.coming.len().saturating_add(self.unread) < bound
    }

    /// What every waiting reader of `block` is told.
    pub(super) fn arrived(
        &mut self,
        block: u64,
        data: Result<Data>,
    ) -> std::result::Result<Data, Arc<Error>> {
        let asked = self.coming.remove(&block).is_some_and(|coming| coming.asked);
        self.bought.set(block);
        match &data {
            Ok(Data::Bytes(bytes)) => {
                let class = if asked || block < self.passed {
                    self.class_once_read(block, Class::Unread)
                } else {
                    Class::Unread
                };
                self.hold(block, Arc::clone(bytes), class);
                self.make_room(0);
            }
            Ok(Data::Zeros) => {
                self.zeros.set(block);
                self.counters.zeros = self.counters.zeros.saturating_add(1);
            }
            Ok(Data::Kept(..)) | Err(_) => {}
        }
        data.map_err(|error| self.fail(block, error))
    }

    pub(super) fn sweep_begins(&mut self, later: Vec<Later>) {
        self.sweeping = true;
        self.kept.plan(later);
        self.gone = Bits::default();
        let unread: Vec<u64> =
            self.held.iter().filter(|(_, h)| h.class == Class::Unread).map(|(&b, _)| b).collect();
        for block in unread {
            self.reclass(block, Class::Read);
        }
    }

    pub(super) fn passed(&mut self, block: u64) {
        if block <= self.passed {
            return;
        }
        let behind: Vec<u64> = self.held.range(self.passed..block).map(|(&b, _)| b).collect();
        self.passed = block;
        self.kept.passed(block);
        self.packed.passed(block);
        for block in behind {
            self.reclass(block, Class::Passed);
        }
    }

    /// Let go of every block held: the image is done with.
    pub(super) fn clear(&mut self) {
        self.passed = u64::MAX;
        self.held.clear();
        self.order.clear();
        self.kept = Kept::default();
        self.packed = Packed::default();
        self.pinned = 0;
        self.unread = 0;
    }

    pub(super) fn failures(&self, len: u64) -> Vec<Failure> {
        let whole = Run::new(0, len);
        let failure = |(&block, reason): (&u64, &Arc<Error>)| Failure {
            run: block_run(block).intersect(whole),
            reason: Arc::clone(reason),
        };
        self.failed.iter().map(failure).collect()
    }

    /// The class of a block of class `before` once it has been read. One the sweep has still to
    /// pass holds bytes of other files too: it is kept as long as there is room for such, of which
    /// planning may take more, since nothing is fetched far ahead yet.
    fn class_once_read(&self, block: u64, before: Class) -> Class {
        let half = self.capacity.div_ceil(2);
        let pins = if self.sweeping { half } else { half.saturating_add(half.div_ceil(2)) };
        match before {
            _ if block < self.passed => Class::Passed,
            Class::Pinned => Class::Pinned,
            _ if self.pinned < pins => Class::Pinned,
            _ => Class::Read,
        }
    }

    fn depart(&mut self, block: u64, asked: bool) -> Flight {
        self.make_room(1);
        let flight = Flight::default();
        self.coming.insert(block, Coming { flight: Arc::clone(&flight), asked });
        self.counters.fetches = self.counters.fetches.saturating_add(1);
        if self.bought.get(block) {
            self.counters.refetches = self.counters.refetches.saturating_add(1);
        }
        self.counters.peak_blocks = self.counters.peak_blocks.max(self.used());
        flight
    }

    /// Throw out blocks until `more` fit. What is on its way cannot be thrown out.
    fn make_room(&mut self, more: usize) {
        while self.capacity < self.used().saturating_add(more) {
            let Some(&(class, _, block)) = self.order.first() else {
                return;
            };
            if class != Class::Pinned || !self.pack_pinned() {
                self.evict(block);
            }
        }
    }

    /// Pack the first block that the sweep has still to pass and that can be packed, so that none
    /// need go for good. Returns whether there was one.
    fn pack_pinned(&mut self) -> bool {
        let room_bytes = self.parts_bytes().saturating_sub(self.kept.bytes());
        let pinned = |&&(class, ..): &&(Class, u64, u64)| class == Class::Pinned;
        loop {
            let mut blocks = self.order.iter().take_while(pinned).map(|(_, _, block)| *block);
            let Some(block) = blocks.find(|block| !self.packed.is_noise(*block)) else {
                return false;
            };
            let Some(held) = self.held.get(&block) else { return false };
            if self.packed.keep(block, &held.bytes, room_bytes) {
                self.release(block);
                return true;
            }
            if !self.packed.is_noise(block) {
                return false;
            }
        }
    }

    /// Bytes that what is left of blocks may take.
    fn parts_bytes(&self) -> u64 {
        let whole_bytes = u64::try_from(self.capacity).unwrap_or(0).saturating_mul(BLOCK_BYTES);
        whole_bytes.saturating_sub(whole_bytes / CACHE_WHOLE_SHARE)
    }

    /// Let go of a block, but for what the sweep is still to read of it.
    fn evict(&mut self, block: u64) {
        let Some(bytes) = self.release(block) else { return };
        let parts_bytes = self.parts_bytes();
        let room_bytes = parts_bytes.saturating_sub(self.kept.bytes());
        if self.passed <= block && self.packed.keep(block, &bytes, room_bytes) {
            return;
        }
        let room_bytes = parts_bytes.saturating_sub(self.packed.bytes());
        self.kept.save(block, &bytes, self.passed, room_bytes);
        self.gone.set(block);
        self.counters.evictions = self.counters.evictions.saturating_add(1);
    }

    /// Make a packed block one that is held, so that it can be read.
    fn unpack(&mut self, block: u64) {
        if !self.packed.has(block) {
            return;
        }
        self.make_room(1);
        let len = usize::try_from(BLOCK_BYTES).unwrap_or(0);
        if let Some(bytes) = self.packed.take(block, len) {
            self.hold(block, Arc::new(bytes), Class::Read);
        }
    }

    /// Blocks held or on their way, and as many as what is left of others would fill.
    fn used(&self) -> usize {
        self.held.len().saturating_add(self.coming.len()).saturating_add(self.used_by_parts())
    }

    fn used_by_parts(&self) -> usize {
        let bytes = self.kept.bytes().saturating_add(self.packed.bytes());
        usize::try_from(bytes.div_ceil(BLOCK_BYTES)).unwrap_or(usize::MAX)
    }

    fn hold(&mut self, block: u64, bytes: Arc<Vec<u8>>, class: Class) {
        self.clock = self.clock.saturating_add(1);
        let stamp = self.clock;
        self.order.insert((class, stamp, block));
        match class {
            Class::Pinned => self.pinned = self.pinned.saturating_add(1),
            Class::Unread => self.unread = self.unread.saturating_add(1),
            Class::Passed | Class::Read => {}
        }
        self.held.insert(block, Held { bytes, class, stamp });
    }

    fn release(&mut self, block: u64) -> Option<Arc<Vec<u8>>> {
        let held = self.held.remove(&block)?;
        self.order.remove(&(held.class, held.stamp, block));
        match held.class {
            Class::Pinned => self.pinned = self.pinned.saturating_sub(1),
            Class::Unread => self.unread = self.unread.saturating_sub(1),
            Class::Passed | Class::Read => {}
        }
        Some(held.bytes)
    }

    /// Move a held block into `class`, as the last of it to go.
    fn reclass(&mut self, block: u64, class: Class) {
        if let Some(bytes) = self.release(block) {
            self.hold(block, bytes, class);
        }
    }

    /// Remember that `block` is lost. A run of blocks lost for one reason shares it.
    fn fail(&mut self, block: u64, error: Error) -> Arc<Error> {
        let same =
            |last: &&Arc<Error>| last.kind() == error.kind() && last.message() == error.message();
        let reason = match self.last_failure.as_ref().filter(same) {
            Some(last) => Arc::clone(last),
            None => Arc::new(error),
        };
        self.last_failure = Some(Arc::clone(&reason));
        self.counters.failed = self.counters.failed.saturating_add(1);
        self.failed.insert(block, Arc::clone(&reason));
        reason
    }
}

/// A growing set of block numbers, an eighth of a byte each.
#[derive(Default)]
pub(super) struct Bits {
    words: Vec<u64>,
}

impl Bits {
    fn place(block: u64) -> (usize, u64) {
        let word = usize::try_from(block.checked_div(64).unwrap_or(0)).unwrap_or(usize::MAX);
        let shift = u32::try_from(block.checked_rem(64).unwrap_or(0)).unwrap_or(0);
        (word, 1_u64.checked_shl(shift).unwrap_or(0))
    }

    pub(super) fn get(&self, block: u64) -> bool {
        let (word, bit) = Bits::place(block);
        self.words.get(word).is_some_and(|w| w & bit != 0)
    }

    pub(super) fn set(&mut self, block: u64) {
        let (word, bit) = Bits::place(block);
        if self.words.len() <= word {
            self.words.resize(word.saturating_add(1), 0);
        }
        if let Some(w) = self.words.get_mut(word) {
            *w |= bit;
        }
    }
}
