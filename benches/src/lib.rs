//! What every bench needs: the machine and its disk described, load from many writers, numbers and the report.
//!
//! A bench answers one question with a number and prints what that number depends on: machine, commit, command,
//! and what the disk does by itself in the same folder and run.
#![expect(
    clippy::disallowed_methods,
    reason = "measuring takes the machine's clock"
)]

pub mod append;
pub mod child;
pub mod disk;
pub mod http;
pub mod load;
pub mod machine;
pub mod numbers;
pub mod people;
pub mod random;
pub mod report;
