//! Bounds on what is read about accounts: facts, infrastructure as code, trails.

// Facts.

/// Bytes of one file of facts: 200 images in each of 20 accounts take a twentieth of it.
pub const FACTS_BYTES: u64 = 512 * 1024 * 1024;

/// Regions of accounts that are judged at once: 500 accounts in every region there is.
pub const FACTS_REGIONS: usize = 20_000;

// Audit.

/// Images that one file of infrastructure as code names. A lookup table of every region has dozens.
pub const IAC_FINDINGS: usize = 10_000;

/// Bytes of one file of infrastructure as code.
pub const IAC_FILE_BYTES: u64 = 16 * 1024 * 1024;

/// Files of infrastructure as code that are searched in one directory, below it included.
pub const IAC_FILES: usize = 100_000;

/// Files of dated facts that are judged for the history: two years of daily ones.
pub const HISTORY_FILES: usize = 750;

/// Steps back from a copy to the image it was made from. Each step is a copy somebody made.
pub const ANCESTRY_STEPS: usize = 32;

// Collecting.

/// Pages of one list of AWS: the largest accounts have thousands of snapshots a page.
pub const COLLECT_PAGES: usize = 10_000;

/// Bytes of one log file of CloudTrail, unpacked: AWS writes a new one every five minutes and
/// keeps them below 50 MB packed, whose text shrinks tenfold.
pub const TRAIL_FILE_BYTES: u64 = 512 * 1024 * 1024;

/// Files of a directory of trail logs: a year of an account in one region has 105,000.
pub const TRAIL_FILES: usize = 1_000_000;

/// Folders of a directory of trail logs, which nest by account, region, year, month and day.
pub const TRAIL_FOLDERS: usize = 200_000;

/// Events of trails that are kept: those that concern images, snapshots or leaked keys.
pub const TRAIL_EVENTS: usize = 2_000_000;
