//! A raw disk image: a file or a block device, read as it is.

use super::Image;
use crate::bytes::{ReadAt, data_runs, past_end};
use crate::error::{Error, ErrorKind, Result};
use crate::limits::BLOCK_BYTES;
use crate::run::{ImageNo, Run, RunSet};
use std::fs::File;
use std::io::{Seek, SeekFrom as StdSeekFrom};
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

struct Raw {
    file: File,
    number: ImageNo,
    len: u64,
}

/// Open the disk image or block device at `path` for reading.
pub fn open(path: &Path, number: ImageNo, name: Arc<str>) -> Result<Image> {
    let refuse = |what: &'static str| {
        move |cause: std::io::Error| {
            let kind = match cause.kind() {
                std::io::ErrorKind::NotFound => ErrorKind::NotFound,
                _ => ErrorKind::Io,
            };
            Error::new(kind, what).detail(path.display()).caused_by(cause)
        }
    };
    // Without NONBLOCK a pipe without a writer would be waited for before it can be refused.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let opened = File::options().read(true).custom_flags(flags).open(path);
    let mut file = opened.map_err(refuse(
        "cannot open the image; give a raw image, a block device or a directory that you may read",
    ))?;
    let meta = file.metadata().map_err(refuse("cannot inspect the image"))?;
    if !meta.is_file() && !meta.file_type().is_block_device() {
        return Err(Error::new(
            ErrorKind::Usage,
            "not a disk image or block device; give a raw image, a block device or a directory",
        )
        .detail(path.display()));
    }
    let len = file.seek(StdSeekFrom::End(0)).map_err(refuse("cannot size the image"))?;
    let written = if meta.is_file() {
        written_blocks(&file, len)
    } else {
        RunSet::from_runs(vec![Run::new(0, len)])
    };
    let bytes = Arc::new(Raw { file, number, len });
    Ok(Image { number, name, bytes, written, ahead: None })
}

/// The blocks in which the host filesystem holds data.
fn written_blocks(file: &File, len: u64) -> RunSet {
    let whole = Run::new(0, len);
    let blocks = |run: &Run| run.align_out(BLOCK_BYTES).intersect(whole);
    RunSet::from_runs(data_runs(file, len).runs().iter().map(blocks).collect())
}

impl ReadAt for Raw {
    fn len(&self) -> u64 {
        self.len
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        let len = u64::try_from(buf.len()).unwrap_or(u64::MAX);
        if Run::new(offset, len).len != len || offset.saturating_add(len) > self.len {
            return Err(past_end(offset, buf.len(), self.len));
        }
        self.file.read_exact_at(buf, offset).map_err(|cause| {
            Error::new(ErrorKind::Unreadable, "the disk image could not be read")
                .detail(format_args!("{len} bytes at {offset}"))
                .caused_by(cause)
        })
    }

    fn locate(&self, run: Run) -> Vec<(ImageNo, Run)> {
        vec![(self.number, run.intersect(Run::new(0, self.len)))]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn counts_only_the_blocks_that_hold_data() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(8 * BLOCK_BYTES + 100).unwrap();
        file.seek(StdSeekFrom::Start(3 * BLOCK_BYTES + 5)).unwrap();
        file.write_all(b"data").unwrap();
        let image = open(file.path(), ImageNo(0), "x".into()).unwrap();
        assert_eq!(image.written.runs(), [Run::new(3 * BLOCK_BYTES, BLOCK_BYTES)]);
        let mut buf = [0; 4];
        image.bytes.read_at(3 * BLOCK_BYTES + 5, &mut buf).unwrap();
        assert_eq!(&buf, b"data");
        assert!(image.bytes.read_at(8 * BLOCK_BYTES + 99, &mut [0; 2]).is_err());
    }
}
