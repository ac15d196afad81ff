//! The vocabulary of a health record and the pure fold from a person's events to their record.
//!
//! Owns ids, codes, quantities, dates, the kinds of event with their reading and checking, corrections, and what the
//! current record is. Refuses I/O, clocks, randomness, async. Everything here is a function of its arguments.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

#[macro_use]
mod macros;

mod block;
mod data;
mod decimal;
mod event;
mod field;
mod id;
pub mod json;
mod kind;
pub mod limits;
mod rules;
mod time;

pub use block::*;
pub use data::*;
pub use decimal::{Decimal, NotADecimal};
pub use event::{Event, Incoming};
pub use field::FieldError;
pub use id::{EventId, NotAnId, PersonId};
pub use kind::Kind;
pub use time::{Date, Instant, NotATime, Occurred, PartialDate, YEAR_MAX, YEAR_MIN};
