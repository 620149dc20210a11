//! xfs
