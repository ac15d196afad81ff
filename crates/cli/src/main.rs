//! The `sokhoe` binary.

fn main() {}
