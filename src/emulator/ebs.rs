//! The three reading calls of the EBS direct APIs.

use super::State;
use super::fault::{Fault, Kind, Phase};
use super::log::Operation;
use super::reply::{Pace, Refusal, Reply, checksum};
use super::route::Asked;
use super::snapshot::{ACCOUNT, Disk, GIB};
use super::token::nonce;
use crate::error::Error;
use crate::limits::BLOCK_BYTES;
use hyper::body::Bytes;
use serde_json::{Value, json};
use std::cmp::Ordering as Order;
use std::iter::Peekable;
use std::sync::atomic::Ordering;

/// Entries of a page when the request does not say, and the least it may say.
const PAGE_DEFAULT: usize = 100;

/// The most entries a request may ask for.
const PAGE_MAX: usize = 10_000;

/// Where a listing goes on.
struct Page {
    /// What its tokens are good for.
    subject: String,
    entries_max: usize,
    start: u64,
    /// Empty pages that still come first.
    empty: u64,
    /// The listings of both snapshots it belongs to.
    generations: [u64; 2],
}

impl State {
    pub(super) fn ebs(&self, asked: &Asked) -> Result<Reply, Refusal> {
        let id = asked.snapshot.as_deref().unwrap_or_default();
        match asked.operation {
            Operation::ListSnapshotBlocks => self.list(id, asked),
            Operation::ListChangedBlocks => self.changed(id, asked),
            Operation::GetSnapshotBlock => self.get(id, asked),
            _ => Err(Refusal::new(404, "UnknownOperationException", "No such operation.")),
        }
    }

    /// The snapshot, if the EBS direct APIs would serve it to the caller.
    fn disk(&self, id: &str) -> Result<&Disk, Refusal> {
        let hex = id.strip_prefix("snap-").unwrap_or_default();
        if hex.is_empty() || !hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(Refusal::invalid(
                "INVALID_SNAPSHOT_ID",
                format!("The snapshot ID '{id}' is not valid."),
            ));
        }
        let missing = || {
            Refusal::new(
                404,
                "ResourceNotFoundException",
                format!("The snapshot '{id}' does not exist."),
            )
            .because("SNAPSHOT_NOT_FOUND")
        };
        let disk = self.disks.get(id).ok_or_else(missing)?;
        let facts = &disk.facts;
        let denied = |reason, message: &str| {
            Err(Refusal::new(403, "AccessDeniedException", message).because(reason))
        };
        if facts.public || (facts.owner != ACCOUNT && !facts.shared) {
            return denied(
                "UNAUTHORIZED_ACCOUNT",
                "The account is not authorized to access this snapshot.",
            );
        }
        if facts.pending || facts.archived || facts.outpost.is_some() {
            return Err(Refusal::invalid(
                "INVALID_SNAPSHOT_ID",
                format!("The snapshot '{id}' is not in a state that can be read."),
            ));
        }
        if facts.kms_denied {
            return denied(
                "DEPENDENCY_ACCESS_DENIED",
                "The KMS key of the snapshot could not be used.",
            );
        }
        Ok(disk)
    }

    fn list(&self, id: &str, asked: &Asked) -> Result<Reply, Refusal> {
        self.admit_list()?;
        let disk = self.disk(id)?;
        let page = self.page(format!("list/{id}"), [disk, disk], asked)?;
        let listed = disk.listed();
        let from = listed.partition_point(|index| *index < page.start);
        let rest = listed.get(from..).unwrap_or_default();
        let (here, later) = rest.split_at(page.entries_max.min(rest.len()));
        let expires = self.block_expiry();
        let entry = |index: &u64| {
            let token = self.block_token(disk, *index, page.generations[1], expires);
            json!({"BlockIndex": index, "BlockToken": token})
        };
        let entries = here.iter().map(entry).collect();
        Ok(self.envelope(asked, disk, &page, ("Blocks", entries, later.first().copied())))
    }

    fn changed(&self, id: &str, asked: &Asked) -> Result<Reply, Refusal> {
        self.admit_list()?;
        let second = self.disk(id)?;
        let Some(first_id) = asked.get("firstSnapshotId") else {
            return self.changed_since_nothing(second, asked);
        };
        let first = self.disk(first_id)?;
        if !self.related(first_id, id) {
            return Err(Refusal::invalid(
                "UNRELATED_SNAPSHOTS",
                "The snapshots are not of the same volume.",
            ));
        }
        let page = self.page(format!("changed/{first_id}/{id}"), [first, second], asked)?;
        let expires = self.block_expiry();
        let [first_generation, second_generation] = page.generations;
        let from = |disk: &Disk| {
            let at = disk.listed().partition_point(|index| *index < page.start);
            disk.listed().iter().skip(at).copied().collect::<Vec<_>>().into_iter().peekable()
        };
        let (mut old, mut new) = (from(first), from(second));
        let mut entries = Vec::new();
        while let Some((index, in_first, in_second)) = step(&mut old, &mut new) {
            if in_first && in_second && same(first, second, index) {
                continue;
            }
            if entries.len() == page.entries_max {
                let found = ("ChangedBlocks", entries, Some(index));
                return Ok(self.envelope(asked, second, &page, found));
            }
            let mut entry = json!({"BlockIndex": index});
            if in_first {
                entry["FirstBlockToken"] =
                    self.block_token(first, index, first_generation, expires).into();
            }
            if in_second {
                entry["SecondBlockToken"] =
                    self.block_token(second, index, second_generation, expires).into();
            }
            entries.push(entry);
        }
        Ok(self.envelope(asked, second, &page, ("ChangedBlocks", entries, None)))
    }

    /// Without a first snapshot everything is new.
    fn changed_since_nothing(&self, disk: &Disk, asked: &Asked) -> Result<Reply, Refusal> {
        let page = self.page(format!("changed//{}", disk.facts.id), [disk, disk], asked)?;
        let from = disk.listed().partition_point(|index| *index < page.start);
        let rest = disk.listed().get(from..).unwrap_or_default();
        let (here, later) = rest.split_at(page.entries_max.min(rest.len()));
        let expires = self.block_expiry();
        let entry = |index: &u64| {
            let token = self.block_token(disk, *index, page.generations[1], expires);
            json!({"BlockIndex": index, "SecondBlockToken": token})
        };
        let entries = here.iter().map(entry).collect();
        Ok(self.envelope(asked, disk, &page, ("ChangedBlocks", entries, later.first().copied())))
    }

    /// Whether one is a later state of the other, or both of a third.
    fn related(&self, first: &str, second: &str) -> bool {
        let line = |id: &str| {
            let mut line = vec![id.to_owned()];
            while let Some(parent) = line
                .last()
                .and_then(|id| self.disks.get(id))
                .and_then(|disk| disk.facts.parent.clone())
                .filter(|parent| !line.contains(parent))
            {
                line.push(parent);
            }
            line
        };
        let older = line(first);
        line(second).iter().any(|id| older.contains(id))
    }

    /// Where the page that is asked for begins. The first page starts a new listing.
    fn page(&self, subject: String, disks: [&Disk; 2], asked: &Asked) -> Result<Page, Refusal> {
        let asked_max = match asked.get("maxResults") {
            None => PAGE_DEFAULT,
            Some(text) => text
                .parse()
                .ok()
                .filter(|max| (PAGE_DEFAULT..=PAGE_MAX).contains(max))
                .ok_or_else(|| bad_parameter("maxResults"))?,
        };
        let entries_max = self.config.page_entries_max.unwrap_or(PAGE_MAX).clamp(1, asked_max);
        let Some(token) = asked.get("pageToken") else {
            let start = match asked.get("startingBlockIndex") {
                None => 0,
                Some(text) => text.parse().map_err(|_| bad_parameter("startingBlockIndex"))?,
            };
            let begin = |disk: &Disk| disk.generation.fetch_add(1, Ordering::SeqCst) + 1;
            let [first, second] = disks;
            let newest = begin(second);
            let other = if first.facts.id == second.facts.id { newest } else { begin(first) };
            let (empty, generations) = (self.config.empty_pages, [other, newest]);
            return Ok(Page { subject, entries_max, start, empty, generations });
        };
        let bad = || Refusal::invalid("INVALID_PAGE_TOKEN", "The page token is not valid.");
        let [_, expires, epoch, start, empty, older, newer] =
            self.sealer.open::<7>(&subject, token).ok_or_else(bad)?;
        let generations = [older, newer];
        let outdated = generations
            .iter()
            .zip(disks)
            .any(|(of, disk)| *of != disk.generation.load(Ordering::SeqCst));
        if epoch != self.epoch.load(Ordering::SeqCst)
            || self.clock.now_ms() >= expires
            || (self.config.tokens_end_with_next_list && outdated)
        {
            return Err(Refusal::invalid("INVALID_PAGE_TOKEN", "The page token has expired."));
        }
        Ok(Page { subject, entries_max, start, empty, generations })
    }

    fn page_token(&self, page: &Page, start: u64, empty: u64) -> String {
        let life = u64::try_from(self.config.page_token_life.as_millis()).unwrap_or(u64::MAX);
        let expires = self.clock.now_ms().saturating_add(life);
        let [older, newer] = page.generations;
        let epoch = self.epoch.load(Ordering::SeqCst);
        self.sealer.seal(&page.subject, &[nonce(), expires, epoch, start, empty, older, newer])
    }

    fn envelope(
        &self,
        asked: &Asked,
        disk: &Disk,
        page: &Page,
        (name, mut entries, next): (&str, Vec<Value>, Option<u64>),
    ) -> Reply {
        let fault = self.faults.pick(Phase::Page, &asked.target());
        let mut token = next.map(|next| self.page_token(page, next, 0));
        if page.empty > 0 {
            entries.clear();
            token = Some(self.page_token(page, page.start, page.empty - 1));
        }
        match fault.as_ref().map(|fault| fault.kind) {
            Some(Kind::EmptyPage) => {
                entries.clear();
                token = Some(self.page_token(page, page.start, page.empty));
            }
            Some(Kind::RepeatToken) => token = asked.get("pageToken").map(str::to_owned),
            _ => {}
        }
        let unit = if disk.facts.size_in_bytes { GIB } else { 1 };
        let size = disk.facts.volume_gib().saturating_mul(unit);
        let mut answer = json!({
            name: entries,
            "ExpiryTime": seconds(self.block_expiry()),
            "VolumeSize": size,
            "BlockSize": BLOCK_BYTES,
        });
        if let Some(token) = token {
            answer["NextToken"] = token.into();
        }
        let mut reply = Reply::json(&answer);
        reply.fault = fault.map(|fault| fault.to_string());
        reply
    }

    fn block_expiry(&self) -> u64 {
        let life = u64::try_from(self.config.block_token_life.as_millis()).unwrap_or(u64::MAX);
        self.clock.now_ms().saturating_add(life)
    }

    fn block_token(&self, disk: &Disk, index: u64, generation: u64, expires: u64) -> String {
        let epoch = self.epoch.load(Ordering::SeqCst);
        let subject = format!("block/{}/{index}", disk.facts.id);
        self.sealer.seal(&subject, &[expires, epoch, generation])
    }

    fn get(&self, id: &str, asked: &Asked) -> Result<Reply, Refusal> {
        let disk = self.disk(id)?;
        self.admit_get(disk)?;
        let index = asked.block.ok_or_else(|| bad_parameter("blockIndex"))?;
        let token = asked.get("blockToken").ok_or_else(|| bad_parameter("blockToken"))?;
        if !disk.is_listed(index) {
            return Err(Refusal::invalid("INVALID_BLOCK", "The block does not exist."));
        }
        let bad = |message: &str| Refusal::invalid("INVALID_BLOCK_TOKEN", message);
        let [expires, epoch, generation] = self
            .sealer
            .open::<3>(&format!("block/{id}/{index}"), token)
            .ok_or_else(|| bad("The block token is not valid."))?;
        let outdated = generation != disk.generation.load(Ordering::SeqCst);
        if epoch != self.epoch.load(Ordering::SeqCst)
            || self.clock.now_ms() >= expires
            || (self.config.tokens_end_with_next_list && outdated)
        {
            return Err(bad("The block token has expired."));
        }
        let bytes = disk.block(index).map_err(|cause| unreadable(&cause))?;
        let mut reply = Reply::new(200, "application/octet-stream", Bytes::new());
        reply.set("x-amz-data-length", bytes.len().to_string());
        reply.set("x-amz-checksum", checksum(&bytes));
        reply.set("x-amz-checksum-algorithm", "SHA256".to_owned());
        reply.whole_block = true;
        match self.faults.pick(Phase::Body, &asked.target()) {
            None => reply.body = bytes.into(),
            Some(fault) => spoil(&mut reply, bytes, &fault, (disk, index))?,
        }
        Ok(reply)
    }

    fn admit_get(&self, disk: &Disk) -> Result<(), Refusal> {
        let now = self.clock.elapsed();
        if disk.bucket.as_ref().is_some_and(|bucket| !bucket.admit(now)) {
            return Err(throttled_snapshot());
        }
        match &self.get_bucket {
            Some(bucket) if !bucket.admit(now) => Err(throttled_account(400)),
            _ => Ok(()),
        }
    }

    fn admit_list(&self) -> Result<(), Refusal> {
        match &self.list_bucket {
            Some(bucket) if !bucket.admit(self.clock.elapsed()) => Err(throttled_account(400)),
            _ => Ok(()),
        }
    }
}

/// Let a body fault loose on the good answer.
fn spoil(
    reply: &mut Reply,
    mut bytes: Vec<u8>,
    fault: &Fault,
    (disk, index): (&Disk, u64),
) -> Result<(), Refusal> {
    let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    let middle = bytes.len() / 2;
    match fault.kind {
        Kind::Truncate(at) => reply.pace = Pace::Cut(size(at).min(bytes.len().saturating_sub(1))),
        Kind::StallBody(at) => reply.pace = Pace::Halt(size(at).min(bytes.len().saturating_sub(1))),
        Kind::Slow(per_second) => reply.pace = Pace::Slow(per_second),
        Kind::Corrupt => flip(&mut bytes, middle),
        Kind::Changed => {
            flip(&mut bytes, middle);
            reply.set("x-amz-checksum", checksum(&bytes));
        }
        Kind::WrongBlock => {
            let listed = disk.listed();
            let next = listed.iter().chain(listed).skip_while(|at| **at != index).nth(1);
            bytes =
                disk.block(next.copied().unwrap_or(index)).map_err(|cause| unreadable(&cause))?;
        }
        Kind::WrongChecksum => reply.set("x-amz-checksum", checksum(b"something else")),
        Kind::NoChecksum => {
            reply.set("x-amz-checksum", String::new());
            reply.set("x-amz-checksum-algorithm", String::new());
        }
        Kind::UnknownAlgorithm => reply.set("x-amz-checksum-algorithm", "CRC64NVME".to_owned()),
        Kind::WrongLength => {
            reply.set("x-amz-data-length", bytes.len().saturating_sub(1).to_string());
        }
        Kind::EmptyBody => bytes.clear(),
        _ => {}
    }
    reply.body = bytes.into();
    reply.whole_block = fault.kind.serves_whole();
    reply.fault = Some(fault.to_string());
    Ok(())
}

fn flip(bytes: &mut [u8], at: usize) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte ^= 0xff;
    }
}

fn unreadable(cause: &Error) -> Refusal {
    Refusal::new(500, "InternalServerException", cause.message())
}

fn bad_parameter(name: &str) -> Refusal {
    Refusal::invalid("INVALID_PARAMETER_VALUE", format!("The value of {name} is not valid."))
}

/// The per-snapshot limit.
pub(super) fn throttled_snapshot() -> Refusal {
    Refusal::new(400, "RequestThrottledException", "Rate exceeded for this snapshot.")
        .because("RESOURCE_LEVEL_THROTTLE")
}

/// The per-account limit, which the API model does not know.
pub(super) fn throttled_account(status: u16) -> Refusal {
    Refusal::new(status, "ThrottlingException", "Rate exceeded")
}

/// The next index of two ascending lists, and which of them have it.
fn step(
    old: &mut Peekable<impl Iterator<Item = u64>>,
    new: &mut Peekable<impl Iterator<Item = u64>>,
) -> Option<(u64, bool, bool)> {
    let order = match (old.peek(), new.peek()) {
        (None, None) => return None,
        (Some(_), None) => Order::Less,
        (None, Some(_)) => Order::Greater,
        (Some(a), Some(b)) => a.cmp(b),
    };
    let in_old = if order.is_le() { old.next() } else { None };
    let in_new = if order.is_ge() { new.next() } else { None };
    Some((in_old.or(in_new)?, in_old.is_some(), in_new.is_some()))
}

fn same(first: &Disk, second: &Disk, index: u64) -> bool {
    matches!((first.block(index), second.block(index)), (Ok(a), Ok(b)) if a == b)
}

/// Milliseconds as the fraction of seconds the API uses.
fn seconds(ms: u64) -> f64 {
    std::time::Duration::from_millis(ms).as_secs_f64()
}
