//! DEFLATE, as it stands in gzip, zlib and zip
//! ([RFC 1951](https://www.rfc-editor.org/rfc/rfc1951)).

use super::stream::Step;
use flate2::{Decompress, FlushDecompress, Status};
use std::io;

/// Undoes DEFLATE.
pub(super) struct Inflate(Decompress);

impl Inflate {
    /// Without a header around it.
    pub(super) fn raw() -> Inflate {
        Inflate(Decompress::new(false))
    }

    /// With the header and checksum of zlib.
    pub(super) fn zlib() -> Inflate {
        Inflate(Decompress::new(true))
    }
}

impl Step for Inflate {
    fn step(&mut self, input: &[u8], output: &mut [u8]) -> (usize, usize, io::Result<bool>) {
        let (taken, made) = (self.0.total_in(), self.0.total_out());
        let result = self.0.decompress(input, output, FlushDecompress::None);
        let since = |now: u64, then: u64| usize::try_from(now.saturating_sub(then)).unwrap_or(0);
        let taken = since(self.0.total_in(), taken);
        let made = since(self.0.total_out(), made);
        let ended = result.map(|status| status == Status::StreamEnd);
        (taken.min(input.len()), made.min(output.len()), ended.map_err(io::Error::from))
    }
}
