//! The integration tests: data in, expected listing out.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

#[cfg(feature = "aws")]
mod acceptance;
mod acquired;
mod answers;
mod artifacts;
mod audit;
mod audit_command;
mod capabilities;
#[cfg(feature = "aws")]
mod collect;
mod contents_archives;
mod contents_git;
mod contents_hostile;
mod contents_images;
mod contents_sqlite;
mod damage;
mod docs;
#[cfg(feature = "aws")]
mod ebs;
#[cfg(feature = "aws")]
mod emulator;
mod encodings;
mod engine;
mod ext;
mod fat;
mod fleet;
mod generic;
mod kms;
#[cfg(feature = "aws")]
mod moto;
mod mutation;
mod pairs;
mod planted;
mod preshare;
mod provenance;
mod remediate;
mod reports;
mod rules;
mod server;
mod signatures;
mod tidy;
mod volumes;
mod whatif;
mod xfs;
