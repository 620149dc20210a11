//! Packed data inside encoded text: gzip ([RFC 1952](https://www.rfc-editor.org/rfc/rfc1952)) and
//! zlib ([RFC 1950](https://www.rfc-editor.org/rfc/rfc1950)).

use flate2::read::{GzDecoder, ZlibDecoder};
use std::io::Read;

/// The names of what packs.
pub const PACKED: [&str; 2] = ["gzip", "zlib"];

/// Bytes that are asked for at once.
const STEP_BYTES: u64 = 16 * 1024;

/// What was unpacked.
pub(super) struct Unpacked {
    pub(super) format: &'static str,
    pub(super) bytes: Vec<u8>,
    /// Whether there is more than was allowed.
    pub(super) cut: bool,
}

/// Whether `bytes` begin like packed data.
pub(super) fn begins(bytes: &[u8]) -> bool {
    format(bytes).is_some()
}

fn format(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        // No flag is set that has no meaning.
        [0x1f, 0x8b, 8, flags, ..] if *flags < 0x20 => Some(PACKED[0]),
        [0x78, check, ..] if (0x7800 + u32::from(*check)) % 31 == 0 && check & 0x20 == 0 => {
            Some(PACKED[1])
        }
        _ => None,
    }
}

/// Whether packed data that begins with `bytes` may give anything: what looks like a header by
/// chance is found wrong within a few bytes.
pub(super) fn may_give(bytes: &[u8]) -> bool {
    let Some(mut reader) = reader(bytes) else { return false };
    match reader.read_exact(&mut [0]) {
        Ok(()) => true,
        Err(error) => error.kind() == std::io::ErrorKind::UnexpectedEof,
    }
}

fn reader(bytes: &[u8]) -> Option<Box<dyn Read + '_>> {
    Some(match format(bytes)? {
        "gzip" => Box::new(GzDecoder::new(bytes)),
        _ => Box::new(ZlibDecoder::new(bytes)),
    })
}

/// Unpack what `bytes` begin with, up to `room` bytes. What was unpacked before an error counts:
/// a text may be cut.
pub(super) fn unpack(bytes: &[u8], room: usize) -> Option<Unpacked> {
    let format = format(bytes)?;
    let mut reader = reader(bytes)?;
    let mut out = Vec::new();
    while out.len() <= room {
        match reader.by_ref().take(STEP_BYTES).read_to_end(&mut out) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
    }
    let cut = out.len() > room;
    out.truncate(room);
    (!out.is_empty()).then_some(Unpacked { format, bytes: out, cut })
}
