//! The owner: what the account that a leaked credential belongs to says of it.
//!
//! The third way between guessing offline and trying the credential: the owner's own account is
//! asked, with the owner's own rights. Nothing here ever signs with what leaked.

mod leaked;

pub use self::leaked::{Leaked, Subject};
