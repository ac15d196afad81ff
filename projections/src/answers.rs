//! Finished answers: a record as JSON, written once for each version and each way of seeing it.
//!
//! An answer is true from the position at which it was made until one of its streams grows or a merge begins or ends:
//! versions only grow, so where they are the same, so is everything between. Bounded by bytes.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sokhoe_access::Filter;
use sokhoe_record::PersonId;

/// Answers that the cache is laid out for; its limit is bytes.
const ANSWERS_ESTIMATED: usize = 20_000;
/// What an entry takes beside its text.
const ENTRY_BYTES: usize = 256;

/// Whose record, seen how.
type Key = (PersonId, Filter);

/// A record as JSON, without the position that each answer names anew.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Everyone whose entries it holds.
    pub(crate) members: Vec<PersonId>,
    /// How many events they had.
    pub(crate) version: u64,
    /// The position at which it was made.
    pub(crate) position: u64,
    /// The members of the JSON object behind the position, with its end.
    pub(crate) rest: Vec<u8>,
}

#[derive(Debug, Clone)]
struct Weight;

impl Weighter<Key, Arc<Kept>> for Weight {
    fn weight(&self, _key: &Key, kept: &Arc<Kept>) -> u64 {
        u64::try_from(kept.rest.len() + ENTRY_BYTES).unwrap_or(u64::MAX)
    }
}

/// The finished answers that there is room for.
#[derive(Debug)]
pub(crate) struct Answers(Cache<Key, Arc<Kept>, Weight>);

impl Answers {
    pub(crate) fn new(bytes_max: u64) -> Self {
        Self(Cache::with_weighter(ANSWERS_ESTIMATED, bytes_max, Weight))
    }

    pub(crate) fn get(&self, survivor: PersonId, filter: &Filter) -> Option<Arc<Kept>> {
        self.0.get(&(survivor, filter.clone()))
    }

    pub(crate) fn put(&self, survivor: PersonId, filter: &Filter, kept: Kept) {
        self.0.insert((survivor, filter.clone()), Arc::new(kept));
    }

    pub(crate) fn forget(&self) {
        self.0.clear();
    }
}
