//! What is true of a city, counted while it is made, for tests to compare answers with.

use std::collections::BTreeMap;

use sokhoe_record::{Event, Kind};

use crate::calendar::LAST;
use crate::cast::Part;
use crate::illness::Illness;
use crate::life::Life;

/// Counts of a city, or of the part of it made so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Truth {
    /// Households begun.
    pub households: u64,
    /// Books opened: one for each `person_registered`, the duplicate included.
    pub people: u64,
    /// Books that are a second entry of someone else.
    pub duplicates: u64,
    /// Deaths.
    pub deaths: u64,
    /// People alive on the last day who have hypertension, known or not.
    pub hypertension: u64,
    /// People alive on the last day whom a health worker has told so.
    pub hypertension_found: u64,
    /// People alive on the last day who have diabetes, known or not.
    pub diabetes: u64,
    /// People alive on the last day whom a health worker has told so.
    pub diabetes_found: u64,
    /// Events sent, by kind.
    pub events: BTreeMap<Kind, u64>,
}

impl Truth {
    /// Returns how many events of a kind were sent.
    pub fn events_of(&self, kind: Kind) -> u64 {
        self.events.get(&kind).copied().unwrap_or(0)
    }

    /// Returns how many events were sent.
    pub fn events_total(&self) -> u64 {
        self.events.values().sum()
    }

    pub(crate) fn count_event(&mut self, event: &Event) {
        *self.events.entry(event.kind()).or_default() += 1;
    }

    pub(crate) fn count_life(&mut self, life: &Life) {
        self.people += 1;
        if life.part == Some(Part::Duplicate) {
            self.duplicates += 1;
            return;
        }
        if life.died.is_some() {
            self.deaths += 1;
            return;
        }
        let count = |has: bool| u64::from(has);
        self.hypertension += count(life.has(Illness::Hypertension, LAST));
        self.hypertension_found += count(life.found(Illness::Hypertension, LAST));
        self.diabetes += count(life.has(Illness::Diabetes, LAST));
        self.diabetes_found += count(life.found(Illness::Diabetes, LAST));
    }
}
