//! Kernels: the inner loop of the sieve, once for each set of vector instructions.
//!
//! This is the one file with `unsafe` in it, and for two reasons only. A function made for
//! instructions that not every processor has may be called where they were detected, which
//! [`Tables`] keeps together. And the vector loads take a pointer: it always comes from an array of
//! exactly the length that is read.

#![allow(unsafe_code, reason = "vector instructions: loads from arrays, calls after detection")]
#![allow(
    clippy::inline_always,
    clippy::wildcard_imports,
    reason = "a call in the loop costs more than its body; the intrinsics are two dozen names"
)]

#[cfg(target_arch = "x86_64")]
use super::bucket::{Exact, exact_tables};
use super::bucket::{Nibbles, nibble_tables};
use super::index::{Bitmap, hash, is_set};
use super::window::{STRIDE, WINDOW};
use super::{EVERYWHERE_WORDS, STRIDED_WORDS};
use crate::detect::class::ByteSet;

/// How the bytes are gone through. All ways find the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kernel {
    /// No sieve but an automaton of the literals, to check the others against. It knows neither
    /// what follows a literal nor any of the verifiers' short cuts.
    Oracle,
    /// Any processor.
    Portable,
    /// 64-bit ARM.
    Neon,
    /// x86-64 with shuffles of 16 bytes.
    Ssse3,
    /// x86-64 with shuffles of 32 bytes.
    Avx2,
    /// x86-64 with look-ups in 128 bytes (AVX-512 VBMI).
    Vbmi,
}

impl Kernel {
    /// Those that this processor has, the fastest last.
    pub fn available() -> Vec<Kernel> {
        let all = [
            Kernel::Oracle,
            Kernel::Portable,
            Kernel::Neon,
            Kernel::Ssse3,
            Kernel::Avx2,
            Kernel::Vbmi,
        ];
        all.into_iter().filter(|kernel| kernel.is_available()).collect()
    }

    /// The fastest that this processor has.
    pub fn best() -> Kernel {
        Kernel::available().last().copied().unwrap_or(Kernel::Portable)
    }

    fn is_available(self) -> bool {
        match self {
            Kernel::Oracle | Kernel::Portable => true,
            #[cfg(target_arch = "x86_64")]
            Kernel::Ssse3 => std::arch::is_x86_feature_detected!("ssse3"),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => std::arch::is_x86_feature_detected!("avx2"),
            #[cfg(target_arch = "x86_64")]
            Kernel::Vbmi => {
                std::arch::is_x86_feature_detected!("avx2")
                    && std::arch::is_x86_feature_detected!("avx512vbmi")
                    && std::arch::is_x86_feature_detected!("avx512bw")
                    && std::arch::is_x86_feature_detected!("avx512f")
            }
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[cfg(not(target_arch = "x86_64"))]
            Kernel::Ssse3 | Kernel::Avx2 | Kernel::Vbmi => false,
            #[cfg(not(target_arch = "aarch64"))]
            Kernel::Neon => false,
        }
    }
}

/// A kernel's tables. A vector kernel's are only made where its instructions were detected.
pub(super) struct Tables(Inner);

enum Inner {
    Portable,
    #[cfg(target_arch = "aarch64")]
    Neon([Nibbles; GROUPS]),
    #[cfg(target_arch = "x86_64")]
    Ssse3(Box<[Nibbles; GROUPS]>),
    #[cfg(target_arch = "x86_64")]
    Avx2(Box<[Nibbles; GROUPS]>),
    #[cfg(target_arch = "x86_64")]
    Vbmi(Box<[Exact; GROUPS]>),
}

/// Groups of eight buckets. With one, hundreds of windows blur each other too much; with three, the
/// look-ups cost more than they spare.
const GROUPS: usize = 2;

impl Tables {
    /// The tables of the kernel, or of the portable one where the processor does not have it.
    pub(super) fn new(kernel: Kernel, windows: &[[ByteSet; WINDOW]]) -> Tables {
        if !kernel.is_available() {
            return Tables(Inner::Portable);
        }
        Tables(match kernel {
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon => Inner::Neon(nibble_tables(windows)),
            #[cfg(target_arch = "x86_64")]
            Kernel::Ssse3 => Inner::Ssse3(Box::new(nibble_tables(windows))),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => Inner::Avx2(Box::new(nibble_tables(windows))),
            #[cfg(target_arch = "x86_64")]
            Kernel::Vbmi => Inner::Vbmi(Box::new(exact_tables(windows))),
            _ => Inner::Portable,
        })
    }

    /// The places of `block` where a window's hash stands, in order, and how many; `room` has one
    /// for each. The last three bytes are there to be read only. Nothing is told of the inside of
    /// long runs of a `dull` byte.
    pub(super) fn scan(
        &self,
        bitmap: &Bitmap<EVERYWHERE_WORDS>,
        dull: ByteSet,
        block: &[u8],
        room: &mut [u32],
    ) -> usize {
        let mut marks = Marks { bitmap, dull, block, room, count: 0 };
        let done = match &self.0 {
            Inner::Portable => 0,
            // SAFETY: these tables exist only where the instructions were detected.
            #[cfg(target_arch = "aarch64")]
            Inner::Neon(groups) => unsafe { neon(groups, &mut marks) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Inner::Ssse3(groups) => unsafe { ssse3(groups, &mut marks) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Inner::Avx2(groups) => unsafe { avx2(groups, &mut marks) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Inner::Vbmi(groups) => unsafe { vbmi(groups, &mut marks) },
        };
        portable(&mut marks, done);
        marks.count
    }

    /// The places of `block` where a window's hash stands, of every fourth place, in order, and how
    /// many; `room` has one for each. No window has a byte below `least`, nor one beyond ASCII.
    pub(super) fn stride(
        &self,
        bitmap: &Bitmap<STRIDED_WORDS>,
        least: u8,
        block: &[u8],
        room: &mut [u32],
    ) -> usize {
        let mut looks = Looks { bitmap, least, block, room, count: 0 };
        let done = match &self.0 {
            // SAFETY: these tables exist only where the instructions were detected.
            #[cfg(target_arch = "x86_64")]
            Inner::Avx2(_) | Inner::Vbmi(_) => unsafe { x86::stride(&mut looks) },
            _ => 0,
        };
        portable_stride(&mut looks, done);
        looks.count
    }
}

/// Where the strided search notes the places it has found.
///
/// It looks once for every four bytes. A pattern that has a window for each of four neighbouring
/// places has exactly one of them where the search looks, wherever it stands.
struct Looks<'a> {
    bitmap: &'a Bitmap<STRIDED_WORDS>,
    least: u8,
    block: &'a [u8],
    room: &'a mut [u32],
    count: usize,
}

impl Looks<'_> {
    /// Note the looks behind `at` whose bit is in `mask`.
    #[inline(always)]
    fn note(&mut self, at: usize, mask: u32) {
        let mut left = mask;
        // Two are written in any case, and kept or not: a branch would be guessed wrong too often.
        for _ in 0..2 {
            self.put(at, left);
            self.count += usize::from(left != 0);
            left &= left.wrapping_sub(1);
        }
        while left != 0 {
            self.put(at, left);
            self.count += 1;
            left &= left - 1;
        }
    }

    /// Write the first look of `mask`.
    #[inline(always)]
    fn put(&mut self, at: usize, mask: u32) {
        let place = at + STRIDE * mask.trailing_zeros() as usize;
        if let Some(slot) = self.room.get_mut(self.count) {
            *slot = u32::try_from(place).unwrap_or(u32::MAX);
        }
    }
}

/// Looks of the strided search between two branches.
const LOOKS: usize = 16;

/// The strided search from `done` on.
fn portable_stride(looks: &mut Looks<'_>, done: usize) {
    let mut at = done;
    let (fours, _) = looks.block.get(done..).unwrap_or_default().as_chunks::<STRIDE>();
    for many in fours.chunks(LOOKS) {
        let mut mask = 0;
        for (bit, four) in many.iter().enumerate() {
            mask |= u32::from(is_set(looks.bitmap, hash(u32::from_le_bytes(*four)))) << bit;
        }
        looks.note(at, mask);
        at += LOOKS * STRIDE;
    }
}

/// Classes of ASCII by which bytes are sorted, many at a time.
pub(in crate::detect) struct Sorter<const CLASSES: usize> {
    /// For each class and the low four bits of a byte: a bit for each value of the other three that
    /// the class has.
    low: [[u8; 16]; CLASSES],
    /// For each byte: a bit for each class that has it.
    each: [u8; 256],
}

/// Which of 64 bytes are in each class, the first byte in the lowest bit.
pub(in crate::detect) type Sorted<const CLASSES: usize> = [u64; CLASSES];

/// Bytes that are sorted at once.
pub(in crate::detect) const SORTED: usize = 64;

/// Bytes that are passed over at once when all of them are zero.
const PAGE: usize = 4096;

impl<const CLASSES: usize> Sorter<CLASSES> {
    /// A sorter of eight classes or fewer, of ASCII.
    pub(in crate::detect) const fn new(classes: [ByteSet; CLASSES]) -> Sorter<CLASSES> {
        assert!(CLASSES <= 8);
        let (mut low, mut each) = ([[0; 16]; CLASSES], [0; 256]);
        let mut class = 0;
        while class < CLASSES {
            let mut byte: u8 = 0;
            while byte < 128 {
                if classes[class].has(byte) {
                    low[class][(byte & 15) as usize] |= 1 << (byte >> 4);
                    each[byte as usize] |= 1 << class;
                }
                byte += 1;
            }
            class += 1;
        }
        Sorter { low, each }
    }

    /// Sort `bytes`; zeros stand for what the last 64 lack.
    pub(in crate::detect) fn sort(
        &self,
        kernel: Kernel,
        bytes: &[u8],
        into: &mut Vec<Sorted<CLASSES>>,
    ) {
        into.clear();
        into.reserve(bytes.len().div_ceil(SORTED));
        for page in bytes.chunks(PAGE) {
            if page == [0; PAGE] {
                let zero = self.each[0];
                let all =
                    std::array::from_fn(|class| 0_u64.wrapping_sub((zero >> class & 1).into()));
                into.extend([all; PAGE / SORTED]);
                continue;
            }
            let (blocks, rest) = page.as_chunks::<SORTED>();
            self.sort_blocks(kernel, blocks, into);
            if !rest.is_empty() {
                let mut last = [0; SORTED];
                last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
                self.sort_blocks(kernel, &[last], into);
            }
        }
    }

    fn sort_blocks(
        &self,
        kernel: Kernel,
        blocks: &[[u8; SORTED]],
        into: &mut Vec<Sorted<CLASSES>>,
    ) {
        match kernel {
            // SAFETY: the instructions were detected, here and in the cases below.
            #[cfg(target_arch = "x86_64")]
            Kernel::Vbmi if kernel.is_available() => unsafe {
                x86::sort64(&self.low, blocks, into);
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 if kernel.is_available() => unsafe {
                x86::sort32(&self.low, blocks, into);
            },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Kernel::Ssse3 if kernel.is_available() => unsafe {
                x86::sort16(&self.low, blocks, into);
            },
            // SAFETY: as above.
            #[cfg(target_arch = "aarch64")]
            Kernel::Neon if kernel.is_available() => unsafe {
                arm::sort16(&self.low, blocks, into);
            },
            _ => into.extend(blocks.iter().map(|block| self.portable(block))),
        }
    }

    fn portable(&self, block: &[u8; SORTED]) -> Sorted<CLASSES> {
        let mut sorted = [0; CLASSES];
        for (number, eight) in block.as_chunks::<8>().0.iter().enumerate() {
            let each = u64::from_le_bytes(eight.map(|byte| self.each[usize::from(byte)]));
            for (class, mask) in sorted.iter_mut().enumerate() {
                let bits = each >> class & 0x0101_0101_0101_0101;
                // The lowest bits of eight bytes side by side.
                *mask |= (bits.wrapping_mul(0x0102_0408_1020_4080) >> 56) << (8 * number);
            }
        }
        sorted
    }
}

/// For the four high bits of a byte: the bit that stands for them in a sorter's tables.
const HIGH_BITS: [u8; 16] = [1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0];

/// Where a kernel notes the places it has found.
struct Marks<'a> {
    bitmap: &'a Bitmap<EVERYWHERE_WORDS>,
    dull: ByteSet,
    block: &'a [u8],
    room: &'a mut [u32],
    count: usize,
}

impl Marks<'_> {
    /// Whether the places from `at` on are inside a run of one dull byte. It has begun eight bytes
    /// before, which is more than what may stand before a token looks at.
    #[cold]
    fn is_dull(&self, at: usize, places: usize) -> bool {
        const INSIDE: usize = 8;
        let run =
            at.checked_sub(INSIDE).and_then(|from| self.block.get(from..at + places + WINDOW - 1));
        let Some([first, rest @ ..]) = run else { return false };
        self.dull.has(*first) && rest.iter().fold(0, |all, byte| all | (byte ^ first)) == 0
    }

    /// Note the places `at` + the number of a bit in `mask`, where the bit map agrees; there are so
    /// many `places`.
    #[inline(always)]
    fn note(&mut self, at: usize, mask: u64, places: usize) {
        if mask == u64::MAX >> (64 - places) && self.is_dull(at, places) {
            return;
        }
        let mut left = mask;
        while left != 0 {
            let place = at + left.trailing_zeros() as usize;
            left &= left - 1;
            let Some(four) = self.block.get(place..place + WINDOW) else { return };
            let four = four.first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
            let Some(slot) = self.room.get_mut(self.count) else { return };
            // Written in any case and kept or not: a branch here would be guessed wrong too often.
            *slot = u32::try_from(place).unwrap_or(u32::MAX);
            self.count += usize::from(is_set(self.bitmap, hash(four)));
        }
    }
}

/// Positions the portable kernel tests between two branches.
const STEP: usize = 8;

/// The bit map alone, at every place from `done` on.
fn portable(marks: &mut Marks<'_>, done: usize) {
    let mut at = done;
    while let Some(bytes) = marks.block.get(at..).and_then(<[u8]>::first_chunk::<{ STEP + 3 }>) {
        let mut mask = 0;
        for (bit, four) in bytes.windows(WINDOW).enumerate() {
            let four = four.first_chunk().map_or(0, |four| u32::from_le_bytes(*four));
            mask |= u64::from(is_set(marks.bitmap, hash(four))) << bit;
        }
        marks.note(at, mask, STEP);
        at += STEP;
    }
    let left = marks.block.len().saturating_sub(at + WINDOW - 1);
    marks.note(at, (1 << left) - 1, STEP);
}

/// The part of `bytes` that begins at `AT`.
#[inline(always)]
fn part<const AT: usize, const LEN: usize, const ALL: usize>(bytes: &[u8; ALL]) -> &[u8; LEN] {
    const { assert!(AT + LEN <= ALL) };
    bytes.get(AT..).and_then(<[u8]>::first_chunk).unwrap_or(&[0; LEN])
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::super::index::{FIRST_BIT, FOLDS, SECOND_BIT, SPREAD, word_shift};
    use super::{
        Bitmap, Exact, GROUPS, HIGH_BITS, Looks, Marks, Nibbles, SORTED, STRIDED_WORDS, Sorted,
        WINDOW, part,
    };
    use std::arch::x86_64::*;

    #[inline(always)]
    fn load16(bytes: &[u8; 16]) -> __m128i {
        // SAFETY: sixteen bytes are there, and the load asks for no alignment. SSE2 belongs to
        // every x86-64.
        unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn load32(bytes: &[u8; 32]) -> __m256i {
        // SAFETY: 32 bytes are there, and the load asks for no alignment.
        unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) }
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn load64(bytes: &[u8; 64]) -> __m512i {
        // SAFETY: 64 bytes are there, and the load asks for no alignment.
        unsafe { _mm512_loadu_si512(bytes.as_ptr().cast()) }
    }

    /// Sixteen places at a time. A shuffle looks up the low four bits of each byte and gives zero
    /// where its highest bit is set, so that no byte but ASCII ever passes.
    #[target_feature(enable = "ssse3")]
    pub(super) fn ssse3(groups: &[Nibbles; GROUPS], marks: &mut Marks<'_>) -> usize {
        let tables =
            groups.map(|group| (group.low.map(|t| load16(&t)), group.high.map(|t| load16(&t))));
        let (ones, zero) = (_mm_set1_epi8(15), _mm_setzero_si128());
        let mut at = 0;
        while let Some(bytes) = marks.block.get(at..).and_then(<[u8]>::first_chunk::<19>) {
            let four = [
                load16(part::<0, 16, 19>(bytes)),
                load16(part::<1, 16, 19>(bytes)),
                load16(part::<2, 16, 19>(bytes)),
                load16(part::<3, 16, 19>(bytes)),
            ];
            let high = four.map(|v| _mm_and_si128(_mm_srli_epi16::<3>(v), ones));
            let mut any = zero;
            for (low_tables, high_tables) in &tables {
                let mut all = _mm_set1_epi8(-1);
                for place in 0..WINDOW {
                    all = _mm_and_si128(all, _mm_shuffle_epi8(low_tables[place], four[place]));
                    all = _mm_and_si128(all, _mm_shuffle_epi8(high_tables[place], high[place]));
                }
                any = _mm_or_si128(any, all);
            }
            let none = _mm_movemask_epi8(_mm_cmpeq_epi8(any, zero)).cast_unsigned();
            marks.note(at, u64::from(!none & 0xffff), 16);
            at += 16;
        }
        at
    }

    /// 32 places at a time, in the same way.
    #[target_feature(enable = "avx2")]
    pub(super) fn avx2(groups: &[Nibbles; GROUPS], marks: &mut Marks<'_>) -> usize {
        let wide = |table: [u8; 16]| _mm256_broadcastsi128_si256(load16(&table));
        let tables = groups.map(|group| (group.low.map(wide), group.high.map(wide)));
        let mut at = 0;
        while let Some(bytes) = marks.block.get(at..).and_then(<[u8]>::first_chunk::<67>) {
            let first = [
                load32(part::<0, 32, 67>(bytes)),
                load32(part::<1, 32, 67>(bytes)),
                load32(part::<2, 32, 67>(bytes)),
                load32(part::<3, 32, 67>(bytes)),
            ];
            let second = [
                load32(part::<32, 32, 67>(bytes)),
                load32(part::<33, 32, 67>(bytes)),
                load32(part::<34, 32, 67>(bytes)),
                load32(part::<35, 32, 67>(bytes)),
            ];
            let mask = u64::from(hits32(&tables, first)) | u64::from(hits32(&tables, second)) << 32;
            marks.note(at, mask, 64);
            at += 64;
        }
        at
    }

    /// The places of 32 where a group agrees.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn hits32(
        tables: &[([__m256i; WINDOW], [__m256i; WINDOW]); GROUPS],
        four: [__m256i; WINDOW],
    ) -> u32 {
        let (ones, zero) = (_mm256_set1_epi8(15), _mm256_setzero_si256());
        let high = four.map(|v| _mm256_and_si256(_mm256_srli_epi16::<3>(v), ones));
        let mut any = zero;
        for (low_tables, high_tables) in tables {
            let mut all = _mm256_set1_epi8(-1);
            for place in 0..WINDOW {
                all = _mm256_and_si256(all, _mm256_shuffle_epi8(low_tables[place], four[place]));
                all = _mm256_and_si256(all, _mm256_shuffle_epi8(high_tables[place], high[place]));
            }
            any = _mm256_or_si256(any, all);
        }
        !_mm256_movemask_epi8(_mm256_cmpeq_epi8(any, zero)).cast_unsigned()
    }

    /// The strided search, sixteen looks at a time.
    #[target_feature(enable = "avx2")]
    pub(super) fn stride(looks: &mut Looks<'_>) -> usize {
        let below = _mm256_set1_epi8(looks.least.cast_signed() - 1);
        let mut at = 0;
        while let Some(bytes) = looks.block.get(at..).and_then(<[u8]>::first_chunk::<64>) {
            let (first, second) =
                (load32(part::<0, 32, 64>(bytes)), load32(part::<32, 32, 64>(bytes)));
            let fits = fitting8(first, below) | fitting8(second, below) << 8;
            // Programs and packed data are passed over faster than they can be looked up.
            if fits != 0 {
                let both = looks8(looks.bitmap, first) | looks8(looks.bitmap, second) << 8;
                looks.note(at, both & fits);
            }
            at += 64;
        }
        at
    }

    /// The looks of eight of which all bytes are ASCII and above `below`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn fitting8(fours: __m256i, below: __m256i) -> u32 {
        let above = _mm256_cmpgt_epi8(fours, below);
        let all = _mm256_cmpeq_epi32(above, _mm256_set1_epi32(-1));
        _mm256_movemask_ps(_mm256_castsi256_ps(all)).cast_unsigned()
    }

    /// The looks of eight where the bit map agrees.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn looks8(bitmap: &Bitmap<STRIDED_WORDS>, fours: __m256i) -> u32 {
        const WORD: i32 = word_shift(STRIDED_WORDS).cast_signed();
        const { assert!(STRIDED_WORDS.is_power_of_two()) };
        let spread = _mm256_set1_epi32(SPREAD.cast_signed());
        let folded = _mm256_or_si256(fours, _mm256_set1_epi32(FOLDS.cast_signed()));
        let hash = _mm256_mullo_epi32(folded, spread);
        let places = _mm256_srli_epi32::<WORD>(hash);
        // SAFETY: the places have as many bits as tell the words of the map apart.
        let words = unsafe { _mm256_i32gather_epi32::<4>(bitmap.as_ptr().cast(), places) };
        let five = _mm256_set1_epi32(31);
        let first = _mm256_srli_epi32::<{ FIRST_BIT.cast_signed() }>(hash);
        let second = _mm256_srli_epi32::<{ SECOND_BIT.cast_signed() }>(hash);
        let first = _mm256_sllv_epi32(words, _mm256_and_si256(first, five));
        let second = _mm256_sllv_epi32(words, _mm256_and_si256(second, five));
        let both = _mm256_castsi256_ps(_mm256_and_si256(first, second));
        _mm256_movemask_ps(both).cast_unsigned()
    }

    /// Sort 64 bytes in two steps. A look-up gives zero where a byte's highest bit is set.
    #[target_feature(enable = "avx2")]
    pub(super) fn sort32<const CLASSES: usize>(
        low: &[[u8; 16]; CLASSES],
        blocks: &[[u8; SORTED]],
        into: &mut Vec<Sorted<CLASSES>>,
    ) {
        let wide = |table: &[u8; 16]| _mm256_broadcastsi128_si256(load16(table));
        let (low, bits) = (low.each_ref().map(wide), wide(&HIGH_BITS));
        let (ones, zero) = (_mm256_set1_epi8(15), _mm256_setzero_si256());
        for block in blocks {
            let halves = [load32(part::<0, 32, 64>(block)), load32(part::<32, 32, 64>(block))];
            let high = halves.map(|half| {
                _mm256_shuffle_epi8(bits, _mm256_and_si256(_mm256_srli_epi16::<4>(half), ones))
            });
            into.push(low.map(|table| {
                let first = _mm256_and_si256(_mm256_shuffle_epi8(table, halves[0]), high[0]);
                let second = _mm256_and_si256(_mm256_shuffle_epi8(table, halves[1]), high[1]);
                let none = |v| _mm256_movemask_epi8(_mm256_cmpeq_epi8(v, zero)).cast_unsigned();
                !(u64::from(none(first)) | u64::from(none(second)) << 32)
            }));
        }
    }

    /// The same in four steps.
    #[target_feature(enable = "ssse3")]
    pub(super) fn sort16<const CLASSES: usize>(
        low: &[[u8; 16]; CLASSES],
        blocks: &[[u8; SORTED]],
        into: &mut Vec<Sorted<CLASSES>>,
    ) {
        let (low, bits) = (low.each_ref().map(load16), load16(&HIGH_BITS));
        let (ones, zero) = (_mm_set1_epi8(15), _mm_setzero_si128());
        for block in blocks {
            let mut sorted = [0; CLASSES];
            for (number, quarter) in block.as_chunks::<16>().0.iter().enumerate() {
                let quarter = load16(quarter);
                let high = _mm_and_si128(_mm_srli_epi16::<4>(quarter), ones);
                let high = _mm_shuffle_epi8(bits, high);
                for (mask, table) in sorted.iter_mut().zip(low) {
                    let there = _mm_and_si128(_mm_shuffle_epi8(table, quarter), high);
                    let none = _mm_movemask_epi8(_mm_cmpeq_epi8(there, zero)).cast_unsigned();
                    *mask |= u64::from(!none & 0xffff) << (16 * number);
                }
            }
            into.push(sorted);
        }
    }

    /// The same in one step.
    #[target_feature(enable = "avx512f,avx512bw")]
    pub(super) fn sort64<const CLASSES: usize>(
        low: &[[u8; 16]; CLASSES],
        blocks: &[[u8; SORTED]],
        into: &mut Vec<Sorted<CLASSES>>,
    ) {
        let wide = |table: &[u8; 16]| _mm512_broadcast_i32x4(load16(table));
        let (low, bits) = (low.each_ref().map(wide), wide(&HIGH_BITS));
        let ones = _mm512_set1_epi8(15);
        for block in blocks {
            let bytes = load64(block);
            let high = _mm512_and_si512(_mm512_srli_epi16::<4>(bytes), ones);
            let high = _mm512_shuffle_epi8(bits, high);
            into.push(
                low.map(|table| _mm512_test_epi8_mask(_mm512_shuffle_epi8(table, bytes), high)),
            );
        }
    }

    /// 64 places at a time, each byte looked up whole. The look-up takes the low seven bits; places
    /// with a higher byte are struck out at the end.
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    pub(super) fn vbmi(groups: &[Exact; GROUPS], marks: &mut Marks<'_>) -> usize {
        let halves = |table: [u8; 128]| {
            (load64(part::<0, 64, 128>(&table)), load64(part::<64, 64, 128>(&table)))
        };
        let tables = groups.map(|group| group.0.map(halves));
        let mut at = 0;
        while let Some(bytes) = marks.block.get(at..).and_then(<[u8]>::first_chunk::<67>) {
            let four = [
                load64(part::<0, 64, 67>(bytes)),
                load64(part::<1, 64, 67>(bytes)),
                load64(part::<2, 64, 67>(bytes)),
                load64(part::<3, 64, 67>(bytes)),
            ];
            let mut mask = 0;
            for table in &tables {
                let look = |place: usize| {
                    let (first, last) = table[place];
                    _mm512_permutex2var_epi8(first, four[place], last)
                };
                let three = _mm512_ternarylogic_epi64::<0x80>(look(0), look(1), look(2));
                mask |= _mm512_test_epi8_mask(three, look(3));
            }
            let any = _mm512_ternarylogic_epi64::<0xfe>(four[0], four[1], four[2]);
            let beyond = _mm512_movepi8_mask(_mm512_or_si512(any, four[3]));
            marks.note(at, mask & !beyond, 64);
            at += 64;
        }
        at
    }
}

#[cfg(target_arch = "aarch64")]
mod arm {
    use super::{GROUPS, HIGH_BITS, Marks, Nibbles, SORTED, Sorted, WINDOW, part};
    use std::arch::aarch64::*;

    #[inline]
    #[target_feature(enable = "neon")]
    fn load(bytes: &[u8; 16]) -> uint8x16_t {
        // SAFETY: sixteen bytes are there, and the load asks for no alignment.
        unsafe { vld1q_u8(bytes.as_ptr()) }
    }

    /// Sort 64 bytes in four steps.
    #[target_feature(enable = "neon")]
    pub(super) fn sort16<const CLASSES: usize>(
        low: &[[u8; 16]; CLASSES],
        blocks: &[[u8; SORTED]],
        into: &mut Vec<Sorted<CLASSES>>,
    ) {
        let (low, bits) = (low.each_ref().map(|table| load(table)), load(&HIGH_BITS));
        // Each byte's own bit; their sum is the mask of eight.
        let own = load(&[1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128]);
        for block in blocks {
            let mut sorted = [0; CLASSES];
            for (number, quarter) in block.as_chunks::<16>().0.iter().enumerate() {
                let quarter = load(quarter);
                let high = vqtbl1q_u8(bits, vshrq_n_u8::<4>(quarter));
                let index = vandq_u8(quarter, vdupq_n_u8(0x8f));
                for (mask, table) in sorted.iter_mut().zip(low) {
                    let there = vandq_u8(vtstq_u8(vqtbl1q_u8(table, index), high), own);
                    let first = u64::from(vaddv_u8(vget_low_u8(there)));
                    let second = u64::from(vaddv_u8(vget_high_u8(there)));
                    *mask |= (first | second << 8) << (16 * number);
                }
            }
            into.push(sorted);
        }
    }

    /// Sixteen places at a time. A look-up beyond the sixteen entries gives zero, which is what a
    /// byte above ASCII keeps its highest bit for.
    #[target_feature(enable = "neon")]
    pub(super) fn neon(groups: &[Nibbles; GROUPS], marks: &mut Marks<'_>) -> usize {
        let tables =
            groups.map(|group| (group.low.map(|t| load(&t)), group.high.map(|t| load(&t))));
        let mut at = 0;
        while let Some(bytes) = marks.block.get(at..).and_then(<[u8]>::first_chunk::<19>) {
            let four = [
                load(part::<0, 16, 19>(bytes)),
                load(part::<1, 16, 19>(bytes)),
                load(part::<2, 16, 19>(bytes)),
                load(part::<3, 16, 19>(bytes)),
            ];
            let low = four.map(|v| vandq_u8(v, vdupq_n_u8(0x8f)));
            let high = four.map(|v| vandq_u8(vshrq_n_u8::<3>(v), vdupq_n_u8(15)));
            let mut any = vdupq_n_u8(0);
            for (low_tables, high_tables) in &tables {
                let mut all = vdupq_n_u8(0xff);
                for place in 0..WINDOW {
                    all = vandq_u8(all, vqtbl1q_u8(low_tables[place], low[place]));
                    all = vandq_u8(all, vqtbl1q_u8(high_tables[place], high[place]));
                }
                any = vorrq_u8(any, all);
            }
            // Four bits for each place: the usual way round a missing instruction.
            let hits = vreinterpretq_u16_u8(vtstq_u8(any, any));
            let nibbles = vget_lane_u64::<0>(vreinterpret_u64_u8(vshrn_n_u16::<4>(hits)));
            if nibbles != 0 {
                let bit = |place: u32| (nibbles >> (4 * place) & 1) << place;
                marks.note(at, (0..16).map(bit).sum(), 16);
            }
            at += 16;
        }
        at
    }
}

#[cfg(target_arch = "aarch64")]
use arm::neon;
#[cfg(target_arch = "x86_64")]
use x86::{avx2, ssse3, vbmi};
