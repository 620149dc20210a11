//! What a credential's own bytes prove and say, offline.

pub mod aws_id;
pub mod base32;
pub mod base58;
pub mod base62;
pub mod base64;
pub mod bech32;
pub mod bip39;
pub mod certificate;
pub mod crc;
pub mod der;
pub mod jwt;
pub mod known;
pub mod obscured;
pub mod openssh;
pub mod pem;
pub mod pgp;
pub mod private_key;
pub mod putty;
pub mod stand_in;
