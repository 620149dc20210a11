//! A snapshot, read through the EBS direct APIs: no instance, no volume, no copy.
//!
//! <https://docs.aws.amazon.com/ebs/latest/userguide/ebs-accessing-snapshot.html>
//!
//! A snapshot is listed first; that tells what it costs. Its blocks then come on demand through
//! the [`cache`](super::cache), each checked against the SHA-256 AWS gives with it. A block that
//! cannot be had is an error of that block alone.

mod fetch;
mod limiter;
mod list;
mod price;
mod refusal;
mod retry;
mod runtime;

pub use self::price::Estimate;
pub use self::runtime::Runtime;

use self::fetch::Source;
use self::limiter::Limiter;
use self::list::{Listing, Page};
use self::refusal::{Class, Refusal};
use self::retry::{Attempts, Next, jitter};
use super::Image;
use super::cache::{Cache, Fetch};
use crate::error::Result;
use crate::run::ImageNo;
use aws_config::SdkConfig;
use aws_sdk_ebs::Client;
use aws_sdk_ebs::config::StalledStreamProtectionConfig;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use std::sync::Arc;
use std::time::Duration;

/// How snapshots are read.
#[derive(Clone, Debug)]
pub struct Options {
    /// Requests a second over all snapshots; AWS allows 1,000 per account and per snapshot.
    pub requests_per_second: u32,
    /// Requests under way at first.
    pub in_flight_first: u32,
    /// The most requests under way.
    pub in_flight_most: u32,
    /// How often a block that is throttled is asked for.
    pub attempts_throttled: u32,
    /// How often a block that breaks on the way is asked for.
    pub attempts_failed: u32,
    /// How often a block that comes damaged is asked for.
    pub attempts_untrusted: u32,
    /// How often a snapshot is listed again because its tokens went stale: they do when they
    /// expire, and when somebody else lists it.
    pub relists: u32,
    /// The longest first wait before asking again; it doubles.
    pub backoff_first: Duration,
    /// The longest wait before asking again.
    pub backoff_most: Duration,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long an answer may be silent.
    pub read_timeout: Duration,
    /// How long one attempt at a block or page may take.
    pub block_timeout: Duration,
    /// After this many blocks failed in a row the rest are not tried; a refusal counts four.
    pub failures_in_a_row: u32,
    /// Memory for the blocks of a target, those on their way included.
    pub cache_bytes: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            requests_per_second: 1000,
            in_flight_first: 32,
            // At 100 ms each, 100 requests under way reach the quota.
            in_flight_most: 128,
            attempts_throttled: 10,
            attempts_failed: 6,
            attempts_untrusted: 4,
            relists: 3,
            backoff_first: Duration::from_millis(100),
            backoff_most: Duration::from_secs(20),
            connect_timeout: Duration::from_millis(3100),
            read_timeout: Duration::from_secs(12),
            block_timeout: Duration::from_mins(1),
            failures_in_a_row: 256,
            cache_bytes: 256 * 1024 * 1024,
        }
    }
}

/// The EBS direct APIs of one account and region.
#[derive(Clone)]
pub struct Ebs {
    client: Client,
    options: Arc<Options>,
    limiter: Arc<Limiter>,
    runtime: Arc<Runtime>,
}

/// A listed snapshot, of which no block has been fetched yet.
pub struct Snapshot {
    source: Arc<Source>,
    listing: Arc<Listing>,
    id: Arc<str>,
    ebs: Ebs,
}

impl Ebs {
    /// Over the credentials, region and endpoint of `config`. Requests run on `runtime`, which
    /// `config` must have been loaded on too: connections live where they were opened.
    pub fn new(runtime: Arc<Runtime>, config: &SdkConfig, options: Options) -> Ebs {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(options.connect_timeout)
            .read_timeout(options.read_timeout)
            .build();
        // One layer of retries and of timeouts over bodies: ours, which sees the whole block.
        let config = aws_sdk_ebs::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .timeout_config(timeouts)
            .build();
        Ebs {
            client: Client::from_conf(config),
            limiter: Arc::new(Limiter::new(&options)),
            options: Arc::new(options),
            runtime,
        }
    }

    /// List the written blocks of snapshot `id`.
    pub fn list(&self, id: &str) -> Result<Snapshot> {
        let id: Arc<str> = id.into();
        let listing = Arc::new(self.runtime.block_on(self.list_blocks(&id))?);
        let source = Source::new(self.clone(), Arc::clone(&id), Arc::clone(&listing));
        Ok(Snapshot { source: Arc::new(source), listing, id, ebs: self.clone() })
    }

    /// Snapshot `id` as the `number`th image of its target.
    pub fn open(&self, id: &str, number: ImageNo) -> Result<Image> {
        self.list(id).map(|snapshot| snapshot.open(number, self.options.cache_bytes))
    }

    async fn list_blocks(&self, id: &str) -> Result<Listing> {
        let mut restarts = Attempts::default();
        loop {
            let refusal = match self.list_once(id).await? {
                Ok(listing) => return Ok(listing),
                Err(refusal) => refusal,
            };
            // A page token lives an hour and dies when the snapshot is listed anew.
            if restarts.after(&refusal, &self.options, 0) != Next::Relist {
                return Err(refusal.into_error());
            }
        }
    }

    /// A listing from the start, or the refusal of a page token.
    async fn list_once(&self, id: &str) -> Result<Result<Listing, Refusal>> {
        let mut listing = Listing::default();
        let mut token = None;
        loop {
            let mut attempts = Attempts::default();
            let page = loop {
                let refusal = match self.ask_page(id, token.clone()).await {
                    Ok(page) => break page,
                    Err(refusal) => refusal,
                };
                if refusal.class == Class::PageToken {
                    return Ok(Err(refusal));
                }
                match attempts.after(&refusal, &self.options, jitter()) {
                    Next::After(wait) => tokio::time::sleep(wait).await,
                    Next::Relist | Next::GiveUp => return Err(refusal.into_error()),
                }
            };
            token = listing.add(page)?;
            if token.is_none() {
                return Ok(Ok(listing));
            }
        }
    }

    async fn ask_page(&self, id: &str, token: Option<String>) -> Result<Page, Refusal> {
        let most = i32::try_from(price::PAGE_BLOCKS).unwrap_or(i32::MAX);
        let request = self.client.list_snapshot_blocks().snapshot_id(id).max_results(most);
        let sent = request.set_next_token(token).send();
        let answer = tokio::time::timeout(self.options.block_timeout, sent)
            .await
            .map_err(|_| Refusal::new(Class::Slow, "the block listing took too long to come"))?
            .map_err(|error| refusal::of_list(&error))?;
        let blocks = answer.blocks.unwrap_or_default();
        Ok(Page {
            blocks: blocks.into_iter().map(|b| (b.block_index, b.block_token)).collect(),
            volume_size: answer.volume_size,
            block_size: answer.block_size,
            next_token: answer.next_token,
        })
    }
}

impl Snapshot {
    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The volume's size in bytes.
    pub fn volume_bytes(&self) -> u64 {
        self.listing.len()
    }

    /// What reading it once takes.
    pub fn estimate(&self) -> Estimate {
        Estimate::of(
            self.listing.blocks(),
            self.listing.pages,
            self.ebs.options.requests_per_second,
        )
    }

    /// It as the `number`th image of its target, with `cache_bytes` of memory for its blocks.
    pub fn open(self, number: ImageNo, cache_bytes: u64) -> Image {
        let written = self.listing.written();
        let runtime = Arc::clone(&self.ebs.runtime);
        let source = self.source;
        let fetch: Fetch = Box::new(move |block, completion| {
            let source = Arc::clone(&source);
            runtime.spawn(async move { completion.done(source.block(block).await) });
        });
        let len = self.listing.len();
        let cache = Arc::new(Cache::new(number, len, written.clone(), cache_bytes, fetch));
        let ahead = Some(Arc::clone(&cache));
        Image { number, name: self.id, bytes: cache, written, ahead }
    }
}

/// Whether `id` is shaped like a snapshot's. What is not must not reach a request's path.
pub fn is_snapshot_id(id: &str) -> bool {
    id.strip_prefix("snap-").is_some_and(|hex| {
        (1..=64).contains(&hex.len())
            && hex.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}
