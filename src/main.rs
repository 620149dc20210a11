//! The amisweep command.

fn main() {}
