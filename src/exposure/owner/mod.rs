//! The owner: what the account that a leaked credential belongs to says of it.
//!
//! The third way between guessing offline and trying the credential: the owner's own account is
//! asked, with the owner's own rights. Nothing here ever signs with what leaked.

mod administrator;
mod judge;
mod leaked;
mod organization;

pub use self::administrator::{Answer, Verdict};
pub use self::judge::{Known, State, judge};
pub use self::leaked::{Leaked, Subject};
