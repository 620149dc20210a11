//! The block cache: single flight per block, a bound on memory, and fetching ahead.
//!
//! A block is listed or not; one that is not reads as zeros and is never fetched. A listed block is
//! fetched once, whoever asks first: later readers wait for the same flight. What is held counts
//! against one bound, blocks on their way included; fetching ahead stops at half of it, reading on
//! demand never waits for room: a reader gets one block after the other, and several side by side
//! while what all readers have in hand is less than half. When room is needed, blocks the sweep has passed go first, then
//! the ones read longest ago, then what was read before the sweep came to it (by planning, by a
//! file in pieces), and last what was fetched ahead and not yet read: throwing that away would buy
//! it twice. What the sweep is still to read
//! of a block that goes stays: all of it made smaller if planning read it (`packed`), or the bytes
//! that a file in pieces waits for (`kept`).

mod kept;
mod packed;
mod store;

pub use self::kept::Later;
use self::store::Store;
pub use self::store::{Counters, Failure};
use crate::bytes::{ReadAt, past_end};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::{BLOCK_BYTES, CACHE_BLOCKS_MIN, CACHE_READ_BLOCKS};
use crate::run::{ImageNo, Run, RunSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};

/// What came for a block.
#[derive(Clone, Debug)]
pub enum Fetched {
    /// Nothing but zeros.
    Zeros,
    /// The bytes, [`BLOCK_BYTES`] of them.
    Bytes(Vec<u8>),
}

/// How a block is fetched: called with its index, it returns at once and completes later, from any
/// thread.
pub type Fetch = Box<dyn Fn(u64, Completion) + Send + Sync>;

/// The blocks of one image that are in memory or on their way.
pub struct Cache {
    number: ImageNo,
    len: u64,
    listed: RunSet,
    shared: Arc<Shared>,
    fetch: Fetch,
}

/// What readers and completions both hold. It does not hold `fetch`: whatever fetches may then
/// hold completions without keeping itself alive.
struct Shared {
    store: Mutex<Store>,
    arrived: Condvar,
    room: Condvar,
}

/// A block's bytes, as readers share them.
#[derive(Clone)]
enum Data {
    Zeros,
    Bytes(Arc<Vec<u8>>),
    /// What was asked for alone, and where it begins in what is kept.
    Kept(Arc<[u8]>, u64),
}

/// The flight of one block: readers wait on it rather than on the store, so that a block thrown
/// out between its arrival and their waking is still theirs.
type Flight = Arc<OnceLock<Result<Data, Arc<Error>>>>;

/// What a reader gets for a block at once.
enum Ticket {
    Ready(Data),
    Failed(Arc<Error>),
    Wait { flight: Flight, start: bool },
}

/// Blocks a reader has in hand or waits for; they stay in memory whatever the store throws out.
struct Loan<'a> {
    shared: &'a Shared,
    blocks: usize,
}

impl Drop for Loan<'_> {
    fn drop(&mut self) {
        self.shared.store().give_back(self.blocks);
    }
}

/// The duty to say what became of one block. Dropped without a word, the block has failed.
pub struct Completion {
    shared: Arc<Shared>,
    block: u64,
    flight: Flight,
    done: bool,
}

impl Completion {
    /// The block came, or it is known that it will not.
    pub fn done(mut self, fetched: Result<Fetched>) {
        self.finish(fetched);
    }

    fn finish(&mut self, fetched: Result<Fetched>) {
        self.done = true;
        let data = match fetched {
            Ok(Fetched::Zeros) => Ok(Data::Zeros),
            Ok(Fetched::Bytes(bytes)) if u64::try_from(bytes.len()) == Ok(BLOCK_BYTES) => {
                Ok(Data::Bytes(Arc::new(bytes)))
            }
            Ok(Fetched::Bytes(bytes)) => {
                Err(Error::new(ErrorKind::Unreadable, "a block of the wrong length came")
                    .detail(format_args!("{} bytes", bytes.len())))
            }
            Err(error) => Err(error),
        };
        let mut store = self.shared.store();
        let outcome = store.arrived(self.block, data);
        // Under the lock, so that nobody who looked before and sleeps after is missed.
        let _ = self.flight.set(outcome);
        drop(store);
        self.shared.arrived.notify_all();
        self.shared.room.notify_all();
    }
}

impl Drop for Completion {
    fn drop(&mut self) {
        if !self.done {
            self.finish(Err(Error::new(ErrorKind::Internal, "the fetch of a block was given up")));
        }
    }
}

impl Shared {
    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Cache {
    /// A cache over the `listed` bytes of an image of `len` bytes, holding at most
    /// `memory_bytes`, filled by `fetch`.
    pub fn new(
        number: ImageNo,
        len: u64,
        listed: RunSet,
        memory_bytes: u64,
        fetch: Fetch,
    ) -> Cache {
        let capacity = usize::try_from(memory_bytes.checked_div(BLOCK_BYTES).unwrap_or(0))
            .unwrap_or(usize::MAX)
            .max(CACHE_BLOCKS_MIN);
        Cache {
            number,
            len,
            listed,
            shared: Arc::new(Shared {
                store: Mutex::new(Store::new(capacity)),
                arrived: Condvar::new(),
                room: Condvar::new(),
            }),
            fetch,
        }
    }

    /// These bytes will be read soon. Returns when the request is under way, which may wait until
    /// there is room; returns at once after [`Cache::stop`]. What the sweep has passed or thrown
    /// out already is left to whoever reads it again.
    pub fn want(&self, run: Run) {
        for block in blocks_of(run.intersect(Run::new(0, self.len))) {
            if !self.is_listed(block) {
                continue;
            }
            let mut store = self.shared.store();
            while !store.stopped && store.is_wanted_ahead(block) && !store.has_room_ahead() {
                store = self.shared.room.wait(store).unwrap_or_else(PoisonError::into_inner);
            }
            if store.stopped {
                return;
            }
            let start = store.ask_ahead(block);
            drop(store);
            if let Some(flight) = start {
                self.start(block, flight);
            }
        }
    }

    /// Planning is over. Blocks read while planning have been kept so that the sweep need not
    /// fetch them again; from now on they go once the sweep has passed them.
    /// Of those, and of all others, what will be read `later` stays in memory.
    pub fn sweep_begins(&self, later: Vec<Later>) {
        self.shared.store().sweep_begins(later);
        self.shared.room.notify_all();
    }

    /// Everything before `offset` has been swept. Once that is all, nothing is held any more.
    pub fn passed(&self, offset: u64) {
        if self.len <= offset {
            self.shared.store().clear();
        } else {
            self.shared.store().passed(offset.checked_div(BLOCK_BYTES).unwrap_or(0));
        }
        self.shared.room.notify_all();
    }

    /// How far the sweep may run ahead of a reader whose blocks it shares. What has been read and
    /// not passed may take half of the memory, what planning keeps among it.
    pub fn reach_bytes(&self) -> u64 {
        let quarter = self.shared.store().capacity().div_ceil(4);
        u64::try_from(quarter).unwrap_or(u64::MAX).saturating_mul(BLOCK_BYTES)
    }

    /// Nothing more is wanted; whoever waits in [`Cache::want`] returns.
    pub fn stop(&self) {
        self.shared.store().stopped = true;
        self.shared.room.notify_all();
    }

    /// What was fetched, found and thrown out so far.
    pub fn counters(&self) -> Counters {
        self.shared.store().counters
    }

    /// The blocks that could not be had so far, in order, each with the reason.
    pub fn failures(&self) -> Vec<Failure> {
        self.shared.store().failures(self.len)
    }

    fn is_listed(&self, block: u64) -> bool {
        self.listed.within(block_run(block)).next().is_some()
    }

    fn start(&self, block: u64, flight: Flight) {
        let shared = Arc::clone(&self.shared);
        (self.fetch)(block, Completion { shared, block, flight, done: false });
    }

    /// What there is for the part of `run` in the first of `blocks` now, and in as many of the
    /// others as may be lent besides, having started every fetch that was missing.
    fn tickets(&self, blocks: &[u64], run: Run) -> (Vec<Ticket>, Loan<'_>) {
        let mut loan = Loan { shared: &self.shared, blocks: 0 };
        let mut tickets = Vec::with_capacity(blocks.len());
        let mut store = self.shared.store();
        for &block in blocks {
            if !tickets.is_empty() && !store.may_lend() {
                break;
            }
            let ticket = if self.is_listed(block) {
                store.ask(block, block_run(block).intersect(run))
            } else {
                Ticket::Ready(Data::Zeros)
            };
            if matches!(ticket, Ticket::Wait { .. } | Ticket::Ready(Data::Bytes(_))) {
                store.lend();
                loan.blocks = loan.blocks.saturating_add(1);
            }
            tickets.push(ticket);
        }
        drop(store);
        self.shared.room.notify_all();
        for (&block, ticket) in blocks.iter().zip(&tickets) {
            if let Ticket::Wait { flight, start: true } = ticket {
                self.start(block, Arc::clone(flight));
            }
        }
        (tickets, loan)
    }

    fn redeem(&self, block: u64, ticket: Ticket) -> Result<Data> {
        let outcome = match ticket {
            Ticket::Ready(data) => Ok(data),
            Ticket::Failed(error) => Err(error),
            Ticket::Wait { flight, .. } => {
                let mut store = self.shared.store();
                loop {
                    if let Some(outcome) = flight.get() {
                        break outcome.clone();
                    }
                    store = self.shared.arrived.wait(store).unwrap_or_else(PoisonError::into_inner);
                }
            }
        };
        outcome.map_err(|reason| refusal(block, &reason))
    }
}

impl ReadAt for Cache {
    fn len(&self) -> u64 {
        self.len
    }

    /// Blocks of one read are fetched side by side. After an error, `buf` holds what came before
    /// the block that failed.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let wanted = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        let run = Run::new(offset, wanted);
        if run.len != wanted || run.end() > self.len {
            return Err(past_end(offset, buf.len(), self.len));
        }
        let blocks: Vec<u64> = blocks_of(run).collect();
        let (mut rest, mut left) = (buf, blocks.as_slice());
        while !left.is_empty() {
            let (tickets, loan) = self.tickets(left.get(..CACHE_READ_BLOCKS).unwrap_or(left), run);
            let (group, after) = left.split_at(tickets.len().min(left.len()));
            left = after;
            for (&block, ticket) in group.iter().zip(tickets) {
                let data = self.redeem(block, ticket)?;
                let part = block_run(block).intersect(run);
                let len = usize::try_from(part.len).unwrap_or(0);
                let (head, tail) = rest.split_at_mut(len.min(rest.len()));
                copy(&data, part.start.checked_rem(BLOCK_BYTES).unwrap_or(0), head)?;
                rest = tail;
            }
            drop(loan);
        }
        Ok(())
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        vec![(self.number, run.intersect(Run::new(0, self.len)))]
    }
}

fn copy(data: &Data, from: u64, to: &mut [u8]) -> Result<()> {
    match data {
        Data::Zeros => to.fill(0),
        Data::Bytes(bytes) => bytes.read_at(from, to)?,
        Data::Kept(bytes, skip) => {
            let kept = usize::try_from(*skip)
                .ok()
                .and_then(|skip| bytes.get(skip..skip.checked_add(to.len())?));
            let lost = || Error::new(ErrorKind::Internal, "kept bytes are cut short");
            to.copy_from_slice(kept.ok_or_else(lost)?);
        }
    }
    Ok(())
}

/// The error every reader of a failed block gets.
fn refusal(block: u64, reason: &Error) -> Error {
    let kind = match reason.kind() {
        ErrorKind::Denied => ErrorKind::Denied,
        _ => ErrorKind::Unreadable,
    };
    Error::new(kind, "a block could not be read")
        .detail(format_args!("block {block}"))
        .caused_by(reason.clone())
}

fn block_run(block: u64) -> Run {
    Run::new(block.saturating_mul(BLOCK_BYTES), BLOCK_BYTES)
}

fn blocks_of(run: Run) -> impl Iterator<Item = u64> {
    let first = run.start.checked_div(BLOCK_BYTES).unwrap_or(0);
    let end = if run.is_empty() { first } else { run.end().div_ceil(BLOCK_BYTES) };
    first..end
}

#[cfg(test)]
mod tests;
