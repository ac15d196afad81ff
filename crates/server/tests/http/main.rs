//! The server over real sockets: one promise per test, each on a house of its own.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says so loudly"
)]

mod access;
mod admin;
mod coded;
mod door;
mod events;
mod feed;
mod fhir;
mod house;
mod opening;
mod peer;
mod people;
mod proofs;
mod sent;
mod tls;
mod trust;
