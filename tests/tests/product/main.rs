//! Promises of the whole product, kept by the program itself: started as a process, spoken to over sockets, killed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test says so loudly"
)]

mod bad_events;
mod bad_input;
mod crash;
mod cycles;
mod damage;
mod doors;
mod faults;
mod feed;
mod fhir_import;
mod full;
mod home;
mod looks;
mod matrix;
mod peer;
mod readme;
mod rebuild;
mod sent;
mod slow;
mod stories;
mod synthea;
