//! A collector: it turns inodes into streams and names, and notes which blocks are metadata.

use super::device::Device;
use super::inode::{Inode, ROOT_BYTES, ROOT_OFFSET};
use super::mapping::{Mapping, Meter};
use super::xattr::{self, Attribute, Value};
use super::{Ext, directory};
use crate::bytes::ReadAt;
use crate::error::{Error, ErrorKind, Result};
use crate::filesystem::{At, Extent, FileEntry, FileKind, Stream, StreamName};
use crate::limits;
use crate::run::Run;
use std::collections::BTreeSet;

/// Where files and errors go. Errors are bounded.
pub(super) struct Troubles<'a> {
    visit: &'a mut dyn FnMut(Result<FileEntry>),
    count: usize,
}

impl<'a> Troubles<'a> {
    /// Hand everything to `visit`.
    pub(super) fn new(visit: &'a mut dyn FnMut(Result<FileEntry>)) -> Troubles<'a> {
        Troubles { visit, count: 0 }
    }

    /// Visit an error, unless there were too many.
    pub(super) fn visit(&mut self, error: Error) {
        self.count = self.count.saturating_add(1);
        if self.count <= limits::EXT_ERRORS {
            (self.visit)(Err(error));
        }
    }

    /// Visit a file.
    pub(super) fn file(&mut self, entry: FileEntry) {
        (self.visit)(Ok(entry));
    }

    /// Say how many errors were left out.
    pub(super) fn finish(&mut self) {
        if let Some(more) = self.count.checked_sub(limits::EXT_ERRORS).filter(|&more| more > 0) {
            let error = Error::new(ErrorKind::Limit, "filesystem has more errors than are listed");
            (self.visit)(Err(error.detail(more)));
        }
    }
}

/// What inodes turn out to hold.
pub(super) struct Collector<'a> {
    ext: &'a Ext,
    meter: Meter,
    /// For deleted files, so that their leftovers take nothing from the living.
    other_meter: Meter,
    attributes_left: u64,
    directory_blocks_left: u64,
    /// Bytes of the volume that hold metadata which inodes point at.
    pub(super) metadata: Vec<Run>,
    /// Inodes that hold the value of some other inode's attribute.
    pub(super) values: BTreeSet<u32>,
    /// What went wrong since it was last taken.
    pub(super) troubles: Vec<Error>,
}

impl<'a> Collector<'a> {
    /// For the inodes of `ext`.
    pub(super) fn new(ext: &'a Ext) -> Collector<'a> {
        Collector {
            ext,
            meter: Meter::new(ext.sb.blocks),
            other_meter: Meter::new(ext.sb.blocks),
            attributes_left: u64::from(ext.sb.inodes)
                .saturating_mul(limits::EXT_ATTRIBUTES_PER_INODE)
                .saturating_add(limits::EXT_ATTRIBUTES),
            directory_blocks_left: ext.sb.blocks,
            metadata: Vec::new(),
            values: BTreeSet::new(),
            troubles: Vec::new(),
        }
    }

    fn device(&self) -> &'a Device {
        &self.ext.device
    }

    fn note(&mut self, inode: u32, error: Error) {
        let place = Error::new(error.kind(), "inode is damaged").detail(inode);
        self.push(place.caused_by(error));
    }

    /// One inode can bring in any number of errors before they are passed on.
    fn push(&mut self, error: Error) {
        if self.troubles.len() <= limits::EXT_ERRORS {
            self.troubles.push(error);
        }
    }

    /// The mapping of an inode, its tree noted as metadata.
    pub(super) fn map(&mut self, inode: &Inode<'_>) -> Mapping {
        let device = self.device();
        let mut mapping = Mapping::read(device, self.ext.sb.blocks, &mut self.meter, inode);
        self.metadata.extend(mapping.tree_runs(device.block_bytes()));
        if let Some(error) = mapping.trouble.take() {
            self.note(inode.number, error);
        }
        mapping
    }

    /// The streams of a deleted inode. Damage in it is no news, and its blocks are not metadata.
    pub(super) fn deleted_streams(&mut self, inode: &Inode<'_>) -> Box<[Stream]> {
        let known = (self.metadata.len(), self.troubles.len());
        std::mem::swap(&mut self.meter, &mut self.other_meter);
        let streams = self.streams(inode);
        std::mem::swap(&mut self.meter, &mut self.other_meter);
        self.metadata.truncate(known.0);
        self.troubles.truncate(known.1);
        streams
    }

    /// The streams of an inode.
    pub(super) fn streams(&mut self, inode: &Inode<'_>) -> Box<[Stream]> {
        let attributes = self.attributes(inode);
        let mut streams = Vec::with_capacity(attributes.len().saturating_add(1));
        match inode.kind {
            FileKind::File => streams.push(self.data(inode, StreamName::Data)),
            FileKind::Link => streams.push(self.data(inode, StreamName::LinkTarget)),
            FileKind::Directory | FileKind::Special => {}
        }
        for (attribute, base) in attributes {
            if !attribute.is_inline_data() {
                streams.push(self.attribute(inode.number, attribute, base));
            }
        }
        streams.into()
    }

    fn data(&mut self, inode: &Inode<'_>, name: StreamName) -> Stream {
        let extents = if inode.is_inline() {
            self.inline_extents(inode)
        } else if inode.is_fast_link() {
            let from = inode.at.saturating_add(to_u64(ROOT_OFFSET));
            self.in_place(Run::new(from, inode.size), 0).into_iter().collect()
        } else {
            self.map(inode).extents(self.device())
        };
        if inode.is_compressed() && self.ext.sb.has_compression() {
            self.note(inode.number, Error::unsupported("file is compressed"));
        }
        Stream { name, size: self.bounded_size(inode), extents: extents.into() }
    }

    /// A file cannot be longer than block numbers go.
    fn bounded_size(&mut self, inode: &Inode<'_>) -> u64 {
        let most = self.ext.sb.block_bytes.saturating_mul(1 << 32);
        if inode.size <= most {
            return inode.size;
        }
        self.note(inode.number, Error::corrupt("file is longer than can be").detail(inode.size));
        most
    }

    /// A piece that lies inside a structure.
    fn in_place(&self, run: Run, file_offset: u64) -> Option<Extent> {
        if run.is_empty() {
            return None;
        }
        let at = match self.device().place(run) {
            At::Disk(start) => At::Inline(start),
            at => at,
        };
        Some(Extent { file_offset, len: run.len, at })
    }

    /// Where small contents lie: in the 60 bytes of the inode, and on in `system.data`.
    fn inline_runs(inode: &Inode<'_>) -> [Run; 2] {
        let root = Run::new(inode.at.saturating_add(to_u64(ROOT_OFFSET)), to_u64(ROOT_BYTES));
        let rest = inode.attributes_offset().and_then(|offset| {
            let (found, _) = xattr::in_inode(inode.record, offset);
            found.into_iter().find(Attribute::is_inline_data)
        });
        match rest {
            Some(Attribute { value: Value::Here(start), size, .. }) => {
                [root, Run::new(inode.at.saturating_add(to_u64(start)), size.into())]
            }
            _ => [root, Run::default()],
        }
    }

    /// A size beyond what is held reads as zeros; mke2fs makes such files of small sparse ones.
    fn inline_extents(&self, inode: &Inode<'_>) -> Vec<Extent> {
        let mut extents = Vec::new();
        let mut offset = 0u64;
        for run in Self::inline_runs(inode) {
            let shown = Run::new(run.start, run.len.min(inode.size.saturating_sub(offset)));
            extents.extend(self.in_place(shown, offset));
            offset = offset.saturating_add(run.len);
        }
        extents
    }

    /// The attributes of an inode, each with the first byte of the structure its value lies in.
    fn attributes(&mut self, inode: &Inode<'_>) -> Vec<(Attribute, u64)> {
        let mut all = Vec::new();
        if let Some(offset) = inode.attributes_offset() {
            let (found, result) = xattr::in_inode(inode.record, offset);
            all.extend(found.into_iter().map(|attribute| (attribute, inode.at)));
            result.unwrap_or_else(|error| self.note(inode.number, error));
        }
        match inode.attribute_block() {
            Ok(0) => {}
            Ok(block) => {
                let (found, result) = self.attribute_block(block);
                let at = block.saturating_mul(self.ext.sb.block_bytes);
                all.extend(found.into_iter().map(|attribute| (attribute, at)));
                result.unwrap_or_else(|error| self.note(inode.number, error));
            }
            Err(error) => self.note(inode.number, error),
        }
        let count = to_u64(all.len());
        if let Some(left) = self.attributes_left.checked_sub(count) {
            self.attributes_left = left;
        } else {
            all.clear();
            let error = Error::new(ErrorKind::Limit, "filesystem has too many attributes");
            self.note(inode.number, error);
        }
        all
    }

    fn attribute_block(&mut self, block: u64) -> (Vec<Attribute>, Result<()>) {
        if self.ext.sb.blocks <= block {
            let error = Error::corrupt("attribute block is outside").detail(block);
            return (Vec::new(), Err(error));
        }
        let bytes = self.ext.sb.block_bytes;
        match self.device().block(block) {
            Ok(data) => {
                self.metadata.push(Run::new(block.saturating_mul(bytes), bytes));
                xattr::in_block(&data)
            }
            Err(error) => (Vec::new(), Err(error)),
        }
    }

    fn attribute(&mut self, inode: u32, attribute: Attribute, base: u64) -> Stream {
        let size = u64::from(attribute.size);
        let extents = match attribute.value {
            Value::Here(start) => {
                let run = Run::new(base.saturating_add(to_u64(start)), size);
                self.in_place(run, 0).into_iter().collect()
            }
            Value::Inode(number) => self.value_extents(number).unwrap_or_else(|error| {
                self.note(inode, error);
                Vec::new()
            }),
        };
        Stream { name: StreamName::Xattr(attribute.name), size, extents: extents.into() }
    }

    fn value_extents(&mut self, number: u32) -> Result<Vec<Extent>> {
        let (at, record) = self.ext.inode_record(number)?;
        let inode = Inode::parse(number, at, &record, false)?
            .filter(Inode::is_attribute_value)
            .ok_or_else(|| Error::corrupt("attribute's value is in no value inode"))?;
        self.values.insert(number);
        Ok(self.map(&inode).extents(self.device()))
    }

    /// Visit the names in a directory, its blocks noted as metadata: inode, name.
    pub(super) fn names(&mut self, inode: &Inode<'_>, each: &mut dyn FnMut(u32, &[u8])) {
        if inode.is_inline() {
            let [root, rest] = Self::inline_runs(inode);
            // The first four bytes are the number of the parent.
            let root = Run::between(root.start.saturating_add(4), root.end());
            for run in [root, rest] {
                self.names_in(inode.number, run, run.len, each);
            }
            return;
        }
        let bytes = self.ext.sb.block_bytes;
        for piece in self.map(inode).pieces {
            let shown = Run::between(0, inode.size.div_ceil(bytes));
            let part = Run::new(piece.logical, piece.len).intersect(shown);
            let left = self.directory_blocks_left.checked_sub(part.len);
            if left.is_none() {
                let error = Error::new(ErrorKind::Limit, "directories are larger than the volume");
                return self.note(inode.number, error);
            }
            self.directory_blocks_left = left.unwrap_or(0);
            let run =
                Run::new(piece.physical.saturating_mul(bytes), part.len.saturating_mul(bytes));
            self.metadata.push(run);
            if piece.written {
                self.names_in(inode.number, run, bytes, each);
            }
        }
    }

    /// Names in a run of the device, in units of `unit` bytes.
    fn names_in(&mut self, inode: u32, run: Run, unit: u64, each: &mut dyn FnMut(u32, &[u8])) {
        let step = limits::EXT_READ_BYTES.max(unit);
        let unit = usize::try_from(unit).unwrap_or(1).max(1);
        let mut at = run.start;
        while at < run.end() {
            let part = Run::new(at, step).intersect(run);
            at = part.end();
            let data = self.read_patiently(part);
            for block in data.chunks(unit) {
                let result = directory::entries(block, self.ext.sb.has_file_type(), |entry| {
                    each(entry.inode, entry.name);
                });
                result.unwrap_or_else(|error| self.note(inode, error));
            }
        }
    }

    /// The bytes of `run`, block by block where they cannot be had at once; zeros for those that
    /// cannot be had at all, which mean nothing in a directory or an inode table.
    pub(super) fn read_patiently(&mut self, run: Run) -> Vec<u8> {
        let mut data = vec![0; usize::try_from(run.len).unwrap_or(0)];
        if self.device().read_at(run.start, &mut data).is_ok() {
            return data;
        }
        let block = usize::try_from(self.ext.sb.block_bytes).unwrap_or(1).max(1);
        let mut at = run.start;
        for part in data.chunks_mut(block) {
            if let Err(error) = self.device().read_at(at, part) {
                part.fill(0);
                self.push(error);
            }
            at = at.saturating_add(self.ext.sb.block_bytes);
        }
        data
    }
}

fn to_u64(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
