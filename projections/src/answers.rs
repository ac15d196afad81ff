//! Finished answers: a record as JSON, written once for each version and each way of seeing it.
//! Bounded by bytes.

use std::sync::Arc;

use quick_cache::Weighter;
use quick_cache::sync::Cache;
use sokhoe_access::Filter;
use sokhoe_record::PersonId;

use crate::record_view::Extent;
use crate::streams::Moment;

/// Answers that the cache is laid out for; its limit is bytes.
const ANSWERS_ESTIMATED: usize = 20_000;
/// What an entry takes beside its text.
const ENTRY_BYTES: usize = 256;

/// Whose record, seen how.
type Key = (PersonId, Filter);

/// A record as JSON, without the position that each answer names anew.
#[derive(Debug)]
pub(crate) struct Kept {
    /// When it was made.
    pub(crate) moment: Moment,
    /// The members of the JSON object behind the position, with its end.
    pub(crate) rest: Vec<u8>,
    /// What it shows.
    pub(crate) extent: Arc<Extent>,
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
