//! An emulator: disk images served as snapshots and AMIs on a loopback port, so that everything
//! that speaks to AWS can be tried and tested without it.
//!
//! It answers the reading calls of the [EBS direct APIs] and the two EC2 calls that lead from an
//! AMI to its snapshots, as the AWS SDKs expect them, and breaks on demand: see [`Fault`].
//!
//! [EBS direct APIs]: https://docs.aws.amazon.com/ebs/latest/APIReference/Welcome.html

mod clock;
mod ebs;
mod ec2;
mod fault;
mod log;
mod reply;
mod route;
mod server;
mod snapshot;
mod token;

pub use clock::Rate;
pub use fault::{Fault, Kind};
pub use log::{Operation, Request, Sink};
pub use snapshot::{ACCOUNT, Ami, Mapping, Snapshot};

use crate::error::{Error, ErrorKind, Result};
use clock::{Bucket, Clock};
use fault::Faults;
use log::Log;
use snapshot::Disk;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Threads that serve. Two keep a slow first listing from holding up everything else.
const THREADS: usize = 2;

/// What is served, and how.
#[derive(Clone)]
pub struct Config {
    /// The snapshots.
    pub snapshots: Vec<Snapshot>,
    /// The AMIs. A snapshot they name need not exist.
    pub amis: Vec<Ami>,
    /// What goes wrong from the start.
    pub faults: Vec<Fault>,
    /// The port on 127.0.0.1; 0 for one that is free.
    pub port: u16,
    /// The most entries of a page, even when more are asked for.
    pub page_entries_max: Option<usize>,
    /// Empty pages that come before the first entries of every listing.
    pub empty_pages: u64,
    /// How long a block token is good for; 7 days at AWS.
    pub block_token_life: Duration,
    /// How long a page token is good for; an hour at AWS.
    pub page_token_life: Duration,
    /// Whether all tokens of a snapshot end when it is listed anew.
    pub tokens_end_with_next_list: bool,
    /// `GetSnapshotBlock` calls let through for each snapshot.
    pub get_rate_per_snapshot: Option<Rate>,
    /// `GetSnapshotBlock` calls let through for the account.
    pub get_rate: Option<Rate>,
    /// Listing calls let through for the account.
    pub list_rate: Option<Rate>,
    /// How long every answer takes.
    pub latency: Duration,
    /// Whether time stands still but for [`Emulator::advance`].
    pub frozen_clock: bool,
    /// Gets every request as it is answered.
    pub sink: Option<Sink>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            snapshots: Vec::new(),
            amis: Vec::new(),
            faults: Vec::new(),
            port: 0,
            page_entries_max: None,
            empty_pages: 0,
            block_token_life: Duration::from_hours(7 * 24),
            page_token_life: Duration::from_hours(1),
            tokens_end_with_next_list: false,
            get_rate_per_snapshot: None,
            get_rate: None,
            list_rate: None,
            latency: Duration::ZERO,
            frozen_clock: false,
            sink: None,
        }
    }
}

/// What the threads that serve share.
struct State {
    config: Config,
    disks: BTreeMap<String, Disk>,
    amis: Vec<Ami>,
    sealer: token::Sealer,
    clock: Clock,
    /// Tokens carry it; raising it ends them all.
    epoch: AtomicU64,
    faults: Faults,
    log: Arc<Log>,
    get_bucket: Option<Bucket>,
    list_bucket: Option<Bucket>,
}

impl State {
    fn new(mut config: Config) -> Result<State> {
        let mut disks = BTreeMap::new();
        for facts in std::mem::take(&mut config.snapshots) {
            check_id(&facts.id, "snap-")?;
            let bucket = config.get_rate_per_snapshot.map(Bucket::new);
            if let Some(double) = disks.insert(facts.id.clone(), Disk::new(facts, bucket)) {
                return Err(twice(&double.facts.id));
            }
        }
        let mut amis = std::mem::take(&mut config.amis);
        amis.sort_by(|a, b| a.id.cmp(&b.id));
        for ami in &amis {
            check_id(&ami.id, "ami-")?;
        }
        if let Some(pair) = amis.windows(2).find(|pair| pair[0].id == pair[1].id) {
            return Err(twice(&pair[0].id));
        }
        let faults = Faults::default();
        for fault in std::mem::take(&mut config.faults) {
            faults.add(fault);
        }
        Ok(State {
            disks,
            amis,
            sealer: token::Sealer::new()?,
            clock: Clock::new(config.frozen_clock),
            epoch: AtomicU64::new(0),
            faults,
            log: Arc::new(Log::new(config.sink.take())),
            get_bucket: config.get_rate.map(Bucket::new),
            list_bucket: config.list_rate.map(Bucket::new),
            config,
        })
    }
}

fn check_id(id: &str, prefix: &str) -> Result<()> {
    let hex = id.strip_prefix(prefix).unwrap_or_default();
    if !hex.is_empty() && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Usage, "an id needs its prefix and small hex digits")
        .detail(format_args!("{id}, not {prefix}0a1b")))
}

fn twice(id: &str) -> Error {
    Error::new(ErrorKind::Usage, "the same id twice").detail(id)
}

/// A running emulator; it stops when dropped.
pub struct Emulator {
    state: Arc<State>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Emulator {
    /// Start to serve on a thread of its own.
    pub fn start(config: Config) -> Result<Emulator> {
        let refuse = |cause: std::io::Error| {
            Error::new(ErrorKind::Io, "the emulator cannot start").caused_by(cause)
        };
        let wanted = SocketAddr::from((Ipv4Addr::LOCALHOST, config.port));
        let state = Arc::new(State::new(config)?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("emulator")
            .enable_all()
            .build()
            .map_err(refuse)?;
        let listener = std::net::TcpListener::bind(wanted).map_err(refuse)?;
        listener.set_nonblocking(true).map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let listener = {
            let _inside = runtime.enter();
            TcpListener::from_std(listener).map_err(refuse)?
        };
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&state);
        // The runtime ends on this thread too, so that it may be dropped from within another one.
        let serve = move || runtime.block_on(server::serve(listener, shared, stopped));
        let thread =
            std::thread::Builder::new().name("emulator".to_owned()).spawn(serve).map_err(refuse)?;
        Ok(Emulator { state, address, stop: Some(stop), thread: Some(thread) })
    }

    /// The URL clients are to be pointed at, for EBS and EC2 alike.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The environment that makes the AWS SDKs and tools use it.
    pub fn environment(&self) -> Vec<(&'static str, String)> {
        vec![
            ("AWS_ENDPOINT_URL", self.endpoint()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ]
    }

    /// All requests so far, in the order of arrival.
    pub fn log(&self) -> Vec<Request> {
        self.state.log.requests()
    }

    /// How often each block was served whole and right, by snapshot and index.
    pub fn block_fetches(&self) -> BTreeMap<(String, u64), u64> {
        self.state.log.fetches()
    }

    /// The most requests that were served at the same time. With [`Config::latency`] this is what
    /// the client sends at once.
    pub fn peak_in_flight(&self) -> usize {
        self.state.log.peak()
    }

    /// The requests that are being served now.
    pub fn in_flight(&self) -> usize {
        self.state.log.in_flight()
    }

    /// Let one more thing go wrong.
    pub fn add_fault(&self, fault: Fault) {
        self.state.faults.add(fault);
    }

    /// Let nothing go wrong any more.
    pub fn clear_faults(&self) {
        self.state.faults.clear();
    }

    /// Move the clock of tokens and rates forward.
    pub fn advance(&self, by: Duration) {
        self.state.clock.advance(by);
    }

    /// End all tokens given out so far.
    pub fn expire_tokens(&self) {
        self.state.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Serve until the process ends.
    pub fn wait(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
