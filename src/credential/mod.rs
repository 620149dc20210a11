//! What a credential's own bytes prove and say, offline.

pub mod private_key;
