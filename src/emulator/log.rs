//! The log of requests: what was asked, what was answered, and the sums tests are about.

use crate::limits::EMULATOR_LOG;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
pub enum Operation {
    /// EBS direct: the blocks of a snapshot.
    ListSnapshotBlocks,
    /// EBS direct: the bytes of a block.
    GetSnapshotBlock,
    /// EBS direct: what differs between two snapshots.
    ListChangedBlocks,
    /// EC2: AMIs.
    DescribeImages,
    /// EC2: snapshots.
    DescribeSnapshots,
    /// EC2: who may make a volume from a snapshot.
    DescribeSnapshotAttribute,
    /// Anything else, which is refused.
    Other,
}

impl Operation {
    /// All of them.
    pub const ALL: [Operation; 7] = [
        Operation::ListSnapshotBlocks,
        Operation::GetSnapshotBlock,
        Operation::ListChangedBlocks,
        Operation::DescribeImages,
        Operation::DescribeSnapshots,
        Operation::DescribeSnapshotAttribute,
        Operation::Other,
    ];

    /// The word for it in the text form of a fault.
    pub fn short(self) -> &'static str {
        match self {
            Operation::ListSnapshotBlocks => "list",
            Operation::GetSnapshotBlock => "get",
            Operation::ListChangedBlocks => "changed",
            Operation::DescribeImages => "images",
            Operation::DescribeSnapshots => "snapshots",
            Operation::DescribeSnapshotAttribute => "attribute",
            Operation::Other => "other",
        }
    }

    pub(super) fn is_list(self) -> bool {
        matches!(self, Operation::ListSnapshotBlocks | Operation::ListChangedBlocks)
    }

    pub(super) fn is_ebs(self) -> bool {
        matches!(
            self,
            Operation::ListSnapshotBlocks
                | Operation::GetSnapshotBlock
                | Operation::ListChangedBlocks
        )
    }
}

/// A request and how it was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Request {
    /// Its number, in the order of arrival.
    pub sequence: u64,
    /// Microseconds after the start of the emulator at which it arrived.
    pub at_us: u64,
    /// What it asked for.
    pub operation: Operation,
    /// The snapshot; the later one of two that are compared.
    pub snapshot: Option<String>,
    /// The block index.
    pub block: Option<u64>,
    /// Whether it carried a page token.
    pub paged: bool,
    /// The HTTP status; 0 when no answer was sent.
    pub status: u16,
    /// The error code of the answer.
    pub error: Option<String>,
    /// The fault that hit it, in text form.
    pub fault: Option<String>,
    /// `amz-sdk-invocation-id`: the same over the retries of one call.
    pub invocation: Option<String>,
    /// `amz-sdk-request`: which attempt it is.
    pub attempt: Option<String>,
}

/// A place that gets every request as it is answered.
pub type Sink = Arc<dyn Fn(&Request) + Send + Sync>;

#[derive(Default)]
pub(super) struct Log {
    sequence: AtomicU64,
    in_flight: AtomicUsize,
    peak: AtomicUsize,
    kept: Mutex<Kept>,
    sink: Option<Sink>,
}

#[derive(Default)]
struct Kept {
    requests: Vec<Request>,
    fetches: BTreeMap<(String, u64), u64>,
}

impl Log {
    pub(super) fn new(sink: Option<Sink>) -> Log {
        Log { sink, ..Log::default() }
    }

    pub(super) fn next(&self) -> u64 {
        self.sequence.fetch_add(1, Ordering::SeqCst)
    }

    pub(super) fn write(&self, request: Request, served_whole: bool) {
        if let Some(sink) = &self.sink {
            sink(&request);
        }
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if served_whole && let (Some(snapshot), Some(block)) = (&request.snapshot, request.block) {
            *kept.fetches.entry((snapshot.clone(), block)).or_default() += 1;
        }
        if kept.requests.len() < EMULATOR_LOG {
            kept.requests.push(request);
        }
    }

    /// All requests, in the order of arrival.
    pub(super) fn requests(&self) -> Vec<Request> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut requests = kept.requests.clone();
        requests.sort_by_key(|request| request.sequence);
        requests
    }

    pub(super) fn fetches(&self) -> BTreeMap<(String, u64), u64> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).fetches.clone()
    }

    pub(super) fn peak(&self) -> usize {
        self.peak.load(Ordering::SeqCst)
    }

    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    pub(super) fn enter(self: &Arc<Log>) -> InFlight {
        let now = self.in_flight.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(now, Ordering::SeqCst);
        InFlight(Arc::clone(self))
    }
}

/// A request that is being served, until the last byte of its answer went to the connection.
pub(super) struct InFlight(Arc<Log>);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}
