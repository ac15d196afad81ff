//! Formats of other systems, in and out. Pure translation: nothing is decided here (who may, whether it is new),
//! nothing is stored, and only [`source`] touches files. Every resource that goes in comes out as an item, be it
//! an event, kept whole, or refused with its place and reason.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod cloud_event;
pub mod evidence;
pub mod fhir;
mod refused;
pub mod source;

pub use cloud_event::{CloudEvent, source_of};
pub use refused::Refused;
