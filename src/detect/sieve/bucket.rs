//! Buckets: which windows share a bit in the kernels' tables.
//!
//! A kernel looks up four neighbouring bytes in four tables, each of which says which buckets have
//! such a byte there; where all four agree on a bucket, one of its windows may stand. Windows that
//! share a bucket blur each other, so they are dealt out such that a chance hit is rare.

use super::window::{Frequency, WINDOW};
use crate::detect::class::ByteSet;

/// Buckets of one group: a bit each in a byte of the tables.
const BUCKETS: usize = 8;

/// Cells of a table in the coarsest and the finest shape: nibbles, or bytes of ASCII.
const CELLS: usize = 128;

/// Rounds of moving single windows to where they hurt least. It changes little after three.
const ROUNDS: usize = 4;

/// Tables of sixteen entries, as byte shuffles look them up: one by the byte's low four bits, one
/// by the four bits from the fourth on. They share a bit, which makes them tell ASCII apart twice as
/// well as two halves of a byte would.
#[derive(Clone, Copy, Default)]
pub(super) struct Nibbles {
    pub(super) low: [[u8; 16]; WINDOW],
    pub(super) high: [[u8; 16]; WINDOW],
}

/// A table with an entry for each character of ASCII.
#[derive(Clone, Copy)]
pub(super) struct Exact(pub(super) [[u8; CELLS]; WINDOW]);

/// What the tables of a kernel tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Nibbles,
    Exact,
}

/// The low four bits of a byte, and those from the fourth on.
fn nibbles(byte: u8) -> (u8, u8) {
    (byte & 15, byte >> 3 & 15)
}

impl Shape {
    /// The cells a class takes.
    fn cells(self, class: ByteSet) -> u128 {
        let ascii = class.bytes().filter(u8::is_ascii);
        ascii.fold(0, |cells, byte| match self {
            Shape::Exact => cells | 1 << byte,
            Shape::Nibbles => {
                let (low, high) = nibbles(byte);
                cells | 1 << low | 1 << (16 + high)
            }
        })
    }
}

/// How likely a byte passes, by the cells that are taken.
struct Shares {
    shape: Shape,
    /// For nibbles: by the high one and the eight low ones that go with it. For bytes: by the
    /// number of eight neighbours and which of them are taken.
    sums: Vec<[f32; 256]>,
}

impl Shares {
    fn new(shape: Shape, frequency: &Frequency) -> Shares {
        let mut sums = Vec::with_capacity(16);
        for row in 0..16_u8 {
            let mut sum = [0.0; 256];
            for (taken, sum) in (0..=u8::MAX).zip(&mut sum) {
                let bits = (0..8_u8).filter(|bit| taken >> bit & 1 != 0);
                *sum = bits.map(|bit| frequency.of(row << 3 | bit)).sum();
            }
            sums.push(sum);
        }
        Shares { shape, sums }
    }

    fn of(&self, cells: u128) -> f32 {
        let bytes = cells.to_le_bytes();
        let [low_even, low_odd, high_first, high_last, ..] = bytes;
        let high = u16::from_le_bytes([high_first, high_last]);
        let rows = self.sums.iter().zip(bytes).enumerate();
        rows.map(|(row, (sums, byte))| match self.shape {
            Shape::Exact => sums[usize::from(byte)],
            Shape::Nibbles if high >> row & 1 == 0 => 0.0,
            // The bit that both nibbles have is the high one's lowest and the low one's highest.
            Shape::Nibbles if row % 2 == 0 => sums[usize::from(low_even)],
            Shape::Nibbles => sums[usize::from(low_odd)],
        })
        .sum()
    }
}

/// What is in a bucket: for each place of the window, how many windows take each cell.
#[derive(Clone)]
struct Bucket {
    counts: [[u16; CELLS]; WINDOW],
    cells: [u128; WINDOW],
    cost: f32,
}

impl Bucket {
    const EMPTY: Bucket = Bucket { counts: [[0; CELLS]; WINDOW], cells: [0; WINDOW], cost: 0.0 };

    /// The cost with one window more.
    fn cost_with(&self, window: &[u128; WINDOW], shares: &Shares) -> f32 {
        let cells = self.cells.iter().zip(window);
        cells.map(|(have, more)| shares.of(have | more)).product()
    }

    fn add(&mut self, window: &[u128; WINDOW], shares: &Shares) {
        for (counts, cells) in self.counts.iter_mut().zip(window) {
            each(*cells, |cell| counts[cell] = counts[cell].saturating_add(1));
        }
        self.refresh(window, shares);
    }

    fn remove(&mut self, window: &[u128; WINDOW], shares: &Shares) {
        for (counts, cells) in self.counts.iter_mut().zip(window) {
            each(*cells, |cell| counts[cell] = counts[cell].saturating_sub(1));
        }
        self.refresh(window, shares);
    }

    /// Make good the cells that `window` has changed.
    fn refresh(&mut self, window: &[u128; WINDOW], shares: &Shares) {
        for ((counts, have), cells) in self.counts.iter().zip(&mut self.cells).zip(window) {
            each(*cells, |cell| {
                let bit = 1 << cell;
                *have = if counts[cell] == 0 { *have & !bit } else { *have | bit };
            });
        }
        self.cost = self.cells.iter().map(|cells| shares.of(*cells)).product();
    }
}

/// Visit the cells that are taken.
fn each(cells: u128, mut visit: impl FnMut(usize)) {
    let mut left = cells;
    while left != 0 {
        visit(left.trailing_zeros() as usize & (CELLS - 1));
        left &= left - 1;
    }
}

/// Deal `windows` out to `count` buckets. Each goes where it adds least, the likeliest first, and
/// later on moves where it does less harm.
fn deal(windows: &[[u128; WINDOW]], count: usize, shares: &Shares) -> Vec<Bucket> {
    let mut buckets = vec![Bucket::EMPTY; count];
    let alone = |window: &[u128; WINDOW]| Bucket::EMPTY.cost_with(window, shares);
    let mut order: Vec<(f32, &[u128; WINDOW])> =
        windows.iter().map(|window| (alone(window), window)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut placed: Vec<usize> = Vec::with_capacity(order.len());
    for (_, window) in &order {
        let best = cheapest(&buckets, window, shares);
        buckets[best].add(window, shares);
        placed.push(best);
    }
    for _ in 0..ROUNDS {
        let mut moved = false;
        for ((_, window), place) in order.iter().zip(&mut placed) {
            buckets[*place].remove(window, shares);
            let best = cheapest(&buckets, window, shares);
            buckets[best].add(window, shares);
            moved |= *place != best;
            *place = best;
        }
        if !moved {
            break;
        }
    }
    buckets
}

fn cheapest(buckets: &[Bucket], window: &[u128; WINDOW], shares: &Shares) -> usize {
    let added = |bucket: &Bucket| bucket.cost_with(window, shares) - bucket.cost;
    let costs = buckets.iter().map(added).enumerate();
    costs.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |(number, _)| number)
}

fn dealt(windows: &[[ByteSet; WINDOW]], shape: Shape, groups: usize) -> Vec<Bucket> {
    let shares = Shares::new(shape, &Frequency::of_text());
    let mut cells: Vec<[u128; WINDOW]> =
        windows.iter().map(|window| window.map(|class| shape.cells(class))).collect();
    cells.sort_unstable();
    cells.dedup();
    deal(&cells, groups * BUCKETS, &shares)
}

/// The tables of the nibble kernels.
pub(super) fn nibble_tables<const GROUPS: usize>(
    windows: &[[ByteSet; WINDOW]],
) -> [Nibbles; GROUPS] {
    let mut tables = [Nibbles::default(); GROUPS];
    let buckets = dealt(windows, Shape::Nibbles, GROUPS);
    for (table, group) in tables.iter_mut().zip(buckets.chunks(BUCKETS)) {
        fill(group, |place, cell, bit| {
            let half = if cell < 16 { &mut table.low } else { &mut table.high };
            half[place][cell & 15] |= bit;
        });
    }
    tables
}

/// The tables of the kernel that looks bytes up whole.
pub(super) fn exact_tables<const GROUPS: usize>(windows: &[[ByteSet; WINDOW]]) -> [Exact; GROUPS] {
    let mut tables = [Exact([[0; CELLS]; WINDOW]); GROUPS];
    let buckets = dealt(windows, Shape::Exact, GROUPS);
    for (table, group) in tables.iter_mut().zip(buckets.chunks(BUCKETS)) {
        fill(group, |place, cell, bit| table.0[place][cell] |= bit);
    }
    tables
}

/// Visit every cell that a group's buckets take: its place, its number and the bucket's bit.
fn fill(group: &[Bucket], mut visit: impl FnMut(usize, usize, u8)) {
    for (bit, bucket) in group.iter().enumerate() {
        for (place, cells) in bucket.cells.iter().enumerate() {
            each(*cells, |cell| visit(place, cell, 1 << bit));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn windows(texts: &[&[u8; WINDOW]]) -> Vec<[ByteSet; WINDOW]> {
        texts.iter().map(|text| text.map(ByteSet::either_case)).collect()
    }

    fn passes(tables: &[Nibbles], text: [u8; WINDOW]) -> bool {
        tables.iter().any(|table| {
            let mut left = u8::MAX;
            for (place, byte) in text.into_iter().enumerate() {
                let (low, high) = nibbles(byte);
                left &= table.low[place][usize::from(low)] & table.high[place][usize::from(high)];
            }
            left != 0
        })
    }

    #[test]
    fn every_window_passes_its_tables() {
        let texts: Vec<[u8; WINDOW]> = (0..600_u32)
            .map(|n| n.wrapping_mul(0x9e37_79b1).to_le_bytes().map(|byte| byte & 0x7f))
            .collect();
        let windows = windows(&texts.iter().collect::<Vec<_>>());
        let (nibbles, exact) = (nibble_tables::<2>(&windows), exact_tables::<2>(&windows));
        for text in &texts {
            assert!(passes(&nibbles, *text), "{text:?}");
            assert!(exact.iter().any(|table| {
                let mut places = table.0.iter().zip(text);
                places.by_ref().fold(255, |left, (t, b)| left & t[usize::from(*b)]) != 0
            }));
        }
    }

    #[test]
    fn windows_that_are_alike_share_a_bucket() {
        let tables = nibble_tables::<1>(&windows(&[b"ghp_", b"gho_", b"ghs_", b"toke"]));
        assert!(passes(&tables, *b"ghp_") && passes(&tables, *b"TOKE"));
        for other in [b"the ", b"gkp_", b"\0\0\0\0", b"xxxx"] {
            assert!(!passes(&tables, *other), "{other:?}");
        }
    }
}
