//! An examiner: rules that judge a file as a whole, where signatures look at the bytes around them.

use crate::error::Result;
use crate::finding::Match;

/// Rules that judge all bytes of a file, of a member of a container, or of a window of free space
/// together. Workers share it.
pub trait Examiner: Send + Sync {
    /// Add a match for each rule that these bytes satisfy. An error says that rules are missing
    /// from the answer, not that there is none.
    fn examine(&self, bytes: &[u8], out: &mut Vec<Match>) -> Result<()>;
}
