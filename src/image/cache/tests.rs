#![allow(
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

use super::*;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;

const MIB: u64 = 1024 * 1024;

fn content(block: u64) -> Vec<u8> {
    vec![u8::try_from(block % 251).unwrap() + 1; usize::try_from(BLOCK_BYTES).unwrap()]
}

fn blocks(first: u64, count: u64) -> Run {
    Run::new(first * BLOCK_BYTES, count * BLOCK_BYTES)
}

/// A cache over `count` blocks, all listed, whose fetch answers at once.
fn instant(count: u64, memory_bytes: u64) -> (Arc<Cache>, Arc<Mutex<BTreeMap<u64, u64>>>) {
    let bought: Arc<Mutex<BTreeMap<u64, u64>>> = Arc::default();
    let ledger = Arc::clone(&bought);
    let fetch: Fetch = Box::new(move |block, completion| {
        *ledger.lock().unwrap().entry(block).or_default() += 1;
        completion.done(Ok(Fetched::Bytes(content(block))));
    });
    let listed = RunSet::from_runs(vec![blocks(0, count)]);
    let cache = Cache::new(ImageNo(0), count * BLOCK_BYTES, listed, memory_bytes, fetch);
    (Arc::new(cache), bought)
}

/// A cache whose flights land when the test says so.
fn held_back(count: u64, memory: u64) -> (Arc<Cache>, mpsc::Receiver<(u64, Completion)>) {
    let (send, receive) = mpsc::channel();
    let fetch: Fetch = {
        let send = Mutex::new(send);
        Box::new(move |block, completion| {
            let _ = send.lock().unwrap().send((block, completion));
        })
    };
    let listed = RunSet::from_runs(vec![blocks(0, count)]);
    (Arc::new(Cache::new(ImageNo(0), count * BLOCK_BYTES, listed, memory, fetch)), receive)
}

fn byte(cache: &Cache, offset: u64) -> Result<u8> {
    let mut buf = [0];
    cache.read_at(offset, &mut buf).map(|()| buf[0])
}

#[test]
fn reads_across_blocks_and_holes() {
    let fetch: Fetch = Box::new(|block, c| c.done(Ok(Fetched::Bytes(content(block)))));
    let listed = RunSet::from_runs(vec![blocks(0, 1), blocks(2, 1)]);
    let cache = Cache::new(ImageNo(3), 3 * BLOCK_BYTES, listed, MIB, fetch);
    let mut buf = vec![9; usize::try_from(BLOCK_BYTES).unwrap() + 2];
    cache.read_at(BLOCK_BYTES - 1, &mut buf).unwrap();
    assert_eq!((buf[0], buf[1], buf[buf.len() - 1]), (1, 0, 3));
    assert_eq!(cache.counters().fetches, 2, "the hole is not fetched");
    assert!(cache.read_at(3 * BLOCK_BYTES, &mut [0]).is_err());
    assert!(cache.read_at(u64::MAX, &mut [0]).is_err());
    assert_eq!(cache.locate(Run::new(5, 5)), [(ImageNo(3), Run::new(5, 5))]);
}

#[test]
fn two_readers_of_one_block_share_its_flight() {
    let (cache, flights) = held_back(2, MIB);
    let readers: Vec<_> = (0..8)
        .map(|n| {
            let cache = Arc::clone(&cache);
            std::thread::spawn(move || byte(&cache, n * 1000).unwrap())
        })
        .collect();
    let (block, completion) = flights.recv().unwrap();
    completion.done(Ok(Fetched::Bytes(content(block))));
    for reader in readers {
        assert_eq!(reader.join().unwrap(), 1);
    }
    assert_eq!(cache.counters().fetches, 1);
    assert!(flights.try_recv().is_err());
}

#[test]
fn a_zero_block_costs_one_fetch_and_no_memory() {
    let count = Arc::new(AtomicU64::new(0));
    let seen = Arc::clone(&count);
    let fetch: Fetch = Box::new(move |_, completion| {
        seen.fetch_add(1, Ordering::Relaxed);
        completion.done(Ok(Fetched::Zeros));
    });
    let listed = RunSet::from_runs(vec![blocks(0, 100)]);
    let cache = Cache::new(ImageNo(0), 100 * BLOCK_BYTES, listed, 0, fetch);
    for _ in 0..3 {
        for block in 0..100 {
            assert_eq!(byte(&cache, block * BLOCK_BYTES).unwrap(), 0);
        }
    }
    assert_eq!(count.load(Ordering::Relaxed), 100);
    assert_eq!((cache.counters().peak_blocks, cache.counters().evictions), (1, 0));
}

#[test]
fn a_lost_block_stays_lost_and_says_why() {
    let fetch: Fetch = Box::new(|block, completion| match block {
        1 => completion.done(Err(Error::new(ErrorKind::Denied, "AWS refused"))),
        2 => drop(completion),
        3 => completion.done(Ok(Fetched::Bytes(vec![1; 7]))),
        _ => completion.done(Ok(Fetched::Bytes(content(block)))),
    });
    let listed = RunSet::from_runs(vec![blocks(0, 5)]);
    let cache = Cache::new(ImageNo(0), 5 * BLOCK_BYTES, listed, MIB, fetch);
    for _ in 0..2 {
        let denied = byte(&cache, BLOCK_BYTES).unwrap_err();
        assert_eq!(denied.kind(), ErrorKind::Denied);
        assert_eq!(denied.message(), "a block could not be read (block 1): AWS refused");
        assert_eq!(byte(&cache, 2 * BLOCK_BYTES).unwrap_err().kind(), ErrorKind::Unreadable);
        assert_eq!(byte(&cache, 3 * BLOCK_BYTES).unwrap_err().kind(), ErrorKind::Unreadable);
        assert_eq!(byte(&cache, 4 * BLOCK_BYTES).unwrap(), 5);
    }
    let lost: Vec<Run> = cache.failures().iter().map(|f| f.run).collect();
    assert_eq!(lost, [blocks(1, 1), blocks(2, 1), blocks(3, 1)]);
    assert_eq!(cache.counters().fetches, 4, "a lost block is not asked for again");
}

#[test]
fn fetching_ahead_waits_for_room_and_reading_never_does() {
    let (cache, flights) = held_back(64, 16 * BLOCK_BYTES);
    let walker = {
        let cache = Arc::clone(&cache);
        std::thread::spawn(move || cache.want(blocks(0, 64)))
    };
    let mut ahead: Vec<_> = (0..8).map(|_| flights.recv().unwrap()).collect();
    assert_eq!(cache.counters().fetches, 8, "half of the cache may be on its way");

    // A read of a block nobody fetched ahead goes out at once.
    let reader = {
        let cache = Arc::clone(&cache);
        std::thread::spawn(move || byte(&cache, 60 * BLOCK_BYTES).unwrap())
    };
    let (block, completion) = flights.recv().unwrap();
    assert_eq!(block, 60);
    completion.done(Ok(Fetched::Bytes(content(60))));
    assert_eq!(reader.join().unwrap(), 61);

    // What landed and was not read still takes room; once read, the walker goes on.
    let (first, completion) = ahead.remove(0);
    completion.done(Ok(Fetched::Bytes(content(first))));
    assert_eq!(byte(&cache, 0).unwrap(), 1);
    let next = flights.recv().unwrap();
    assert_eq!(next.0, 8);
    cache.stop();
    walker.join().unwrap();
    cache.want(blocks(20, 1));
    assert!(flights.try_recv().is_err(), "after stop nothing more is wanted");
}

/// Every reader had eight blocks on their way, however many readers there were: 209 MB of a cache
/// of 8 MB.
#[test]
fn many_readers_share_half_of_the_cache() {
    const READERS: usize = 64;
    let (cache, flights) = held_back(READERS as u64 * 8, 16 * BLOCK_BYTES);
    let readers: Vec<_> = (0..READERS as u64)
        .map(|n| {
            let cache = Arc::clone(&cache);
            std::thread::spawn(move || {
                let mut buf = vec![0; usize::try_from(8 * BLOCK_BYTES).unwrap()];
                cache.read_at(n * 8 * BLOCK_BYTES, &mut buf).unwrap();
                let firsts = buf.chunks(usize::try_from(BLOCK_BYTES).unwrap()).map(|b| b[0]);
                assert!(firsts.zip(n * 8..).all(|(byte, block)| byte == content(block)[0]));
            })
        })
        .collect();
    // The first has half of the cache, and all others one block each.
    let first: Vec<_> = (0..8 + READERS - 1).map(|_| flights.recv().unwrap()).collect();
    assert!(flights.try_recv().is_err(), "nothing else is under way");
    let land = |(block, completion): (u64, Completion)| {
        completion.done(Ok(Fetched::Bytes(content(block))));
    };
    first.into_iter().for_each(land);
    (8 + READERS - 1..READERS * 8).for_each(|_| land(flights.recv().unwrap()));
    for reader in readers {
        reader.join().unwrap();
    }
    let counters = cache.counters();
    assert!(counters.peak_lent < 8 + READERS, "{counters:?}");
    assert_eq!(counters.fetches, READERS as u64 * 8);
}

/// Readers, a walker and eviction all at once come to an end, whatever is lost on the way.
#[test]
fn a_crowd_of_readers_comes_to_an_end() {
    let fetch: Fetch = Box::new(|block, completion| match block % 7 {
        0 => drop(completion),
        1 => completion.done(Ok(Fetched::Zeros)),
        _ => drop(std::thread::spawn(move || {
            completion.done(Ok(Fetched::Bytes(content(block))));
        })),
    });
    let listed = RunSet::from_runs(vec![blocks(0, 200)]);
    let cache = Arc::new(Cache::new(ImageNo(0), 200 * BLOCK_BYTES, listed, 0, fetch));
    cache.sweep_begins(Vec::new());
    std::thread::scope(|scope| {
        scope.spawn(|| cache.want(blocks(0, 200)));
        let readers: Vec<_> = (0..32)
            .map(|n| {
                let cache = &cache;
                scope.spawn(move || {
                    let mut buf = vec![0; usize::try_from(5 * BLOCK_BYTES).unwrap()];
                    for first in (0..195).step_by(5) {
                        let _ = cache.read_at((first + n) % 195 * BLOCK_BYTES, &mut buf);
                    }
                })
            })
            .collect();
        for reader in readers {
            reader.join().unwrap();
        }
        cache.stop();
    });
    let counters = cache.counters();
    assert!(counters.peak_lent < 8 + 32, "{counters:?}");
    let mut one = [0; 1];
    assert!(cache.read_at(2 * BLOCK_BYTES, &mut one).is_ok());
}

#[test]
fn what_was_fetched_ahead_and_passed_unread_gives_its_room_back() {
    let (cache, bought) = instant(64, 16 * BLOCK_BYTES);
    cache.sweep_begins(Vec::new());
    for first in (0..64).step_by(8) {
        cache.want(blocks(first, 8));
        cache.passed((first + 8) * BLOCK_BYTES);
    }
    assert_eq!(bought.lock().unwrap().len(), 64);
}

#[test]
fn fetched_ahead_blocks_outlive_read_ones() {
    let (cache, _) = instant(64, 16 * BLOCK_BYTES);
    cache.sweep_begins(Vec::new());
    cache.want(blocks(0, 8));
    for block in 20..60 {
        byte(&cache, block * BLOCK_BYTES).unwrap();
    }
    let before = cache.counters().fetches;
    for block in 0..8 {
        byte(&cache, block * BLOCK_BYTES).unwrap();
    }
    assert_eq!(cache.counters().fetches, before);
    assert!(cache.counters().peak_blocks <= 16);
}

#[test]
fn what_planning_read_is_not_bought_again() {
    let (cache, bought) = instant(2000, 64 * MIB);
    let planned: Vec<u64> = (0..90).map(|n| n * 22).collect();
    for &block in &planned {
        byte(&cache, block * BLOCK_BYTES).unwrap();
    }
    cache.sweep_begins(Vec::new());
    sweep(&cache, 2000, 0);
    let bought = bought.lock().unwrap();
    assert!(planned.iter().all(|block| bought[block] == 1), "{:?}", cache.counters());
    assert!(cache.counters().peak_blocks <= 128);
}

/// A block of which half is noise, so that it packs to half.
fn half_noise(block: u64) -> Vec<u8> {
    let mut state = block;
    let mut bytes = content(block);
    for byte in bytes.iter_mut().skip(1).take(256 * 1024) {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        *byte = state.to_le_bytes()[7];
    }
    bytes
}

/// What planning keeps left room for one block ahead of the sweep.
#[test]
fn a_sweep_fetches_ahead_however_much_planning_keeps() {
    let planning = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let (send, flights) = mpsc::channel();
    let fetch: Fetch = {
        let (planning, send) = (Arc::clone(&planning), Mutex::new(send));
        Box::new(move |block, completion| {
            if planning.load(Ordering::Relaxed) {
                return completion.done(Ok(Fetched::Bytes(half_noise(block))));
            }
            let _ = send.lock().unwrap().send((block, completion));
        })
    };
    let listed = RunSet::from_runs(vec![blocks(0, 1000)]);
    let cache = Cache::new(ImageNo(0), 1000 * BLOCK_BYTES, listed, 64 * MIB, fetch);
    let planned = 800..990;
    for block in planned.clone() {
        byte(&cache, block * BLOCK_BYTES).unwrap();
    }
    cache.sweep_begins(Vec::new());
    planning.store(false, Ordering::Relaxed);
    std::thread::scope(|scope| {
        scope.spawn(|| cache.want(blocks(0, 100)));
        let minute = std::time::Duration::from_secs(100);
        let ahead: Vec<_> = (0..16).map(|_| flights.recv_timeout(minute).unwrap()).collect();
        cache.stop();
        for (block, completion) in ahead {
            completion.done(Ok(Fetched::Bytes(content(block))));
        }
    });
    for block in planned {
        assert_eq!(byte(&cache, block * BLOCK_BYTES).unwrap(), content(block)[0]);
    }
    let counters = cache.counters();
    assert_eq!((counters.fetches, counters.refetches), (190 + 16, 0), "{counters:?}");
    assert!(counters.peak_blocks <= 128, "{counters:?}");
}

#[test]
fn a_disk_order_sweep_buys_each_block_once() {
    let (cache, bought) = instant(3000, 64 * MIB);
    // Planning reads more than can be kept.
    for n in 0..110 {
        byte(&cache, n * 27 * BLOCK_BYTES).unwrap();
    }
    cache.sweep_begins(Vec::new());
    sweep(&cache, 3000, 60);
    let total: u64 = bought.lock().unwrap().values().sum();
    assert_eq!(bought.lock().unwrap().len(), 3000);
    assert!(total * 100 <= 3000 * 102, "{:?}", cache.counters());
    assert!(cache.counters().peak_blocks <= 128, "{:?}", cache.counters());
}

#[test]
fn an_image_that_is_done_with_holds_nothing() {
    let (cache, bought) = instant(8, 64 * MIB);
    byte(&cache, 0).unwrap();
    cache.want(blocks(0, 8));
    cache.passed(8 * BLOCK_BYTES);
    cache.want(blocks(0, 8));
    assert_eq!(cache.counters().fetches, 8);
    // Whoever still reads, the cross-check for one, is served all the same.
    assert_eq!(byte(&cache, 0).unwrap(), 1);
    assert_eq!(bought.lock().unwrap()[&0], 2);
}

/// A sweep by two workers behind a walker: windows of two blocks with their overlap, and now and
/// then a file whose other half lies `far` blocks on.
fn sweep(cache: &Arc<Cache>, count: u64, far: u64) {
    let cursor = Mutex::new((0_u64, [0_u64, 0]));
    std::thread::scope(|scope| {
        scope.spawn(|| cache.want(blocks(0, count)));
        for worker in 0..2 {
            let cursor = &cursor;
            scope.spawn(move || {
                while let Some(first) = next_window(cache, cursor, worker, count) {
                    window(cache, first, count, far);
                }
            });
        }
    });
}

fn next_window(
    cache: &Cache,
    cursor: &Mutex<(u64, [u64; 2])>,
    worker: usize,
    count: u64,
) -> Option<u64> {
    let mut cursor = cursor.lock().unwrap();
    let first = cursor.0;
    cursor.0 += 2;
    cursor.1[worker] = first;
    let done = *cursor.1.iter().min().unwrap();
    cache.passed(done.saturating_sub(1) * BLOCK_BYTES);
    (first < count).then_some(first)
}

fn window(cache: &Cache, first: u64, count: u64, far: u64) {
    let from = (first * BLOCK_BYTES).saturating_sub(16 * 1024);
    let end = ((first + 2) * BLOCK_BYTES + 16 * 1024).min(count * BLOCK_BYTES);
    let mut buf = vec![0; usize::try_from(end - from).unwrap()];
    cache.read_at(from, &mut buf).unwrap();
    let probe = usize::try_from(first * BLOCK_BYTES - from).unwrap();
    assert_eq!(buf[probe], content(first)[0]);
    if first % 37 < 2 {
        byte(cache, (first + far).min(count - 1) * BLOCK_BYTES).unwrap();
    }
}
