//! A second opinion: one file read again by `ext4-view`, which shares no code with this reader.

use crate::bytes::ReadAt;
use crate::error::{Error, ErrorKind, Result};
use crate::limits;
use ext4_view::{Ext4, Ext4Error, Ext4Read};
use std::sync::Arc;

const CHUNK_BYTES: usize = 256 * 1024;

struct Reader(Arc<dyn ReadAt>);

impl Ext4Read for Reader {
    fn read(
        &mut self,
        start_byte: u64,
        dst: &mut [u8],
    ) -> Result<(), Box<dyn std::error::Error + Send + Sync + 'static>> {
        self.0.read_at(start_byte, dst).map_err(Into::into)
    }
}

/// Read the file or link at `path`, handing its bytes over in order.
pub(super) fn read(
    volume: &Arc<dyn ReadAt>,
    path: &[u8],
    take: &mut dyn FnMut(&[u8]),
) -> Result<()> {
    let ext = Ext4::load(Box::new(Reader(Arc::clone(volume)))).map_err(refused)?;
    let meta = ext.symlink_metadata(path).map_err(refused)?;
    if meta.file_type().is_symlink() {
        let target = ext.read_link(path).map_err(refused)?;
        take(target.as_ref());
        return Ok(());
    }
    if meta.len() > limits::EXT_SECOND_OPINION_BYTES {
        return Err(Error::new(ErrorKind::Limit, "file is too long to be read again"));
    }
    let mut file = ext.open(path).map_err(refused)?;
    let mut buf = vec![0; CHUNK_BYTES];
    loop {
        let mut filled = 0;
        while let Some(rest) = buf.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read_bytes(rest).map_err(refused)? {
                0 => break,
                read => filled = filled.saturating_add(read),
            }
        }
        match buf.get(..filled) {
            None | Some([]) => return Ok(()),
            Some(bytes) => take(bytes),
        }
    }
}

fn refused(error: Ext4Error) -> Error {
    let kind = match &error {
        Ext4Error::NotFound => ErrorKind::NotFound,
        Ext4Error::Encrypted => ErrorKind::Encrypted,
        Ext4Error::Incompatible(_) => ErrorKind::Unsupported,
        Ext4Error::Io(_) => ErrorKind::Unreadable,
        _ => ErrorKind::Corrupt,
    };
    Error::new(kind, "second reader refused the file").caused_by(error)
}
