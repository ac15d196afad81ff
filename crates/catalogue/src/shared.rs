//! The handle through which a running server sees the newest snapshot: readers take one and never lock.

use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::catalogue::Catalogue;
use crate::list::Loaded;

/// A catalogue that can be replaced while others read it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SharedCatalogue {
    current: Arc<ArcSwap<Catalogue>>,
}

impl SharedCatalogue {
    /// Shares a snapshot.
    #[must_use]
    pub fn new(catalogue: Catalogue) -> Self {
        Self {
            current: Arc::new(ArcSwap::from_pointee(catalogue)),
        }
    }

    /// The newest snapshot; hold it for one question or one commit, not longer.
    #[must_use]
    pub fn load(&self) -> Arc<Catalogue> {
        self.current.load_full()
    }

    /// Puts a loaded list into the present snapshot, whoever else does the same meanwhile.
    pub fn add(&self, loaded: &Loaded) {
        self.current.rcu(|current| current.with(loaded.clone()));
    }

    /// Puts a new snapshot in place of the present one.
    pub fn replace(&self, catalogue: Catalogue) {
        self.current.store(Arc::new(catalogue));
    }
}

impl Default for SharedCatalogue {
    fn default() -> Self {
        Self::new(Catalogue::built_in())
    }
}
