//! Collecting facts from EC2: the calls, and nothing that follows from them.

mod images;

pub use self::images::Ec2;
