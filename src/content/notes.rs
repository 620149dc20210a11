//! Notes: the many small texts of a container that belong to a member and are none of its bytes,
//! such as link targets, attributes and comments. They are handed out together, to be searched at
//! once, each under the member's name and its own.

use super::{Found, From, Member, Out, Part};
use crate::error::Result;
use crate::limits;
use crate::run::Run;

/// Notes that wait to be handed out.
#[derive(Default)]
pub(super) struct Notes {
    text: Vec<u8>,
    /// Where each begins, and its name.
    starts: Vec<(u64, Box<[u8]>)>,
}

impl Notes {
    /// One more: what `kind` says of the member `name`, or of the container when that is empty.
    pub(super) fn add(
        &mut self,
        name: &[u8],
        kind: &[u8],
        text: &[u8],
        out: Out<'_>,
    ) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        let name = name.get(..limits::MEMBER_NAME_BYTES).unwrap_or(name);
        let between: &[u8] = if name.is_empty() { b"" } else { b":" };
        let start = u64::try_from(self.text.len()).unwrap_or(u64::MAX);
        self.starts.push((start, [name, between, kind].concat().into()));
        self.text.extend_from_slice(text);
        self.text.push(b'\n');
        if self.text.len() >= limits::STREAM_BYTES || self.starts.len() >= limits::NOTES {
            return self.flush(out);
        }
        Ok(())
    }

    /// Hand out what waits.
    pub(super) fn flush(&mut self, out: Out<'_>) -> Result<()> {
        let Notes { text, starts } = std::mem::take(self);
        if text.is_empty() {
            return Ok(());
        }
        let parts = |run: Run| {
            let after = starts.partition_point(|(start, _)| *start <= run.start);
            let (start, name) = starts.get(after.checked_sub(1)?)?;
            let run = Run::new(run.start.checked_sub(*start)?, run.len);
            Some(Part { name: name.to_vec(), run, from: From::Somewhere })
        };
        let mut bytes = text.as_slice();
        out(Found::Member(Member { parts: Some(&parts), ..Member::new(None, &mut bytes) }))
    }
}
