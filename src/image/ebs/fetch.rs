//! The fetch of one block: asked for, read whole, checked against its SHA-256, and asked for again
//! where that may help.

use super::Ebs;
use super::list::Listing;
use super::refusal::{self, Class, Refusal};
use super::retry::{Attempts, Next, jitter};
use crate::error::{Error, ErrorKind, Result};
use crate::image::cache::Fetched;
use crate::limits::{BLOCK_BYTES, EBS_GOOD_BLOCKS};
use aws_sdk_ebs::operation::get_snapshot_block::GetSnapshotBlockOutput;
use aws_sdk_ebs::types::ChecksumAlgorithm;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::time::timeout;

/// SHA-256 of a block of zeros, in base64.
const ZEROS: &str = "B4VNL+8pega6gWheZgwzLeNtXRjVRpJ9MNqtbX/aFUE=";

/// A refusal that will be repeated counts as this many that might not, when failures in a row are
/// counted.
const REFUSED_WEIGHT: u32 = 4;

/// A listed snapshot, block by block.
pub(super) struct Source {
    ebs: Ebs,
    id: Arc<str>,
    tokens: RwLock<Tokens>,
    /// How often it was listed again; held while that happens, so that it happens once for all
    /// blocks that found their tokens stale.
    relisted: tokio::sync::Mutex<Relists>,
    breaker: Breaker,
}

#[derive(Clone)]
struct Tokens {
    generation: u32,
    listing: Arc<Listing>,
    /// Blocks that came with the tokens of this generation.
    good: Arc<AtomicU32>,
}

impl Tokens {
    fn new(generation: u32, listing: Arc<Listing>) -> Tokens {
        Tokens { generation, listing, good: Arc::default() }
    }
}

/// How often a snapshot was listed again without much coming of it. Tokens expire after a week,
/// and a scan that gets on may last longer than that several times.
#[derive(Default)]
struct Relists(u32);

impl Relists {
    /// Whether it may be listed again, at `most` so often, after `good` blocks came since the last
    /// time.
    fn again(&mut self, good: u32, most: u32) -> bool {
        if EBS_GOOD_BLOCKS <= good {
            self.0 = 0;
        }
        let may = self.0 < most;
        self.0 = self.0.saturating_add(u32::from(may));
        may
    }
}

impl Source {
    pub(super) fn new(ebs: Ebs, id: Arc<str>, listing: Arc<Listing>) -> Source {
        let breaker = Breaker::new(ebs.options.failures_in_a_row);
        let tokens = RwLock::new(Tokens::new(0, listing));
        Source { ebs, id, tokens, relisted: tokio::sync::Mutex::default(), breaker }
    }

    /// One block, whole and checked.
    pub(super) async fn block(&self, block: u64) -> Result<Fetched> {
        if let Some(error) = self.breaker.open() {
            return Err(error);
        }
        match self.fetch(block).await {
            Ok(fetched) => {
                self.breaker.succeeded();
                Ok(fetched)
            }
            Err(error) => {
                self.breaker.failed(&error);
                Err(error)
            }
        }
    }

    async fn fetch(&self, block: u64) -> Result<Fetched> {
        let options = &self.ebs.options;
        let mut attempts = Attempts::default();
        loop {
            let tokens = self.tokens();
            let token = tokens.listing.token(block).ok_or_else(|| {
                Error::new(ErrorKind::Unreadable, "a block is gone from the listing")
            })?;
            let permit = self.ebs.limiter.acquire().await;
            let asked = timeout(options.block_timeout, self.ask(block, token)).await;
            let refusal = match asked {
                Ok(Ok(fetched)) => {
                    permit.answered(None);
                    tokens.good.fetch_add(1, Ordering::Relaxed);
                    return Ok(fetched);
                }
                Ok(Err(refusal)) => refusal,
                Err(_) => Refusal::new(Class::Slow, "the block took too long to come"),
            };
            permit.answered(Some((refusal.class, refusal.retry_after)));
            match attempts.after(&refusal, options, jitter()) {
                Next::After(wait) => tokio::time::sleep(wait).await,
                Next::Relist => self.relist(tokens.generation).await?,
                Next::GiveUp => return Err(refusal.into_error()),
            }
        }
    }

    async fn ask(&self, block: u64, token: &str) -> Result<Fetched, Refusal> {
        let index = i32::try_from(block)
            .map_err(|_| Refusal::new(Class::Invalid, "the block index is out of range"))?;
        let request = self.ebs.client.get_snapshot_block();
        let request = request.snapshot_id(&*self.id).block_index(index).block_token(token);
        let answer = request.send().await.map_err(|error| refusal::of_block(&error))?;
        self.body(answer).await
    }

    /// The body of an answer, checked.
    async fn body(&self, answer: GetSnapshotBlockOutput) -> Result<Fetched, Refusal> {
        let expected = expected_checksum(&answer)?;
        let len = usize::try_from(BLOCK_BYTES).unwrap_or(usize::MAX);
        let mut body = answer.block_data;
        let mut bytes = Vec::with_capacity(len);
        let mut hash = Sha256::new();
        loop {
            let chunk = timeout(self.ebs.options.read_timeout, body.try_next()).await;
            match chunk {
                Err(_) => return Err(Refusal::new(Class::Slow, "the block stopped coming")),
                Ok(Err(error)) => {
                    return Err(Refusal::new(Class::Broken, refusal::chain(&error)));
                }
                Ok(Ok(None)) => break,
                Ok(Ok(Some(chunk))) => {
                    if len < bytes.len().saturating_add(chunk.len()) {
                        return Err(Refusal::new(Class::Untrusted, "more than a block came"));
                    }
                    hash.update(&chunk);
                    bytes.extend_from_slice(&chunk);
                }
            }
        }
        if bytes.len() != len {
            let detail = format!("the block was cut short at {} bytes", bytes.len());
            return Err(Refusal::new(Class::Broken, detail));
        }
        if STANDARD.encode(hash.finalize()) != expected {
            return Err(Refusal::new(Class::Untrusted, "the checksum is wrong"));
        }
        Ok(if expected == ZEROS { Fetched::Zeros } else { Fetched::Bytes(bytes) })
    }

    fn tokens(&self) -> Tokens {
        self.tokens.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// List again, unless somebody did since `stale` was read.
    async fn relist(&self, stale: u32) -> Result<()> {
        let mut relisted = self.relisted.lock().await;
        let before = self.tokens();
        if before.generation != stale {
            return Ok(());
        }
        let good = before.good.load(Ordering::Relaxed);
        if !relisted.again(good, self.ebs.options.relists) {
            return Err(Error::new(ErrorKind::Unreadable, "the block tokens keep expiring")
                .detail("does something else list this snapshot at the same time?"));
        }
        let listing = self.ebs.list_blocks(&self.id).await?;
        if listing.len() != before.listing.len() {
            return Err(Error::new(ErrorKind::Corrupt, "the snapshot changed while it was read"));
        }
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        *tokens = Tokens::new(stale.saturating_add(1), Arc::new(listing));
        Ok(())
    }
}

/// The SHA-256 an answer promises. A block without one is not taken on trust.
fn expected_checksum(answer: &GetSnapshotBlockOutput) -> Result<String, Refusal> {
    let length = answer.data_length.and_then(|length| u64::try_from(length).ok());
    if answer.data_length.is_some() && length != Some(BLOCK_BYTES) {
        return Err(Refusal::new(Class::Untrusted, "the announced length is not a block's"));
    }
    match &answer.checksum_algorithm {
        None | Some(ChecksumAlgorithm::ChecksumAlgorithmSha256) => {}
        Some(_) => return Err(Refusal::new(Class::Untrusted, "the checksum is of another kind")),
    }
    answer
        .checksum
        .clone()
        .ok_or_else(|| Refusal::new(Class::Untrusted, "the block came without a checksum"))
}

/// The breaker: when block after block fails, the rest fail at once. A revoked permission must not
/// take hours to be told.
struct Breaker {
    most: u32,
    state: Mutex<(u32, Option<Error>)>,
}

impl Breaker {
    fn new(most: u32) -> Breaker {
        Breaker { most, state: Mutex::default() }
    }

    /// The error of everything, once it is open.
    fn open(&self) -> Option<Error> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    fn succeeded(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = (0, None);
    }

    fn failed(&self, error: &Error) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let refused = matches!(error.kind(), ErrorKind::Denied | ErrorKind::NotFound);
        state.0 = state.0.saturating_add(if refused { REFUSED_WEIGHT } else { 1 });
        if self.most <= state.0 && state.1.is_none() {
            let kind = if refused { ErrorKind::Denied } else { ErrorKind::Unreadable };
            let all = Error::new(kind, "not tried, for the blocks before it all failed");
            state.1 = Some(all.caused_by(error.clone()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_a_block_of_zeros() {
        let zeros = vec![0; usize::try_from(BLOCK_BYTES).unwrap()];
        assert_eq!(STANDARD.encode(Sha256::digest(zeros)), ZEROS);
    }

    #[test]
    fn lists_again_as_long_as_blocks_come() {
        let mut relists = Relists::default();
        assert!((0..3).all(|_| relists.again(EBS_GOOD_BLOCKS - 1, 3)));
        assert!(!relists.again(EBS_GOOD_BLOCKS - 1, 3));
        assert!((0..100).all(|_| relists.again(EBS_GOOD_BLOCKS, 3)));
        assert!(relists.again(0, 3) && relists.again(0, 3) && !relists.again(0, 3));
    }

    #[test]
    fn opens_after_failures_in_a_row_only() {
        let breaker = Breaker::new(256);
        let denied = Error::new(ErrorKind::Denied, "no");
        for _ in 0..1000 {
            (0..63).for_each(|_| breaker.failed(&denied));
            assert!(breaker.open().is_none());
            breaker.succeeded();
        }
        (0..64).for_each(|_| breaker.failed(&denied));
        let error = breaker.open().unwrap();
        assert_eq!(error.kind(), ErrorKind::Denied);
        assert!(error.message().ends_with(": no"));
        breaker.succeeded();
        let slow = Error::new(ErrorKind::Unreadable, "slow");
        (0..255).for_each(|_| breaker.failed(&slow));
        assert!(breaker.open().is_none());
    }
}
