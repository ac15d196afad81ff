//! Synthetic people of a Vietnamese city from a seed: households, illnesses, visits, vaccinations,
//! mistakes and their repair, as the events that outside programs send.
//!
//! Owns how the city comes about and refuses to be used outside demo, tests and benches. A seed
//! means the same events for ever. Nobody here is anybody: numbers are from ranges that were never
//! assigned. Health figures follow published surveys and are named where they stand.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]

mod asking;
mod calendar;
mod cast;
mod chronicle;
mod city;
mod codes;
mod demography;
mod household;
mod identity;
mod illness;
mod life;
mod lines;
mod longterm;
mod measures;
mod names;
mod pen;
mod physiology;
mod place;
mod prevention;
mod registration;
mod rng;
mod schedule;
mod stories;
mod truth;
mod visits;
mod voices;

pub use city::{City, DemoPeople, Events};
pub use lines::write_line;
pub use truth::Truth;

/// Why a city cannot be founded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PopulationError {
    /// Fewer people than the cast of the demonstration.
    #[error("found a city of {people} people: at least {people_min} are needed")]
    TooFew {
        /// People asked for.
        people: u64,
        /// The least possible.
        people_min: u64,
    },
    /// More people than never-assigned personal numbers reach.
    #[error("found a city of {people} people: there are numbers for some 10 million")]
    TooMany {
        /// People asked for.
        people: u64,
    },
    /// The catalogue has no communes or facilities to live in and be treated at.
    #[error("found a city: the catalogue names no communes or no facilities")]
    NoCommunes,
}
