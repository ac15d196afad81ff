//! What is promised of stored events: golden bytes of every kind and version stay readable for ever, and
//! damaged bytes are an error or another event, never a panic.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says so loudly"
)]

mod damage;
mod golden;
mod round_trip;
mod sample;
