//! Collecting facts: the calls, and nothing that follows from them.
//!
//! A scan asks about one image through the SDK ([`Ec2`]). Everything else goes through one
//! [signed call](wire) and a [table](calls) of what is asked; each answer becomes a member of the
//! [facts](super::facts), each refusal the permission that was missing.

mod account;
mod call;
mod calls;
mod client;
mod gather;
mod images;
mod name;
mod trail;
pub mod trial;
mod who;
mod wire;
mod xml;

pub use self::account::{account, members, regions};
pub use self::calls::permissions;
pub use self::client::{Client, Line, Pace, Who};
pub use self::gather::{Plan, region};
pub use self::images::Ec2;
pub use self::trail::EVENTS;
pub use self::who::{Caller, Role, refuse_leaked};
pub use self::wire::{Answer, Aws, Request, Wire};
