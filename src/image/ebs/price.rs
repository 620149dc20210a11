//! The price of reading a snapshot, known exactly before the first block is fetched.
//!
//! <https://aws.amazon.com/ebs/pricing/>: the figures of us-east-1; other regions differ a little.
#![expect(clippy::as_conversions, clippy::cast_precision_loss, reason = "an estimate")]

/// Blocks of one page of a listing: the most the API gives, so that a listing takes few calls.
pub(super) const PAGE_BLOCKS: u64 = 10_000;

const DOLLARS_PER_LIST_CALL: f64 = 0.0006 / 1000.0;
const DOLLARS_PER_BLOCK: f64 = 0.003 / 1000.0;

/// Requests a second that AWS answers for one snapshot, which is not adjustable
/// (<https://docs.aws.amazon.com/general/latest/gr/ebs-service.html>).
const QUOTA: u32 = 1000;

/// What reading a snapshot once takes. Traffic out of the region or out of AWS is billed on top.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Blocks that were written, each fetched once.
    pub blocks: u64,
    /// Calls that list them.
    pub list_calls: u64,
    /// What AWS bills for these calls.
    pub dollars: f64,
    /// How long it takes at the request rate allowed; the network may be slower.
    pub seconds_at_quota: f64,
}

impl Estimate {
    /// The estimate for `blocks` blocks that `list_calls` calls listed, at a rate of
    /// `requests_per_second`.
    pub(super) fn of(blocks: u64, list_calls: u64, requests_per_second: u32) -> Estimate {
        Estimate {
            blocks,
            list_calls,
            dollars: DOLLARS_PER_LIST_CALL * list_calls as f64 + DOLLARS_PER_BLOCK * blocks as f64,
            seconds_at_quota: blocks as f64 / f64::from(requests_per_second.clamp(1, QUOTA)),
        }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Estimate) -> Estimate {
        Estimate {
            blocks: self.blocks.saturating_add(other.blocks),
            list_calls: self.list_calls.saturating_add(other.list_calls),
            dollars: self.dollars + other.dollars,
            seconds_at_quota: self.seconds_at_quota + other.seconds_at_quota,
        }
    }

    /// The bytes that will be fetched.
    pub fn bytes(&self) -> u64 {
        self.blocks.saturating_mul(crate::limits::BLOCK_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_what_the_price_list_says() {
        for (blocks, calls, dollars, seconds) in [
            (0, 1, "0.0000", "0"),
            (5_734, 1, "0.0172", "6"),
            (16_384, 2, "0.0492", "16"),
            (204_800, 21, "0.6144", "205"),
        ] {
            let estimate = Estimate::of(blocks, calls, 1000);
            assert_eq!(format!("{:.4}", estimate.dollars), dollars);
            assert_eq!(format!("{:.0}", estimate.seconds_at_quota), seconds);
            assert_eq!(Estimate::of(blocks, calls, 5000), estimate, "asking for more gets no more");
        }
    }
}
