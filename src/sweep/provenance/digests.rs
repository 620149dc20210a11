//! Digests of files, taken of their windows as they pass. The windows of a long file go to several
//! workers; one that comes before its turn waits, if there is room.

use crate::limits;
use crate::provenance::digest::{self, Algorithm, Digest, Hasher, Whole};
use crate::run::Run;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A window of a file on its way past.
pub(in crate::sweep) struct Passing<'a> {
    /// The file's number in its part.
    pub(in crate::sweep) number: u32,
    /// The file's length.
    pub(in crate::sweep) size: u64,
    /// Whether all windows of the file are swept in order.
    pub(in crate::sweep) in_order: bool,
    /// The window, and its bytes.
    pub(in crate::sweep) window: Run,
    pub(in crate::sweep) bytes: &'a [u8],
}

/// The digests of one part's files.
#[derive(Default)]
pub(super) struct Digests {
    running: Mutex<Running>,
    taken: Mutex<Taken>,
}

/// Files of which some windows have passed.
#[derive(Default)]
struct Running {
    files: HashMap<u32, Arc<Mutex<Hashing>>>,
    /// Files of which a window was lost.
    lost: HashSet<u32>,
    /// Those of them for which there was merely no room to wait: which ones is a thread's luck, so
    /// that all are read again at the end.
    late: BTreeSet<u32>,
    /// Bytes of windows that wait.
    waiting: usize,
}

struct Hashing {
    hashers: Vec<Hasher>,
    /// The first byte that has not been taken in.
    next: u64,
    waiting: BTreeMap<u64, Vec<u8>>,
}

/// What came of it: 24 bytes a file, 36 where the whole digest is wanted.
#[derive(Default)]
struct Taken {
    short: Vec<(u32, Algorithm, Digest)>,
    whole: Vec<(u32, Whole)>,
    programs: Vec<u32>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Digests {
    /// A file begins like a program.
    pub(super) fn program(&self, number: u32) {
        lock(&self.taken).programs.push(number);
    }

    /// The files that begin like programs, sorted once settled.
    pub(super) fn programs(&self) -> Vec<u32> {
        lock(&self.taken).programs.clone()
    }

    /// Take in a window.
    pub(super) fn take(&self, wanted: &[Algorithm], passing: &Passing<'_>, whole: bool) {
        let &Passing { number, size, in_order, window, bytes } = passing;
        let fresh = || wanted.iter().map(|algorithm| Hasher::new(*algorithm)).collect::<Vec<_>>();
        if window == Run::new(0, size) {
            let mut hashers = fresh();
            for hasher in &mut hashers {
                hasher.update(bytes);
            }
            return self.keep(number, hashers, whole);
        }
        if !in_order {
            return;
        }
        let state = {
            let mut running = lock(&self.running);
            if running.lost.contains(&number) {
                return;
            }
            let first = || Hashing { hashers: fresh(), next: 0, waiting: BTreeMap::new() };
            let state = running.files.entry(number);
            Arc::clone(state.or_insert_with(|| Arc::new(Mutex::new(first()))))
        };
        let mut hashing = lock(&state);
        if hashing.next < window.start {
            let mut running = lock(&self.running);
            if running.waiting + bytes.len() <= limits::DIGEST_PENDING_BYTES {
                running.waiting += bytes.len();
                hashing.waiting.insert(window.start, bytes.to_vec());
            } else {
                running.late.insert(number);
                Self::lose(&mut running, number, &mut hashing);
            }
            return;
        }
        hashing.update(bytes);
        let mut freed = 0;
        loop {
            let next = hashing.next;
            let Some(bytes) = hashing.waiting.remove(&next) else { break };
            freed += bytes.len();
            hashing.update(&bytes);
        }
        let whole_file = hashing.next == size;
        let hashers = if whole_file { std::mem::take(&mut hashing.hashers) } else { Vec::new() };
        drop(hashing);
        let mut running = lock(&self.running);
        running.waiting = running.waiting.saturating_sub(freed);
        if whole_file {
            running.files.remove(&number);
            drop(running);
            self.keep(number, hashers, whole);
        }
    }

    /// A window of a file could not be read: it gets no digest.
    pub(super) fn lost(&self, number: u32) {
        let state = lock(&self.running).files.get(&number).cloned();
        match state {
            Some(state) => {
                let mut hashing = lock(&state);
                Self::lose(&mut lock(&self.running), number, &mut hashing);
            }
            None => {
                lock(&self.running).lost.insert(number);
            }
        }
    }

    fn lose(running: &mut Running, number: u32, hashing: &mut Hashing) {
        let waiting: usize = hashing.waiting.values().map(Vec::len).sum();
        running.waiting = running.waiting.saturating_sub(waiting);
        hashing.waiting.clear();
        running.files.remove(&number);
        running.lost.insert(number);
    }

    /// Keep the digests of a file that has passed whole.
    pub(super) fn keep(&self, number: u32, hashers: Vec<Hasher>, whole: bool) {
        let mut taken = lock(&self.taken);
        for hasher in hashers {
            let algorithm = hasher.algorithm();
            let digest = hasher.finish();
            if whole && algorithm == Algorithm::Sha256 {
                taken.whole.push((number, digest));
            } else {
                taken.short.push((number, algorithm, digest::short(&digest)));
            }
        }
    }

    /// Everything has passed: sort what there is.
    pub(super) fn settle(&self) {
        let mut running = lock(&self.running);
        *running = Running { late: std::mem::take(&mut running.late), ..Running::default() };
        drop(running);
        let mut taken = lock(&self.taken);
        taken.short.sort_unstable();
        taken.whole.sort_unstable();
        taken.programs.sort_unstable();
        taken.programs.dedup();
    }

    /// The files whose windows could not wait for their turn.
    pub(super) fn late(&self) -> BTreeSet<u32> {
        lock(&self.running).late.clone()
    }

    /// A file's digest, once settled.
    pub(super) fn short(&self, number: u32, algorithm: Algorithm) -> Option<Digest> {
        let taken = lock(&self.taken);
        let found = taken.short.binary_search_by_key(&(number, algorithm), |(n, a, _)| (*n, *a));
        match found {
            Ok(found) => taken.short.get(found).map(|(_, _, digest)| *digest),
            Err(_) if algorithm == Algorithm::Sha256 => {
                let found = taken.whole.binary_search_by_key(&number, |(n, _)| *n).ok()?;
                taken.whole.get(found).map(|(_, whole)| digest::short(whole))
            }
            Err(_) => None,
        }
    }

    /// A file's whole SHA-256, once settled.
    pub(super) fn whole(&self, number: u32) -> Option<Whole> {
        let taken = lock(&self.taken);
        let found = taken.whole.binary_search_by_key(&number, |(n, _)| *n).ok()?;
        taken.whole.get(found).map(|(_, whole)| *whole)
    }
}

impl Hashing {
    fn update(&mut self, bytes: &[u8]) {
        self.hashers.iter_mut().for_each(|hasher| hasher.update(bytes));
        self.next += bytes.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pass(digests: &Digests, order: &[u64], size: u64) {
        let bytes: Vec<u8> = (0..size).map(|n| u8::try_from(n % 251).unwrap()).collect();
        for &start in order {
            let window = Run::between(start, (start + 10).min(size));
            let range =
                usize::try_from(window.start).unwrap()..usize::try_from(window.end()).unwrap();
            let bytes = &bytes[range];
            let passing = Passing { number: 1, size, in_order: true, window, bytes };
            digests.take(&[Algorithm::Md5, Algorithm::Sha256], &passing, true);
        }
        digests.settle();
    }

    #[test]
    fn windows_wait_for_their_turn() {
        let bytes: Vec<u8> = (0..35u64).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let expected = digest::of(Algorithm::Md5, &bytes);
        for order in [[0, 10, 20, 30], [10, 0, 30, 20], [30, 20, 10, 0]] {
            let digests = Digests::default();
            pass(&digests, &order, 35);
            assert_eq!(digests.short(1, Algorithm::Md5), Some(digest::short(&expected)));
            let sha256 = digest::of(Algorithm::Sha256, &bytes);
            assert_eq!(digests.whole(1), Some(sha256));
            assert_eq!(digests.short(1, Algorithm::Sha256), Some(digest::short(&sha256)));
            assert_eq!(lock(&digests.running).waiting, 0);
        }
        let digests = Digests::default();
        pass(&digests, &[0, 20, 30], 35);
        assert_eq!(digests.short(1, Algorithm::Md5), None);
    }

    #[test]
    fn what_was_lost_gets_no_digest() {
        let digests = Digests::default();
        digests.lost(1);
        pass(&digests, &[0, 10, 20, 30], 35);
        assert_eq!(digests.whole(1), None);
    }
}
